"""What an operator meets: mistakes in the configuration, reload, drain, and who may what."""

import json
import os
import signal
import stat
import subprocess
import time
import tomllib
import unittest

import harness

GATED = 'payload=$(cat); note started; '
GATED += '[ "$payload" = quick ] || wait_for gate; printf %s "$payload"'


class ConfigTest(harness.BoxTest):
    def holdfastd(self, *arguments):
        return subprocess.run(
            [harness.HOLDFASTD, *arguments],
            capture_output=True, text=True, env=self.box.environment(), check=False,
            timeout=harness.DEADLINE_S,
        )

    def test_a_typo_is_named_with_its_line_and_what_was_meant(self):
        box = self.box
        box.write_config(
            "[functions.resize]\n"
            'command = ["/bin/cat"]\n'
            'timout = "3s"\n'
            "[functions.thumb]\n"
            'command = ["/bin/cat"]\n'
            'timeout = "20m"\n'
        )
        for arguments in ([], ["--check-config"]):
            with self.subTest(arguments):
                run = self.holdfastd("--config", box.config_path, *arguments)
                self.assertEqual(run.returncode, 3, run)
                typo, range_ = run.stderr.strip().splitlines()
                self.assertTrue(typo.startswith(box.config_path + ":3:"), typo)
                self.assertIn("timout", typo)
                self.assertRegex(typo, r"\btimeout\b")
                self.assertTrue(range_.startswith(box.config_path + ":6:"), range_)
                self.assertIn("functions.thumb.timeout", range_)
        self.assertFalse(os.path.exists(box.state_path))

    def test_the_checked_configuration_is_printed_whole_and_reads_back_the_same(self):
        box = self.box
        box.function("echo", "cat", timeout="7s", environment={"A": 'b "c"'})
        box.settings["queues"]["done"] = {"bytes_max": "2MiB"}
        box.write_config()
        run = self.holdfastd("--config", box.config_path, "--check-config")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        shown = tomllib.loads(run.stdout)
        function = shown["functions"]["echo"]
        self.assertEqual(function["command"], [box.path("bin", "echo")])
        self.assertEqual(function["timeout"], "7s")
        self.assertEqual(function["environment"], {"A": 'b "c"'})
        self.assertEqual(function["concurrency_max"], 8)
        self.assertEqual(function["retry"], {"retries": 2})
        self.assertEqual(shown["daemon"]["state_directory"], box.state_path)
        box.write_config(run.stdout)
        again = self.holdfastd("--config", box.config_path, "--check-config")
        self.assertEqual(again.stdout, run.stdout)
        self.assertFalse(os.path.exists(box.state_path))

    def test_each_way_to_be_started_wrongly_has_its_exit_code(self):
        box = self.box
        self.assertEqual(self.holdfastd("--konfig").returncode, 2)
        missing = self.holdfastd("--config", box.path("missing.toml"))
        self.assertEqual(missing.returncode, 3)
        self.assertIn(box.path("missing.toml"), missing.stderr)
        self.assertEqual(self.holdfastd("--version").returncode, 0)
        box.settings["socket"]["path"] = box.path("nowhere", "holdfast.sock")
        box.write_config()
        self.assertEqual(box.launch().wait(harness.DEADLINE_S), 7)
        self.assertIn(box.path("nowhere"), box.log())

    def ends_with(self, code, *words):
        """Starts the daemon with the present settings; it ends, and its last line has words."""
        box = self.box
        box.write_config()
        self.assertEqual(box.launch().wait(harness.DEADLINE_S), code, box.log())
        for word in words:
            self.assertIn(word, box.log().splitlines()[-1])

    def test_a_setting_that_does_not_fit_this_box_is_named_with_what_to_do(self):
        box = self.box
        box.settings["socket"]["group"] = "nosuchgroup"
        self.ends_with(7, 'socket.group: no group is called "nosuchgroup"', "groupadd")
        self.assertIn("warning: socket.group:",
                      self.holdfastd("--config", box.config_path, "--check-config").stderr)
        box.settings["socket"]["group"] = ""
        box.settings["daemon"]["state_directory"] = box.path("no", "such")
        self.ends_with(5, "daemon.state_directory", "(its parent must exist)")
        self.assertIn("warning: daemon.state_directory:",
                      self.holdfastd("--config", box.config_path, "--check-config").stderr)
        box.touch("file")
        box.settings["daemon"]["state_directory"] = box.path("file")
        self.ends_with(3, "daemon.state_directory", "Not a directory")
        self.assertNotIn("parent must exist", box.log().splitlines()[-1])

    @unittest.skipUnless(harness.is_root(), "only root can become somebody else")
    def test_a_state_that_belongs_to_somebody_else_is_named_with_its_owner(self):
        box = self.box
        box.write_config()
        os.mkdir(box.state_path, 0o700)
        start = [harness.HOLDFASTD, "--config", box.config_path]
        run = harness.run_as_nobody(start, env=box.environment())
        self.assertEqual(run.returncode, 3, run)
        for word in ("daemon.state_directory", "belongs to user root", "runs as user nobody",
                     f"chown -R nobody {box.state_path}"):
            self.assertIn(word, run.stderr)
        os.mkdir(os.path.join(box.state_path, "db"))
        for path in (box.state_path, os.path.join(box.state_path, "db")):
            os.chown(path, harness.NOBODY, harness.NOBODY)
        left = os.path.join(box.state_path, "db", "CURRENT")
        os.close(os.open(left, os.O_CREAT, 0o600))
        run = harness.run_as_nobody(start, env=box.environment())
        self.assertEqual(run.returncode, 3, run)
        self.assertIn(f"{left} belongs to user root", run.stderr)

    def test_attempts_running_max_is_four_for_each_processor_when_it_is_not_set(self):
        box = self.box
        box.settings["limits"]["attempts_running_max"] = 0
        box.start()
        expected = 4 * os.cpu_count()
        self.assertEqual(box.call("GetStatus")["AttemptsRunningMax"], expected)
        run = self.holdfastd("--config", box.config_path, "--check-config")
        self.assertEqual(tomllib.loads(run.stdout)["limits"]["attempts_running_max"], expected)

    def test_a_handler_that_does_not_exist_is_a_warning_until_it_is_there(self):
        box = self.box
        program = box.path("bin", "later")
        box.settings["functions"]["later"] = {"command": [program], "retry": {"retries": 0}}
        box.start()
        self.assertRegex(box.log(), f"(?i)warn.*functions.later.command.*{program}.*not exist")
        event = box.ended(box.event("later"))
        self.assertEqual((event["State"], event["ErrorType"]),
                         ("dead", "Runtime.InvalidEntrypoint"))
        self.assertEqual(event["Attempts"][0]["Outcome"], "cannot_start")
        self.assertIn(f"cannot start {program}: No such file", event["ErrorMessage"])
        box.script("later", "cat")
        self.assertEqual(box.ended(box.event("later", b"x"))["Result"], b"x")


