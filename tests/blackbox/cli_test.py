"""The command `holdfast`: every verb, its JSON, its exit codes and what it says."""

import json
import os
import socket
import subprocess
import unittest

import harness

DONE, FUNCTION_FAILED, USAGE, REFUSED, UNREACHABLE, UNKNOWN, TROUBLE = range(7)


class CliTest(harness.BoxTest):
    def holdfast(self, *arguments, code=DONE, before=(), **more):
        """Runs it, expects the exit code, and gives what it said."""
        environment = {**self.box.environment(), "HOLDFAST_SOCKET": self.box.socket_path}
        more = {"stdin": subprocess.DEVNULL, **more} if "input" not in more else more
        run = subprocess.run(
            [*before, harness.HOLDFAST, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=False,
            timeout=harness.DEADLINE_S, **more,
        )
        self.assertEqual(run.returncode, code, run)
        return run

    def out(self, *arguments, **more):
        return self.holdfast(*arguments, **more).stdout.decode()

    def err(self, *arguments, **more):
        run = self.holdfast(*arguments, **more)
        self.assertEqual(run.stdout, b"")
        return run.stderr.decode()

    def json(self, *arguments, **more):
        return json.loads(self.out(*arguments, "--json", **more))


class InvokeTest(CliTest):
    def setUp(self):
        super().setUp()
        self.box.function("echo", "note ran; cat")
        self.box.function("bad", "echo ouch >&2; exit 3", retry={"retries": 0})
        self.box.start()

    def test_invoke_prints_the_result_and_nothing_else(self):
        self.assertEqual(self.holdfast("invoke", "echo", "hello").stdout, b"hello")
        self.assertEqual(self.holdfast("invoke", "echo").stdout, b"")
        self.assertEqual(self.holdfast("invoke", "echo", "-", input=b"\x00\xff").stdout,
                         b"\x00\xff")
        with open(self.box.path("file"), "wb") as file:
            file.write(b"from a file")
        path = "@" + self.box.path("file")
        self.assertEqual(self.holdfast("invoke", "echo", path).stdout, b"from a file")

    def test_a_failed_function_is_told_on_standard_error(self):
        said = self.err("invoke", "bad", code=FUNCTION_FAILED)
        self.assertIn("Runtime.ExitError", said)
        self.assertIn("exit status 3", said)

    def test_an_event_is_handed_over_and_may_be_waited_for(self):
        request_id = self.out("invoke", "echo", "x", "--event").strip()
        self.assertEqual(self.box.ended(request_id)["Result"], b"x")
        run = self.holdfast("invoke", "echo", "y", "--event", "--wait")
        self.assertEqual(run.stdout, b"y")
        said = self.err("invoke", "bad", "--event", "--wait", code=FUNCTION_FAILED)
        self.assertIn("dead", said)
        self.assertIn("RetriesExhausted", said)
        request_id = self.out("invoke", "echo", "--event", "--delay", "60").strip()
        self.assertEqual(self.box.get(request_id)["State"], "pending")

    def test_a_result_too_large_to_be_kept_is_told_by_its_size(self):
        self.box.function("big", "head -c 71680 /dev/zero", result_bytes_max=100000)
        self.box.reload()
        said = self.err("invoke", "big", "x", "--event", "--wait")
        self.assertIn("too large to be kept", said)
        self.assertRegex(said, r"\b(70(\.0)? KiB|71680)")

    def test_a_key_runs_once(self):
        outputs = {self.out("invoke", "echo", "x", "--key", "k") for _ in range(3)}
        self.assertEqual(outputs, {"x"})
        first = self.out("invoke", "echo", "x", "--event", "--key", "e")
        run = self.holdfast("invoke", "echo", "x", "--event", "--key", "e")
        self.assertEqual(run.stdout.decode(), first)
        self.assertIn("known", run.stderr.decode())
        self.box.ended(first.strip())
        self.assertEqual(len(self.box.notes()), 2)
        self.assertIn("IdempotencyConflictException",
                      self.err("invoke", "echo", "other", "--key", "k", code=REFUSED))

    def test_invoke_speaks_json(self):
        answer = self.json("invoke", "echo", "x")
        self.assertEqual((answer["StatusCode"], answer["Payload"]), (200, "x"))
        answer = self.json("invoke", "echo", "-", input=b"\xff")
        self.assertEqual((answer["Payload"], answer["PayloadEncoding"]), ("/w==", "base64"))
        answer = self.json("invoke", "bad", code=FUNCTION_FAILED)
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertEqual(self.json("invoke", "echo", "--event")["StatusCode"], 202)
        event = self.json("invoke", "echo", "z", "--event", "--wait")
        self.assertEqual((event["State"], event["Result"]), ("succeeded", "z"))

    def test_what_the_daemon_refuses_is_told_by_its_name(self):
        said = self.err("invoke", "nowhere", code=REFUSED)
        self.assertIn("ResourceNotFoundException", said)
        self.assertIn("nowhere", said)
        said = self.err("invoke", "nowhere", "--json", code=REFUSED)
        error = json.loads(said)["Error"]
        self.assertEqual(error["Type"], "ResourceNotFoundException")

    def test_what_cannot_be_understood_is_a_usage_error(self):
        for arguments in (
            [], ["dance"], ["invoke"], ["invoke", "echo", "--wait"], ["events"],
            ["invoke", "echo", "x", "--event", "--delay", "-1"],
            ["invoke", "echo", "@" + self.box.path("missing")],
            ["events", "list", "--state", "ended"], ["dead-letters", "redrive"],
            ["queues", "send", "q"],
        ):
            with self.subTest(arguments):
                self.assertTrue(self.err(*arguments, code=USAGE))
        self.assertIn("Exit status:", self.out("--help"))
        self.assertTrue(self.out("--version").strip())


class VerbsTest(CliTest):
    def setUp(self):
        super().setUp()
        self.box.function("echo", "cat")
        self.box.function("gated", "note started; wait_for gate", timeout="60s")
        self.box.function(
            "moody", "[ -e $here/mended ] || { echo ouch >&2; exit 3; }", retry={"retries": 0}
        )
        self.box.start(queues={"q": {}})

    def die(self):
        request_id = self.box.event("moody", b"abc")
        self.box.ended(request_id)
        return request_id

    def test_events_are_listed_shown_and_cancelled(self):
        done, waits = self.box.event("echo", b"abc"), self.box.event("echo", DelaySeconds=60)
        self.box.ended(done)
        table = self.out("events", "list")
        self.assertIn(done, table)
        self.assertIn(waits, table)
        self.assertIn("succeeded", table)
        self.assertNotIn(done, self.out("events", "list", "--state", "pending"))
        self.assertNotIn(done, self.out("events", "list", "--function", "gated"))
        self.assertEqual(len(self.json("events", "list", "--limit", "1")["Events"]), 1)
        rows = self.json("events", "list", "--limit", "0")["Events"]
        self.assertEqual([row["RequestId"] for row in rows], [waits, done])
        shown = self.out("events", "show", done)
        for words in (done, "succeeded", "Success", "abc"):
            self.assertIn(words, shown)
        self.assertEqual(self.json("events", "show", done)["Result"], "abc")
        said = self.out("events", "cancel", waits)
        self.assertIn("cancelled", said)
        self.assertEqual(self.box.get(waits)["State"], "cancelled")
        waits = self.box.event("echo", DelaySeconds=60)
        self.assertEqual(self.json("events", "cancel", waits)["State"], "cancelled")
        self.assertIn("ResourceConflictException",
                      self.err("events", "cancel", done, code=REFUSED))

    def test_dead_letters_are_listed_shown_redriven_and_discarded(self):
        one, *others = [self.die() for _ in range(4)]
        self.assertIn(one, self.out("dead-letters", "list"))
        self.assertIn(one, self.out("dlq", "list", "--function", "moody"))
        self.assertEqual(len(self.json("dead-letters", "list")["DeadLetters"]), 4)
        shown = self.out("dead-letters", "show", one)
        for words in (one, "abc", "RetriesExhausted", "ouch", "Runtime.ExitError"):
            self.assertIn(words, shown)
        self.assertEqual(self.json("dead-letters", "show", one)["Payload"], "abc")
        self.assertIn("1 discarded", self.out("dead-letters", "discard", one))
        self.box.touch("mended")
        self.assertEqual(self.json("dead-letters", "redrive", others[0])["Redriven"], 1)
        self.assertEqual(self.box.ended(others[0])["State"], "succeeded")
        self.assertIn("2 redriven", self.out("dead-letters", "redrive", "--all", "moody"))
        for request_id in others:
            self.assertEqual(self.box.ended(request_id)["State"], "succeeded")
        self.assertIn("0 discarded", self.out("dead-letters", "discard", "--all", "moody"))
        self.assertIn("ResourceNotFoundException",
                      self.holdfast("dead-letters", "show", one, code=REFUSED).stderr.decode())

    def test_functions_are_listed(self):
        table = self.out("functions", "list")
        for words in ("echo", "gated", "moody", self.box.path("bin", "echo")):
            self.assertIn(words, table)
        names = [row["FunctionName"] for row in self.json("functions", "list")["Functions"]]
        self.assertEqual(sorted(names), ["echo", "gated", "moody"])

    def test_queues_are_used_by_hand(self):
        message_id = self.out("queues", "send", "q", "hello", "--attribute", "a=b").strip()
        self.assertIn("q", self.out("queues", "list"))
        (row,) = self.json("queues", "list")["Queues"]
        self.assertEqual(row["Messages"], 1)
        shown = self.out("queues", "receive", "q", "--visibility", "0")
        for words in (message_id, "hello"):
            self.assertIn(words, shown)
        (message,) = self.json("queues", "receive", "q", "--max", "10")["Messages"]
        self.assertEqual((message["Body"], message["MessageAttributes"]), ("hello", {"a": "b"}))
        self.holdfast("queues", "delete", "q", message["ReceiptHandle"])
        said = self.err("queues", "delete", "q", message["ReceiptHandle"], code=REFUSED)
        self.assertIn("ReceiptHandleIsInvalid", said)
        self.assertIn("no message", self.err("queues", "receive", "q"))
        self.assertEqual(self.json("queues", "receive", "q"), {"Messages": []})

    def test_the_status_is_shown_and_checked(self):
        shown = self.out("status")
        for words in (str(self.box.process.pid), "running", "echo", "q"):
            self.assertIn(words, shown)
        self.assertEqual(self.json("status")["Pid"], self.box.process.pid)
        self.assertEqual(self.out("status", "--check").strip(), "all is well")
        self.assertEqual(self.json("status", "--check"), {"Trouble": []})
        self.box.event("echo", DelaySeconds=60)
        del self.box.settings["functions"]["echo"]
        self.box.reload()
        said = self.out("status", "--check", code=TROUBLE)
        self.assertIn("echo is not configured", said)
        self.assertEqual(len(self.json("status", "--check", code=TROUBLE)["Trouble"]), 1)


class TroubleTest(CliTest):
    def test_nearly_full_dead_letters_and_queues_are_trouble(self):
        box = self.box
        box.function("bad", "exit 1", retry={"retries": 0}, dead_letters_bytes_max="1MiB")
        box.start(queues={"q": {"bytes_max": "1MiB"}})
        box.call("SendMessage", QueueName="q", MessageBody=b"x" * 1048576)
        said = self.out("status", "--check", code=TROUBLE)
        self.assertIn("queue q is 100 % full", said)
        box.ended(box.event("bad", b"x" * 1048576))
        said = self.out("status", "--check", code=TROUBLE)
        self.assertIn("the dead letters of function bad are 100 % full", said)


class UnreachableTest(CliTest):
    def test_a_missing_socket_is_told_with_what_to_look_at(self):
        said = self.err("status", code=UNREACHABLE)
        self.assertIn(self.box.socket_path, said)
        self.assertIn("No such file", said)
        self.assertIn("systemctl status holdfast", said)
        error = json.loads(self.err("status", "--json", code=UNREACHABLE))["Error"]
        self.assertEqual(error["Kind"], "unreachable")
        other = self.box.path("other.sock")
        self.assertIn(other, self.err("--socket", other, "status", code=UNREACHABLE))

    def test_a_socket_that_nobody_answers_is_told(self):
        self.box.start()
        self.box.kill()
        self.assertIn("nobody answers", self.err("status", code=UNREACHABLE))

    def test_a_socket_without_permission_is_told_with_its_group(self):
        self.box.start(socket={"mode": "0600"})
        if harness.is_root():
            ids = [f"--reuid={harness.NOBODY}", f"--regid={harness.NOBODY}", "--clear-groups"]
            if subprocess.run(["setpriv", *ids, harness.HOLDFAST, "--version"], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                raise unittest.SkipTest("others cannot run programs in the build folder")
            said = self.err("status", before=["setpriv", *ids], code=UNREACHABLE)
        else:
            os.chmod(self.box.socket_path, 0)
            said = self.err("status", code=UNREACHABLE)
        self.assertIn("Permission denied", said)
        # Root's group is nobody's to join; any other one is named.
        self.assertRegex(said, "only root may use it|usermod -aG")

    @unittest.skipUnless(harness.is_root(), "only root can become somebody else")
    def test_an_operation_that_is_not_for_everybody_is_told(self):
        self.box.start()
        ids = [f"--reuid={harness.NOBODY}", f"--regid={harness.NOBODY}", "--clear-groups"]
        said = self.err("status", before=["setpriv", *ids], code=REFUSED)
        self.assertIn("AccessDeniedException", said)
        self.assertIn("root", said)

    def test_a_lost_reply_is_unknown_and_says_what_to_do(self):
        self.box.function("gated", "note started; wait_for gate", timeout="60s")
        self.box.start()
        environment = {**self.box.environment(), "HOLDFAST_SOCKET": self.box.socket_path}
        with subprocess.Popen(
            [harness.HOLDFAST, "invoke", "gated"], env=environment, stderr=subprocess.PIPE
        ) as caller:
            self.box.noted("started")
            self.box.kill()
            self.assertEqual(caller.wait(harness.DEADLINE_S), UNKNOWN)
            self.assertIn(b"--key", caller.stderr.read())

    def test_a_daemon_that_does_not_answer_is_given_up(self):
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(self.box.socket_path)
            deaf.listen()
            said = self.err("status", "--timeout", "1", code=UNKNOWN)
            self.assertTrue(said)


if __name__ == "__main__":
    harness.main()
