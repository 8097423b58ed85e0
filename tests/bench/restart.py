"""From exec to the first accept and the first attempt, after SIGKILL under load.

Many events wait, producers and workers are at it, and the daemon is killed. A client and a
worker knock every millisecond from the exec on: when is the first event accepted, and when
is the first attempt pushed?
"""

import contextlib
import signal
import threading
import time

import backlog
import figures
import msgpack
import report
from setting import PAYLOAD_BYTES, say
from systems import FUNCTION, START_S, Holdfast

NAME = "restart"
TITLE = "Restart"
WAITING, WAITING_FULL = 20_000, 1_000_000
LOAD_S = 1.0
MS_MAX = 300
KNOCK_S = 0.001


def waiting(setting):
    return WAITING_FULL if setting.full else WAITING


def seconds(setting):
    return setting.rounds * (LOAD_S + 3) + 2.5 * waiting(setting) / backlog.FILL_PER_S


def knock(box):
    """A connection, as soon as there is one."""
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            return box.client()
        if time.monotonic() > deadline:
            raise TimeoutError("nobody answers after the restart")
        time.sleep(KNOCK_S)


def first_accept(box):
    client = knock(box)
    answer = client.call("Invoke", FunctionName=FUNCTION, InvocationType="Event",
                         Payload=b"x" * PAYLOAD_BYTES)
    at = time.monotonic()
    client.close()
    assert answer["StatusCode"] == 202, answer
    return at


def first_attempt(box):
    client = knock(box)
    client.send("AttachWorker", FunctionName=FUNCTION, Concurrency=1)
    unpacker = msgpack.Unpacker(max_buffer_size=16 << 20)
    while data := client.socket.recv(1 << 18):
        unpacker.feed(data)
        for kind, *rest in unpacker:
            if kind == 2 and rest[0] == "RunAttempt":
                at = time.monotonic()
                client.close()
                return at
            if kind == 1 and rest[1] is not None:
                raise RuntimeError(f"AttachWorker: {rest[1]}")
    raise ConnectionError("the daemon closed the worker's connection")


def kill_under_load(box):
    """What the load was told before the kill is lost with it; fill() keeps count of enough."""
    words = ("bench_cycle", box.dialect, box.place, 16, 16, 60, PAYLOAD_BYTES)
    with box.setting.started(*words) as load:
        time.sleep(LOAD_S)
        if load.poll() is not None:
            raise RuntimeError(f"the load ended early: {load.communicate()[1]}")
        box.end(signal.SIGKILL)


def one_round(box):
    kill_under_load(box)
    times, errors = {}, []

    def note(name, wait):
        try:
            times[name] = wait(box)
        except Exception as error:  # told by the main thread
            errors.append(f"{name}: {error!r}")

    threads = [threading.Thread(target=note, args=words, daemon=True)
               for words in (("accept_ms", first_accept), ("attempt_ms", first_attempt))]
    for thread in threads:
        thread.start()
    executed_at = time.monotonic()
    box.launch()
    for thread in threads:
        thread.join(2 * START_S)
    if errors or len(times) != len(threads):
        raise RuntimeError(f"after the restart: {errors}\n{box.log()}")
    recovery = box.status()["Recovery"]
    return {**{name: 1000 * (at - executed_at) for name, at in times.items()},
            "recovery_ms": recovery["DurationMs"], "waiting": recovery["Waiting"]}


def measure(setting):
    with Holdfast(setting) as box:
        say(f"restart: {waiting(setting):,} waiting")
        backlog.fill(box, waiting(setting))
        return {"rounds": [one_round(box) for _ in range(setting.rounds)]}


def of(found, key):
    return figures.spread([one[key] for one in found["rounds"]])


def tables(found):
    keys = {"accept_ms": "first accept, ms", "attempt_ms": "first attempt, ms",
            "recovery_ms": "of it recovery, ms", "waiting": "waiting"}
    return [report.Table("From exec, after SIGKILL under load", list(keys.values()),
                         [[figures.text(of(found, key)) for key in keys]])]


def goals(found):
    count = figures.number(of(found, "waiting").least)
    return [figures.goal_at_most(f"restart with {count} waiting, {words}", MS_MAX,
                                 of(found, key), "ms")
            for words, key in (("first accept", "accept_ms"), ("first attempt", "attempt_ms"))]
