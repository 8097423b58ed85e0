"""Clients that are broken or mean: each is told once and closed, and the others are served."""

import contextlib
import os
import random
import socket
import subprocess
import unittest

import msgpack

import harness

INVALID = "InvalidRequestContentException"
# What a client that does not read may cost for good, and for a moment: memory_max.
SLOW_READER_BYTES_MAX = 32 << 20
IN_MOTION_BYTES_MAX = 64 << 20


def request(method, params, msgid=1):
    return msgpack.packb([0, msgid, method, params])


class HostileTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        self.box.function("echo", "cat")
        self.box.function("hello", "cat")  # which only the others call
        self.box.function("gated", "note started; wait_for gate; cat", timeout="60s")
        self.box.settings["queues"]["q"] = {}

    def start(self, **parts):
        self.box.start(**parts)
        self.other = self.box.client()

    def others_are_served(self):
        answer = self.other.call("Invoke", FunctionName="hello", Payload=b"hello")
        self.assertEqual(answer["Payload"], b"hello")

    def connections(self, count):
        harness.wait_for(
            lambda: self.other.call("GetStatus")["Connections"] == count,
            f"{count} connections to be left",
        )

    def test_bytes_that_are_no_request_are_answered_once_and_closed(self):
        self.start()
        table = {
            "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "a reserved byte": b"\xc1",
            "an extension": msgpack.packb([0, 1, "GetStatus", [msgpack.ExtType(5, b"x")]]),
            "a reply": msgpack.packb([1, 1, None, {}]),
            "a notification": msgpack.packb([2, "GetStatus", [{}]]),
            "three elements": msgpack.packb([0, 1, "GetStatus"]),
            "five elements": msgpack.packb([0, 1, "GetStatus", [], 1]),
            "a map": msgpack.packb({"method": "GetStatus"}),
            "a huge msgid": msgpack.packb([0, 1 << 32, "GetStatus", []]),
            "a negative msgid": msgpack.packb([0, -1, "GetStatus", []]),
            "a numbered method": msgpack.packb([0, 1, 7, []]),
            "a long method": request("x" * 65, []),
            "params of a number": request("GetStatus", [1]),
            "two params": request("GetStatus", [{}, {}]),
            "params without a list": request("GetStatus", {}),
            "a nesting bomb": b"\x91" * 100000,
            "a nest of maps": request("Invoke", [{"a": [[[[[[[]]]]]]]}]),
        }
        for name, data in table.items():
            with self.subTest(name):
                client = self.box.client()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.send_bytes(data)
                (reply,) = client.replies_until_closed()
                msgid, error, result = reply
                self.assertIn(msgid, (0, 1))
                self.assertEqual((error["Type"], result), (INVALID, None))
                self.assertTrue(error["Message"])
                self.others_are_served()
        self.connections(2)

    def test_a_claim_of_two_gigabytes_is_refused_when_its_header_is_read(self):
        self.start()
        before = self.box.rss_bytes()
        head = b"\x94\x00\x01\xa6Invoke\x91\x82\xacFunctionName\xa4echo\xa7Payload"
        for claim in (b"\xc6\x80\x00\x00\x00", b"\xdb\x7f\xff\xff\xff", b"\xc6\x00\x61\x00\x00"):
            with self.subTest(claim):
                client = self.box.client()
                client.send_bytes(head + claim)
                ((msgid, error, _),) = client.replies_until_closed()
                self.assertEqual((msgid, error["Type"]), (1, "RequestTooLargeException"))
        for claim in (b"\xdd\x7f\xff\xff\xff", b"\xdf\x7f\xff\xff\xff"):
            with self.subTest(claim):
                client = self.box.client()
                client.send_bytes(b"\x94\x00\x01\xa6Invoke" + claim)
                ((_, error, _),) = client.replies_until_closed()
                self.assertIn(error["Type"], ("RequestTooLargeException", INVALID))
        self.others_are_served()
        self.assertLess(self.box.rss_bytes() - before, 16 << 20)

    def test_random_bytes_harm_nobody(self):
        self.start()
        chance = random.Random(20260301)
        valid = request("Invoke", [{"FunctionName": "echo", "Payload": b"x" * 50}])
        for n in range(200):
            client = self.box.client(seconds=5)
            data = bytearray(chance.randbytes(chance.randrange(1, 200)) if n % 2 else valid)
            if n % 2 == 0:
                data[chance.randrange(len(data))] = chance.randrange(256)
            with contextlib.suppress(ConnectionError):
                client.send_bytes(bytes(data))
                client.socket.shutdown(socket.SHUT_WR)
                client.replies_until_closed()
            client.close()
        self.others_are_served()
        self.connections(2)

    def test_half_a_request_waits_for_its_other_half(self):
        self.start()
        data = request("Invoke", [{"FunctionName": "echo", "Payload": b"x" * 1000}])
        client, quitter = self.box.client(), self.box.client()
        client.send_bytes(data[:500])
        quitter.send_bytes(data[:500])
        self.others_are_served()
        quitter.close()
        self.connections(3)
        client.send_bytes(data[500:])
        _, error, result = client.next_reply()
        self.assertEqual((error, result["Payload"]), (None, b"x" * 1000))

    def test_many_halves_of_large_requests_stop_nobody(self):
        self.start(limits={"memory_max": "16MiB"})
        self.other.socket.settimeout(10)
        data = request("Invoke", [{"FunctionName": "echo", "Payload": b"x" * 6000000}])
        clients = [self.box.client(seconds=1) for _ in range(6)]
        for client in clients:
            with contextlib.suppress(TimeoutError, ConnectionError):
                client.send_bytes(data[:-1])
        try:
            with self.subTest("while they wait"):
                self.others_are_served()
        finally:
            for client in clients:
                client.close()
        with self.subTest("when they are gone"):
            self.other = self.box.client(seconds=10)
            self.others_are_served()

    def test_requests_before_the_garbage_are_answered(self):
        self.start()
        client = self.box.client()
        asked = client.send("Invoke", FunctionName="gated", Payload=b"x")
        self.box.noted("started")
        client.send_bytes(b"\xc1")
        self.others_are_served()
        self.box.touch("gate")
        replies = {msgid: (error, result) for msgid, error, result in
                   client.replies_until_closed()}
        self.assertEqual(replies[asked][1]["Payload"], b"x")
        self.assertEqual(replies[0][0]["Type"], INVALID)

    def test_wrong_fields_are_named_and_the_connection_goes_on(self):
        self.start()
        client = self.box.client()
        fine = {"FunctionName": "echo", "InvocationType": "Event"}
        wrong = [
            ("Invoke", {}, "FunctionName"),
            ("Invoke", {**fine, "FunctionName": 1}, "FunctionName"),
            ("Invoke", {**fine, "FunctionName": b"echo"}, "FunctionName"),
            ("Invoke", {**fine, "FunctionName": ""}, "FunctionName"),
            ("Invoke", {**fine, "FunctionName": "a" * 65}, "FunctionName"),
            ("Invoke", {**fine, "FunctionName": "a b"}, "FunctionName"),
            ("Invoke", {**fine, "FunctionName": None}, "FunctionName"),
            ("Invoke", {**fine, "InvocationType": "event"}, "InvocationType"),
            ("Invoke", {**fine, "Payload": 5}, "Payload"),
            ("Invoke", {**fine, "Payload": {}}, "Payload"),
            ("Invoke", {**fine, "DelaySeconds": 1.5}, "DelaySeconds"),
            ("Invoke", {**fine, "DelaySeconds": "1"}, "DelaySeconds"),
            ("Invoke", {**fine, "DelaySeconds": True}, "DelaySeconds"),
            ("Invoke", {**fine, "DelaySeconds": 1 << 63}, "DelaySeconds"),
            ("Invoke", {**fine, "IdempotencyKey": 7}, "IdempotencyKey"),
            ("Invoke", {**fine, "Paylod": b"x"}, "Paylod"),
            ("Invoke", {**fine, 7: b"x"}, ""),
            ("GetEvent", {}, "RequestId"),
            ("GetEvent", {"RequestId": "not a uuid"}, "RequestId"),
            ("GetStatus", {"Verbose": True}, "Verbose"),
            ("ReceiveMessage", {"QueueName": "q", "MaxNumberOfMessages": 0},
             "MaxNumberOfMessages"),
        ]
        for method, params, words in wrong:
            with self.subTest((method, params)):
                client.send_bytes(request(method, [params], 77))
                with self.refused("InvalidParameterValueException", words):
                    client.reply(77)
        with self.refused("UnknownOperationException", "Invok"):
            client.call("Invok")
        self.assertEqual(client.call("Invoke", FunctionName="echo")["StatusCode"], 200)
        self.assertEqual(self.other.call("GetStatus")["Accepted"], 0)

    def test_the_odd_but_right_is_taken(self):
        self.start()
        client = self.box.client()
        client.send_bytes(request("GetStatus", [], 0) + request("GetStatus", [{}], 0xFFFFFFFF))
        self.assertIn("Pid", client.reply(0))
        self.assertIn("Pid", client.reply(0xFFFFFFFF))
        data = request("GetStatus", [], 7)
        for k in range(len(data)):
            client.send_bytes(data[k : k + 1])
        self.assertIn("Pid", client.reply(7))

    def slow_reader_is_closed(self, method, params, requests):
        """Asks for much, reads nothing: it is closed, and the others do not pay for it."""
        allowance = 4 if harness.SANITIZED else 1
        before = self.box.rss_bytes()
        self.box.forget_peak()
        client = self.box.client(seconds=10)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send_bytes(b"".join(request(method, [params], n) for n in range(requests)))
        self.connections(2)
        self.others_are_served()
        client.close()
        peak, after = self.box.rss_bytes("VmHWM"), self.box.rss_bytes()
        self.assertLess(peak - before, IN_MOTION_BYTES_MAX * allowance)
        self.assertLess(after - before, SLOW_READER_BYTES_MAX * allowance)

    def test_a_client_that_does_not_read_is_closed_and_costs_little_memory(self):
        box = self.box
        box.function("bad", "exit 1", retry={"retries": 0})
        self.start()
        kept = box.event("echo", b"x" * 65536)
        dead = box.event("bad", b"x" * 1048576)
        for request_id in (kept, dead):
            box.ended(request_id)
        box.call("GetDeadLetter", RequestId=dead)
        for method, request_id in (("GetDeadLetter", dead), ("GetEvent", kept)):
            for _ in range(2):
                with self.subTest(method):
                    self.slow_reader_is_closed(method, {"RequestId": request_id}, 1000)

    def test_a_receiver_that_does_not_read_costs_little_memory(self):
        self.start()
        for n in range(60):
            self.box.call("SendMessage", QueueName="q", MessageBody=b"%02d" % n * (1 << 19))
        everything = {"QueueName": "q", "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
        self.slow_reader_is_closed("ReceiveMessage", everything, 1000)
        self.assertEqual(self.other.call("ListQueues")["Queues"][0]["Messages"], 60)

    def test_many_clients_that_read_none_of_a_few_answers_stop_nobody(self):
        box = self.box
        box.function("bad", "exit 1", retry={"retries": 0})
        self.start()
        dead = box.event("bad", b"x" * 1000000)
        box.ended(dead)
        for _ in range(16):
            deaf = box.client()
            for _ in range(5):  # no more than a client may leave unread
                deaf.send("GetDeadLetter", RequestId=dead)
        self.other.socket.settimeout(15)
        told = f"closed the connection of pid {os.getpid()} (uid {os.geteuid()}), which does "
        told += "not read its replies"
        harness.wait_for(lambda: told in box.log(), "the log to name who does not read", 15)
        self.others_are_served()
        reader = box.client()
        self.assertEqual(len(reader.call("GetDeadLetter", RequestId=dead)["Payload"]), 1000000)

    def test_events_of_a_client_that_does_not_read_are_not_lost(self):
        self.start()
        client = self.box.client()
        for n in range(50):
            client.send("Invoke", FunctionName="echo", InvocationType="Event", Payload=b"%d" % n)
        harness.wait_for(
            lambda: self.other.call("GetStatus")["Ended"] == 50, "all its events to end"
        )

    @unittest.skipUnless(harness.is_root(), "only root can become somebody else")
    def test_one_connection_too_many_is_told_so_and_root_still_gets_in(self):
        self.start(limits={"connections_max": 4})
        self.connections(2)
        with harness.as_nobody():
            more = [self.box.client() for _ in range(2)]
            self.connections(4)
            ((msgid, error, _),) = self.box.client().replies_until_closed()
        self.assertEqual((msgid, error["Type"]), (0, "TooManyRequestsException"))
        self.assertIn("connections_max", error["Message"])
        self.others_are_served()
        run = [harness.HOLDFAST, "--socket", self.box.socket_path]
        nobody = harness.run_as_nobody([*run, "invoke", "hello"])
        self.assertIn("connections_max", nobody.stderr)
        self.assertNotIn("restarted", nobody.stderr)
        self.assertIn(nobody.returncode, (4, 5), nobody)
        root = subprocess.run([*run, "status"], capture_output=True, text=True, check=False,
                              timeout=harness.DEADLINE_S)
        self.assertEqual(root.returncode, 0, root)
        more[0].close()
        self.connections(3)
        with harness.as_nobody():
            client = self.box.client()
        self.assertEqual(client.call("Invoke", FunctionName="hello")["StatusCode"], 200)

    def test_running_handlers_and_their_memory_make_nobody_wait(self):
        box = self.box
        box.function("fat", "head -c 4400000 /dev/zero; note started; wait_for gate",
                     timeout="60s", result_bytes_max=4600000, concurrency_max=16)
        box.function("fed", "cat >/dev/null; note started; wait_for gate", timeout="60s",
                     concurrency_max=16)
        for function, count, payload in (("fat", 7, b""), ("fed", 6, b"x" * 6000000)):
            with self.subTest(function):
                self.start()
                callers = [box.client() for _ in range(count)]
                for caller in callers:
                    caller.send("Invoke", FunctionName=function, Payload=payload)
                box.noted("started", count)
                self.other.socket.settimeout(10)
                hello = {"FunctionName": "hello", "InvocationType": "Event"}
                self.assertEqual(self.other.call("Invoke", **hello)["StatusCode"], 202)
                box.kill()
                os.unlink(box.path("notes"))

    def test_more_connections_than_descriptors_do_not_bring_the_daemon_down(self):
        box = self.box
        box.run_by = ["prlimit", "--nofile=512:512"]
        box.start()
        self.assertIn("limits.connections_max: lowered to 208", box.log())  # 512 - 256 - 48
        for _ in range(600):
            box.client()
        box.clients.append(box.clients.pop(0))  # the one that speaks
        for _ in range(200):
            last = box.event("echo", b"x" * 100000)
        self.assertEqual(box.ended(last)["State"], "succeeded")

    def test_the_daemon_takes_all_descriptors_and_its_handlers_keep_theirs(self):
        box = self.box
        box.run_by = ["prlimit", "--nofile=300:4000"]
        box.function("limits", "ulimit -Sn; ulimit -Hn")
        box.start()
        self.assertNotIn("lowered", box.log())
        with open(f"/proc/{box.process.pid}/limits", encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max open files\s+4000\s+4000")
        self.assertEqual(box.invoke("limits")["Payload"], b"300\n4000\n")

    def test_requests_beyond_the_most_in_flight_wait_unread(self):
        self.start(limits={"requests_in_flight_max": 4})
        event = self.other.call(
            "Invoke", FunctionName="gated", InvocationType="Event", Payload=b"x"
        )["RequestId"]
        self.box.noted("started")
        client = self.box.client()
        waits = [client.send("GetEvent", RequestId=event, WaitSeconds=20) for _ in range(4)]
        fifth = client.send("GetStatus")
        self.others_are_served()
        client.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            client.reply(fifth)
        client.socket.settimeout(harness.DEADLINE_S)
        self.box.touch("gate")
        for wait in waits:
            self.assertEqual(client.reply(wait)["State"], "succeeded")
        self.assertIn("Pid", client.reply(fifth))


if __name__ == "__main__":
    harness.main()
