"""Dead letters: looking at them, and what an operator does with them."""

import harness

# Fails until somebody has mended the world.
MOODY = 'note attempt; [ -e "$here/mended" ] || { echo ouch >&2; exit 3; }; cat'
ROW = {
    "RequestId", "FunctionName", "DiedAt", "Condition", "Attempt", "ErrorType", "ErrorMessage",
    "PayloadBytes",
}


class DeadLetterTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        for name in ("moody", "other"):
            self.box.function(name, MOODY, retry={"retries": 0}, concurrency_max=2)
        self.box.start()

    def die(self, function, payload=b"x"):
        request_id = self.box.event(function, payload)
        self.assertEqual(self.box.ended(request_id)["State"], "dead")
        return request_id

    def letters(self, **filters):
        rows = self.box.listed("ListDeadLetters", "DeadLetters", **filters)
        return [row["RequestId"] for row in rows]

    def moved(self, method, counter, **which):
        """What a redrive or discard of many counted, over all its pages."""
        total = 0
        while True:
            answer = self.box.call(method, **which)
            total += answer[counter]
            if "NextMarker" not in answer:
                return total
            which["Marker"] = answer["NextMarker"]

    def test_dead_letters_are_listed_and_shown(self):
        box = self.box
        ids = [self.die("moody", b"abc"), self.die("moody"), self.die("other")]
        self.assertEqual(sorted(self.letters()), sorted(ids))
        self.assertEqual(sorted(self.letters(MaxItems=1)), sorted(ids))
        self.assertEqual(sorted(self.letters(FunctionName="moody")), sorted(ids[:2]))
        row = next(
            row for row in box.call("ListDeadLetters")["DeadLetters"] if row["RequestId"] == ids[0]
        )
        self.assertEqual(set(row), ROW)
        self.assertEqual((row["FunctionName"], row["PayloadBytes"]), ("moody", 3))
        self.assertEqual((row["Condition"], row["Attempt"]), ("RetriesExhausted", 1))
        letter = box.call("GetDeadLetter", RequestId=ids[0])
        self.assertEqual({name: letter[name] for name in ROW}, row)
        self.assertEqual(letter["Payload"], b"abc")
        self.assertEqual(len(letter["Attempts"]), 1)
        status = {row["FunctionName"]: row for row in box.call("GetStatus")["Functions"]}
        self.assertEqual(status["moody"]["DeadLetters"], 2)
        self.assertGreater(status["moody"]["DeadLettersBytes"], 3)

    def test_what_is_no_dead_letter_is_not_found(self):
        box = self.box
        box.touch("mended")
        ended = box.event("moody")
        box.ended(ended)
        for request_id in (ended, "01234567-89ab-4cde-8f01-23456789abcd"):
            for method in ("GetDeadLetter", "RedriveDeadLetters", "DiscardDeadLetters"):
                with self.subTest((method, request_id)):
                    with self.refused("ResourceNotFoundException"):
                        box.call(method, RequestId=request_id)

    def test_a_redriven_event_keeps_its_name_and_its_numbers_go_on(self):
        box = self.box
        request_id = self.die("moody", b"abc")
        stays = self.die("moody")
        box.touch("mended")
        self.assertEqual(box.call("RedriveDeadLetters", RequestId=request_id), {"Redriven": 1})
        event = box.ended(request_id)
        self.assertEqual((event["State"], event["Result"]), ("succeeded", b"abc"))
        self.assertEqual((event["RequestId"], event["Attempt"]), (request_id, 2))
        self.assertEqual([row[1] for row in box.notes(request_id)], [1, 2])
        self.assertEqual(self.letters(), [stays])

    def test_a_redriven_event_gets_its_retries_anew_and_may_die_again(self):
        box = self.box
        request_id = self.die("moody")
        for attempt in (2, 3):
            self.assertEqual(box.call("RedriveDeadLetters", RequestId=request_id), {"Redriven": 1})
            event = box.ended(request_id)
            self.assertEqual((event["State"], event["Attempt"]), ("dead", attempt))
            self.assertEqual(event["Failures"], 1)
        self.assertEqual(self.letters(), [request_id])

    def test_a_redriven_event_takes_its_key_along(self):
        box = self.box
        request = {"FunctionName": "moody", "Payload": b"x", "InvocationType": "Event",
                   "IdempotencyKey": "k"}
        first = box.call("Invoke", **request)["RequestId"]
        box.ended(first)
        self.assertEqual(box.call("Invoke", **request)["Ending"]["Condition"], "RetriesExhausted")
        box.touch("mended")
        box.call("RedriveDeadLetters", RequestId=first)
        box.ended(first)
        again = box.call("Invoke", **request)
        self.assertEqual((again["RequestId"], again["Duplicate"]), (first, True))
        self.assertEqual((again["Ending"]["State"], again["Ending"]["Payload"]),
                         ("succeeded", b"x"))
        self.assertEqual([row[1] for row in box.notes(first)], [1, 2])

    def test_all_dead_letters_of_a_function_are_redriven(self):
        box = self.box
        ids = [self.die("moody") for _ in range(5)]
        other = self.die("other")
        box.touch("mended")
        self.assertEqual(self.moved("RedriveDeadLetters", "Redriven", FunctionName="moody"), 5)
        for request_id in ids:
            event = box.ended(request_id)
            self.assertEqual((event["State"], event["Attempt"]), ("succeeded", 2))
        self.assertEqual(self.letters(), [other])

    def test_a_redrive_of_all_does_not_chase_what_dies_meanwhile(self):
        ids = [self.die("moody") for _ in range(3)]
        self.assertEqual(self.moved("RedriveDeadLetters", "Redriven", FunctionName="moody"), 3)
        for request_id in ids:
            self.assertEqual(self.box.ended(request_id)["Attempt"], 2)

    def test_a_discarded_event_is_found_as_failed_without_its_payload(self):
        box = self.box
        request_id = self.die("moody", b"abc")
        stays = self.die("moody")
        self.assertEqual(box.call("DiscardDeadLetters", RequestId=request_id), {"Discarded": 1})
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("failed", "RetriesExhausted"))
        with self.refused("ResourceNotFoundException"):
            box.call("GetDeadLetter", RequestId=request_id)
        self.assertEqual(self.letters(), [stays])
        self.assertEqual([row[1] for row in box.notes(request_id)], [1])

    def test_all_dead_letters_of_a_function_are_discarded(self):
        ids = [self.die("moody") for _ in range(3)]
        other = self.die("other")
        self.assertEqual(self.moved("DiscardDeadLetters", "Discarded", FunctionName="moody"), 3)
        self.assertEqual(self.letters(), [other])
        for request_id in ids:
            self.assertEqual(self.box.get(request_id)["State"], "failed")
        rows = {row["FunctionName"]: row for row in self.box.call("ListFunctions")["Functions"]}
        self.assertEqual((rows["moody"]["DeadLetters"], rows["moody"]["DeadLettersBytes"]), (0, 0))

    def test_dead_letters_and_redrives_survive_a_crash(self):
        box = self.box
        redriven, stays, discarded = self.die("moody"), self.die("moody", b"abc"), self.die("moody")
        box.touch("mended")
        box.call("RedriveDeadLetters", RequestId=redriven)
        box.call("DiscardDeadLetters", RequestId=discarded)
        box.crash_and_start()
        self.assertEqual(box.ended(redriven)["State"], "succeeded")
        self.assertEqual(box.get(discarded)["State"], "failed")
        self.assertEqual(self.letters(), [stays])
        self.assertEqual(box.call("GetDeadLetter", RequestId=stays)["Payload"], b"abc")

    def test_a_request_names_one_event_or_one_function(self):
        for method in ("RedriveDeadLetters", "DiscardDeadLetters"):
            with self.subTest(method), self.refused("InvalidParameterValueException"):
                self.box.call(method)
            with self.subTest(method), self.refused("ResourceNotFoundException"):
                self.box.call(method, FunctionName="nowhere")


