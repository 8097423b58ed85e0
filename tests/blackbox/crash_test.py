"""SIGKILL at random moments: what was accepted is neither lost nor ended twice, and no
attempt begins while an older one of the same event may still be alive.
"""

import collections
import json
import os
import random
import signal
import time

import harness

ROUNDS = 8
EVENTS_PER_ROUND = 25
SEED = int(os.environ.get("HOLDFAST_SEED", random.SystemRandom().randrange(1 << 32)))

# Holds a lock on a file of its event for its whole life; whatever it starts inherits it.
# An attempt that does not get the lock has met an older one.
LOCKED = """
exec 9>"$here/locks/$HOLDFAST_REQUEST_ID"
flock -n 9 || { note overlap; exit 1; }
"""


class LoadTest(harness.BoxTest):
    def load(self, requests):
        """Pipelines the requests; the ids of those that were answered, before the end."""
        box, chance = self.box, self.chance
        client = box.clients[-1]
        asked = {}
        for payload in requests:
            asked[client.send("Invoke", FunctionName="work", InvocationType="Event",
                              Payload=payload, IdempotencyKey=payload.decode())] = payload
        kill_at = time.monotonic() + chance.uniform(0.0, 0.25)
        accepted = {}
        client.socket.settimeout(0.01)
        while time.monotonic() < kill_at:
            try:
                msgid, error, result = client.next_reply()
            except TimeoutError:
                continue
            self.assertIsNone(error)
            accepted[asked[msgid]] = result["RequestId"]
        box.kill()
        # What was written to the socket before the kill was promised, too.
        client.socket.settimeout(5)
        for msgid, error, result in client.replies_until_closed():
            self.assertIsNone(error)
            accepted[asked[msgid]] = result["RequestId"]
        return accepted

    def test_nothing_accepted_is_lost_and_nothing_ends_twice(self):
        print(f"HOLDFAST_SEED={SEED}", flush=True)
        self.chance = random.Random(SEED)
        box = self.box
        os.mkdir(box.path("locks"))
        box.function(
            "work",
            LOCKED + "note started; sleep 0.0$((HOLDFAST_DEADLINE_MS % 8)); cat",
            retry={"retries": 0},
            on_success="done",
            concurrency_max=8,
        )
        box.start(queues={"done": {}}, limits={"interruptions_max": 100})
        accepted, waiting = {}, []
        for n in range(ROUNDS):
            waiting += [b"event %d.%d" % (n, k) for k in range(EVENTS_PER_ROUND)]
            known = self.load(waiting)
            for payload, request_id in known.items():
                self.assertEqual(accepted.setdefault(payload, request_id), request_id)
            # An answer that did not come means unknown: the same again, with the same key.
            waiting = [payload for payload in waiting if payload not in known]
            box.start()
        for payload in waiting:
            accepted[payload] = box.event("work", payload, IdempotencyKey=payload.decode())
        self.assertEqual(len(accepted), ROUNDS * EVENTS_PER_ROUND)
        self.assertEqual(len(set(accepted.values())), len(accepted))

        for payload, request_id in accepted.items():
            event = box.ended(request_id)
            self.assertEqual(event["State"], "succeeded", (payload, event))
            self.assertEqual(event["Result"], payload)
            self.assertEqual(event["Attempt"], event["Interruptions"] + 1)
        listed = [row["RequestId"] for row in box.listed()]
        self.assertEqual(sorted(listed), sorted(accepted.values()))
        self.assertEqual([row for row in box.notes() if row[2] == "overlap"], [])
        started = collections.Counter(row[:2] for row in box.notes())
        self.assertEqual([key for key, count in started.items() if count > 1], [])
        self.check_records(accepted)
        status = box.call("GetStatus")
        self.assertEqual((status["Accepted"], status["Ended"]), (len(accepted), len(accepted)))

    def check_records(self, accepted):
        """The destination has exactly one record of each event."""
        records = []
        while messages := self.box.received("done", MaxNumberOfMessages=10):
            for message in messages:
                records.append(json.loads(message["Body"])["requestContext"]["requestId"])
                self.box.call("DeleteMessage", QueueName="done",
                              ReceiptHandle=message["ReceiptHandle"])
        self.assertEqual(sorted(records), sorted(accepted.values()))


