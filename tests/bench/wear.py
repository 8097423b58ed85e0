"""What the disk has to bear when cycles go as fast as they can."""

import cycles
import figures
import kernel
import report
from setting import PAYLOAD_BYTES, say
from systems import Holdfast, Redis, split
from writes import during, per

NAME = "wear"
TITLE = "Wear, saturated"
SYSTEMS = (Holdfast, Redis)
PRODUCERS = WORKERS = 64
CYCLE_S, CYCLE_S_FULL = 10, 300
BYTES_PER_PAYLOAD_BYTE_MAX = 3.0


def cycle_s(setting):
    return CYCLE_S_FULL if setting.full else CYCLE_S


def seconds(setting):
    return len(SYSTEMS) * (cycle_s(setting) + 10)


def saturated(setting, system):
    with system(setting) as box:
        found = during(box, lambda: cycles.run(box, PRODUCERS, WORKERS, cycle_s(setting)))
        found["memory_bytes"] = kernel.memory_bytes(box.pid, "VmHWM")
        return found


def measure(setting):
    found = {"cycle_s": cycle_s(setting), "systems": {}}
    systems, found["skipped"] = split(SYSTEMS)
    for system in systems:
        say(f"wear: {system.name}")
        found["systems"][system.name] = saturated(setting, system)
    return found


def tables(found):
    rows = [[name, figures.number(one["per_s"]),
             *(figures.number(per(one, what, PAYLOAD_BYTES * one["done"]))
               for what in ("device_bytes", "process_bytes")),
             figures.number(per(one, "flushes", one["done"])),
             figures.number(one["memory_bytes"] / 1e6)]
            for name, one in found["systems"].items()]
    return [report.Table(f"{found['cycle_s']} s of cycles, {PRODUCERS}+{WORKERS}",
                         ["", "cycles/s", "device bytes per payload byte",
                          "process bytes per payload byte", "flushes per event", "VmHWM, MB"],
                         rows)]


def goals(found):
    busy = found["systems"]["holdfast"]
    bytes_per_byte = per(busy, "device_bytes", PAYLOAD_BYTES * busy["done"])
    return [figures.goal_at_most("saturated cycle, device bytes per payload byte",
                                 BYTES_PER_PAYLOAD_BYTE_MAX, figures.spread([bytes_per_byte]))]
