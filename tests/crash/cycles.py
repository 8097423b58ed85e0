"""One life of the daemon after the other, each ended in another way.

    box = CrashBox(folder, seed, short_history=False)
    for plan in deck(chance, 100): box.cycle(plan)
    box.heal()      # the faults are over: everything must drain

A cycle starts the daemon, lets the clients at it for some tenths of a second, and ends
it as its plan says:

    kill       SIGKILL at a random moment
    point      HOLDFAST_CRASH_AT, see points.py
    held       a point, too: a commit stands still before its sync and is never made, while
               everything else goes on, so that what leaves too early is seen
    spawner    SIGKILL for the spawner: the daemon must end with exit status 8
    everything all processes die, as in a power cut
    drain      SIGTERM, and SIGKILL some moments later
    stop       SIGTERM, and it must end with exit status 0
    reload     SIGHUP, which takes a function away or gives it back; then SIGKILL
"""

import collections
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

import harness
import points
from history import History
from traffic import Traffic, take_out

Plan = collections.namedtuple("Plan", "how point passes pause_ms", defaults=(None, 0, 0))

HANDLER = os.environ.get(
    "HOLDFAST_CRASH_HANDLER",
    os.path.join(os.path.dirname(harness.HOLDFASTD), "..", "tests", "crash_handler"),
)
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
WORKERS = 2
RETRIES = {"archive": 2, "work": 2, "frail": 3, "slow": 1, "guest": 1, "served": 2, "staying": 2}
INTERRUPTIONS_MAX = 3
# Resident memory of a daemon with memory_max = 16 MiB. Under the sanitizer its shadow and
# redzones are most of it, and what was freed stays in a quarantine (256 MiB if not set).
QUARANTINE = re.search(r"quarantine_size_mb=(\d+)", os.environ.get("ASAN_OPTIONS", ""))
QUARANTINE_MIB = int(QUARANTINE.group(1)) if QUARANTINE else 256
RSS_BYTES_MAX = (300 + QUARANTINE_MIB if harness.SANITIZED else 120) << 20
END_S = 30
LAST_TRAFFIC_S = 2.0
ENDINGS = {"kill": 20, "held": 18, "spawner": 8, "everything": 7, "drain": 7, "stop": 6, "reload": 6}
REST_OF_DRAIN_S = 0.35
POINT_WAIT_S = 2.5


def deck(chance, count, short_history=False):
    """So many plans, shuffled: first each point in turn, then the other endings."""
    aims = [name for name, point in points.POINTS.items()
            if (point.needs == "history") == short_history]
    chance.shuffle(aims)
    plans = []
    while len(plans) < count:
        if len(plans) % 2 == 0 or short_history:
            aims.append(aims.pop(0))
            plans.append(aim(chance, aims[-1]))
        else:
            how = chance.choices(list(ENDINGS), list(ENDINGS.values()))[0]
            plans.append(aim(chance, "before_wal_sync", (30,)) if how == "held" else Plan(how))
    chance.shuffle(plans)
    return plans


def aim(chance, name, pauses_ms=(0, 0, 5, 30)):
    passes_max = points.POINTS[name].passes_max
    passes = int(passes_max ** chance.random() + 0.5)
    return Plan("point", name, passes, chance.choice(pauses_ms))


