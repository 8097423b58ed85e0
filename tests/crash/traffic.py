"""The clients of the kill test: a few connections that pipeline requests of every kind.

    traffic = Traffic(box, chance, history)
    traffic.run(0.4)       # for so long, or until the daemon is gone
    traffic.hang_up()      # who has no answer now does not know

All they ask and all they hear goes into the history. They keep the one rule of clients:
a request whose answer did not come is repeated with the same idempotency key.
"""

import collections
import contextlib
import json
import select
import time

from history import digest
from protocol_client import Client

CONNECTIONS = 3
REQUESTS_IN_FLIGHT_MAX = 24
KEYS_ALIVE = 12  # of a function, so that keys are repeated while they matter
REMEMBERED_MAX = 150
BACKLOG_MAX = 60  # then nothing new: a slow machine must keep up
SUBMITS_MAX = 80  # in one life of the daemon
PACES = ((0.001, 5), (0.004, 3), (0.025, 1))  # seconds to listen, then so many requests

# What handlers are told to do (handler.cc), with weights.
ACTS = {
    "work": {"ok": 40, "sleep:5": 10, "sleep:60": 10, "sleep:300": 4, "fail:1": 8, "fail:2": 6, "fail:99": 8,
             "signal:1": 4, "hang:1": 3, "family:1": 4, "flood:1": 2, "big:80": 3},
    "frail": {"ok": 5, "fail:1": 5, "fail:4": 6, "fail:99": 10, "signal:3": 3, "hang:3": 2,
              "family:4": 4, "sleep:40": 5},
    "slow": {"slow": 12, "ok": 3, "sleep:200": 3, "fail:99": 1},
    "guest": {"ok": 5, "sleep:30": 3, "fail:1": 3, "fail:99": 1},
    "served": {"ok": 20, "sleep:30": 10, "sleep:300": 8, "fail:1": 4, "fail:99": 2, "late:1": 2,
               "lose:1": 2, "exit:1": 1, "big:40": 2},
    "staying": {"ok": 20, "sleep:20": 8, "sleep:200": 3, "fail:1": 4, "fail:99": 2, "signal:1": 2,
                "hang:1": 1, "family:1": 2, "flood:1": 1, "big:40": 2},
    "archive": {"big:60": 12, "ok": 2, "fail:1": 2, "fail:99": 1},
}
FUNCTIONS = {"work": 50, "frail": 16, "slow": 10, "guest": 14, "served": 22, "staying": 18}
DESTINATIONS = ("done", "failures", "letters")
INBOX = "inbox"

REQUESTS = {
    "event": 30, "delayed_event": 4, "keyed_event": 20, "conflict": 4, "call": 8, "keyed_call": 9,
    "look": 8, "wait": 3, "cancel": 7, "send": 5, "receive": 8, "delete": 10, "redrive": 7,
    "redrive_all": 2, "discard": 3, "discard_all": 1, "list_dead": 3, "list": 2, "status": 4,
    "dry_run": 1,
}
SUBMITS = ("event", "delayed_event", "keyed_event", "conflict", "call", "keyed_call")
ENDED = ("succeeded", "cancelled")  # nothing lives again after these


def pick(chance, weights):
    return chance.choices(list(weights), list(weights.values()))[0]


class Line:
    """A connection and what was asked on it."""

    def __init__(self, path):
        self.client = Client(path, 5)
        self.asked = {}  # msgid: (what to do with (error, result), what to do without answer)


