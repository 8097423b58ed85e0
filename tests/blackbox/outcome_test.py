"""How events end: records for queues, waiting for an ending, lists, and cancelling."""

import base64
import json
import time

import harness

FAILS = 'note attempt; echo "it hurts" >&2; exit 3'
GATED = "note started; wait_for gate; cat"


class RecordTest(harness.BoxTest):
    """client/PROTOCOL.md, section 9."""

    def record(self, queue):
        (message,) = self.box.received(queue)
        record = json.loads(message["Body"])
        stamp = record.pop("timestamp")
        self.assertRegex(stamp, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(self.box.received(queue), [], "one record for each ending")
        return record

    def context(self, request_id, function, condition, count):
        return {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:local:000000000000:function:{function}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": count,
        }

    def test_a_success_sends_its_record_with_the_json_inside(self):
        box = self.box
        box.function("double", 'cat >/dev/null; echo \'{"n": [2, null]}\'', on_success="done")
        box.start(queues={"done": {}})
        request_id = box.event("double", b' {"n": 1.50, "s": "\xc3\xa9"} ')
        self.assertEqual(box.ended(request_id)["State"], "succeeded")
        self.assertEqual(
            self.record("done"),
            {
                "version": "1.0",
                "requestContext": self.context(request_id, "double", "Success", 1),
                "requestPayload": {"n": 1.5, "s": "\u00e9"},
                "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
                "responsePayload": {"n": [2, None]},
            },
        )

    def test_what_is_not_json_travels_as_base64(self):
        box = self.box
        box.function("echo", "cat", on_success="done")
        box.start(queues={"done": {}})
        for payload in (b"\xff\x00", b"", b"{]", b'"\xff"', b"1 2"):
            with self.subTest(payload):
                request_id = box.event("echo", payload)
                self.assertEqual(box.ended(request_id)["State"], "succeeded")
                text = base64.b64encode(payload).decode()
                self.assertEqual(
                    self.record("done"),
                    {
                        "version": "1.0",
                        "requestContext": self.context(request_id, "echo", "Success", 1),
                        "requestPayload": text,
                        "requestPayloadEncoding": "base64",
                        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
                        "responsePayload": text,
                        "responsePayloadEncoding": "base64",
                    },
                )

    def test_a_death_sends_its_record_and_the_original_bytes(self):
        box = self.box
        queues = {"on_failure": "failed", "dead_letter": "dead", "on_success": "done"}
        box.function("bad", FAILS, retry={"delays": ["0s"]}, **queues)
        box.start(queues={"failed": {}, "dead": {}, "done": {}})
        request_id = box.event("bad", b"cat\xff")
        self.assertEqual(box.ended(request_id)["State"], "dead")
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status 3"
        self.assertEqual(
            self.record("failed"),
            {
                "version": "1.0",
                "requestContext": self.context(request_id, "bad", "RetriesExhausted", 2),
                "requestPayload": base64.b64encode(b"cat\xff").decode(),
                "requestPayloadEncoding": "base64",
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                },
                "responsePayload": {
                    "errorType": "Runtime.ExitError",
                    "errorMessage": message,
                    "requestId": request_id,
                },
            },
        )
        (letter,) = box.received("dead")
        self.assertEqual(letter["Body"], b"cat\xff")
        self.assertEqual(
            letter["MessageAttributes"],
            {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": message},
        )
        self.assertEqual(box.received("done"), [])

    def test_synchronous_calls_and_cancelled_events_send_no_records(self):
        box = self.box
        queues = {"on_failure": "all", "dead_letter": "all", "on_success": "all"}
        box.function("echo", "cat", **queues)
        box.function("bad", FAILS, **queues)
        box.start(queues={"all": {}})
        box.invoke("echo")
        box.invoke("bad")
        request_id = box.event("echo", DelaySeconds=60)
        self.assertEqual(box.call("CancelEvent", RequestId=request_id)["State"], "cancelled")
        self.assertEqual(box.received("all"), [])
        self.assertEqual(box.listed("ListDeadLetters", "DeadLetters"), [])


class GetEventTest(harness.BoxTest):
    def test_a_wait_ends_with_the_event(self):
        box = self.box
        box.function("gated", GATED, timeout="60s")
        box.start()
        request_id = box.event("gated", b"x")
        box.noted("started")
        client = box.client()
        asked = client.send("GetEvent", RequestId=request_id, WaitSeconds=20)
        status = client.send("GetStatus")
        self.assertEqual(client.next_reply()[0], status)
        opened = time.monotonic()
        box.touch("gate")
        event = client.reply(asked)
        self.assertEqual((event["State"], event["Result"]), ("succeeded", b"x"))
        self.assertLess(time.monotonic() - opened, 5)

    def test_a_wait_ends_by_itself_with_what_is_known_then(self):
        box = self.box
        box.function("gated", GATED, timeout="60s")
        box.start()
        request_id = box.event("gated", b"abc")
        box.noted("started")
        begun = time.monotonic()
        event = box.get(request_id, wait=1)
        waited = time.monotonic() - begun
        self.assertGreater(waited, 0.95)
        self.assertLess(waited, 10)
        self.assertEqual((event["State"], event["Attempt"]), ("running", 1))
        self.assertEqual(event["PayloadBytes"], 3)
        self.assertEqual(event["DeadlineAt"] - event["StartedAt"], 60000)
        self.assertNotIn("EndedAt", event)
        self.assertNotIn("Condition", event)
        with self.refused("InvalidParameterValueException", "WaitSeconds"):
            box.get(request_id, wait=21)

    def test_an_event_that_was_never_accepted_is_not_found(self):
        self.box.function("echo", "cat")
        self.box.start()
        known = self.box.event("echo")
        other = known[:-1] + ("0" if known[-1] != "0" else "1")
        for unknown in ("01234567-89ab-4cde-8f01-23456789abcd", other):
            for wait in (0, 5):
                with self.subTest((unknown, wait)), self.refused("ResourceNotFoundException"):
                    self.box.get(unknown, wait)

    def test_a_failed_call_is_found_as_failed(self):
        box = self.box
        box.function("bad", FAILS)
        box.start()
        event = box.get(box.invoke("bad")["RequestId"])
        self.assertEqual((event["State"], event["Condition"]), ("failed", "FunctionError"))
        self.assertEqual((event["InvocationType"], event["Attempt"]), ("RequestResponse", 1))
        self.assertEqual(len(event["Attempts"]), 1)
        self.assertEqual(box.listed("ListDeadLetters", "DeadLetters"), [])


class ListEventsTest(harness.BoxTest):
    def ids(self, **filters):
        return [row["RequestId"] for row in self.box.listed(**filters)]

    def test_events_are_listed_newest_first_and_by_state(self):
        box = self.box
        box.function("echo", "cat")
        box.function("gated", GATED, timeout="60s", concurrency_max=1)
        box.function("bad", FAILS, retry={"retries": 0})
        box.start()
        done = [box.event("echo") for _ in range(1)]
        box.ended(done[0])
        done.insert(0, box.event("echo"))
        box.ended(done[0])
        dead = [box.event("bad")]
        box.ended(dead[0])
        running = [box.event("gated")]
        box.noted("started")
        pending = []
        for _ in range(3):
            pending.insert(0, box.event("gated"))
        cancelled = [box.event("echo", DelaySeconds=60)]
        box.call("CancelEvent", RequestId=cancelled[0])

        self.assertEqual(self.ids(), running + pending + dead + cancelled + done)
        by_state = {
            "running": running,
            "pending": pending,
            "dead": dead,
            "cancelled": cancelled,
            "succeeded": done,
            "failed": [],
        }
        for state, wanted in by_state.items():
            with self.subTest(state):
                self.assertEqual(self.ids(State=state), wanted)
        self.assertEqual(self.ids(FunctionName="echo"), cancelled + done)
        self.assertEqual(self.ids(FunctionName="gated"), running + pending)
        self.assertEqual(self.ids(FunctionName="gated", State="pending"), pending)
        for row in box.listed():
            self.assertNotIn("Attempts", row)
            self.assertNotIn("Payload", row)

    def test_pages_of_one_row_add_up_to_the_whole_list(self):
        box = self.box
        box.function("echo", "cat")
        box.function("gated", GATED, timeout="60s", concurrency_max=1)
        box.start()
        for _ in range(3):
            box.ended(box.event("echo"))
        for _ in range(3):
            box.event("gated")
        box.noted("started")
        whole = self.ids()
        self.assertEqual(len(whole), 6)
        self.assertEqual(self.ids(MaxItems=1), whole)
        self.assertEqual(self.ids(MaxItems=4), whole)
        first = box.call("ListEvents", MaxItems=1)
        self.assertEqual(len(first["Events"]), 1)
        for wrong in (0, 1001):
            with self.refused("InvalidParameterValueException", "MaxItems"):
                box.call("ListEvents", MaxItems=wrong)
        with self.refused("InvalidParameterValueException", "State"):
            box.call("ListEvents", State="ended")
        with self.refused("InvalidParameterValueException", "Marker"):
            box.call("ListEvents", Marker="not a marker")


class CancelTest(harness.BoxTest):
    def test_a_pending_event_is_cancelled_and_never_runs(self):
        box = self.box
        box.function("echo", "note ran; cat")
        box.start()
        request_id = box.event("echo", DelaySeconds=1)
        answer = box.call("CancelEvent", RequestId=request_id)
        self.assertEqual(answer, {"RequestId": request_id, "State": "cancelled"})
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("cancelled", "Cancelled"))
        # A later event with the same delay runs; this one would have run before it.
        box.ended(box.event("echo", DelaySeconds=1))
        self.assertEqual(box.notes(request_id), [])

    def test_a_running_event_is_stopped_first(self):
        box = self.box
        box.function(
            "long",
            "trap 'note term; exit 9' TERM; note started; while :; do sleep 0.02; done",
            timeout="60s",
            retry={"delays": ["0s"]},
        )
        box.start()
        request_id = box.event("long")
        box.noted("started")
        answer = box.call("CancelEvent", RequestId=request_id)
        self.assertEqual(answer, {"RequestId": request_id, "State": "cancelled"})
        self.assertEqual([row[2] for row in box.notes()], ["started", "term"])
        self.assertEqual(box.get(request_id)["State"], "cancelled")
        self.assertEqual(box.handler_pids(), [])

    def test_a_handler_that_ignores_the_signal_is_killed(self):
        box = self.box
        box.function(
            "deaf", "trap '' TERM; note started; while :; do sleep 0.02; done",
            timeout="60s", kill_grace="200ms",
        )
        box.start()
        request_id = box.event("deaf")
        box.noted("started")
        self.assertEqual(box.call("CancelEvent", RequestId=request_id)["State"], "cancelled")
        self.assertEqual(box.handler_pids(), [])

    def test_a_handler_that_obeys_politely_has_not_succeeded(self):
        # Many programs exit with 0 when they are told to stop; their work is not done.
        box = self.box
        box.function(
            "polite",
            "trap 'exit 0' TERM; note started; while :; do sleep 0.02; done",
            timeout="60s",
        )
        box.start()
        request_id = box.event("polite")
        box.noted("started")
        self.assertEqual(box.call("CancelEvent", RequestId=request_id)["State"], "cancelled")
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("cancelled", "Cancelled"))

    def test_what_has_ended_or_died_cannot_be_cancelled(self):
        box = self.box
        box.function("echo", "cat")
        box.function("bad", FAILS, retry={"retries": 0})
        box.start()
        for function in ("echo", "bad"):
            request_id = box.event(function)
            before = box.ended(request_id)
            with self.subTest(function), self.refused("ResourceConflictException"):
                box.call("CancelEvent", RequestId=request_id)
            self.assertEqual(box.get(request_id), before)
        with self.refused("ResourceNotFoundException"):
            box.call("CancelEvent", RequestId="01234567-89ab-4cde-8f01-23456789abcd")


if __name__ == "__main__":
    harness.main()
