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
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.box.state_path = os.path.join(self.disk, "state")
        self.box.settings["daemon"]["state_directory"] = self.box.state_path

    def grow(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.disk], check=True)

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