class Traffic:
    def __init__(self, box, chance, history, functions=None, requests=None):
        self.box, self.chance, self.history = box, chance, history
        self.functions = functions or FUNCTIONS
        self.requests = requests or REQUESTS
        self.lines = []
        self.numbers = 0
        self.payload_of_key = {}
        self.keys_begun = collections.Counter()
        self.again = collections.deque(maxlen=40)  # keyed submits that got no answer
        self.ids = collections.deque(maxlen=REMEMBERED_MAX)
        self.slow = collections.deque(maxlen=20)  # likely to run when they are cancelled
        self.kept = collections.deque(maxlen=20)  # never cancelled: they live through crashes
        self.guests = set()  # never redriven: no record would testify to it
        self.dead = collections.deque(maxlen=REMEMBERED_MAX)
        self.receipts = collections.deque(maxlen=REMEMBERED_MAX)
        self.accepted = {}  # every id that was ever promised: its payload's name
        self.backlog = 0
        self.life_begins()
        self.strange = []  # what no client may ever see

    def life_begins(self, undisturbed=False):
        """Sparse traffic makes commits of one step each, dense traffic large ones."""
        self.submits_left = self.chance.randint(4, SUBMITS_MAX)
        self.pause, self.burst = self.chance.choice(PACES)
        self.cancels_slow = undisturbed or self.chance.random() < 0.1
        if undisturbed:
            self.submits_left, (self.pause, self.burst) = SUBMITS_MAX, PACES[1]

    # --- connections

    def run(self, seconds):
        """True if the daemon still answers when the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.connect():
                return False
            line = self.chance.choice(self.lines)
            try:
                for _ in range(self.chance.randint(1, self.burst)):
                    if len(line.asked) < REQUESTS_IN_FLIGHT_MAX:
                        self.ask(line)
            except OSError:
                self.lose(line)
            self.hear(self.pause)
        return True

    def connect(self):
        while len(self.lines) < CONNECTIONS:
            try:
                self.lines.append(Line(self.box.socket_path))
            except OSError:
                return bool(self.lines)
        return True

    def hear(self, seconds):
        sockets = {line.client.socket: line for line in self.lines}
        for socket in select.select(list(sockets), [], [], seconds)[0]:
            line = sockets[socket]
            try:
                for reply in line.client.replies_at_hand():
                    self.answered(line, *reply)
            except OSError:
                self.lose(line)

    def answered(self, line, msgid, error, result):
        done, unknown = line.asked.pop(msgid)
        if error is not None and error["Type"] == "OutcomeUnknownException":
            unknown()
        else:
            done(error, result)

    def lose(self, line):
        """What was written to the socket before the end was promised, too."""
        with contextlib.suppress(OSError):
            for reply in line.client.replies_until_closed():
                self.answered(line, *reply)
        for _, unknown in line.asked.values():
            unknown()
        line.client.close()
        self.lines.remove(line)

    def hang_up(self):
        for line in list(self.lines):
            self.lose(line)

    def finish(self, seconds):
        """Every request is answered, when nothing disturbs the daemon."""
        until = time.monotonic() + seconds
        while any(line.asked for line in self.lines) and time.monotonic() < until:
            self.hear(0.01)
        open_requests = sum(len(line.asked) for line in self.lines)
        if open_requests:
            self.strange.append(f"no answer to {open_requests} requests in {seconds} s")
        for line in self.lines:
            line.client.socket.settimeout(0.01)  # the daemon lives: nothing ends by itself
        self.hang_up()

    # --- requests

    def ask(self, line):
        kind = pick(self.chance, self.requests)
        if kind in SUBMITS:
            if self.submits_left <= 0 or self.backlog > BACKLOG_MAX:
                return None
            self.submits_left -= 1
            if self.again and self.chance.random() < 0.3:
                return self.submit(line, *self.again.popleft())
        return getattr(self, "ask_" + kind)(line)

    def send(self, line, done, unknown, method, **params):
        try:
            line.asked[line.client.send(method, **params)] = (done, unknown)
        except OSError:
            unknown()
            raise

    def new_payload(self, function):
        self.numbers += 1
        act = pick(self.chance, ACTS[function])
        padding = "." * self.chance.choice((0, 0, 0, 20, 300, 5000))
        return json.dumps(f"n{self.numbers} {act} {padding}").encode()

    def submit(self, line, function, kind, payload, key=None, delay=0):
        history, named = self.history, digest(payload)
        self.numbers += 1
        n = self.numbers
        history.note("submitted", n=n, function=function, type=kind, key=key or "", payload=named)

        def done(error, result):
            if error is not None:
                history.note("refused", n=n, type=error["Type"])
                return
            request_id, duplicate = result["RequestId"], result.get("Duplicate", False)
            self.accepted[request_id] = named
            if function == "guest":
                self.guests.add(request_id)
            if function == "slow":
                kept = self.kept if self.chance.random() < 0.5 else self.slow
                kept.append(request_id)
            self.ids.append(request_id)
            if result["StatusCode"] == 202:
                history.note("accepted", n=n, id=request_id, duplicate=duplicate)
                if result.get("Ending", {}).get("State") in ENDED:
                    history.note("shown", id=request_id, state=result["Ending"]["State"])
                return
            succeeded = "FunctionError" not in result
            history.note("returned", n=n, id=request_id, duplicate=duplicate, succeeded=succeeded)
            if succeeded and "Payload" in result:
                self.check_result(request_id, named, result["Payload"])

        def unknown():
            history.note("unknown", n=n)
            if key:
                self.again.append((function, kind, payload, key, delay))

        more = {"IdempotencyKey": key} if key else {}
        if delay:
            more["DelaySeconds"] = delay
        self.send(line, done, unknown, "Invoke", FunctionName=function, InvocationType=kind,
                  Payload=payload, **more)

    def check_result(self, request_id, named, result):
        name = named.split("/", 1)[0]
        if result.split(b" ")[0] != name.encode():
            self.strange.append(f"{request_id}: the result of {named} is {result[:60]}")

    def ask_event(self, line, kind="Event", delay=0):
        function = pick(self.chance, self.functions)
        if kind == "RequestResponse" and function == "slow":
            function = "work"
        self.submit(line, function, kind, self.new_payload(function), delay=delay)

    def ask_delayed_event(self, line):
        self.ask_event(line, delay=1)

    def ask_call(self, line):
        self.ask_event(line, "RequestResponse")

    def ask_keyed_event(self, line, kind="Event"):
        function = pick(self.chance, self.functions)
        if kind == "RequestResponse" and function == "slow":
            function = "work"
        if self.chance.random() < 0.5:
            self.keys_begun[function] += 1
        begun = self.keys_begun[function]
        key = f"key {self.chance.randint(max(0, begun - KEYS_ALIVE), begun)}"
        payload = self.payload_of_key.get((function, key))
        if payload is None:
            payload = self.payload_of_key[function, key] = self.new_payload(function)
        self.submit(line, function, kind, payload, key)
        if self.chance.random() < 0.3:  # an impatient client
            self.submit(line, function, kind, payload, key)

    def ask_keyed_call(self, line):
        self.ask_keyed_event(line, "RequestResponse")

    def ask_conflict(self, line):
        """A known key with another payload; at times it comes first and is the one."""
        function = pick(self.chance, self.functions)
        key = f"key {self.chance.randint(0, self.keys_begun[function] + 1)}"
        self.submit(line, function, "Event", self.new_payload(function), key)

    def ask_dry_run(self, line):
        function = pick(self.chance, self.functions)
        self.send(line, self.ignore, self.forget, "Invoke", FunctionName=function,
                  InvocationType="DryRun", Payload=b"never")

    def ignore(self, error, result):
        pass

    def forget(self):
        pass

    def ask_look(self, line, wait=0):
        if not self.ids:
            return
        request_id = self.chance.choice(self.ids)

        def done(error, result):
            if error is not None and error["Type"] == "ResourceNotFoundException":
                self.history.note("missing", id=request_id)
            elif error is None:
                self.told(request_id, result["State"])

        self.send(line, done, self.forget, "GetEvent", RequestId=request_id, WaitSeconds=wait)

    def told(self, request_id, state):
        if state in ENDED:
            self.history.note("shown", id=request_id, state=state)
        elif state == "dead" and request_id not in self.guests:
            self.dead.append(request_id)

    def ask_wait(self, line):
        self.ask_look(line, wait=1)

    def ask_cancel(self, line):
        if not self.ids:
            return
        among = self.chance.choice((list(self.ids)[-1:], self.ids, list(self.slow)[-3:] or self.ids))
        request_id = self.chance.choice(among)
        if request_id in self.kept or (request_id in self.slow and not self.cancels_slow):
            return

        def done(error, result):
            if error is not None and error["Type"] == "ResourceNotFoundException":
                self.history.note("missing", id=request_id)
            elif error is None:
                self.told(request_id, result["State"])

        self.send(line, done, self.forget, "CancelEvent", RequestId=request_id)

    def ask_list(self, line):
        self.send(line, self.ignore, self.forget, "ListEvents", MaxItems=10)

    def ask_status(self, line):
        def done(error, result):
            if error is None:
                self.backlog = sum(row["Backlog"] for row in result["Functions"])
                if result["State"] not in ("running", "draining"):
                    self.strange.append(f"after SIGKILLs only it is {result['State']}")

        self.send(line, done, self.forget, "GetStatus")

    # --- dead letters

    def ask_list_dead(self, line):
        def done(error, result):
            if error is None:
                self.dead.extend(row["RequestId"] for row in result["DeadLetters"]
                                 if row["FunctionName"] != "guest")

        self.send(line, done, self.forget, "ListDeadLetters", MaxItems=20)

    def move(self, line, verb, **which):
        """Redrive or discard, page by page."""
        history, chance = self.history, self.chance
        told = {"id": which.get("RequestId"), "function": which.get("FunctionName")}

        def done(error, result):
            if error is not None:
                return
            history.note("moved", verb=verb, count=result.get("Redriven", result.get("Discarded")),
                         **told)
            if "NextMarker" in result and chance.random() < 0.7 and line in self.lines:
                with contextlib.suppress(OSError):
                    self.move(line, verb, **{**which, "Marker": result["NextMarker"]})

        def unknown():
            history.note("move_unknown", verb=verb, **told)

        method = {"redrive": "RedriveDeadLetters", "discard": "DiscardDeadLetters"}[verb]
        self.send(line, done, unknown, method, **which)

    def ask_redrive(self, line, verb="redrive"):
        if self.dead:
            self.move(line, verb, RequestId=self.chance.choice(self.dead))

    def ask_discard(self, line):
        self.ask_redrive(line, "discard")

    def ask_redrive_all(self, line, verb="redrive"):
        function = self.chance.choice([name for name in self.functions if name != "guest"])
        self.move(line, verb, FunctionName=function)

    def ask_discard_all(self, line):
        self.ask_redrive_all(line, "discard")

    # --- queues

    def ask_send(self, line):
        self.numbers += 1
        body = f"message {self.numbers}"

        def done(error, result):
            if error is None:
                self.history.note("sent", message=result["MessageId"], queue=INBOX, body=body)

        self.send(line, done, self.forget, "SendMessage", QueueName=INBOX,
                  MessageBody=body.encode(), DelaySeconds=self.chance.choice((0, 0, 1)))

    def ask_receive(self, line):
        queue = self.chance.choice((*DESTINATIONS, INBOX))

        def done(error, result):
            for message in result["Messages"] if error is None else ():
                note_message(self.history, queue, message)
                if self.chance.random() < 0.8:
                    self.receipts.append((queue, message["MessageId"], message["ReceiptHandle"]))

        self.send(line, done, self.forget, "ReceiveMessage", QueueName=queue,
                  MaxNumberOfMessages=self.chance.randint(1, 10),
                  VisibilityTimeout=self.chance.choice((0, 1, 2)))

    def ask_delete(self, line):
        if not self.receipts:
            return
        queue, message, receipt = self.receipts.popleft()
        self.history.note("deleting", message=message)

        def done(error, result):
            if error is None:
                self.history.note("deleted", message=message)

        self.send(line, done, self.forget, "DeleteMessage", QueueName=queue,
                  ReceiptHandle=receipt)


def take_out(box, queue):
    """Receives some messages and deletes them; gives how many."""
    messages = box.received(queue, MaxNumberOfMessages=10, VisibilityTimeout=60)
    for message in messages:
        note_message(box.history, queue, message)
        box.history.note("deleting", message=message["MessageId"])
    for message in messages:
        box.call("DeleteMessage", QueueName=queue, ReceiptHandle=message["ReceiptHandle"])
        box.history.note("deleted", message=message["MessageId"])
    return len(messages)


def note_message(history, queue, message):
    """A message of a queue, and what it says of an event."""
    body = message["Body"]
    history.note("received", message=message["MessageId"], queue=queue, bytes=len(body),
                 body=body[:80].decode(), count=message["ReceiveCount"])
    if queue == "letters":
        attributes = message["MessageAttributes"]
        history.note("record", route="dead_letter", id=attributes["RequestID"],
                     message=message["MessageId"], condition="", payload=digest(body))
    elif queue in DESTINATIONS:
        record = json.loads(body)
        context = record["requestContext"]
        history.note(
            "record", route={"done": "on_success", "failures": "on_failure"}[queue],
            id=context["requestId"], message=message["MessageId"], condition=context["condition"],
            runs=context["approximateInvokeCount"], ended_at=record["timestamp"],
            payload=digest(json.dumps(record["requestPayload"]).encode()),
        )
