"""One key, one event: from its submit until its retention after the ending."""

import json
import time

import harness

GATED = 'payload=$(cat); note started; [ "$payload" = quick ] || wait_for gate; note finished'
GATED += '; printf %s "$payload"'
RESULT_KEPT_MAX = 65536


class KeyTest(harness.BoxTest):
    def submit(self, payload=b"x", kind="Event", function="gated", key="k"):
        return self.box.invoke(function, payload, InvocationType=kind, IdempotencyKey=key)

    def start(self, **settings):
        self.box.function("gated", GATED, timeout="60s", **settings)
        self.box.start()

    def test_a_living_event_is_named_again(self):
        self.start()
        first = self.submit()
        self.assertNotIn("Duplicate", first)
        self.box.noted("started")
        second = self.submit()
        self.assertEqual(
            second, {"StatusCode": 202, "RequestId": first["RequestId"], "Duplicate": True}
        )
        self.box.touch("gate")
        self.box.ended(first["RequestId"])
        self.assertEqual(len(self.box.listed()), 1)
        self.assertEqual(len(self.box.notes()), 2)

    def test_an_ended_event_is_answered_with_its_ending(self):
        self.start()
        first = self.submit(b"quick")
        ended = self.box.ended(first["RequestId"])
        second = self.submit(b"quick")
        self.assertEqual((second["StatusCode"], second["Duplicate"]), (202, True))
        self.assertEqual(second["RequestId"], first["RequestId"])
        self.assertEqual(
            second["Ending"],
            {
                "State": "succeeded",
                "Condition": "Success",
                "EndedAt": ended["EndedAt"],
                "Payload": b"quick",
            },
        )
        self.assertEqual(len(self.box.notes()), 2)

    def test_the_ending_of_a_dead_event_tells_its_error(self):
        self.box.function("bad", "note ran; exit 3", retry={"retries": 0})
        self.box.start()
        first = self.submit(function="bad")
        event = self.box.ended(first["RequestId"])
        ending = self.submit(function="bad")["Ending"]
        self.assertEqual(ending["Condition"], "RetriesExhausted")
        self.assertEqual(ending["ErrorType"], "Runtime.ExitError")
        self.assertEqual(ending["ErrorMessage"], event["ErrorMessage"])
        self.assertEqual(len(self.box.notes()), 1)

    def test_another_payload_under_the_same_key_is_a_conflict(self):
        self.start()
        first = self.submit(b"quick")
        for wait in (False, True):
            if wait:
                self.box.ended(first["RequestId"])
            for kind in ("Event", "RequestResponse"):
                with self.subTest((wait, kind)), self.refused("IdempotencyConflictException"):
                    self.submit(b"other", kind)
        self.assertEqual(len(self.box.listed()), 1)

    def test_a_key_belongs_to_its_function(self):
        self.start()
        self.box.function("other", GATED)
        self.box.reload()
        first = self.submit(b"quick")
        second = self.submit(b"quick", function="other")
        self.assertNotEqual(first["RequestId"], second["RequestId"])
        self.assertNotIn("Duplicate", second)
        self.assertNotIn("Duplicate", self.submit(b"quick", key="another"))

    def test_the_bounds_of_a_key_are_kept(self):
        self.start()
        self.assertEqual(self.submit(b"quick", key="k" * 256)["StatusCode"], 202)
        for wrong in ("", "k" * 257, "\u00e9" * 129):
            with self.subTest(wrong):
                with self.refused("InvalidParameterValueException", "IdempotencyKey"):
                    self.submit(b"quick", key=wrong)

    def test_keys_survive_a_crash(self):
        self.start()
        done = self.submit(b"quick", key="done")
        self.box.ended(done["RequestId"])
        living = self.submit(b"slow", key="living")
        self.box.noted("started", count=2)
        self.box.crash_and_start()
        self.box.noted("started", count=3)
        again = self.submit(b"quick", key="done")
        self.assertEqual((again["RequestId"], again["Duplicate"]), (done["RequestId"], True))
        self.assertEqual(again["Ending"]["Payload"], b"quick")
        again = self.submit(b"slow", key="living")
        self.assertEqual((again["RequestId"], again["Duplicate"]), (living["RequestId"], True))
        self.assertNotIn("Ending", again)
        with self.refused("IdempotencyConflictException"):
            self.submit(b"other", key="living")
        self.box.touch("gate")
        self.assertEqual(self.box.ended(living["RequestId"])["Interruptions"], 1)

    def test_keys_survive_many_crashes(self):
        # Each start leaves files that no later one has opened yet when the key is asked for.
        self.start()
        known = {}
        for n in range(8):
            for k in range(5):
                key = f"{n}.{k}"
                known[key] = self.submit(b"quick", key=key)["RequestId"]
            self.box.ended(known[key])
            self.box.crash_and_start()
            asked = {
                self.box.clients[-1].send(
                    "Invoke", FunctionName="gated", InvocationType="Event", Payload=b"quick",
                    IdempotencyKey=key,
                ): request_id
                for key, request_id in known.items()
            }
            for msgid, request_id in asked.items():
                again = self.box.clients[-1].reply(msgid)
                self.assertEqual((again["RequestId"], again.get("Duplicate")), (request_id, True))

    def test_many_at_once_become_one_event(self):
        self.start()
        clients = [self.box.client() for _ in range(16)]
        request = {"FunctionName": "gated", "InvocationType": "Event", "Payload": b"quick"}
        asked = [
            (client, client.send("Invoke", **request, IdempotencyKey="k"))
            for _ in range(20)
            for client in clients
        ]
        answers = [client.reply(msgid) for client, msgid in asked]
        self.assertEqual({answer["StatusCode"] for answer in answers}, {202})
        self.assertEqual(len({answer["RequestId"] for answer in answers}), 1)
        self.assertEqual(sum("Duplicate" not in answer for answer in answers), 1)
        self.box.ended(answers[0]["RequestId"])
        self.assertEqual(len(self.box.listed()), 1)
        self.assertEqual(len(self.box.notes()), 2)

    def test_a_key_is_forgotten_when_its_retention_is_over(self):
        self.start(idempotency_retention="1s")
        first = self.submit(b"quick")
        ended = self.box.ended(first["RequestId"])
        again = self.submit(b"quick")
        self.assertEqual(again["RequestId"], first["RequestId"])

        def new():
            answer = self.submit(b"quick")
            return None if "Duplicate" in answer else answer["RequestId"]

        second = harness.wait_for(new, "the key to be forgotten", seconds=15)
        self.assertNotEqual(second, first["RequestId"])
        self.assertGreaterEqual(self.box.get(second)["AcceptedAt"], ended["EndedAt"] + 990)
        self.assertEqual(self.box.ended(second)["State"], "succeeded")
        self.assertEqual(len(self.box.listed()), 2)

    def test_a_key_does_not_expire_while_its_event_lives(self):
        self.start(idempotency_retention="1s")
        first = self.submit()
        self.box.noted("started")
        self.assertEqual(self.box.get(first["RequestId"], wait=2)["State"], "running")
        self.assertEqual(self.submit()["RequestId"], first["RequestId"])

    def test_a_result_of_64_kib_is_stored_and_a_larger_one_is_only_measured(self):
        self.box.function("echo", "note ran; cat")
        self.box.start()
        for size in (RESULT_KEPT_MAX, RESULT_KEPT_MAX + 1):
            kept = {"Payload": b"x" * size} if size <= RESULT_KEPT_MAX else {"PayloadBytes": size}
            for kind in ("Event", "RequestResponse"):
                with self.subTest((size, kind)):
                    key = f"{kind} {size}"
                    first = self.submit(b"x" * size, kind, "echo", key)
                    event = self.box.ended(first["RequestId"])
                    self.assertEqual("Result" in event, size <= RESULT_KEPT_MAX)
                    self.assertEqual(event["ResultBytes"], size)
                    ending = self.submit(b"x" * size, "Event", "echo", key)["Ending"]
                    shown = {name: ending[name] for name in ("Payload", "PayloadBytes")
                             if name in ending}
                    self.assertEqual(shown, kept)
        self.assertEqual(len(self.box.notes()), 4)


