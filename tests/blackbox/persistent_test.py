"""Persistent commands: client/PROTOCOL.md, section 7, with the real daemon."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time

import harness

ROOT = os.environ.get("HOLDFAST_SOURCE_ROOT", os.path.join(os.path.dirname(__file__), "..", ".."))
PYTHON = "/usr/bin/python3"

# Handlers begin with this; each has run(event), which gives the fields of its answer. What
# it notes goes where harness.Box.notes() looks for it.
HEAD = """
import base64, json, os, signal, struct, sys, time
HERE = {folder!r}

def path(name):
    return os.path.join(HERE, name)

def note(request_id, attempt, *words):
    with open(path("notes"), "a") as file:
        file.write(" ".join([request_id, str(attempt), *map(str, words)]) + "\\n")

def wait_for(name):
    while not os.path.exists(path(name)):
        time.sleep(0.02)
"""
LINES = """
note("-", 0, "started", os.getpid())
print(json.dumps({"Ready": True}), flush=True)
for line in sys.stdin:
    event = json.loads(line)
    note(event["RequestId"], event["Attempt"], "has", os.getpid())
    print(json.dumps({"RequestId": event["RequestId"], **run(event)}), flush=True)
note("-", 0, "ended", os.getpid())
"""
PREFIXED = """
def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data

def write(head, body=b""):
    head = json.dumps(head).encode()
    sys.stdout.buffer.write(struct.pack(">II", len(head), len(body)) + head + body)
    sys.stdout.buffer.flush()

write({"Ready": True})
while True:
    sizes = struct.unpack(">II", read(8))
    event, payload = json.loads(read(sizes[0])), read(sizes[1])
    write({"RequestId": event["RequestId"]}, run(event, payload))