class StubbornTest(harness.BoxTest):
    """Handlers that do not want to die."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.box.path("locks"))

    def run_twice(self, text, **settings):
        """The first attempt goes on for ever, the second one ends."""
        self.box.function(
            "stubborn",
            LOCKED + f"""note started
            if [ "$HOLDFAST_ATTEMPT" = 1 ]; then {text}; while :; do sleep 0.05; done; fi
            """,
            **settings,
        )
        self.box.start()
        request_id = self.box.event("stubborn")
        self.box.noted("started")
        return request_id

    def second_attempt_met_nobody(self, request_id):
        event = self.box.ended(request_id)
        words = [row[1:] for row in self.box.notes()]
        self.assertEqual(words, [(1, "started"), (2, "started")], event)
        self.assertEqual(event["State"], "succeeded")
        self.assertEqual(self.box.handler_pids(), [])
        return event

    def test_a_killed_daemon_takes_its_handlers_with_it(self):
        table = {
            "that ignores SIGTERM": "trap '' TERM",
            "with a grandchild": "trap '' TERM; sh -c 'sleep 1000; :' & true",
            "with a grandchild in another session": "setsid sh -c 'sleep 1000; :' & true",
        }
        for which, text in table.items():
            with self.subTest(which):
                request_id = self.run_twice(text, timeout="60s", retry={"retries": 0})
                self.box.crash_and_start()
                event = self.second_attempt_met_nobody(request_id)
                self.assertEqual((event["Failures"], event["Interruptions"]), (0, 1))
                self.assertEqual(event["Attempts"][0]["Outcome"], "interrupted")
                self.box.stop()
                os.remove(self.box.path("notes"))

    def test_a_timed_out_handler_is_gone_with_its_family_before_the_retry(self):
        request_id = self.run_twice(
            "trap '' TERM; sh -c 'trap \"\" TERM; sleep 1000; :' & true",
            timeout="500ms", kill_grace="200ms", retry={"delays": ["0s"]},
        )
        event = self.second_attempt_met_nobody(request_id)
        self.assertEqual(event["Attempts"][0]["Outcome"], "timed_out")

    def test_without_its_spawner_the_daemon_stops_and_no_handler_is_left(self):
        request_id = self.run_twice(
            "trap '' TERM; sh -c 'sleep 1000; :' & true", timeout="60s", retry={"retries": 0}
        )
        os.kill(self.box.spawner_pid(), signal.SIGKILL)
        self.assertEqual(self.box.process.wait(harness.DEADLINE_S), 8, self.box.log())
        harness.wait_for(lambda: not self.box.processes(), "the handlers to die")
        self.box.start()
        event = self.second_attempt_met_nobody(request_id)
        self.assertEqual((event["Failures"], event["Interruptions"]), (0, 1))

    def test_an_event_that_is_interrupted_too_often_ends(self):
        self.box.function("long", "note started; wait_for gate", timeout="60s")
        self.box.start(limits={"interruptions_max": 1})
        request_id = self.box.event("long")
        for life in (1, 2):
            self.box.noted("started", count=life)
            self.box.crash_and_start()
        event = self.box.ended(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("dead", "Interrupted"))
        self.assertEqual((event["Attempt"], event["Failures"], event["Interruptions"]), (2, 0, 2))
        self.assertEqual(len(self.box.notes()), 2)

    def test_a_crash_costs_no_retry(self):
        self.box.function(
            "once", "note started; [ -e $here/gate ] || { wait_for gate; }; exit 1",
            timeout="60s", retry={"delays": ["0s"]},
        )
        self.box.start()
        request_id = self.box.event("once")
        self.box.noted("started")
        self.box.crash_and_start()
        self.box.noted("started", count=2)
        self.box.touch("gate")
        event = self.box.ended(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("dead", "RetriesExhausted"))
        self.assertEqual((event["Attempt"], event["Failures"], event["Interruptions"]), (3, 2, 1))
        outcomes = [row["Outcome"] for row in event["Attempts"]]
        self.assertEqual(outcomes, ["interrupted", "exited", "exited"])


if __name__ == "__main__":
    harness.main()