class CallKeyTest(harness.BoxTest):
    def start(self):
        self.box.function("gated", GATED, timeout="60s")
        self.box.start()

    def test_a_second_call_waits_for_the_first_one(self):
        self.start()
        request = {"FunctionName": "gated", "Payload": b"slow", "IdempotencyKey": "k"}
        first, second = self.box.client(), self.box.client()
        asked_first = first.send("Invoke", **request)
        self.box.noted("started")
        asked_second = second.send("Invoke", **request)
        # Answered on the same connection after it: the second one is in the daemon.
        second.call("GetStatus")
        self.assertEqual(second.early, {})
        self.box.touch("gate")
        one, two = first.reply(asked_first), second.reply(asked_second)
        self.assertEqual((one["StatusCode"], one["Payload"]), (200, b"slow"))
        self.assertEqual(two["RequestId"], one["RequestId"])
        self.assertEqual((two["StatusCode"], two["Payload"]), (200, b"slow"))
        self.assertEqual(len(self.box.notes()), 2)

    def test_an_ended_call_gives_its_stored_answer(self):
        self.start()
        first = self.box.invoke("gated", b"quick", IdempotencyKey="k")
        second = self.box.invoke("gated", b"quick", IdempotencyKey="k")
        self.assertEqual(second, {**first, "Duplicate": True})
        self.assertEqual(len(self.box.notes()), 2)

    def test_a_function_error_is_a_stored_answer_too(self):
        self.box.function("bad", "note ran; exit 3")
        self.box.start()
        first = self.box.invoke("bad", b"x", IdempotencyKey="k")
        second = self.box.invoke("bad", b"x", IdempotencyKey="k")
        self.assertEqual(second["FunctionError"], "Unhandled")
        self.assertEqual(second, {**first, "Duplicate": True})
        self.assertEqual(len(self.box.notes()), 1)

    def test_a_key_names_what_was_first(self):
        self.start()
        event = self.box.invoke("gated", b"quick", InvocationType="Event", IdempotencyKey="e")
        self.box.ended(event["RequestId"])
        answer = self.box.invoke("gated", b"quick", IdempotencyKey="e")
        self.assertEqual((answer["StatusCode"], answer["Duplicate"]), (202, True))
        self.assertEqual(answer["RequestId"], event["RequestId"])
        self.assertEqual(answer["Ending"]["Payload"], b"quick")

        call = self.box.invoke("gated", b"quick", IdempotencyKey="c")
        answer = self.box.invoke("gated", b"quick", InvocationType="Event", IdempotencyKey="c")
        self.assertEqual((answer["RequestId"], answer["Duplicate"]), (call["RequestId"], True))
        self.assertEqual(answer["Ending"]["Payload"], b"quick")
        self.assertEqual(len(self.box.notes()), 4)

    def test_a_call_that_a_crash_cut_short_is_answered_interrupted_and_not_run_again(self):
        self.start()
        caller = self.box.client()
        request = {"FunctionName": "gated", "Payload": b"slow", "IdempotencyKey": "k"}
        asked = caller.send("Invoke", **request)
        self.box.noted("started")
        self.box.kill()
        with self.assertRaises(ConnectionError):
            caller.reply(asked)
        self.box.start()
        for _ in range(2):
            answer = self.box.call("Invoke", **request)
            self.assertEqual((answer["StatusCode"], answer["Duplicate"]), (200, True))
            self.assertEqual(answer["FunctionError"], "Unhandled")
            error = json.loads(answer["Payload"])
            self.assertEqual(error["errorType"], "Interrupted")
            self.assertEqual(error["requestId"], answer["RequestId"])
        event = self.box.get(answer["RequestId"])
        self.assertEqual((event["State"], event["Condition"]), ("failed", "Interrupted"))
        (note,) = self.box.notes()
        self.assertEqual(note, (answer["RequestId"], 1, "started"))

    def test_a_call_without_a_key_leaves_no_promise_behind_a_crash(self):
        self.start()
        self.box.client().send("Invoke", FunctionName="gated", Payload=b"slow")
        self.box.noted("started")
        self.box.crash_and_start()
        self.assertEqual([row["State"] for row in self.box.listed(State="running")], [])
        self.assertEqual(self.box.listed("ListDeadLetters", "DeadLetters"), [])
        begun = time.monotonic()
        self.assertEqual(self.box.invoke("gated", b"quick")["Payload"], b"quick")
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(sum(row[2] == "started" for row in self.box.notes()), 2)


if __name__ == "__main__":
    harness.main()