"""
ECHO = "def run(event): return {'Result': event['Payload']}"


class PersistentTest(harness.BoxTest):
    def handler(self, text, loop=LINES, name="resize", **settings):
        """A function whose persistent command is this Python."""
        path = self.box.path("bin", name + ".py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEAD.format(folder=self.box.folder) + text + loop)
        function = {"command": [PYTHON, path], "mode": "persistent", "kill_grace": "1s",
                    "timeout": "20s", "retry": {"delays": ["0s", "0s"]}}
        self.box.settings["functions"][name] = {**function, **settings}

    def pool(self, name="resize"):
        return next(row for row in self.box.call("ListFunctions")["Functions"]
                    if row["FunctionName"] == name)["Pool"]

    def has(self, **counts):
        harness.wait_for(lambda: counts.items() <= self.pool().items(), f"a pool of {counts}")

    def pids(self, word="started"):
        return [int(row[2].split()[1]) for row in self.box.notes() if row[2].startswith(word)]

    # --- events

    def test_one_process_serves_many_events(self):
        self.handler(ECHO)
        self.box.start()
        events = [self.box.event("resize", json.dumps({"n": n}).encode()) for n in range(20)]
        for n, event in enumerate(events):
            ended = self.box.ended(event)
            self.assertEqual((ended["State"], ended["Result"]),
                             ("succeeded", json.dumps({"n": n}).encode()))
        self.assertLessEqual(len(self.pids()), 8)
        self.assertEqual(len(self.pids("has")), 20)
        self.has(Busy=0, Min=1, Max=8, Served=20)
        harness.wait_for(lambda: sorted(self.pool()["Pids"]) == sorted(self.pids()), "all pids")

    def test_a_caller_waits_for_it(self):
        self.handler("def run(event): return {'Result': [event['InvocationType'], 1.0]}")
        self.box.start()
        answer = self.box.invoke("resize", b'{"a": 1}')
        self.assertEqual((answer["StatusCode"], answer["Payload"]),
                         (200, b'["RequestResponse", 1.0]'))

    def test_the_frame_has_what_protocol_says(self):
        self.handler("def run(event): return {'Result': {'event': event, 'env': dict(os.environ)}}",
                     environment={"MODEL": "small"})
        self.box.start()
        before = time.time()
        for payload, encoding in ((b'{"a":\n [1, "x\\n"]}\n', None), (b"\xff\0 text", "base64")):
            event = self.box.event("resize", payload, IdempotencyKey="k" + str(encoding))
            result = json.loads(self.box.ended(event)["Result"])
            frame = result["event"]
            self.assertEqual(
                {name: frame[name] for name in ("FunctionName", "RequestId", "Attempt",
                                                "InvocationType", "IdempotencyKey")},
                {"FunctionName": "resize", "RequestId": event, "Attempt": 1,
                 "InvocationType": "Event", "IdempotencyKey": "k" + str(encoding)})
            self.assertAlmostEqual(frame["DeadlineAt"] / 1000, before + 20, delta=10)
            self.assertEqual(frame.get("PayloadEncoding"), encoding)
            self.assertEqual(base64.b64decode(frame["Payload"]) if encoding else frame["Payload"],
                             payload if encoding else json.loads(payload))
        held = {name: value for name, value in result["env"].items() if "HOLDFAST" in name}
        self.assertEqual(held, {"HOLDFAST_FUNCTION_NAME": "resize",
                                "HOLDFAST_FRAMING": "json-lines"})
        self.assertEqual(result["env"]["MODEL"], "small")

    def test_any_bytes_go_through_length_prefixed_frames(self):
        self.handler("def run(event, payload): return payload[::-1]", PREFIXED,
                     framing="length-prefixed", result_bytes_max=6291556)
        self.box.start()
        for payload in (b"", b"\n\0\xff", os.urandom(3 << 20)):
            self.assertEqual(self.box.invoke("resize", payload)["Payload"], payload[::-1])

    # --- failures

    def test_an_error_is_a_failure_and_the_process_is_replaced(self):
        self.handler("def run(event):\n"
                     "    print('a trace', file=sys.stderr, flush=True)\n"
                     "    return {'Error': {'Type': 'Oops', 'Message': 'no cat'}}")
        self.box.start()
        ended = self.box.ended(self.box.event("resize", b"1"))
        self.assertEqual(ended["State"], "dead")
        for attempt in ended["Attempts"]:
            self.assertEqual((attempt["Outcome"], attempt["ErrorType"], attempt["ErrorMessage"]),
                             ("failed", "Oops", "no cat"))
            self.assertIn("a trace", attempt["LogTail"])
        self.assertEqual(len(set(self.pids("has"))), 3)

    def test_a_process_that_ends_fails_its_attempt_only(self):
        for ending, outcome in (("os._exit(7)", "exited"),
                                ("os.kill(os.getpid(), signal.SIGKILL)", "signaled")):
            with self.subTest(outcome):
                self.handler(f"def run(event):\n    {ending}", name=outcome)
                self.box.settings["functions"][outcome]["retry"] = {"delays": []}
        self.handler(ECHO)
        self.box.start()
        for outcome in ("exited", "signaled"):
            ended = self.box.ended(self.box.event(outcome, b"1"))
            self.assertEqual([one["Outcome"] for one in ended["Attempts"]], [outcome])
        self.assertEqual(self.box.ended(self.box.event("resize", b"1"))["State"], "succeeded")

    def test_what_is_no_frame_fails_the_attempt_and_ends_the_process(self):
        self.handler("def run(event):\n    print('Traceback: a print', flush=True)\n"
                     "    time.sleep(30)", retry={"delays": []})
        self.box.start()
        attempt, = self.box.ended(self.box.event("resize", b"1"))["Attempts"]
        self.assertEqual((attempt["Outcome"], attempt["ErrorType"]),
                         ("failed", "Runtime.InvalidResponse"))
        pid, = self.pids("has")
        harness.wait_for(lambda: pid not in self.box.processes(), "the process to end")

    def test_a_result_beyond_its_bound_fails_the_attempt(self):
        self.handler("def run(event): return {'Result': 'x' * 100}", result_bytes_max=100,
                     retry={"delays": []})
        self.box.start()
        attempt, = self.box.ended(self.box.event("resize", b"1"))["Attempts"]
        self.assertEqual(attempt["Outcome"], "result_too_large")

    def test_a_timeout_ends_the_process_before_it_is_told(self):
        self.handler("def run(event):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                     "    os.system('sleep 30')", timeout="300ms", kill_grace="300ms",
                     retry={"delays": []})
        self.box.start()
        attempt, = self.box.ended(self.box.event("resize", b"1"))["Attempts"]
        self.assertEqual((attempt["Outcome"], attempt["ErrorType"]),
                         ("timed_out", "Sandbox.Timedout"))
        self.assertNotIn(self.pids("has")[0], self.box.processes())

    def test_an_answer_at_the_last_moment_is_a_success(self):
        self.handler("def run(event):\n    def late(*_):\n        print(json.dumps({'RequestId': "
                     "event['RequestId'], 'Result': 1}), flush=True); os._exit(3)\n"
                     "    signal.signal(signal.SIGTERM, late)\n    time.sleep(30)",
                     timeout="300ms", kill_grace="5s")
        self.box.start()
        self.assertEqual(self.box.ended(self.box.event("resize", b"1"))["State"], "succeeded")

    def test_a_running_event_is_cancelled(self):
        self.handler("def run(event):\n    time.sleep(30)")
        self.box.start()
        event = self.box.event("resize", b"1")
        harness.wait_for(lambda: self.pids("has"), "the handler to have it")
        self.assertEqual(self.box.call("CancelEvent", RequestId=event)["State"], "cancelled")
        self.assertNotIn(self.pids("has")[0], self.box.processes())

    # --- the pool

    def test_the_pool_keeps_its_bounds(self):
        self.handler("def run(event):\n    wait_for('go')\n    return {}", concurrency_min=2,
                     concurrency_max=4)
        self.box.start()
        self.has(Idle=2, Busy=0)
        events = [self.box.event("resize", b"1") for _ in range(10)]
        self.has(Idle=0, Busy=3)  # one slot is kept for callers
        self.assertEqual(len(self.box.handler_pids()), 3)
        self.box.touch("go")
        for event in events:
            self.assertEqual(self.box.ended(event)["State"], "succeeded")

    def test_a_process_is_replaced_after_so_many_events(self):
        self.handler(ECHO, recycle_after=3, concurrency_max=1)
        self.box.start()
        for _ in range(7):
            self.assertEqual(self.box.ended(self.box.event("resize", b"1"))["State"], "succeeded")
        pids = self.pids("has")
        self.assertEqual([pids.count(pid) for pid in dict.fromkeys(pids)], [3, 3, 1])
        self.assertEqual(set(self.pids("ended")), set(pids[:6]))  # they found end of file

    def test_what_does_not_read_its_event_is_timed_out(self):
        self.handler("", "print(json.dumps({'Ready': True}), flush=True); time.sleep(60)",
                     timeout="500ms", kill_grace="0s", retry={"delays": []})
        self.box.start()
        attempt, = self.box.ended(self.box.event("resize", b"x" * (1 << 20)))["Attempts"]
        self.assertEqual(attempt["Outcome"], "timed_out")

    # --- a command that does not start

    def broken(self):
        harness.wait_for(lambda: "Broken" in self.pool(), "the function to be broken")
        return self.pool()["Broken"]

    def test_a_command_that_does_not_start_burns_nothing_and_is_probed(self):
        self.handler("if not os.path.exists(path('mended')):\n"
                     "    sys.exit('no module named cat')\n" + ECHO)
        self.box.start()
        event = self.box.event("resize", b'"1"')
        self.assertEqual(self.broken(), "it ended with exit status 1 before it was ready; its "
                                        "last words: no module named cat")
        self.assertGreater(self.pool()["ProbeAt"], time.time() * 1000 - 60_000)
        row, = self.box.call("GetStatus")["Functions"]
        self.assertIn("no module named cat", row["Pool"]["Broken"])
        with self.refused("ServiceUnavailableException", "no module named cat"):
            self.box.invoke("resize", b"1")
        self.assertEqual(self.box.get(event)["State"], "pending")
        self.box.touch("mended")
        ended = self.box.ended(event)
        self.assertEqual((ended["State"], ended["Failures"], ended["Attempts"]),
                         ("succeeded", 0, []))
        self.assertNotIn("Broken", self.pool())
        self.assertIn("does not start, its events wait", self.box.log())
        self.assertIn("starts again", self.box.log())

    def test_a_program_that_is_not_there_is_broken(self):
        self.box.settings["functions"]["resize"] = {"command": ["/no/such/program"],
                                                    "mode": "persistent"}
        self.box.start()
        self.assertIn("No such file or directory", self.broken())

    def test_a_reload_mends_it_at_once(self):
        self.handler("sys.exit(1)\n" + ECHO)
        self.box.start()
        event = self.box.event("resize", b"1")
        self.broken()
        self.handler(ECHO, environment={"A": "1"})
        self.box.reload()
        self.assertEqual(self.box.ended(event)["State"], "succeeded")

    # --- reload, stop, crash

    def test_a_reload_replaces_the_processes_of_another_command(self):
        self.handler(ECHO)
        self.box.start()
        self.has(Idle=1)
        old, = self.pids()
        self.box.reload()  # nothing has changed
        self.assertEqual(self.pool()["Pids"], [old])
        self.box.settings["functions"]["resize"]["environment"] = {"A": "1"}
        self.box.reload()
        harness.wait_for(lambda: self.pool()["Pids"] not in ([old], []), "another process")
        harness.wait_for(lambda: self.pids("ended") == [old], "the old one to end")
        del self.box.settings["functions"]["resize"]
        self.box.reload()
        harness.wait_for(lambda: not self.box.handler_pids(), "all processes to end")

    def test_a_stop_lets_processes_end_by_themselves(self):
        self.handler("def run(event):\n    wait_for('go')\n    return {}")
        self.box.start()
        event = self.box.event("resize", b"1")
        harness.wait_for(lambda: self.pids("has"), "the handler to have it")
        self.box.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        self.box.touch("go")
        self.assertEqual(self.box.process.wait(harness.DEADLINE_S), 0)
        self.assertEqual(sorted(self.pids("ended")), sorted(self.pids()))
        self.box.start()
        self.assertEqual(self.box.get(event)["State"], "succeeded")

    def test_a_crash_of_the_daemon_interrupts_and_never_overlaps(self):
        self.handler("def run(event):\n    note(event['RequestId'], event['Attempt'], 'alive')\n"
                     "    wait_for('go')\n    return {}")
        self.box.start()
        event = self.box.event("resize", b"1")
        harness.wait_for(lambda: self.pids("has"), "the handler to have it")
        self.box.kill()
        self.box.touch("go")
        self.box.start()
        ended = self.box.ended(event)
        self.assertEqual((ended["State"], ended["Attempt"], ended["Interruptions"]),
                         ("succeeded", 2, 1))
        self.assertNotIn(self.pids("has")[0], self.box.processes())

    def test_the_handler_of_protocol_md_works(self):
        with open(os.path.join(ROOT, "client", "PROTOCOL.md"), encoding="utf-8") as file:
            code = re.search(r"A handler in Python:\n\n```python\n(.*?)```", file.read(),
                             re.DOTALL).group(1)
        path = self.box.path("bin", "protocol.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(code)
        self.box.settings["functions"]["resize"] = {"command": [PYTHON, path],
                                                    "mode": "persistent"}
        self.box.start()
        self.assertEqual(self.box.invoke("resize", b'{"cat": 1.50}')["Payload"], b'{"cat": 1.5}')

    def test_the_command_line_shows_it(self):
        self.handler(ECHO)
        self.box.start()
        self.has(Idle=1)

        def shown(*words):
            return subprocess.run([harness.HOLDFAST, "--socket", self.box.socket_path, *words],
                                  capture_output=True, text=True, check=False,
                                  timeout=harness.DEADLINE_S).stdout

        self.assertIn("0 busy, 1 idle of 8", shown("status"))
        self.assertIn("persistent", shown("functions", "list"))


if __name__ == "__main__":
    harness.main()