class CrashBox(harness.Box):
    def __init__(self, folder, seed, short_history=False):
        super().__init__(folder)
        self.chance = random.Random(seed)
        self.short_history = short_history
        os.mkdir(self.path("locks"))
        self.history = History(self.path("history.jsonl"))
        self.configure()
        functions = requests = None
        if short_history:  # only what a destination's record testifies to
            functions = {"archive": 1}
            requests = {"event": 30, "keyed_event": 20, "receive": 8, "delete": 8}
        self.traffic = Traffic(self, self.chance, self.history, functions, requests)
        self.lives = 0
        self.reached = collections.Counter()
        self.endings = collections.Counter()
        self.workers = []
        self.complaints = []
        self.rss_max = 0

    def configure(self):
        command = [HANDLER, self.folder]
        common = {"command": command, "kill_grace": "100ms", "timeout": "600ms"}
        failures = {"on_failure": "failures", "dead_letter": "letters"}
        self.settings["functions"] = {
            "work": {**common, **failures, "on_success": "done", "concurrency_max": 6,
                     "retry": {"delays": ["0s", "50ms"]}},
            "archive": {**common, **failures, "on_success": "done",
                        "retry": {"delays": ["0s", "0s"]}},
            "frail": {**common, **failures, "concurrency_max": 4,
                      "retry": {"retries": 3, "backoff_base": "20ms", "backoff_cap": "100ms"}},
            "slow": {**common, **failures, "on_success": "done", "timeout": "60s",
                     "concurrency_max": 3, "retry": {"delays": ["0s"]}},
            "guest": {**common, "concurrency_max": 3, "retry": {"delays": ["20ms"]}},
            "served": {**failures, "on_success": "done", "workers": True, "timeout": "600ms",
                       "kill_grace": "1s", "retry": {"delays": ["500ms", "500ms"]}},
            "staying": {**common, **failures, "on_success": "done", "concurrency_max": 4,
                        "command": [*command, "--persistent"], "mode": "persistent",
                        "framing": "length-prefixed", "recycle_after": 20,
                        "retry": {"delays": ["0s", "50ms"]}},
        }
        self.settings["queues"] = {name: {} for name in ("done", "failures", "letters", "inbox")}
        self.settings["daemon"]["drain_timeout"] = "300ms"
        limits = {"interruptions_max": INTERRUPTIONS_MAX, "memory_max": "16MiB",
                  "worker_reattach_window": "1s"}
        if self.short_history:
            limits["history_bytes_max"] = "1MiB"
        self.settings["limits"].update(limits)
        self.guest = self.settings["functions"]["guest"]
        rules = {
            name: {"retries": RETRIES[name], "interruptions_max": INTERRUPTIONS_MAX,
                   "stays": name in ("served", "staying"),
                   "routes": [key for key in ("on_success", "on_failure", "dead_letter")
                              if key in function]}
            for name, function in self.settings["functions"].items()
        }
        self.history.note("rules", functions=rules, short_history=self.short_history)

    # --- a cycle

    def cycle(self, plan):
        self.plan = plan
        self.hooks = {}
        if plan.how == "point":
            self.hooks["HOLDFAST_CRASH_AT"] = f"{plan.point}:{plan.passes}:{plan.pause_ms}"
        self.lives += 1
        self.traffic.life_begins()
        self.look_after_workers()
        if not self.come_up():
            return self.gone(plan)
        self.history.note("started", life=self.lives, hooks=self.hooks)
        self.traffic.run(self.chance.uniform(0.15, 1.2))
        self.look_at_memory()
        getattr(self, "end_by_" + plan.how)()
        self.gone(plan)

    def come_up(self):
        """True when it serves; false if it died before."""
        self.write_config()
        self.process = self.launch()
        deadline = time.monotonic() + END_S
        while self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.client().close()
                self.clients.clear()
                return True
            if time.monotonic() > deadline:
                self.complaints.append(f"life {self.lives} did not come up in {END_S} s")
                self.process.kill()
            time.sleep(0.005)
        return False

    def gone(self, plan):
        by_itself = plan.how != "point" or self.reaches_its_point()
        code = self.wait_for_the_end()
        self.traffic.hang_up()
        point = points.POINTS.get(plan.point)
        stopped = plan.how in ("drain", "stop") or (point is not None and point.needs == "drain")
        self.history.note("died", life=self.lives, how=plan.how, code=code, stopped=stopped)
        self.endings[plan.how] += 1
        if code not in self.codes_of(plan):
            self.complaints.append(f"life {self.lives} ({plan}) ended with {code}")
        if point is not None and by_itself and code == point.code:
            self.reached[plan.point] += 1
        if plan.how == "everything":
            self.end_everything()

    def reaches_its_point(self):
        """The clients go on meanwhile: some points need them."""
        deadline = time.monotonic() + POINT_WAIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.traffic.run(0.03)
            time.sleep(0.001)
        if self.process.poll() is not None:
            return True
        self.process.kill()
        return False

    def wait_for_the_end(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(END_S)
        self.complaints.append(f"life {self.lives} ({self.plan}) did not end in {END_S} s")
        self.process.kill()
        return self.process.wait(END_S)

    def codes_of(self, plan):
        """How it may end. A point may be missed, and a drain be over before the SIGKILL."""
        if plan.how == "point":
            point = points.POINTS[plan.point]
            return (point.code, -9, 0) if point.needs == "drain" else (point.code, -9)
        codes = {"spawner": (8,), "everything": (-9, 8), "drain": (-9, 0), "stop": (0,)}
        return codes.get(plan.how, (-9,))

    def look_at_memory(self):
        with contextlib.suppress(OSError, AttributeError):
            self.rss_max = max(self.rss_max, self.rss_bytes())

    def look_after_workers(self):
        """They outlive the daemon, but not a power cut, nor themselves."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS and not self.short_history:
            command = [sys.executable, WORKER, self.socket_path, self.folder, "served", "3"]
            with open(self.log_path, "ab") as log:
                self.workers.append(subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, env=self.environment()))

    # --- endings

    def send_signal(self, signum):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signum)

    def end_by_kill(self):
        self.send_signal(signal.SIGKILL)

    def end_by_point(self):
        needs = points.POINTS[self.plan.point].needs
        if needs == "drain":
            self.send_signal(signal.SIGTERM)
        elif needs == "reload":
            self.reload_with_or_without_guest()

    def end_by_spawner(self):
        with contextlib.suppress(AssertionError, ProcessLookupError):
            os.kill(self.spawner_pid(), signal.SIGKILL)

    def end_by_everything(self):
        self.send_signal(signal.SIGKILL)
        self.end_everything()

    def end_everything(self):
        """Handlers too: with the daemon and its spawner killed at once nobody ends them."""
        deadline = time.monotonic() + END_S
        while living := self.processes():
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline, f"cannot be killed: {living}"
            time.sleep(0.002)

    def end_by_drain(self):
        self.send_signal(signal.SIGTERM)
        self.traffic.run(self.chance.uniform(0, REST_OF_DRAIN_S))
        self.send_signal(signal.SIGKILL)

    def end_by_stop(self):
        self.send_signal(signal.SIGTERM)
        self.traffic.run(0.1)

    def end_by_reload(self):
        self.reload_with_or_without_guest()
        self.traffic.run(self.chance.uniform(0.02, 0.2))
        self.send_signal(signal.SIGKILL)

    def reload_with_or_without_guest(self):
        functions = self.settings["functions"]
        if functions.pop("guest", None) is None:
            functions["guest"] = self.guest
        functions["work"]["concurrency_max"] = self.chance.randint(2, 6)
        self.write_config()
        self.send_signal(signal.SIGHUP)

    # --- the faults are over

    def heal(self, seconds):
        """Starts it once more, and waits until nothing lives any more. Events that wait for room
        in a queue are helped; `seconds` without one event less is too long."""
        self.hooks = {}
        self.settings["functions"]["guest"] = self.guest
        self.lives += 1
        self.start()
        self.history.note("started", life=self.lives, hooks={})
        self.traffic.life_begins(undisturbed=True)
        self.traffic.run(LAST_TRAFFIC_S)
        self.touch("healed")
        self.look_after_workers()
        self.traffic.finish(END_S)
        least, deadline = None, 0
        while True:
            status = self.call("GetStatus")
            living = sum(row["Backlog"] + row["Running"] for row in status["Functions"])
            self.look_at_memory()
            self.look_after_workers()
            if living == 0:
                return True
            if least is None or living < least:
                least, deadline = living, time.monotonic() + seconds
            if time.monotonic() > deadline:
                self.complaints.append(f"{living} events do not drain, for {seconds} s now")
                return False
            for row in status["Queues"]:
                if row["Bytes"] > row["BytesMax"] // 2:
                    take_out(self, row["QueueName"])
            time.sleep(0.05)
