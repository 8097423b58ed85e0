"""The conditions of a run, which stand beside its figures."""

import os
import platform
import re
import shutil
import subprocess
import time

import kernel

_MEMORY_ONLY = ("tmpfs", "ramfs", "devtmpfs")


def first_line(words):
    """What a program says of itself; "absent" if it is not there."""
    if shutil.which(words[0]) is None:
        return "absent"
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def processor():
    found = re.search(r"^model name\s*:\s*(.*)$", kernel.read("/proc/cpuinfo"), re.M)
    return found[1] if found else platform.machine()


def disk_model(number):
    """The disk's name and, where it tells, its model and whether it turns."""
    folder = os.path.realpath(f"/sys/dev/block/{number}")
    if not os.path.isdir(folder):
        return "unknown"
    words = [os.path.basename(folder)]
    for parent in (folder, os.path.dirname(folder)):
        for name, meaning in (("device/model", "{}"), ("queue/write_cache", "{}"),
                              ("queue/rotational", "rotational {}")):
            path = os.path.join(parent, name)
            if os.path.isfile(path):
                words.append(meaning.format(kernel.read(path).strip()))
    return ", ".join(words)


def file_system(system, number):
    """Its kind. What a small commit writes depends on whether ext4 has a journal."""
    device = os.path.basename(os.path.realpath(f"/sys/dev/block/{number}"))
    journal = f"/sys/fs/ext4/{device}/journal_task"
    if system == "ext4" and os.path.isfile(journal):
        return system + (" without a journal" if "<none>" in kernel.read(journal)
                         else " with a journal")
    return system


def redis_version():
    found = re.search(r"v=(\S+)", first_line(["redis-server", "--version"]))
    return found[1] if found else "absent"


def commit_of(root):
    if not os.path.exists(os.path.join(root, ".git")):
        return "unknown"
    asked = ["git", "-C", root]
    commit = first_line([*asked, "rev-parse", "--short=12", "HEAD"])
    changed = subprocess.run([*asked, "status", "--porcelain", "--untracked-files=no"],
                             stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return commit + (" with changes" if changed else "")


def conditions(setting):
    number, system, _ = kernel.mount_of(setting.directory)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "file_system": file_system(system, number),
        "disk": disk_model(number),
        "holdfast": first_line([setting.holdfastd, "--version"]),
        "commit": commit_of(setting.root),
        "redis": redis_version(),
        "beanstalkd": first_line(["beanstalkd", "-v"]),
        "rounds": setting.rounds,
        "seconds": setting.seconds,
    }


def refuse_memory(directory):
    """A disk that is memory would make every sync free."""
    system = kernel.mount_of(directory)[1]
    if system in _MEMORY_ONLY:
        raise SystemExit(f"bench: {directory} is on {system}; --directory must name a disk")
