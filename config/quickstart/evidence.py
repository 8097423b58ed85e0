"""Counts what became of the events, from what can be seen outside of the daemon and from
each place where it keeps a trace. Nothing here is assumed from what ought to have happened.
"""

import collections
import gzip
import hashlib
import json
import os


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def digest_of_file(path):
    with open(path, "rb") as file:
        return sha256(file.read())


class Evidence:
    """The traces of the accepted events, gathered at one moment when nothing runs."""

    def __init__(self, daemon, accepted):
        """`accepted` maps each RequestId to the digest its file had before it was submitted."""
        self.accepted = accepted
        self.archive = daemon.archive
        with daemon.connect() as connection:
            requests = [{"RequestId": request_id} for request_id in accepted]
            replies = connection.pipeline("GetEvent", requests)
            self.events = {event["RequestId"]: event for _, event in replies}
            self.endings = self._receive_all(connection)
        self.listed = collections.Counter(
            (event["RequestId"], event["State"])
            for event in json.loads(daemon.holdfast("events", "list", "--limit", "0", "--json"))[
                "Events"
            ]
        )
        letters = daemon.holdfast("dead-letters", "list", "--limit", "0", "--json")
        self.dead_letters = [row["RequestId"] for row in json.loads(letters)["DeadLetters"]]
        with open(daemon.attempts_log, encoding="utf-8") as file:
            self.attempts = [tuple(line.split()) for line in file]

    @staticmethod
    def _receive_all(connection):
        """Takes the records out of the queue, as (RequestId, condition)."""
        records = []
        while True:
            reply = connection.call("ReceiveMessage", QueueName="endings", MaxNumberOfMessages=10)
            if not reply["Messages"]:
                return records
            for message in reply["Messages"]:
                context = json.loads(message["Body"])["requestContext"]
                records.append((context["requestId"], context["condition"]))
            deletions = [
                {"QueueName": "endings", "ReceiptHandle": message["ReceiptHandle"]}
                for message in reply["Messages"]
            ]
            for _ in connection.pipeline("DeleteMessage", deletions):
                pass

    def archived(self, request_id):
        """The copy is there, and is the file as it was before it was submitted."""
        try:
            with gzip.open(os.path.join(self.archive, request_id + ".gz")) as file:
                return sha256(file.read()) == self.accepted[request_id]
        except (OSError, EOFError):
            return False

    def succeeded(self):
        """Known as succeeded, with the right result, and the work is really done."""
        return [
            request_id
            for request_id, event in self.events.items()
            if event["State"] == "succeeded"
            and event.get("Result", b"").decode() == self.accepted[request_id]
            and self.archived(request_id)
        ]

    def dead(self):
        kept = set(self.dead_letters)
        return [
            request_id
            for request_id, event in self.events.items()
            if event["State"] == "dead" and request_id in kept
        ]

    def lost(self):
        found = set(self.succeeded()) | set(self.dead())
        return [request_id for request_id in self.accepted if request_id not in found]

    def ended_twice(self):
        """An ending writes one record into the queue and one row into the history."""
        records = collections.Counter(request_id for request_id, _ in self.endings)
        rows = collections.Counter(request_id for request_id, _ in self.listed.elements())
        return [
            request_id
            for request_id in set(records) | set(rows)
            if records[request_id] > 1 or rows[request_id] > 1
        ]

    def without_record(self):
        recorded = {request_id for request_id, _ in self.endings}
        return [request_id for request_id in self.accepted if request_id not in recorded]

    def describe(self, request_ids):
        """What is known of them, for whoever has to find out what went wrong."""
        return [
            {
                **self.events[request_id],
                "archived": self.archived(request_id),
                "records": [c for id, c in self.endings if id == request_id],
                "digest": self.accepted[request_id],
            }
            for request_id in request_ids
        ]

    def sum_of(self, field):
        return sum(event[field] for event in self.events.values())

    def repeated_attempt_numbers(self):
        return [pair for pair, count in collections.Counter(self.attempts).items() if count > 1]
