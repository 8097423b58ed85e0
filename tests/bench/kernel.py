"""What the kernel knows: memory, time and writes of a process, and writes of a disk."""

import os
import re
from typing import NamedTuple

SECTOR_BYTES = 512  # of /proc/diskstats, whatever the disk has
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def memory_bytes(pid, which="VmRSS"):
    """VmRSS: resident now; VmHWM: the most there ever was."""
    return int(re.search(rf"^{which}:\s+(\d+) kB", read(f"/proc/{pid}/status"), re.M)[1]) << 10


def written_bytes(pid):
    """What the process made the kernel write to disks."""
    return int(re.search(r"^write_bytes: (\d+)", read(f"/proc/{pid}/io"), re.M)[1])


def cpu_s(pid):
    """User and system time of all its threads."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def children(pid):
    return [int(word) for word in read(f"/proc/{pid}/task/{pid}/children").split()]


class Disk(NamedTuple):
    """Of the whole disk, so of everybody who writes to it."""

    written_bytes: int
    flushes: int


def disk_in(diskstats, number):
    """The row of the disk or partition `major:minor`; None if there is no such row."""
    for line in diskstats.splitlines():
        fields = line.split()
        if f"{fields[0]}:{fields[1]}" == number:
            return Disk(int(fields[9]) * SECTOR_BYTES, int(fields[18]) if len(fields) > 18 else 0)
    return None


def mount_in(mountinfo, path):
    """(major:minor, file system, source) of the mount that holds a path."""
    best = ("", None)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, (system, source, *_) = before.split(), after.split()
        point = fields[4].rstrip("/")
        if (path == point or path.startswith(point + "/")) and len(point) >= len(best[0]):
            best = (point, (fields[2], system, source))
    return best[1]


def mount_of(path):
    return mount_in(read("/proc/self/mountinfo"), os.path.realpath(path))


def disk_of(path, sync=True):
    """The counters of the disk below a path; with `sync` all that was written is there."""
    if sync:
        os.sync()
    return disk_in(read("/proc/diskstats"), mount_of(path)[0])
