"""When a failed event runs again, and what is known of its attempts afterwards."""

import harness

# Fails, and leaves a line that names the attempt.
FAILS = """
note attempt
echo "attempt $HOLDFAST_ATTEMPT went wrong" >&2
exit 3
"""


def gaps_ms(event):
    """From the end of each failed attempt to the start of the next."""
    attempts = event["Attempts"]
    return [b["StartedAt"] - a["EndedAt"] for a, b in zip(attempts, attempts[1:])]


class RetryTest(harness.BoxTest):
    def numbers_noted(self, request_id):
        return [row[1] for row in self.box.notes(request_id)]

    def test_listed_delays_are_kept_and_then_the_event_is_a_dead_letter(self):
        box = self.box
        box.function("bad", FAILS, retry={"delays": ["1s", "2s"]})
        box.start()
        request_id = box.event("bad", b"poison")
        event = box.ended(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("dead", "RetriesExhausted"))
        self.assertEqual((event["Attempt"], event["Failures"]), (3, 3))
        self.assertEqual(self.numbers_noted(request_id), [1, 2, 3])
        for waited, wanted in zip(gaps_ms(event), (1000, 2000), strict=True):
            self.assertGreaterEqual(waited, wanted - 5)
            self.assertLess(waited, wanted + 3000)

        letter = box.call("GetDeadLetter", RequestId=request_id)
        self.assertEqual(letter["Payload"], b"poison")
        self.assertEqual(letter["Condition"], "RetriesExhausted")
        self.assertEqual(letter["Attempts"], event["Attempts"])
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status 3"
        self.assertEqual((letter["ErrorType"], letter["ErrorMessage"]),
                         ("Runtime.ExitError", message))
        for number, attempt in enumerate(letter["Attempts"], 1):
            self.assertEqual(attempt["Attempt"], number)
            self.assertEqual(attempt["Outcome"], "exited")
            self.assertEqual(attempt["ExitStatus"], 3)
            self.assertEqual(attempt["ErrorType"], "Runtime.ExitError")
            self.assertEqual(attempt["ErrorMessage"], message)
            self.assertIn(attempt["LogTail"],
                          (f"attempt {number} went wrong\n",
                           f"attempt {number} went wrong\n".encode()))

    def test_without_retries_one_failure_is_the_end(self):
        box = self.box
        box.function("bad", FAILS, retry={"retries": 0})
        box.start()
        event = box.ended(box.event("bad"))
        self.assertEqual((event["State"], event["Condition"]), ("dead", "RetriesExhausted"))
        self.assertEqual((event["Attempt"], len(event["Attempts"])), (1, 1))

    def test_a_retry_that_would_come_too_late_is_not_waited_for(self):
        # Lambda's ladder waits a minute, and the event may only get a minute old.
        box = self.box
        box.function("bad", FAILS, event_age_max="60s")
        box.start()
        event = box.ended(box.event("bad"), seconds=10)
        self.assertEqual((event["State"], event["Condition"]), ("dead", "EventAgeExceeded"))
        self.assertEqual((event["Attempt"], event["Failures"]), (1, 1))
        self.assertEqual(event["ErrorType"], "Runtime.ExitError")

    def test_a_retry_that_comes_in_time_is_waited_for(self):
        box = self.box
        box.function("bad", FAILS, event_age_max="62s")
        box.start()
        request_id = box.event("bad")
        box.noted("attempt")
        event = harness.wait_for(
            lambda: (row := box.get(request_id))["State"] == "pending" and row,
            "the event to wait for its retry",
        )
        self.assertEqual((event["Attempt"], event["Failures"]), (1, 1))
        waited_ms = event["DueAt"] - event["Attempts"][0]["EndedAt"]
        self.assertAlmostEqual(waited_ms, 60000, delta=1000)

    def test_random_waits_stay_below_their_growing_bound(self):
        box = self.box
        retry = {"retries": 4, "backoff_base": "100ms", "backoff_cap": "200ms"}
        box.function("bad", FAILS, retry=retry)
        box.start()
        events = [box.ended(box.event("bad")) for _ in range(3)]
        waits = [gaps_ms(event) for event in events]
        for event, waited in zip(events, waits):
            self.assertEqual((event["State"], event["Attempt"]), ("dead", 5))
            for wait, bound in zip(waited, (100, 200, 200, 200), strict=True):
                self.assertLess(wait, bound + 2000)
        self.assertGreater(len({wait for waited in waits for wait in waited}), 1)

    def test_a_handler_that_gets_better_makes_the_event_succeed(self):
        box = self.box
        box.function(
            "moody",
            'note attempt; [ "$HOLDFAST_ATTEMPT" -ge 2 ] || exit 1; cat',
            retry={"delays": ["0s", "0s", "0s"]},
        )
        box.start()
        request_id = box.event("moody", b"x")
        event = box.ended(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("succeeded", "Success"))
        self.assertEqual((event["Attempt"], event["Failures"]), (2, 1))
        self.assertEqual(event["Result"], b"x")
        self.assertEqual([row["Attempt"] for row in event["Attempts"]], [1])
        self.assertEqual(self.numbers_noted(request_id), [1, 2])
        self.assertEqual(box.listed("ListDeadLetters", "DeadLetters"), [])

    def test_every_way_to_fail_is_retried_and_told(self):
        box = self.box
        once = {"retry": {"delays": ["0s"]}}
        box.function("slow", "note x; sleep 100", timeout="200ms", **once)
        box.function("killed", "kill -KILL $$", **once)
        box.function("chatty", "echo 12", result_bytes_max=1, **once)
        box.settings["functions"]["absent"] = {"command": [box.path("absent")], **once}
        box.start()
        table = {
            "slow": ("timed_out", "Sandbox.Timedout"),
            "killed": ("signaled", "Runtime.ExitError"),
            "chatty": ("result_too_large", "Function.ResponseSizeTooLarge"),
            "absent": ("cannot_start", "Runtime.InvalidEntrypoint"),
        }
        for function, (outcome, error_type) in table.items():
            with self.subTest(function):
                event = box.ended(box.event(function))
                self.assertEqual((event["State"], event["Attempt"]), ("dead", 2))
                self.assertEqual(event["ErrorType"], error_type)
                self.assertEqual([row["Outcome"] for row in event["Attempts"]], [outcome] * 2)
                if outcome == "signaled":
                    self.assertEqual(event["Attempts"][0]["Signal"], 9)

    def test_who_stops_politely_at_the_deadline_has_timed_out(self):
        box = self.box
        box.function(
            "polite", "trap 'exit 0' TERM; while :; do sleep 0.02; done",
            timeout="200ms", retry={"retries": 0},
        )
        box.start()
        event = box.ended(box.event("polite"))
        self.assertEqual((event["State"], event["ErrorType"]), ("dead", "Sandbox.Timedout"))

    def test_of_many_attempts_the_first_three_and_the_last_seven_are_kept(self):
        box = self.box
        box.function("bad", FAILS, retry={"delays": ["0s"] * 11})
        box.start()
        request_id = box.event("bad")
        event = box.ended(request_id)
        kept = [row["Attempt"] for row in event["Attempts"]]
        self.assertEqual(kept, [1, 2, 3, 6, 7, 8, 9, 10, 11, 12])
        self.assertEqual(self.numbers_noted(request_id), list(range(1, 13)))
        letter = box.call("GetDeadLetter", RequestId=request_id)
        self.assertEqual([row["Attempt"] for row in letter["Attempts"]], kept)

    def test_the_end_of_a_long_log_is_kept(self):
        box = self.box
        box.function(
            "wordy",
            "printf '%5000s' begin >&2; printf '%4092s' '' >&2; printf last >&2; exit 1",
            retry={"retries": 0},
        )
        box.start()
        tail = box.ended(box.event("wordy"))["Attempts"][0]["LogTail"]
        self.assertEqual(len(tail), 4096)
        self.assertTrue(tail.endswith("last" if isinstance(tail, str) else b"last"))

    def test_a_retry_waits_on_across_a_crash(self):
        box = self.box
        box.function("bad", FAILS, retry={"delays": ["2s"]})
        box.start()
        request_id = box.event("bad")
        harness.wait_for(lambda: box.get(request_id)["Failures"] == 1, "the first failure")
        self.assertEqual(box.get(request_id)["State"], "pending")
        box.crash_and_start()
        event = box.ended(request_id)
        self.assertEqual((event["Attempt"], event["Failures"]), (2, 2))
        self.assertEqual(event["Interruptions"], 0)
        self.assertEqual(self.numbers_noted(request_id), [1, 2])
        self.assertGreaterEqual(gaps_ms(event)[0], 1990)


if __name__ == "__main__":
    harness.main()
