"""The worker of the kill test: a program that attaches and outlives the daemon.

    worker.py SOCKET FOLDER FUNCTION CONCURRENCY

It keeps to client/PROTOCOL.md, section 8: what it holds when the daemon is gone it goes on
with, and names when it attaches again; what was to stop, what is over its time, and calls it
drops. Its witness is FOLDER/handlers, as of handler.cc, and so are its acts, but for

    late:K      answers only when it is told to stop
    lose:K      closes its connection
    exit:K      dies

and two lines more: `continued` when it went on with an attempt, `worker_lost` when it
closed its connection while it held some.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
import zlib

import msgpack

LOOK_S = 0.02


class Attempt:
    def __init__(self, folder, push):
        self.id, self.number = push["RequestId"], push["Attempt"]
        self.call = push["InvocationType"] != "Event"
        payload = push["Payload"]
        name = payload[1 : payload.index(b" ")].decode()
        self.name = name
        self.digest = f"{name}/{zlib.crc32(payload):08x}/{len(payload)}"
        act, _, number = payload[payload.index(b" ") + 1 :].split(b" ")[0].decode().partition(":")
        self.act, self.acts = act.rstrip('"'), int(number.rstrip('"') or 0)
        self.until = time.monotonic() + max(0, push["DeadlineAt"] / 1000 - time.time())
        self.due = time.monotonic() + (self.acts / 1000 if self.act == "sleep" else 0)
        self.stopped = False
        self.answer = None  # once it has ended: the request that tells of it
        self.file = os.open(os.path.join(folder, "locks", self.id), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.alone = True
        except BlockingIOError:
            self.alone = False

    def which(self):
        return {"RequestId": self.id, "Attempt": self.number}


class Worker:
    def __init__(self, path, folder, function, concurrency):
        self.path, self.folder = path, folder
        self.function, self.concurrency = function, concurrency
        self.held = {}
        self.socket = None
        self.has_attached = False
        self.window = 0.0
        self.lost_at = 0.0
        self.asked = {}  # msgid: what to do with (error, result)
        self.msgid = 0

    def note(self, what, attempt, **fields):
        row = {"at": round(time.time() * 1000, 3), "what": what, "id": attempt.id,
               "attempt": attempt.number, **fields, "pid": os.getpid()}
        with open(os.path.join(self.folder, "handlers"), "ab", buffering=0) as file:
            file.write(b"\n" + json.dumps(row).encode() + b"\n")

    # --- attempts

    def begin(self, push):
        attempt = Attempt(self.folder, push)
        self.note("handler_started", attempt, payload=attempt.digest, alone=attempt.alone)
        self.held[attempt.id] = attempt

    def drop(self, attempt):
        """It does not go on, and nobody is told."""
        if attempt.answer is None:
            self.note("handler_ended", attempt, succeeded=False)
        del self.held[attempt.id]
        os.close(attempt.file)

    def end(self, attempt, result=None, **error):
        """Its lock stays until the daemon has heard of it."""
        self.note("handler_ended", attempt, succeeded=result is not None)
        if result is not None:
            attempt.answer = ("SendAttemptSuccess", {"Result": result, **attempt.which()})
        else:
            attempt.answer = ("SendAttemptFailure", {**error, **attempt.which()})
        self.tell(attempt)

    def tell(self, attempt):
        def heard(_error, _result):
            if self.held.get(attempt.id) is attempt:
                self.drop(attempt)

        if self.socket is not None:
            method, params = attempt.answer
            self.ask(heard, method, **params)

    def act(self):
        """What is due."""
        now = time.monotonic()
        for attempt in list(self.held.values()):
            if attempt.answer is not None or now < attempt.due:
                continue
            if attempt.stopped:
                self.end(attempt, ErrorType="Stopped", ErrorMessage="as it was told")
                continue
            misbehaves = attempt.number <= attempt.acts
            if attempt.act == "exit" and misbehaves:
                os.kill(os.getpid(), signal.SIGKILL)
            elif attempt.act == "lose" and misbehaves:
                if self.socket is not None:
                    self.note("worker_lost", attempt)
                    self.hang_up()
                return
            elif attempt.act == "late" and misbehaves:
                continue
            elif attempt.act == "fail" and misbehaves:
                self.end(attempt, ErrorType="Oops", ErrorMessage="no cat")
            else:
                result = f"{attempt.name} {attempt.number}".encode()
                if attempt.act == "big":
                    result += b"." * (attempt.acts << 10)
                self.end(attempt, result)

    # --- the connection

    def ask(self, done, method, **params):
        self.msgid += 1
        self.asked[self.msgid] = done
        try:
            self.socket.sendall(msgpack.packb([0, self.msgid, method, [params]]))
        except OSError:
            pass  # the next read tells

    def attach(self):
        """Whether it has a connection."""
        if self.socket is not None:
            return True
        try:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(self.path)
        except OSError:
            self.socket.close()
            self.socket = None
            return False
        self.unpacker = msgpack.Unpacker(max_buffer_size=16 << 20)
        self.asked.clear()
        named = dict(self.held)
        self.ask(lambda *answer: self.attached(named, *answer), "AttachWorker",
                 FunctionName=self.function, Concurrency=self.concurrency,
                 Held={attempt.id: attempt.number for attempt in named.values()})
        return True

    def attached(self, named, error, result):
        if error is not None:  # it is draining: again in a moment
            time.sleep(LOOK_S)
            return self.close()
        self.has_attached = True
        self.window = result["ReattachWindowMs"] / 1000
        for request_id, attempt in named.items():
            if request_id in result["Continued"]:
                self.note("continued", attempt)
                attempt.until = time.monotonic() + result["TimeoutMs"] / 1000
                if attempt.answer is not None:
                    self.tell(attempt)
            elif self.held.get(request_id) is attempt:
                self.drop(attempt)

    def hear(self):
        """False when the connection has ended."""
        if self.socket is None:
            return False
        try:
            data = self.socket.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            return False
        self.unpacker.feed(data)
        for kind, *rest in self.unpacker:
            if kind == 1:
                msgid, error, result = rest
                self.asked.pop(msgid)(error, result)
                if self.socket is None:
                    return True
            elif rest[0] == "RunAttempt":
                self.begin(rest[1][0])
            elif rest[0] == "StopAttempt":
                attempt = self.held.get(rest[1][0]["RequestId"])
                if attempt is not None and attempt.number == rest[1][0]["Attempt"]:
                    attempt.stopped, attempt.due = True, 0
        return True

    def close(self):
        self.socket.close()
        self.socket = None
        if self.has_attached:
            self.has_attached, self.lost_at = False, time.monotonic()
        for attempt in list(self.held.values()):
            if attempt.stopped or attempt.call or time.monotonic() >= attempt.until:
                self.drop(attempt)

    def hang_up(self):
        """All that was on its way is read, and then nothing is left."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.hear():
            continue
        for attempt in list(self.held.values()):
            self.drop(attempt)
        if self.socket is not None:
            self.close()

    def run(self):
        while True:
            if not self.attach():
                if time.monotonic() > self.lost_at + self.window:
                    for attempt in list(self.held.values()):
                        self.drop(attempt)
                time.sleep(LOOK_S)
            elif select.select([self.socket], [], [], LOOK_S)[0] and not self.hear():
                self.close()
            self.act()


if __name__ == "__main__":
    Worker(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])).run()
