"""What a run left behind, collected over the protocol, and judged where that takes more
than the history of events: counters, queues, memory. The rest judges check_history.cc.
"""

import collections
import os
import subprocess
import time

import harness
from cycles import RSS_BYTES_MAX
from traffic import DESTINATIONS, INBOX, take_out

CHECK_HISTORY = os.environ.get(
    "HOLDFAST_CHECK_HISTORY",
    os.path.join(os.path.dirname(harness.HOLDFASTD), "..", "tests", "check_history"),
)
PIPELINED_MAX = 200
EMPTY_S = 15


def words_for(row):
    """What a line of the history shows to have come about."""
    yield row["what"]
    if row.get("duplicate"):
        yield "duplicate " + row["what"]
    if row["what"] == "refused":
        yield row["type"]
    if row["what"] == "shown":
        yield row["state"]
    if row["what"] == "moved" and row["count"] > 0:
        yield row["verb"]
    if row["what"] == "record":
        yield row["route"]
        yield row["condition"]


class Verdict:
    def __init__(self, box):
        self.box = box
        self.history = box.history
        self.complaints = []
        self.summary = ""
        self.seen = collections.Counter()  # what came about, for the test of the traffic

    def complain_unless(self, good, sentence):
        if not good:
            self.complaints.append(sentence)

    def judge(self):
        box = self.box
        status = box.call("GetStatus")
        events = box.listed(MaxItems=1000)
        dead = box.listed("ListDeadLetters", "DeadLetters", MaxItems=1000)
        for row in events:
            self.history.note("found", **row)
        for row in dead:
            self.history.note("dead_letter", id=row["RequestId"])
        if not box.short_history:
            self.look_at_each(events)
        received = self.empty_queues(status)
        self.counters(status, events, dead, received)
        after = box.call("GetStatus")
        for row in after["Queues"]:
            self.complain_unless((row["Messages"], row["Bytes"]) == (0, 0), f"not empty: {row}")
        box.look_at_memory()
        self.complain_unless(box.rss_max <= RSS_BYTES_MAX,
                             f"{box.rss_max >> 20} MiB resident memory")
        self.complain_unless(box.stop() == 0, "the last stop was not clean")
        torn = self.history.take_in(box.path("handlers"))
        self.complain_unless(torn <= 2 * box.lives, f"{torn} torn lines of handlers")
        self.queues()
        self.check_history()

    # --- collected at the end

    def look_at_each(self, events):
        """GetEvent says the same as the list, and a result is the one of that event."""
        box, listed = self.box, {row["RequestId"]: row for row in events}
        client = box.clients[-1]
        ids = list(set(box.traffic.accepted) | set(listed))
        for begin in range(0, len(ids), PIPELINED_MAX):
            some = ids[begin : begin + PIPELINED_MAX]
            asked = [(i, client.send("GetEvent", RequestId=i)) for i in some]
            for request_id, msgid in asked:
                try:
                    event = client.reply(msgid)
                except harness.Refused as refused:
                    self.complaints.append(f"{request_id}: {refused}")
                    continue
                self.same(event, listed.get(request_id))

    def same(self, event, row):
        request_id = event["RequestId"]
        if row is None:
            self.complaints.append(f"{request_id} is not in the list: {event['State']}")
            return
        differing = {key for key in row if row[key] != event.get(key)}
        self.complain_unless(not differing, f"{request_id} is listed with another {differing}")
        named = self.box.traffic.accepted.get(request_id)
        if named and "Result" in event:
            told = event["Result"].split(b".")[0].decode()
            wanted = f"{named.split('/')[0]} {event['Attempt']}"
            self.complain_unless(told == wanted, f"{request_id}: result {told}, not {wanted}")

    def empty_queues(self, status):
        """Receives and deletes everything; what was hidden comes back in two seconds."""
        box, received = self.box, collections.Counter()
        waiting = {row["QueueName"]: row["Messages"] for row in status["Queues"]}
        deadline = time.monotonic() + EMPTY_S
        for queue in (*DESTINATIONS, INBOX):
            while received[queue] < waiting[queue] and time.monotonic() < deadline:
                taken = take_out(box, queue)
                received[queue] += taken
                if not taken:
                    time.sleep(0.05)
        return received

    def counters(self, status, events, dead, received):
        for row in status["Queues"]:
            self.complain_unless(row["Messages"] == received[row["QueueName"]],
                                 f"{received[row['QueueName']]} messages were there, counted {row}")
        dead_of = collections.Counter(row["FunctionName"] for row in dead)
        listed_dead = {row["RequestId"] for row in events if row["State"] == "dead"}
        self.complain_unless(listed_dead == {row["RequestId"] for row in dead},
                             "the two lists of dead letters differ")
        for row in status["Functions"]:
            self.complain_unless(row["DeadLetters"] == dead_of[row["FunctionName"]],
                                 f"{dead_of[row['FunctionName']]} dead letters, counted {row}")
        self.complain_unless(status["DiskReservedBytes"] == 0,
                             f"nothing lives, and DiskReservedBytes is {status}")
        self.complain_unless(status["AttemptsRunning"] == 0, f"attempts run: {status}")
        budget = 16 << 20
        self.complain_unless(status["MemoryBytes"] <= budget, f"over memory_max: {status}")
        if self.box.short_history:
            return  # a part of the scan is gone
        accepted = sum(row["InvocationType"] == "Event" for row in events)
        self.complain_unless(status["Accepted"] == accepted,
                             f"{accepted} events, counted {status['Accepted']}")
        self.history.note("status", functions=status["Functions"], ended=status["Ended"])

    # --- judged from the history

    def queues(self):
        """A message that was acknowledged is seen, unchanged, and never after its end."""
        bodies, sent, deleting, deleted, seen = {}, {}, set(), set(), set()
        promised, missing = set(), set()
        for row in self.history.rows():
            what = row["what"]
            self.seen.update(words_for(row))
            if what == "received":
                message, body = row["message"], (row["queue"], row["bytes"], row["body"])
                seen.add(message)
                self.complain_unless(bodies.setdefault(message, body) == body,
                                     f"message {message} changed: {body}")
                self.complain_unless(message not in deleted, f"message {message} came back")
            elif what == "sent":
                sent[row["message"]] = row["body"]
            elif what == "deleting":
                deleting.add(row["message"])
            elif what == "deleted":
                deleted.add(row["message"])
            elif what in ("accepted", "returned"):
                promised.add(row["id"])
            elif what == "missing" and row["id"] in promised:
                missing.add(row["id"])
        for message, body in sent.items():
            self.complain_unless(message in seen, f"message {message} is lost: {body}")
            if message in bodies:
                self.complain_unless(bodies[message][2] == body, f"message {message} changed")
        self.complain_unless(not missing, f"promised, then unknown: {sorted(missing)}")

    def check_history(self):
        run = subprocess.run([CHECK_HISTORY, self.history.path], capture_output=True, text=True,
                             check=False, timeout=300)
        lines = run.stdout.splitlines()
        self.summary = lines[-1] if lines else run.stderr
        if run.returncode != 0:
            self.complaints += lines[:-1] + run.stderr.splitlines()
