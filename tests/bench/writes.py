"""What a box made the kernel and the disk write, by the kernel's counters.

`device` is what the whole disk wrote, so nobody else may write while it is looked at;
`process` is what the daemon made the kernel write; flushes are the disk's, commits the
daemon's own.
"""

import kernel
from systems import Holdfast


def of_disk(box, sync=True):
    """Without `sync` what others left unwritten stays so, and looking costs no flush."""
    disk = kernel.disk_of(box.folder, sync)
    return {} if disk is None else {"device_bytes": disk.written_bytes, "flushes": disk.flushes}


def of_process(box):
    found = {"process_bytes": kernel.written_bytes(box.pid)}
    if isinstance(box, Holdfast):
        found["commits"] = box.status()["Commits"]
    return found


def rise(before, after):
    return {name: after[name] - before[name] for name in before}


def during(box, work):
    """What the counters rose by while work() went on, beside what it gave."""
    before = {**of_disk(box), **of_process(box)}
    found = work()
    return {**found, **rise(before, {**of_disk(box), **of_process(box)})}


def per(found, what, by):
    """To two digits: one commit more in a thousand events is the start's, not theirs."""
    return round(found[what] / by, 2) if what in found and by else None
