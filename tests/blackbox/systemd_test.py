"""What systemd gets to see: the lines that the journal takes, and the notifications."""

import re
import signal
import socket
import time

import harness


class JournalTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        self.box.variables["JOURNAL_STREAM"] = "1:2"

    def every_line_has_a_priority(self):
        lines = self.box.log().splitlines()
        for line in lines:
            self.assertRegex(line, r"^<[2-7]>\S")
        return lines

    def test_each_line_of_a_record_of_many_lines_has_its_priority(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        box.reload("[functions.echo]\ncommand = []\n[limit]\n")
        lines = self.every_line_has_a_priority()
        for place in (":2:", ":3:"):
            (line,) = [line for line in lines if box.config_path + place in line]
            self.assertTrue(line.startswith("<3>"), line)

    def test_a_wrong_configuration_at_the_start_has_its_priority_too(self):
        box = self.box
        box.write_config("[functions.echo]\ncommand = []\n[limit]\n")
        self.assertEqual(box.launch().wait(harness.DEADLINE_S), 3)
        lines = self.every_line_has_a_priority()
        self.assertEqual([line[:3] for line in lines], ["<2>", "<2>"])


class NotifyTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        path = self.box.path("notify.sock")
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notified.close)
        self.notified.bind(path)
        self.notified.settimeout(harness.DEADLINE_S)
        self.box.variables["NOTIFY_SOCKET"] = path

    def until(self, pattern):
        """What is notified up to the first that matches."""
        told = []
        while not told or not re.search(pattern, told[-1]):
            told.append(self.notified.recv(4096).decode())
        return told

    def test_systemd_hears_of_every_step_of_a_life(self):
        box = self.box
        box.function("gated", "note started; wait_for gate", timeout="60s")
        box.start(daemon={"drain_timeout": "60s"})
        started = self.until("^READY=1")
        recovering = started.index("STATUS=recovering")
        self.assertEqual(started[recovering + 1], f"EXTEND_TIMEOUT_USEC={600 * 1000000}")
        self.assertLess(recovering, started.index("READY=1"))
        self.assertEqual(self.until("^STATUS=")[-1],
                         "STATUS=serving: 0 waiting, 0 running, 0 dead letters")

        alive = []
        for _ in range(3):
            self.until("^WATCHDOG=1")
            alive.append(time.monotonic())
        self.assertLess(alive[-1] - alive[0], 10)  # systemd/holdfast.service allows 30 s

        box.reload()
        reloading = self.until("^RELOADING=1")[-1]
        sent_usec = int(re.search(r"^MONOTONIC_USEC=(\d+)$", reloading, re.MULTILINE).group(1))
        self.assertLess(abs(time.monotonic() - sent_usec / 1e6), 60)
        self.until("^READY=1")
        box.write_config("[limit]")
        box.process.send_signal(signal.SIGHUP)
        self.until("^RELOADING=1")
        self.until("^READY=1")  # also when the file was refused

        box.event("gated")
        box.noted("started")
        box.process.send_signal(signal.SIGTERM)
        self.until("^STOPPING=1")
        draining = self.until("^STATUS=draining")
        self.assertEqual(draining[-1], "STATUS=draining: 0 waiting, 1 running, 0 dead letters")
        self.until("^WATCHDOG=1")  # a long drain is no hang
        box.touch("gate")
        self.assertEqual(box.process.wait(harness.DEADLINE_S), 0)


if __name__ == "__main__":
    harness.main()