class OneDaemonTest(harness.BoxTest):
    def test_a_second_daemon_is_refused_with_the_pid_of_the_first(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        other = box.path("other.toml")
        box.settings["socket"]["path"] = box.path("other.sock")
        with open(other, "w", encoding="utf-8") as file:
            file.write(harness.toml(box.settings))
        before = len(box.log())
        self.assertEqual(box.launch(other).wait(harness.DEADLINE_S), 4)
        self.assertIn(f"pid {box.process.pid}", box.log()[before:])
        self.assertIn(box.state_path, box.log()[before:])
        self.assertEqual(box.invoke("echo", b"x")["Payload"], b"x")

    def test_a_socket_in_use_is_not_taken_away(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        other = box.path("other.toml")
        box.settings["daemon"]["state_directory"] = box.path("other")
        with open(other, "w", encoding="utf-8") as file:
            file.write(harness.toml(box.settings))
        self.assertEqual(box.launch(other).wait(harness.DEADLINE_S), 7)
        box.client()
        self.assertEqual(box.invoke("echo", b"x")["Payload"], b"x")


class ReloadTest(harness.BoxTest):
    def functions(self):
        return {row["FunctionName"]: row for row in self.box.call("ListFunctions")["Functions"]}

    def test_a_bad_file_keeps_the_old_settings_and_says_why(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        log = box.reload("[functions.echo]\ncommand = []\n[limit]\n")
        self.assertIn("reload refused", log)
        self.assertIn(box.config_path + ":2:", log)
        self.assertIn(box.config_path + ":3:", log)
        self.assertIn("limits", log)
        self.assertEqual(box.invoke("echo", b"x")["Payload"], b"x")
        box.reload()
        self.assertEqual(box.invoke("echo", b"x")["Payload"], b"x")

    def test_commit_linger_holds_answers_back_from_the_reload_on(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        box.settings["daemon"]["commit_linger"] = "1s"
        box.reload()
        begun = time.monotonic()
        box.event("echo")
        self.assertGreaterEqual(time.monotonic() - begun, 1)

    def test_events_of_a_removed_function_wait_until_it_returns(self):
        box = self.box
        box.function("gated", GATED, concurrency_max=1, timeout="60s")
        box.start()
        running, *waiting = [box.event("gated", p) for p in (b"slow", b"quick", b"quick")]
        box.noted("started")
        settings = box.settings["functions"].pop("gated")
        box.function("new", "cat")
        box.reload()
        self.assertEqual(box.invoke("new", b"x")["Payload"], b"x")
        with self.refused("ResourceNotFoundException", "gated"):
            box.event("gated")
        box.touch("gate")
        self.assertEqual(box.ended(running)["State"], "succeeded")
        for restarted in (False, True):
            if restarted:
                box.crash_and_start()
            row = self.functions()["gated"]
            self.assertEqual((row["Configured"], row["Backlog"], row["Running"]), (False, 2, 0))
            self.assertTrue(self.functions()["new"]["Configured"])
            self.assertEqual([box.get(r)["State"] for r in waiting], ["pending"] * 2)
        self.assertEqual(len(box.notes()), 1)
        box.settings["functions"]["gated"] = settings
        box.reload()
        for request_id in waiting:
            self.assertEqual(box.ended(request_id)["State"], "succeeded")
        row = self.functions()["gated"]
        self.assertEqual((row["Configured"], row["Backlog"]), (True, 0))
        self.assertEqual((row["Command"], row["Timeout"], row["ConcurrencyMax"], row["Retries"]),
                         (settings["command"], 60000, 1, 2))

    def test_a_setting_that_needs_a_restart_is_named(self):
        box = self.box
        box.start()
        box.settings["daemon"]["state_directory"] = box.path("elsewhere")
        self.assertRegex(box.reload(), "daemon.state_directory.*restart")
        self.assertFalse(os.path.exists(box.path("elsewhere")))

    def test_a_full_disk_refuses_events_and_accepted_ones_still_end(self):
        box = self.box
        box.function("echo", "cat")
        box.start(queues={"q": {}})
        accepted = box.event("echo", b"x", DelaySeconds=1)
        free = os.statvfs(box.folder)
        floor = (free.f_bavail * free.f_frsize >> 30) + 2
        box.settings["limits"]["disk_free_min"] = f"{floor}GiB"
        box.reload()
        with self.refused("InsufficientStorageException", "disk_free_min"):
            box.event("echo")
        with self.refused("InsufficientStorageException"):
            box.call("SendMessage", QueueName="q", MessageBody=b"x")
        with self.refused("InsufficientStorageException"):
            box.invoke("echo", InvocationType="DryRun")
        status = box.call("GetStatus")
        self.assertFalse(status["Accepting"])
        self.assertIn("disk_free_min", status["Refusal"])
        self.assertEqual(status["DiskFreeMinBytes"], floor << 30)
        self.assertEqual(box.invoke("echo", b"call")["Payload"], b"call")
        self.assertEqual(box.ended(accepted)["State"], "succeeded")
        box.settings["limits"]["disk_free_min"] = "1MiB"
        box.reload()
        self.assertEqual(box.ended(box.event("echo", b"x"))["State"], "succeeded")
        self.assertTrue(box.call("GetStatus")["Accepting"])


class DrainTest(harness.BoxTest):
    def drain(self):
        """SIGTERM, until the daemon says that it drains."""
        self.box.process.send_signal(signal.SIGTERM)
        harness.wait_for(
            lambda: self.box.call("GetStatus")["State"] == "draining", "the daemon to drain"
        )

    def test_a_drain_refuses_new_events_and_lets_the_running_attempt_finish(self):
        box = self.box
        box.function("gated", GATED, concurrency_max=1, timeout="60s")
        box.start(daemon={"drain_timeout": "60s"})
        running, waiting = box.event("gated", b"slow"), box.event("gated", b"quick")
        box.noted("started")
        self.drain()
        for kind in ("Event", "RequestResponse"):
            with self.subTest(kind), self.refused("ServiceUnavailableException"):
                box.invoke("gated", InvocationType=kind)
        self.assertEqual(box.get(running)["State"], "running")
        box.touch("gate")
        self.assertEqual(box.process.wait(harness.DEADLINE_S), 0)
        self.assertEqual(len(box.notes()), 1)
        self.assertEqual(box.processes(), [])
        box.start()
        event = box.ended(running)
        self.assertEqual((event["State"], event["Attempt"]), ("succeeded", 1))
        self.assertEqual(box.ended(waiting)["State"], "succeeded")

    def test_a_drain_does_not_linger(self):
        box = self.box
        box.function("gated", 'gate=$(cat); note started; wait_for "$gate"', timeout="60s")
        box.start(daemon={"drain_timeout": "60s", "commit_linger": "1s"})
        gates = [f"gate{n}" for n in range(8)]
        callers = [(box.client(), gate) for gate in gates]
        asked = [client.send("Invoke", FunctionName="gated", Payload=gate.encode())
                 for client, gate in callers]
        box.noted("started", count=len(gates))
        self.drain()
        begun = time.monotonic()
        for (client, gate), request in zip(callers, asked):
            box.touch(gate)
            client.reply(request)
        self.assertLess(time.monotonic() - begun, len(gates))
        self.assertEqual(box.process.wait(harness.DEADLINE_S), 0)

    def test_what_outlasts_the_drain_runs_again_and_nothing_is_counted_against_it(self):
        self.outlasts("trap '' TERM; ")

    def test_who_stops_politely_at_the_end_of_a_drain_runs_again_too(self):
        self.outlasts("trap 'exit 0' TERM; ")

    def outlasts(self, trap):
        box = self.box
        box.function("gated", trap + GATED, timeout="60s", kill_grace="200ms",
                     retry={"retries": 0})
        box.start(daemon={"drain_timeout": "300ms"}, limits={"interruptions_max": 0})
        request_id = box.event("gated", b"slow")
        box.noted("started")
        self.assertEqual(box.stop(), 0)
        self.assertEqual(box.processes(), [])
        box.start()
        box.noted("started", count=2)
        box.touch("gate")
        event = box.ended(request_id)
        self.assertEqual((event["State"], event["Attempt"]), ("succeeded", 2))
        self.assertEqual((event["Failures"], event["Interruptions"]), (0, 0))
        (cut_short,) = event["Attempts"]
        self.assertEqual((cut_short["Outcome"], cut_short["ErrorType"]),
                         ("interrupted", "Interrupted"))

    def test_a_caller_whose_call_outlasts_the_drain_is_told(self):
        box = self.box
        box.function("gated", GATED, timeout="60s")
        box.start(daemon={"drain_timeout": "300ms"})
        asked = box.clients[-1].send("Invoke", FunctionName="gated", Payload=b"slow")
        box.noted("started")
        self.assertEqual(box.stop(), 0)
        answer = box.clients[-1].reply(asked)
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertEqual(json.loads(answer["Payload"])["errorType"], "Interrupted")

    def test_a_caller_gets_the_whole_of_a_large_result_before_the_daemon_stops(self):
        box = self.box
        box.function("big", "note started; wait_for gate; head -c 5000000 /dev/zero",
                     timeout="60s", result_bytes_max=6000000)
        box.start(daemon={"drain_timeout": "60s"})
        caller = box.client()
        asked = caller.send("Invoke", FunctionName="big")
        box.noted("started")
        box.process.send_signal(signal.SIGTERM)
        box.touch("gate")
        self.assertEqual(len(caller.reply(asked)["Payload"]), 5000000)
        self.assertEqual(box.process.wait(harness.DEADLINE_S), 0)

    def test_a_client_that_does_not_read_keeps_no_daemon_from_stopping(self):
        box = self.box
        box.function("big", "head -c 5000000 /dev/zero", timeout="60s", result_bytes_max=6000000)
        box.start()
        deaf = box.client()
        deaf.send("Invoke", FunctionName="big")
        harness.wait_for(
            lambda: box.clients[0].call("GetStatus")["MemoryBytes"] > 4000000,
            "the result to wait for its reader",
        )
        begun = time.monotonic()
        self.assertEqual(box.stop(), 0)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertIn("clients that do not read lose replies", box.log())

    def test_an_idle_daemon_stops_at_once_and_forgets_nothing(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        request_id = box.event("echo", b"x")
        box.ended(request_id)
        self.assertEqual(box.stop(), 0)
        self.assertFalse(os.path.exists(box.socket_path))
        box.start()
        self.assertEqual(box.get(request_id)["Result"], b"x")


class StatusTest(harness.BoxTest):
    def test_the_status_tells_what_the_protocol_lists(self):
        box = self.box
        box.function("gated", GATED, concurrency_max=1, timeout="60s")
        box.start(queues={"q": {"bytes_max": "2MiB"}})
        box.ended(box.event("gated", b"quick"))
        first = box.get(box.event("gated", b"slow"))
        box.noted("started", count=2)
        oldest = box.get(box.event("gated", b"slow"))
        box.call("SendMessage", QueueName="q", MessageBody=b"abc")
        status = box.call("GetStatus")
        self.assertEqual((status["Pid"], status["State"]), (box.process.pid, "running"))
        self.assertEqual((status["Accepted"], status["Ended"]), (3, 1))
        self.assertEqual((status["AttemptsRunning"], status["AttemptsRunningMax"]), (1, 16))
        self.assertEqual(status["Connections"], 1)
        self.assertIs(status["Accepting"], True)
        self.assertNotIn("Refusal", status)
        self.assertEqual(status["DiskFreeMinBytes"], 1 << 20)
        self.assertEqual((status["IdempotencyBytes"], status["IdempotencyBytesMax"]),
                         (0, 256 << 20))
        self.assertLessEqual(status["StartedAt"], first["AcceptedAt"])
        self.assertGreaterEqual(status["Now"], status["LastSyncAt"])
        self.assertGreaterEqual(status["LastSyncAt"], oldest["AcceptedAt"])
        for name in ("DiskFreeBytes", "DiskReservedBytes", "HistoryBytes", "Commits"):
            self.assertGreater(status[name], 0, name)
        self.assertIsInstance(status["Version"], str)
        for name in ("DurationMs", "InterruptedEvents", "InterruptedCalls", "Waiting", "WalAudit"):
            self.assertIn(name, status["Recovery"])
        (row,) = status["Functions"]
        wanted = {
            "FunctionName": "gated", "Configured": True, "Backlog": 1,
            "Running": 1, "DeadLetters": 0, "DeadLettersBytes": 0,
            "DeadLettersBytesMax": 64 << 20, "Cancelled": 0, "Succeeded": 1, "Failed": 0, "DeadLettersDropped": 0,
        }
        self.assertEqual({name: row.get(name) for name in wanted}, wanted)
        self.assertLess(row["OldestAgeSeconds"], 60)
        (queue,) = status["Queues"]
        self.assertEqual((queue["QueueName"], queue["Configured"], queue["Messages"]),
                         ("q", True, 1))
        self.assertEqual(queue["BytesMax"], 2 << 20)


class PeerTest(harness.BoxTest):
    def test_the_socket_and_the_state_have_the_rights_that_were_asked_for(self):
        self.box.start(socket={"mode": "0620"})
        self.assertEqual(stat.S_IMODE(os.stat(self.box.socket_path).st_mode), 0o620)
        self.assertEqual(stat.S_IMODE(os.stat(self.box.state_path).st_mode), 0o700)

    @unittest.skipUnless(harness.is_root(), "only root can become somebody else")
    def test_others_may_invoke_and_use_queues_and_nothing_else(self):
        box = self.box
        box.function("echo", "cat")
        box.start(queues={"q": {}})
        known = box.event("echo", b"x")
        box.ended(known)
        with harness.as_nobody():
            peer = box.client()
        request_id = box.event("echo", b"x")
        self.assertEqual(box.ended(request_id)["Result"], b"x")
        self.assertEqual(box.invoke("echo", b"x")["Payload"], b"x")
        self.assertEqual(box.get(known)["State"], "succeeded")
        box.call("SendMessage", QueueName="q", MessageBody=b"x")
        (message,) = box.received("q")
        box.call("DeleteMessage", QueueName="q", ReceiptHandle=message["ReceiptHandle"])
        self.assertEqual(len(peer.call("ListQueues")["Queues"]), 1)
        table = {
            "ListEvents": {},
            "CancelEvent": {"RequestId": known},
            "ListFunctions": {},
            "GetStatus": {},
            "ListDeadLetters": {},
            "GetDeadLetter": {"RequestId": known},
            "RedriveDeadLetters": {"FunctionName": "echo"},
            "DiscardDeadLetters": {"FunctionName": "echo"},
        }
        for method, params in table.items():
            with self.subTest(method), self.refused("AccessDeniedException"):
                peer.call(method, **params)

    @unittest.skipUnless(harness.is_root(), "only root can become somebody else")
    def test_who_is_not_let_in_by_the_mode_does_not_get_in(self):
        self.box.start(socket={"mode": "0660"})
        with harness.as_nobody(), self.assertRaises(PermissionError):
            self.box.client()


if __name__ == "__main__":
    harness.main()
