"""A small disk of its own, filled by the daemon's own work: what it does when room runs out."""

import os
import subprocess
import tempfile
import time
import unittest

import harness

MIB = 1 << 20


@unittest.skipUnless(harness.is_root(), "only root can mount a small disk")
class DiskTest(harness.BoxTest):
    """The state directory is on a tmpfs, which is as full as its rows make it."""

    def setUp(self):
        super().setUp()
        self.disk = tempfile.mkdtemp(prefix="holdfast-disk-")
        self.addCleanup(os.rmdir, self.disk)

    def mount(self, size):
        options = ["-t", "tmpfs", "-o", f"size={size}"]
        subprocess.run(["mount", *options, "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.box.state_path = os.path.join(self.disk, "state")
        self.box.settings["daemon"]["state_directory"] = self.box.state_path

    def free_mib(self):
        space = os.statvfs(self.disk)
        return (space.f_bavail * space.f_frsize) // MIB

    def keep_free(self, mib):
        """Raises or lowers the floor, and waits until the daemon has measured anew."""
        self.box.settings["limits"]["disk_free_min"] = f"{mib}MiB"
        self.box.reload()
        time.sleep(1.2)  # it measures every second

    def holdfast(self, *arguments):
        return subprocess.run(
            [harness.HOLDFAST, "--socket", self.box.socket_path, *arguments],
            capture_output=True, text=True, check=False, timeout=harness.DEADLINE_S,
        )


class StartGateTest(DiskTest):
    """The floor is 64 MiB: events are taken above it, attempts start above 32 MiB."""

    def fill_to(self, mib):
        """Somebody else's file, so that so much is left."""
        with open(os.path.join(self.disk, "filler"), "ab") as file:
            rest = self.free_mib() - mib
            os.posix_fallocate(file.fileno(), file.tell(), rest * MIB)

    def status(self):
        return self.box.call("GetStatus")

    def test_attempts_wait_for_disk_and_everything_accepted_ends_when_there_is_room(self):
        box = self.box
        self.mount("320m")
        box.function("noisy", "cat >/dev/null; head -c 3000 /dev/urandom | base64 -w0 >&2; exit 1",
                     retry={"delays": ["1s"] * 4}, concurrency_max=16)
        box.function("echo", "cat")
        box.start(limits={"disk_free_min": "64MiB", "history_bytes_max": "1MiB",
                          "attempts_running_max": 16}, queues={"q": {}})
        box.call("SendMessage", QueueName="q", MessageBody=b"m" * 1000)
        ids = [box.event("noisy", DelaySeconds=1) for _ in range(150)]
        harness.wait_for(lambda: self.status()["AttemptsRunning"], "attempts to run")
        self.fill_to(30)
        harness.wait_for(lambda: self.status()["StartsWaitForDisk"]
                         and not self.status()["AttemptsRunning"], "attempts to wait for disk")
        time.sleep(3)
        self.assertIsNone(box.process.poll(), box.log())
        status = self.status()
        self.assertEqual((status["Accepting"], status["AttemptsRunning"]), (False, 0))
        self.assertIn("attempts wait for disk space", box.log())
        check = self.holdfast("status", "--check")
        self.assertEqual(check.returncode, 6)
        self.assertIn("attempts wait for disk space", check.stdout)
        with self.refused("InsufficientStorageException"):
            box.invoke("echo", b"x")
        (message,) = box.received("q")  # above a quarter of the floor
        box.call("DeleteMessage", QueueName="q", ReceiptHandle=message["ReceiptHandle"])
        os.unlink(os.path.join(self.disk, "filler"))
        self.assertEqual({box.ended(one, 120)["Condition"] for one in ids}, {"RetriesExhausted"})
        self.assertIsNone(box.process.poll(), box.log())
        self.assertIn("attempts start again", box.log())
        self.assertTrue(self.status()["Accepting"])

    def test_a_full_queue_holds_attempts_back_until_somebody_receives(self):
        box = self.box
        self.mount("320m")
        box.function("big", "cat >/dev/null; head -c 200000 /dev/urandom", on_success="out",
                     concurrency_max=16)
        box.start(limits={"disk_free_min": "64MiB", "attempts_running_max": 16},
                  queues={"out": {"bytes_max": "1MiB"}})
        ids = [box.event("big", b"x", DelaySeconds=1) for _ in range(24)]
        queue = lambda: self.status()["Queues"][0]
        harness.wait_for(lambda: queue()["Bytes"] + 400_000 > MIB
                         and not self.status()["AttemptsRunning"], "the queue to fill")
        time.sleep(1)
        self.assertLess(queue()["Bytes"], MIB + 400_000)
        self.assertGreater(self.status()["Functions"][0]["Backlog"], 10)
        received = 0
        while received < len(ids):
            for message in box.received("out", MaxNumberOfMessages=10):
                box.call("DeleteMessage", QueueName="out", ReceiptHandle=message["ReceiptHandle"])
                received += 1
            self.assertLess(queue()["Bytes"], MIB + 400_000)
            time.sleep(0.05)
        self.assertEqual({box.ended(one)["State"] for one in ids}, {"succeeded"})
        self.assertEqual(queue()["Messages"], 0)

    def test_calls_on_a_short_disk_leave_brief_rows_and_keep_the_daemon_up(self):
        box = self.box
        self.mount("320m")
        box.function("call", "cat >/dev/null; head -c 65000 /dev/urandom", concurrency_max=16)
        box.start(limits={"disk_free_min": "64MiB", "attempts_running_max": 16})
        self.fill_to(50)
        time.sleep(1.2)
        with self.refused("InsufficientStorageException"):
            box.event("call")
        before = self.status()["HistoryBytes"]
        for _ in range(50):
            answer = box.invoke("call")
            self.assertEqual(len(answer["Payload"]), 65000)
        self.assertLess(self.status()["HistoryBytes"] - before, 50 * 1000)
        event = box.get(answer["RequestId"])
        self.assertEqual((event["State"], event["ResultBytes"]), ("succeeded", 65000))
        self.assertNotIn("Result", event)


class RedriveTest(DiskTest):
    def test_a_redrive_of_all_says_what_it_left_behind_and_why(self):
        box = self.box
        self.mount("160m")
        box.function("moody", 'cat >/dev/null; [ -e "$here/mended" ]', on_failure="failed",
                     retry={"retries": 0}, concurrency_max=1)
        box.start(queues={"failed": {}})
        for request_id in [box.event("moody", os.urandom(MIB)) for _ in range(8)]:
            self.assertEqual(box.ended(request_id)["State"], "dead")
        box.touch("mended")
        self.keep_free(self.free_mib() - 5)
        run = self.holdfast("dead-letters", "redrive", "--all", "moody")
        self.assertEqual(run.returncode, 3, run)
        self.assertIn("InsufficientStorageException", run.stderr)
        redriven = int(run.stdout.split()[0])
        self.assertIn(redriven, range(1, 8))
        self.assertEqual(len(box.listed("ListDeadLetters", "DeadLetters")), 8 - redriven)
        self.keep_free(1)
        run = self.holdfast("dead-letters", "redrive", "--all", "moody")
        self.assertEqual((run.returncode, run.stdout), (0, f"{8 - redriven} redriven\n"), run)


if __name__ == "__main__":
    harness.main()
