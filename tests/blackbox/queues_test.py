"""Queues: send, receive, hide, delete; durably. client/PROTOCOL.md, section 4."""

import time

import harness

BODY_BYTES_MAX = 1048576


class QueueTest(harness.BoxTest):
    def start(self, **settings):
        self.box.start(queues={"q": settings})

    def send(self, body=b"x", queue="q", **more):
        return self.box.call("SendMessage", QueueName=queue, MessageBody=body, **more)["MessageId"]

    def delete(self, message, queue="q"):
        handle = message["ReceiptHandle"]
        return self.box.call("DeleteMessage", QueueName=queue, ReceiptHandle=handle)

    def state(self):
        (row,) = self.box.call("ListQueues")["Queues"]
        return row

    def received_in_the_end(self):
        """The next message, once there is one to be seen."""
        (message,) = harness.wait_for(lambda: self.box.received("q"), "a message to be visible")
        return message

    def test_a_message_is_received_as_it_was_sent(self):
        self.start()
        before_ms = int(time.time() * 1000)
        attributes = {"kind": "photo", "\u00e9": ""}
        message_id = self.send(b"\x00\xffcat", MessageAttributes=attributes)
        (message,) = self.box.received("q")
        self.assertEqual(message["MessageId"], message_id)
        self.assertEqual(message["Body"], b"\x00\xffcat")
        self.assertEqual(message["MessageAttributes"], attributes)
        self.assertEqual(message["ReceiveCount"], 1)
        self.assertTrue(message["ReceiptHandle"])
        self.assertAlmostEqual(message["SentAt"], before_ms, delta=5000)
        self.assertEqual(set(message), {"MessageId", "ReceiptHandle", "Body", "MessageAttributes",
                                        "SentAt", "ReceiveCount"})

    def test_an_empty_queue_gives_no_messages_and_no_error(self):
        self.start()
        self.assertEqual(self.box.call("ReceiveMessage", QueueName="q"), {"Messages": []})

    def test_a_received_message_is_hidden_until_its_timeout(self):
        self.start(visibility_timeout="1s")
        self.send()
        (first,) = self.box.received("q")
        received = time.monotonic()
        self.assertEqual(self.box.received("q"), [])
        second = self.received_in_the_end()
        self.assertGreaterEqual(time.monotonic() - received, 0.98)
        self.assertLess(time.monotonic() - received, 10)
        self.assertEqual(second["MessageId"], first["MessageId"])
        self.assertEqual(second["ReceiveCount"], 2)
        self.assertNotEqual(second["ReceiptHandle"], first["ReceiptHandle"])
        with self.refused("ReceiptHandleIsInvalid"):
            self.delete(first)
        self.assertEqual(self.delete(second), {})
        with self.refused("ReceiptHandleIsInvalid"):
            self.delete(second)
        self.assertEqual((self.state()["Messages"], self.state()["Bytes"]), (0, 0))

    def test_a_handle_is_good_until_its_message_is_handed_out_again(self):
        self.start()
        self.send()
        (first,) = self.box.received("q", VisibilityTimeout=0)
        self.assertEqual(self.delete(first), {})
        self.assertEqual(self.box.received("q"), [])

    def test_the_receiver_may_choose_how_long_a_message_is_hidden(self):
        self.start(visibility_timeout="1h")
        self.send()
        counts = [self.box.received("q", VisibilityTimeout=0)[0]["ReceiveCount"] for _ in range(3)]
        self.assertEqual(counts, [1, 2, 3])
        self.assertEqual(len(self.box.received("q")), 1)
        self.assertEqual(self.box.received("q"), [])
        with self.refused("InvalidParameterValueException", "VisibilityTimeout"):
            self.box.received("q", VisibilityTimeout=43201)
        self.assertEqual(self.box.received("q", VisibilityTimeout=43200), [])

    def test_messages_come_oldest_first_and_at_most_as_many_as_asked(self):
        self.start()
        sent = [self.send(b"%d" % n) for n in range(12)]
        self.assertEqual([m["MessageId"] for m in self.box.received("q")], sent[:1])
        rows = self.box.received("q", MaxNumberOfMessages=10)
        self.assertEqual([m["MessageId"] for m in rows], sent[1:11])
        rows = self.box.received("q", MaxNumberOfMessages=10)
        self.assertEqual([m["MessageId"] for m in rows], sent[11:])
        for wrong in (0, 11):
            with self.refused("InvalidParameterValueException", "MaxNumberOfMessages"):
                self.box.received("q", MaxNumberOfMessages=wrong)

    def test_a_delayed_message_is_not_seen_before_its_time(self):
        self.start()
        sent = time.monotonic()
        self.send(DelaySeconds=1)
        self.assertEqual(self.box.received("q"), [])
        self.received_in_the_end()
        self.assertGreaterEqual(time.monotonic() - sent, 0.98)
        self.send(DelaySeconds=900)
        with self.refused("InvalidParameterValueException", "DelaySeconds"):
            self.send(DelaySeconds=901)

    def test_the_bounds_of_a_message_are_kept(self):
        self.start()
        self.send(b"x" * BODY_BYTES_MAX)
        self.assertEqual(len(self.box.received("q")[0]["Body"]), BODY_BYTES_MAX)
        with self.refused("RequestTooLargeException"):
            self.send(b"x" * (BODY_BYTES_MAX + 1))
        with self.refused("InvalidParameterValueException", "MessageBody"):
            self.send(b"")
        self.send(MessageAttributes={"name": "v" * (8192 - 4)})
        too_much = {"name": "v" * (8192 - 3)}
        with self.assertRaises(harness.Refused) as caught:
            self.send(MessageAttributes=too_much)
        self.assertIn(caught.exception.type,
                      ("RequestTooLargeException", "InvalidParameterValueException"))
        for wrong in ({"n": 1}, {1: "v"}, ["n"], {"n": b"v"}):
            with self.subTest(wrong):
                with self.refused("InvalidParameterValueException", "MessageAttributes"):
                    self.send(MessageAttributes=wrong)
        self.assertEqual(self.state()["Messages"], 2)

    def test_one_answer_has_at_most_six_mebibytes_of_bodies(self):
        self.start()
        for n in range(8):
            self.send(b"%d" % n * BODY_BYTES_MAX)
        counts = []
        while messages := self.box.received("q", MaxNumberOfMessages=10):
            self.assertLessEqual(sum(len(m["Body"]) for m in messages), 6 << 20)
            counts.append(len(messages))
        self.assertEqual(sum(counts), 8)
        self.assertEqual(len(counts), 2)

    def test_a_full_queue_refuses_messages_and_events_until_there_is_room(self):
        self.box.function("echo", "cat", on_success="q")
        self.start(bytes_max="1MiB")
        self.send(b"x" * BODY_BYTES_MAX)
        with self.refused("TooManyRequestsException", "bytes_max"):
            self.send()
        with self.refused("TooManyRequestsException", "q"):
            self.box.event("echo")
        self.delete(self.box.received("q")[0])
        self.send()
        self.box.ended(self.box.event("echo"))
        self.assertEqual(self.state()["Messages"], 2)

    def test_what_is_not_there_is_not_found(self):
        self.start()
        calls = {
            "SendMessage": {"MessageBody": b"x"},
            "ReceiveMessage": {},
            "DeleteMessage": {"ReceiptHandle": "x"},
        }
        for method, params in calls.items():
            with self.subTest(method), self.refused("ResourceNotFoundException"):
                self.box.call(method, QueueName="nowhere", **params)

    def test_handles_that_are_not_of_this_queue_delete_nothing(self):
        self.box.settings["queues"]["other"] = {}
        self.start()
        self.send()
        (message,) = self.box.received("q")
        for handle in ("garbage", message["ReceiptHandle"] + "0", message["MessageId"]):
            with self.subTest(handle), self.refused("ReceiptHandleIsInvalid"):
                self.delete({"ReceiptHandle": handle})
        with self.refused("ReceiptHandleIsInvalid"):
            self.delete(message, queue="other")
        self.assertEqual(self.delete(message), {})

    def test_queues_survive_a_crash_with_what_is_hidden(self):
        self.start()
        hidden, waits, deleted = [self.send(b"%d" % n) for n in range(3)]
        received = {m["MessageId"]: m for m in self.box.received("q", MaxNumberOfMessages=3)}
        self.delete(received[deleted])
        waits = self.send(b"3", MessageAttributes={"a": "b"})
        self.box.crash_and_start()
        self.assertEqual(self.state()["Messages"], 3)
        (message,) = self.box.received("q", MaxNumberOfMessages=10)
        self.assertEqual((message["MessageId"], message["Body"]), (waits, b"3"))
        self.assertEqual(message["MessageAttributes"], {"a": "b"})
        self.assertEqual(self.delete(received[hidden]), {})
        with self.refused("ReceiptHandleIsInvalid"):
            self.delete(received[deleted])
        self.assertEqual(self.state()["Messages"], 2)

    def test_two_receivers_never_get_the_same_message(self):
        self.start()
        for n in range(100):
            self.send(b"%d" % n)
        clients = [self.box.client() for _ in range(4)]
        asked = [
            (client, client.send("ReceiveMessage", QueueName="q", MaxNumberOfMessages=3))
            for _ in range(10)
            for client in clients
        ]
        bodies = [m["Body"] for client, msgid in asked for m in client.reply(msgid)["Messages"]]
        self.assertEqual(len(bodies), len(set(bodies)))
        self.assertEqual(len(bodies), 100)

    def test_queues_are_listed_and_a_removed_one_keeps_its_messages(self):
        self.start(bytes_max="2MiB")
        self.send(b"abc")
        row = self.state()
        self.assertEqual((row["QueueName"], row["Configured"], row["Messages"], row["BytesMax"]),
                         ("q", True, 1, 2 << 20))
        self.assertGreaterEqual(row["Bytes"], 3)
        settings = self.box.settings["queues"].pop("q")
        self.box.reload()
        row = self.state()
        self.assertEqual((row["Configured"], row["Messages"]), (False, 1))
        with self.refused("ResourceNotFoundException", "q"):
            self.send()
        self.box.settings["queues"]["q"] = settings
        self.box.reload()
        self.assertEqual(self.box.received("q")[0]["Body"], b"abc")


if __name__ == "__main__":
    harness.main()