class FullTest(harness.BoxTest):
    def test_a_full_store_refuses_new_events_until_there_is_room(self):
        box = self.box
        box.function("moody", MOODY, retry={"retries": 0}, dead_letters_bytes_max="1MiB")
        box.start()
        box.ended(box.event("moody", b"x" * 1048576))
        with self.refused("TooManyRequestsException", "dead_letters_bytes_max"):
            box.event("moody", b"x")
        box.call("DiscardDeadLetters", FunctionName="moody")
        self.assertEqual(box.ended(box.event("moody", b"x"))["State"], "dead")

    def test_a_full_store_may_drop_its_oldest_and_counts_them(self):
        box = self.box
        box.function(
            "moody", MOODY, retry={"retries": 0}, dead_letters_bytes_max="1MiB",
            dead_letters_full="drop_oldest",
        )
        box.start()
        first, second = [box.event("moody", b"x" * 700000) for _ in range(2)]
        box.ended(first)
        box.ended(second)

        harness.wait_for(
            lambda: len(box.call("ListDeadLetters")["DeadLetters"]) == 1,
            "the oldest dead letter to be dropped",
        )
        (row,) = box.call("GetStatus")["Functions"]
        self.assertEqual((row["DeadLetters"], row["DeadLettersDropped"]), (1, 1))
        (letter,) = box.call("ListDeadLetters")["DeadLetters"]
        self.assertIn(letter["RequestId"], (first, second))
        states = sorted(box.get(request_id)["State"] for request_id in (first, second))
        self.assertEqual(states, ["dead", "failed"])


if __name__ == "__main__":
    harness.main()
