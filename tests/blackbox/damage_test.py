"""A disk that loses what was acknowledged: the daemon names the place, shows what is left,
changes nothing, and goes on when an operator has accepted the loss.
"""

import glob
import json
import os
import re
import signal
import socket
import subprocess

import harness

EVENTS = 200
GATED = 'wait_for gate; note "ran $(cat)"'


class DamageTest(harness.BoxTest):
    """200 events wait; the daemon was killed; then something happens to its disk."""

    def setUp(self):
        super().setUp()
        box = self.box
        box.function("gated", GATED, concurrency_max=1, timeout="120s")
        box.settings["queues"]["done"] = {}
        box.start()
        self.ids = [box.event("gated", b"payload %d" % n) for n in range(EVENTS)]
        box.kill()

    # --- the disk

    def logs(self):
        return sorted(glob.glob(self.box.path("state", "db", "*.log")))

    def log_with_events(self):
        return max(self.logs(), key=lambda path: self.end_of(path))

    @staticmethod
    def end_of(path):
        """Where the records end and preallocated zeros begin."""
        with open(path, "rb") as file:
            return len(file.read().rstrip(b"\0"))

    @staticmethod
    def flip(path, offset):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x20]))

    def damage_the_middle(self):
        path = self.log_with_events()
        self.flip(path, self.end_of(path) // 2)
        return path

    def snapshot(self):
        """Every file below the state directory with its bytes and its times."""
        found = {}
        for folder, _, names in os.walk(self.box.state_path):
            found[folder] = os.stat(folder).st_mtime_ns
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[path] = (os.stat(path).st_mtime_ns, file.read())
        return found

    # --- the programs

    def holdfastd(self, *arguments):
        return subprocess.run(
            [harness.HOLDFASTD, *arguments], capture_output=True, text=True,
            env=self.box.environment(), check=False, timeout=harness.DEADLINE_S,
        )

    def holdfast(self, *arguments, code=0):
        run = subprocess.run(
            [harness.HOLDFAST, "--socket", self.box.socket_path, *arguments],
            capture_output=True, env=self.box.environment(), check=False,
            timeout=harness.DEADLINE_S,
        )
        self.assertEqual(run.returncode, code, run)
        return run.stdout.decode()

    # --- what every damaged box does

    def expect_read_only(self, place):
        """Starts the daemon on the damaged disk, and asks it everything."""
        box = self.box
        before = self.snapshot()
        box.start()
        self.assertIn(place, box.log())
        status = box.call("GetStatus")
        self.assertEqual((status["State"], status["Accepting"]), ("damaged", False))
        self.assertIn(place, status["Damage"])
        for method, params in (
            ("Invoke", {"FunctionName": "gated", "InvocationType": "Event"}),
            ("Invoke", {"FunctionName": "gated"}),
            ("CancelEvent", {"RequestId": self.ids[0]}),
            ("RedriveDeadLetters", {"FunctionName": "gated"}),
            ("DiscardDeadLetters", {"FunctionName": "gated"}),
            ("SendMessage", {"QueueName": "done", "MessageBody": b"x"}),
            ("ReceiveMessage", {"QueueName": "done"}),
        ):
            with self.subTest(method), self.refused("ServiceUnavailableException", place):
                box.call(method, **params)
        with self.refused("ServiceUnavailableException", "holdfastd --accept-wal-loss"):
            box.event("gated")
        self.expect_export()
        self.assertEqual(box.handler_pids(), [])
        self.assertIn("reload refused", self.reload_log())
        self.assertEqual(box.stop(), 0)
        after = self.snapshot()
        # The locks hold the pids of whoever took them last, the socket stands elsewhere.
        for lock in ("daemon.lock", "handlers.lock"):
            before.pop(box.path("state", lock))
            after.pop(box.path("state", lock))
        self.assertEqual(set(before), set(after))
        self.assertEqual([path for path in before if before[path] != after[path]], [])

    def reload_log(self):
        box = self.box
        before = len(box.log())
        box.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "refused" in box.log()[before:], "SIGHUP to be answered")
        return box.log()[before:]

    def expect_export(self):
        """What is left can be taken out with the command, payloads too."""
        rows = json.loads(self.holdfast("--json", "events", "list", "--limit", "0"))["Events"]
        listed = {row["RequestId"]: row for row in rows}
        self.assertLessEqual(set(listed), set(self.ids))
        for request_id, row in listed.items():
            self.assertIn(row["State"], harness.LIVING)
        if listed:
            some = max(listed)
            shown = json.loads(self.holdfast("--json", "events", "show", some))
            self.assertEqual(shown["RequestId"], some)
            payload = self.holdfast("events", "payload", some)
            self.assertEqual(payload, f"payload {self.ids.index(some)}")
        self.assertEqual(self.box.get(self.ids[0], wait=20)["State"] if self.ids[0] in listed
                         else "gone", listed.get(self.ids[0], {}).get("State", "gone"))
        self.assertIn("damaged", self.holdfast("status"))
        trouble = self.holdfast("status", "--check", code=6)
        self.assertIn("data is damaged", trouble)
        self.assertEqual(len(trouble.splitlines()), 1)
        self.holdfast("functions", "list")
        self.holdfast("queues", "list")
        self.assertEqual(json.loads(self.holdfast("--json", "dead-letters", "list")),
                         {"DeadLetters": []})
        return listed

    def test_a_flipped_byte_leaves_a_box_that_shows_what_stands_before_it(self):
        path = self.damage_the_middle()
        for _ in range(2):  # the second start is like the first
            self.expect_read_only(path + " at byte ")

    def test_systemd_hears_that_the_box_is_up_and_damaged(self):
        box = self.box
        path = self.damage_the_middle()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(box.path("notify"))
            systemd.settimeout(harness.DEADLINE_S)
            clean = box.environment()
            box.environment = lambda: {**clean, "NOTIFY_SOCKET": box.path("notify")}
            box.start()
            heard = []
            while not any(line.startswith("STATUS=DAMAGED") for line in heard):
                heard.append(systemd.recv(4096).decode())
            self.assertIn("READY=1", heard)
            self.assertIn(path, heard[-1])
            self.assertEqual(box.stop(), 0)

    def test_the_only_log_is_deleted_and_the_side_file_knows(self):
        os.remove(self.log_with_events())
        self.expect_read_only("where the end of the log is missing")
        self.accept("where the end of the log is missing", "any event may be lost")
        self.box.start()
        self.assertEqual(self.box.listed(), [])
        self.box.event("gated")

    def test_the_last_log_is_deleted_and_what_is_in_tables_stays(self):
        box = self.box
        box.start()  # which moves all that the log held into tables
        lost = [box.event("gated") for _ in range(3)]
        box.kill()
        for path in self.logs():
            os.remove(path)
        self.expect_read_only("where the end of the log is missing")
        told = self.accept("where the end of the log is missing")
        first = re.search(r"RequestId from (\S+) on", told).group(1)
        self.assertTrue(max(self.ids) < first < min(lost))
        box.start()
        self.first_runs()
        self.assertEqual({row["RequestId"] for row in box.listed()}, set(self.ids))
        self.ids += lost
        self.expect_new_ids()

    def test_without_their_secret_the_logs_count_as_damaged_until_it_is_back(self):
        secret, backup = self.box.path("state", "db", "log_secret"), self.box.path("backup")
        os.rename(secret, backup)
        os.remove(self.box.path("state", "db", "acknowledged"))
        self.expect_read_only("cannot be read without log_secret")
        self.assertIn("log_secret is missing", self.box.log())
        os.rename(backup, secret)
        self.box.start()
        self.assertEqual(self.box.call("GetStatus")["State"], "running")
        for event in self.ids:
            self.assertIn(self.box.get(event)["State"], ("pending", "running"))

    def test_what_cannot_even_be_read_ends_with_its_own_exit_status(self):
        os.remove(self.box.path("state", "db", "CURRENT"))
        self.assertEqual(self.box.launch().wait(harness.DEADLINE_S), 6)
        self.assertIn("CURRENT", self.box.log())
        run = self.holdfastd("--verify", self.box.state_path)
        self.assertEqual(run.returncode, 6, run)
        self.assertIn("CURRENT", run.stderr)

    def damage_a_table(self):
        """Moves all that the log held into tables, kills the daemon, and flips a byte of one."""
        self.box.start()
        self.box.kill()
        table = max(glob.glob(self.box.path("state", "db", "*.sst")), key=os.path.getsize)
        self.flip(table, os.path.getsize(table) // 3)
        return table

    def test_a_damaged_table_stops_the_daemon_once_and_then_it_is_read_only(self):
        box = self.box
        table = self.damage_a_table()
        self.assertEqual(box.launch().wait(harness.DEADLINE_S), 5)
        for _ in range(2):  # and no restart loop
            self.expect_tables_shown(os.path.basename(table))
        self.flip(table, os.path.getsize(table) // 3)  # what a backup would do
        box.start()
        self.assertIn("all rows are whole: going on", box.log())
        self.assertEqual(box.call("GetStatus")["State"], "running")
        # Which of them runs is open; until one does, it may change its place among pages.
        harness.wait_for(lambda: box.call("GetStatus")["AttemptsRunning"] == 1, "one to run")
        self.assertEqual(len(box.listed()), EVENTS)
        before = len(box.log())
        box.crash_and_start()
        self.assertNotIn("looking at everything", box.log()[before:])

    def expect_tables_shown(self, table):
        box = self.box
        box.start()
        status = box.call("GetStatus")
        self.assertEqual(status["State"], "damaged")
        self.assertIn(table, status["Damage"])
        with self.refused("ServiceUnavailableException", "holdfastd --verify"):
            box.event("gated")
        with self.refused("ServiceUnavailableException", table):
            box.get(self.ids[-1])  # which is in the damaged block
        self.assertEqual([row["FunctionName"] for row in box.call("ListFunctions")["Functions"]],
                         ["gated"])
        self.assertEqual(box.handler_pids(), [])
        self.assertEqual(box.stop(), 0)

    def first_runs(self):
        """Waits until the one that runs again no longer changes its place among pages."""
        harness.wait_for(lambda: self.box.get(self.ids[0])["State"] == "running",
                         "the first event to run")

    # --- --verify

    def expect_unchanged(self, *arguments, code):
        before = self.snapshot()
        run = self.holdfastd(*arguments)
        self.assertEqual(run.returncode, code, run)
        self.assertEqual(self.snapshot(), before)
        return run

    def test_a_healthy_box_verifies_and_is_left_as_it_was(self):
        run = self.expect_unchanged("--verify", self.box.state_path, code=0)
        self.assertIn("log is intact", run.stdout)
        self.assertRegex(run.stdout, rf"\n  events +{EVENTS}\n")
        self.assertRegex(run.stdout, rf"\n  backlog +{EVENTS}\n|\n  running +1\n")
        self.assertRegex(run.stdout, r"\nAll is well\.\n$")
        self.assertEqual(run.stderr, "")
        run = self.holdfastd("--accept-wal-loss", "--config", self.box.config_path)
        self.assertEqual(run.returncode, 0, run)
        self.assertIn("no loss to accept", run.stdout)
        self.assertEqual(glob.glob(self.box.path("state", "evidence-*")), [])

    def test_verify_names_the_place_and_every_event_behind_it(self):
        path = self.damage_the_middle()
        run = self.expect_unchanged("--verify", self.box.state_path, code=6)
        place = re.search(re.escape(path) + r" at byte (\d+)", run.stdout)
        self.assertLess(int(place.group(1)), self.end_of(path))
        lost = re.findall(r"^  lost +(\S+)$", run.stdout, re.MULTILINE)
        self.assertLess(len(lost), EVENTS)
        # All behind the damage, and at most the one in it is not named.
        self.assertEqual(lost, self.ids[-len(lost):])
        self.box.start()
        kept = {row["RequestId"] for row in self.box.listed()}
        self.assertFalse(kept & set(lost))
        self.assertIn(EVENTS - len(kept) - len(lost), (0, 1))
        unnamed = set(self.ids) - kept - set(lost)
        stretch = re.search(r"RequestId from (\S+) to (\S+) may", run.stdout)
        for one in unnamed:
            self.assertLess(stretch.group(1), one)
            self.assertLess(one, stretch.group(2))

    def test_verify_names_a_table_file_that_does_not_check_out(self):
        box = self.box
        table = self.damage_a_table()
        run = self.expect_unchanged("--verify", box.state_path, code=6)
        self.assertIn(os.path.basename(table), run.stdout)
        self.assertIn("Restore a backup", run.stdout)

    def test_verify_refuses_a_box_that_runs_and_a_folder_that_is_none(self):
        box = self.box
        run = self.holdfastd("--verify", box.folder)
        self.assertEqual(run.returncode, 2, run)
        self.assertIn("is no state directory", run.stderr)
        self.assertFalse(os.path.exists(box.path("daemon.lock")))
        box.start()
        for arguments in (("--verify", box.state_path),
                          ("--accept-wal-loss", "--config", box.config_path)):
            run = self.holdfastd(*arguments)
            self.assertEqual(run.returncode, 4, run)
            self.assertIn(f"pid {box.process.pid}", run.stderr)

    # --- --accept-wal-loss

    def accept(self, *places):
        """Accepts the loss; gives what was printed."""
        box = self.box
        logs = {}
        for path in self.logs():
            with open(path, "rb") as file:
                logs[os.path.basename(path)] = file.read()
        run = self.holdfastd("--accept-wal-loss", "--config", box.config_path)
        self.assertEqual(run.returncode, 0, run)
        for place in places:
            self.assertIn(place, run.stdout)
        self.assertIn("what is left is whole", run.stdout)
        evidence = glob.glob(box.path("state", "evidence-*"))
        self.assertEqual(len(evidence), 1)
        self.assertIn(evidence[0], run.stdout)
        names = os.listdir(evidence[0])
        self.assertLessEqual({"CURRENT", "IDENTITY", "acknowledged", "log_secret"}, set(names))
        self.assertTrue(any(name.startswith("MANIFEST-") for name in names))
        for name, data in logs.items():
            with open(os.path.join(evidence[0], name), "rb") as file:
                self.assertEqual(file.read(), data)
        self.assertEqual(self.holdfastd("--verify", box.state_path).returncode, 0)
        return run.stdout

    def expect_new_ids(self):
        """What is accepted now has names that nobody was ever told."""
        fresh = [self.box.event("gated") for _ in range(3)]
        self.assertGreater(min(fresh), max(self.ids))

    def test_an_accepted_loss_keeps_the_evidence_and_the_survivors_run(self):
        path = self.damage_the_middle()
        told = self.accept(path + " at byte ", "RequestId from")
        lost = re.findall(r"^  lost +(\S+)$", told, re.MULTILINE)
        box = self.box
        box.start()
        self.assertEqual(box.call("GetStatus")["State"], "running")
        kept = {row["RequestId"] for row in box.listed()}
        self.assertGreater(len(kept), 0)
        self.assertFalse(kept & set(lost))
        box.touch("gate")
        for request_id in sorted(kept)[:20]:
            self.assertEqual(box.ended(request_id)["State"], "succeeded")
        self.expect_new_ids()
        box.crash_and_start()  # and nothing is held against the box any more
        self.assertEqual(box.call("GetStatus")["State"], "running")

    def test_logs_without_their_secret_can_be_accepted_as_lost(self):
        with open(self.box.path("state", "db", "log_secret"), "wb") as file:
            file.write(b"whatever")
        self.accept("log_secret is damaged", "cannot be read without log_secret")
        self.box.start()
        self.assertEqual(self.box.listed(), [])
        self.box.event("gated")
        self.box.kill()
        self.box.start()
        self.assertEqual(len(self.box.listed()), 1)

    def test_root_accepts_as_the_owner_of_the_directory(self):
        if not harness.is_root():
            self.skipTest("only root can become somebody else")
        box = self.box
        self.damage_the_middle()
        os.chmod(box.folder, 0o777)
        for folder, _, names in os.walk(box.state_path):
            for name in (".", *names):
                os.chown(os.path.join(folder, name), harness.NOBODY, harness.NOBODY)
        self.accept()
        for folder, _, names in os.walk(box.state_path):
            for name in (".", *names):
                self.assertEqual(os.stat(os.path.join(folder, name)).st_uid, harness.NOBODY, name)

    # --- what is no damage

    def test_a_torn_write_that_nobody_was_told_of_is_no_damage(self):
        path = self.log_with_events()
        end = self.end_of(path)
        with open(path, "r+b") as file:
            head = file.read(64)
            file.seek(end + 1)  # the last record ends with a zero
            file.write(head[:23])
        run = self.expect_unchanged("--verify", self.box.state_path, code=0)
        self.assertIn("was torn", run.stdout)
        self.assertIn("All is well.", run.stdout)
        self.box.start()
        self.first_runs()
        self.assertEqual(len(self.box.listed()), EVENTS)

    def test_a_last_write_cut_off_is_torn_if_the_side_file_does_not_know_better(self):
        path = self.log_with_events()
        with open(path, "r+b") as file:
            file.truncate(self.end_of(path) - 5)
        run = self.expect_unchanged("--verify", self.box.state_path, code=6)
        self.assertIn("had been acknowledged", run.stdout)
        os.remove(self.box.path("state", "db", "acknowledged"))
        self.assertIn("was torn", self.expect_unchanged("--verify", self.box.state_path, code=0).stdout)
        self.box.start()
        self.assertEqual(self.box.call("GetStatus")["State"], "running")


if __name__ == "__main__":
    harness.main()
