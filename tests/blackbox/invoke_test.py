"""Invoke: events, synchronous calls, dry runs, slots and limits. client/PROTOCOL.md, 4 and 7."""

import json
import os
import time

import harness

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
EVENT_BYTES_MAX = 1048576
CALL_BYTES_MAX = 6291556
# A handler that waits for the gate, except if it is told to be quick.
GATED = """
payload=$(cat)
note started "$payload"
[ "$payload" = quick ] || wait_for gate
note finished "$payload"
printf %s "$payload"
"""


class EventTest(harness.BoxTest):
    def test_an_event_is_answered_202_and_runs(self):
        box = self.box
        box.function("echo", "note started; cat")
        box.start()
        answer = box.invoke("echo", b"cat.png", InvocationType="Event")
        self.assertEqual(answer["StatusCode"], 202)
        self.assertEqual(set(answer), {"StatusCode", "RequestId"})
        self.assertRegex(answer["RequestId"], f"^{UUID}$")
        event = box.ended(answer["RequestId"])
        self.assertEqual(event["State"], "succeeded")
        self.assertEqual(event["Condition"], "Success")
        self.assertEqual(event["Result"], b"cat.png")
        self.assertEqual(event["FunctionName"], "echo")
        self.assertEqual(event["InvocationType"], "Event")
        self.assertEqual(event["Attempt"], 1)
        self.assertEqual((event["Failures"], event["Interruptions"]), (0, 0))
        self.assertLessEqual(event["AcceptedAt"], event["EndedAt"])
        self.assertEqual(box.notes(), [(answer["RequestId"], 1, "started")])

    def test_a_payload_may_be_bin_or_str_or_empty_or_absent(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        table = (b"\x00\xff\xc1", "caf\u00e9", b"", "")
        for payload in table:
            with self.subTest(payload=payload):
                wanted = payload if isinstance(payload, bytes) else payload.encode()
                self.assertEqual(box.invoke("echo", payload)["Payload"], wanted)
                event = box.ended(box.event("echo", payload))
                self.assertEqual((event["State"], event["Result"]), ("succeeded", wanted))
        answer = box.call("Invoke", FunctionName="echo")
        self.assertEqual(answer["Payload"], b"")
        answer = box.call("Invoke", FunctionName="echo", InvocationType="Event")
        self.assertEqual(box.ended(answer["RequestId"])["Result"], b"")

    def test_a_delayed_event_does_not_run_before_its_time(self):
        box = self.box
        box.function("now", "date +%s%3N")
        box.start()
        begun_ms = time.time() * 1000
        request_id = box.event("now", DelaySeconds=1)
        waiting = box.get(request_id)
        self.assertEqual((waiting["State"], waiting["Attempt"]), ("pending", 0))
        self.assertGreaterEqual(waiting["DueAt"], waiting["AcceptedAt"] + 990)
        ran_ms = int(box.ended(request_id)["Result"])
        self.assertGreaterEqual(ran_ms, begun_ms + 990)
        self.assertLess(ran_ms, begun_ms + 10000)

    def test_the_bounds_of_a_delay_are_kept(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        request_id = box.event("echo", DelaySeconds=1209600)
        self.assertEqual(box.get(request_id)["State"], "pending")
        self.assertEqual(box.ended(box.event("echo", DelaySeconds=0))["State"], "succeeded")
        for wrong in (
            {"InvocationType": "Event", "DelaySeconds": 1209601},
            {"InvocationType": "Event", "DelaySeconds": -1},
            {"InvocationType": "RequestResponse", "DelaySeconds": 1},
        ):
            with self.subTest(wrong), self.refused(
                "InvalidParameterValueException", "DelaySeconds"
            ):
                box.invoke("echo", **wrong)

    def test_the_largest_event_is_taken_and_one_byte_more_is_refused(self):
        box = self.box
        box.function("count", "wc -c")
        box.start()
        request_id = box.event("count", b"x" * EVENT_BYTES_MAX)
        self.assertEqual(int(box.ended(request_id)["Result"]), EVENT_BYTES_MAX)
        with self.refused("RequestTooLargeException", str(EVENT_BYTES_MAX)):
            box.event("count", b"x" * (EVENT_BYTES_MAX + 1))
        self.assertEqual(len(box.listed(FunctionName="count")), 1)

    def test_pipelined_requests_are_answered_as_they_finish(self):
        box = self.box
        box.function("gated", GATED)
        box.start()
        client = box.client()
        slow = client.send("Invoke", FunctionName="gated", Payload=b"slow")
        quick = client.send("Invoke", FunctionName="gated", Payload=b"quick")
        status = client.send("GetStatus")
        first = {client.next_reply()[0], client.next_reply()[0]}
        self.assertEqual(first, {quick, status})
        box.touch("gate")
        msgid, error, result = client.next_reply()
        self.assertEqual((msgid, error, result["Payload"]), (slow, None, b"slow"))

    def test_a_name_without_a_function_is_not_found(self):
        self.box.start()
        for kind in ("Event", "RequestResponse", "DryRun"):
            with self.subTest(kind), self.refused("ResourceNotFoundException", "nowhere"):
                self.box.invoke("nowhere", InvocationType=kind)


class HandlerTest(harness.BoxTest):
    def environment(self, **more):
        answer = self.box.invoke("env", **more)
        self.assertNotIn("FunctionError", answer)
        lines = answer["Payload"].decode().splitlines()
        return answer["RequestId"], dict(line.split("=", 1) for line in lines)

    def test_the_environment_of_a_handler_is_what_the_protocol_lists(self):
        box = self.box
        box.settings["functions"]["env"] = {
            "command": ["/usr/bin/env"],
            "timeout": "7s",
            "environment": {"MODEL": "small = 1", "TZ": "Europe/Rome"},
        }
        box.start()
        now_ms = time.time() * 1000
        request_id, environment = self.environment()
        deadline_ms = int(environment.pop("HOLDFAST_DEADLINE_MS"))
        self.assertAlmostEqual(deadline_ms, now_ms + 7000, delta=3000)
        for name in [name for name in environment if name.endswith("SAN_OPTIONS")]:
            del environment[name]
        self.assertEqual(
            environment,
            {
                "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                "HOME": box.folder,
                "LANG": "C.UTF-8",
                "TZ": "Europe/Rome",
                "MODEL": "small = 1",
                "HOLDFAST_REQUEST_ID": request_id,
                "HOLDFAST_ATTEMPT": "1",
                "HOLDFAST_FUNCTION_NAME": "env",
                "HOLDFAST_INVOCATION_TYPE": "RequestResponse",
            },
        )
        _, environment = self.environment(IdempotencyKey="k 1")
        self.assertEqual(environment["HOLDFAST_IDEMPOTENCY_KEY"], "k 1")
        result = box.ended(box.event("env"))["Result"]
        self.assertIn(b"HOLDFAST_INVOCATION_TYPE=Event\n", result)

    def test_arguments_and_working_directory_are_as_configured_without_a_shell(self):
        box = self.box
        box.settings["functions"]["printf"] = {
            "command": ["/usr/bin/printf", "%s|", "a b", "$HOME", "", "*"]
        }
        box.settings["functions"]["pwd"] = {
            "command": ["/bin/pwd"],
            "working_directory": box.folder,
        }
        box.start()
        self.assertEqual(box.invoke("printf")["Payload"], b"a b|$HOME||*|")
        self.assertEqual(box.invoke("pwd")["Payload"].decode().strip(), box.folder)

    def test_a_handler_need_not_read_its_payload(self):
        box = self.box
        box.function("deaf", "exec <&-; echo done")
        box.start()
        answer = box.invoke("deaf", b"x" * EVENT_BYTES_MAX)
        self.assertEqual((answer.get("FunctionError"), answer["Payload"]), (None, b"done\n"))

    def test_what_a_handler_leaves_running_in_its_group_is_killed(self):
        box = self.box
        box.function("leaver", "sleep 1000 >/dev/null 2>&1 & echo $!")
        box.start()
        pid = int(box.invoke("leaver")["Payload"])
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_each_kind_of_function_error_answers_with_its_words(self):
        box = self.box
        box.function("exit", "exit 7")
        box.function("signal", "kill -SEGV $$")
        box.function("slow", "sleep 100", timeout="300ms")
        box.function("chatty", "echo 12345678901; exit 0", result_bytes_max=10)
        missing = box.path("bin", "missing")
        box.settings["functions"]["absent"] = {"command": [missing]}
        plain = box.path("bin", "plain")
        box.touch("bin/plain")
        os.chmod(plain, 0o644)
        box.settings["functions"]["plain"] = {"command": [plain]}
        box.start()
        head = "RequestId: ID Error: "
        ran = head + "Runtime exited with error: "
        start = head + "cannot start "
        table = {
            "exit": ("Runtime.ExitError", ran + "exit status 7"),
            "signal": ("Runtime.ExitError", ran + "signal: SIGSEGV"),
            "slow": ("Sandbox.Timedout", head + "Task timed out after 0.30 seconds"),
            "chatty": (
                "Function.ResponseSizeTooLarge",
                "Response payload size exceeded maximum allowed payload size (10 bytes).",
            ),
            "absent": (
                "Runtime.InvalidEntrypoint",
                f"{start}{missing}: No such file or directory",
            ),
            "plain": ("Runtime.InvalidEntrypoint", f"{start}{plain}: Permission denied"),
        }
        for function, (error_type, message) in table.items():
            with self.subTest(function):
                answer = box.invoke(function)
                request_id = answer["RequestId"]
                self.assertEqual(answer["StatusCode"], 200)
                self.assertEqual(answer["FunctionError"], "Unhandled")
                self.assertEqual(
                    json.loads(answer["Payload"]),
                    {
                        "errorType": error_type,
                        "errorMessage": message.replace("ID", request_id, 1),
                        "requestId": request_id,
                    },
                )

    def test_a_result_of_exactly_the_most_is_a_success(self):
        box = self.box
        box.function("chatty", "printf 1234567890", result_bytes_max=10)
        box.start()
        answer = box.invoke("chatty")
        self.assertEqual((answer.get("FunctionError"), answer["Payload"]), (None, b"1234567890"))


class CallTest(harness.BoxTest):
    def test_a_call_answers_200_with_what_the_handler_wrote(self):
        box = self.box
        box.function("upper", "tr a-z A-Z")
        box.start()
        answer = box.invoke("upper", b"abc", InvocationType="RequestResponse")
        self.assertEqual(set(answer), {"StatusCode", "RequestId", "Payload"})
        self.assertEqual((answer["StatusCode"], answer["Payload"]), (200, b"ABC"))
        self.assertRegex(answer["RequestId"], f"^{UUID}$")
        self.assertEqual(set(box.invoke("upper", b"abc")), set(answer))

    def test_the_largest_call_comes_back_whole_and_one_byte_more_is_refused(self):
        box = self.box
        box.function("echo", "cat", result_bytes_max=CALL_BYTES_MAX, timeout="30s")
        box.start()
        payload = os.urandom(1 << 16) * (CALL_BYTES_MAX // (1 << 16) + 1)
        answer = box.invoke("echo", payload[:CALL_BYTES_MAX])
        self.assertTrue(answer["Payload"] == payload[:CALL_BYTES_MAX])
        with self.refused("RequestTooLargeException", str(CALL_BYTES_MAX)):
            box.invoke("echo", payload[: CALL_BYTES_MAX + 1])
        self.assertEqual(box.invoke("echo", b"x")["Payload"], b"x")

    def test_a_dry_run_checks_and_keeps_nothing(self):
        box = self.box
        box.function("echo", "note ran; cat")
        box.start()
        dry = {"FunctionName": "echo", "InvocationType": "DryRun"}
        self.assertEqual(box.call("Invoke", **dry, Payload=b"x"), {"StatusCode": 204})
        with self.refused("RequestTooLargeException"):
            box.call("Invoke", **dry, Payload=b"x" * (EVENT_BYTES_MAX + 1))
        answer = box.call("Invoke", **dry, Payload=b"x", IdempotencyKey="k")
        self.assertEqual(answer["StatusCode"], 204)
        # The key names nothing yet, so another payload may come with it.
        box.ended(box.event("echo", b"other", IdempotencyKey="k"))
        self.assertEqual(len(box.listed()), 1)
        self.assertEqual(len(box.notes()), 1)

    def test_a_busy_function_says_so_and_runs_nothing(self):
        box = self.box
        box.function("gated", GATED, concurrency_max=1)
        box.start()
        client = box.client()
        first = client.send("Invoke", FunctionName="gated", Payload=b"one")
        box.noted("started one")
        with self.refused("TooManyRequestsException", "concurrency_max"):
            client.call("Invoke", FunctionName="gated", Payload=b"quick")
        box.touch("gate")
        self.assertEqual(client.reply(first)["Payload"], b"one")
        self.assertEqual(client.call("Invoke", FunctionName="gated", Payload=b"two")["Payload"],
                         b"two")
        self.assertNotIn("started quick", [row[2] for row in box.notes()])

    def test_of_two_slots_one_is_kept_for_calls(self):
        box = self.box
        box.function("gated", GATED, concurrency_max=2)
        box.start()
        events = [box.event("gated", b"event") for _ in range(3)]
        box.noted("started event")
        self.assertEqual(box.invoke("gated", b"quick")["Payload"], b"quick")
        row = box.call("ListFunctions")["Functions"][0]
        self.assertEqual((row["Running"], row["Backlog"]), (1, 2))
        self.assertEqual(sum(row[2] == "started event" for row in box.notes()), 1)
        box.touch("gate")
        for event in events:
            self.assertEqual(box.ended(event)["State"], "succeeded")

    def test_the_box_keeps_one_slot_for_calls(self):
        box = self.box
        box.function("gated", GATED, concurrency_max=8)
        box.start(limits={"attempts_running_max": 3})
        events = [box.event("gated", b"event") for _ in range(4)]
        box.noted("started event", count=2)
        self.assertEqual(box.invoke("gated", b"quick")["Payload"], b"quick")
        self.assertEqual(box.call("GetStatus")["AttemptsRunning"], 2)
        box.touch("gate")
        for event in events:
            self.assertEqual(box.ended(event)["State"], "succeeded")

    def test_a_caller_that_vanishes_cancels_nothing(self):
        box = self.box
        box.function("gated", GATED)
        box.start()
        caller = box.client()
        request = {"FunctionName": "gated", "Payload": b"mine", "IdempotencyKey": "k"}
        caller.send("Invoke", **request)
        caller.send("Invoke", FunctionName="gated", Payload=b"unkeyed")
        caller.send("Invoke", FunctionName="gated", InvocationType="Event", Payload=b"event")
        for payload in ("mine", "unkeyed", "event"):
            box.noted(f"started {payload}")
        caller.close()
        client = box.client()
        harness.wait_for(
            lambda: client.call("GetStatus")["Connections"] == 2,
            "the daemon to see that the caller is gone",
        )
        box.touch("gate")
        for payload in ("mine", "unkeyed", "event"):
            box.noted(f"finished {payload}")
        answer = client.call("Invoke", **request)
        self.assertEqual((answer["Payload"], answer["Duplicate"]), (b"mine", True))
        self.assertEqual(len(box.notes()), 6)


if __name__ == "__main__":
    harness.main()
