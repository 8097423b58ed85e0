"""The holdfast command against a daemon made of a script: what it asks, what it
prints, and its exit status. HOLDFAST names the program."""

import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import unittest

import msgpack

PROGRAM = os.environ["HOLDFAST"]


class Refused(Exception):
    pass


class FakeDaemon:
    """Answers every request with answer(method, params): a map, or Refused(type, message), or
    None to close the connection."""

    def __init__(self, answer):
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "s")
        self.asked = []
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.converse(connection)

    def converse(self, connection):
        unpacker = msgpack.Unpacker(max_buffer_size=16 << 20)
        while data := connection.recv(65536):
            unpacker.feed(data)
            for _, msgid, method, params in unpacker:
                self.asked.append((method, params[0]))
                try:
                    result = self.answer(method, params[0])
                    if result is None:
                        return
                    reply = [1, msgid, None, result]
                except Refused as refused:
                    reply = [1, msgid, dict(zip(("Type", "Message"), refused.args)), None]
                connection.sendall(msgpack.packb(reply))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        self.directory.cleanup()


class CommandTest(unittest.TestCase):
    def run_with(self, answer, *arguments, stdin=b""):
        daemon = FakeDaemon(answer)
        self.addCleanup(daemon.close)
        self.daemon = daemon
        return self.run_at(daemon.path, *arguments, stdin=stdin)

    def run_at(self, path, *arguments, stdin=b"", stdout=subprocess.PIPE):
        return subprocess.run([PROGRAM, "--socket", path, *arguments], input=stdin, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=30)

    def expect(self, done, code, stdout=None, stderr=None):
        self.assertEqual(done.returncode, code, done.stderr)
        if stdout is not None:
            self.assertEqual(done.stdout, stdout)
        if stderr is not None:
            self.assertIn(stderr, done.stderr)


class Invoke(CommandTest):
    def test_a_result_goes_to_stdout_byte_for_byte(self):
        done = self.run_with(
            lambda *_: {"StatusCode": 200, "RequestId": "r", "Payload": b"\x00\xff\n"},
            "invoke", "resize", "cat.png", "--key", "k")
        self.expect(done, 0, b"\x00\xff\n")
        self.assertEqual(self.daemon.asked, [("Invoke", {
            "FunctionName": "resize", "InvocationType": "RequestResponse", "Payload": b"cat.png",
            "IdempotencyKey": "k"})])

    def test_a_function_error_is_exit_status_1(self):
        error = json.dumps({"errorType": "Runtime.ExitError", "errorMessage": "exit \x1b[2J 3"})
        done = self.run_with(
            lambda *_: {"StatusCode": 200, "RequestId": "r", "FunctionError": "Unhandled",
                        "Payload": error.encode()}, "invoke", "f")
        self.expect(done, 1, b"", b"Runtime.ExitError: exit \\x1b[2J 3")

    def test_the_payload_can_come_from_stdin_and_from_a_file(self):
        answer = lambda *_: {"StatusCode": 200, "RequestId": "r", "Payload": b""}
        self.expect(self.run_with(answer, "invoke", "f", "-", stdin=b"in\x00put"), 0)
        self.assertEqual(self.daemon.asked[0][1]["Payload"], b"in\x00put")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"from a file")
            file.flush()
            self.expect(self.run_with(answer, "invoke", "f", "@" + file.name), 0)
        self.assertEqual(self.daemon.asked[0][1]["Payload"], b"from a file")

    def test_a_payload_at_the_limit_is_sent_and_one_beyond_is_not(self):
        answer = lambda *_: {"StatusCode": 202, "RequestId": "r"}
        self.expect(self.run_with(answer, "invoke", "f", "-", "--event", stdin=b"x" * 1048576), 0)
        done = self.run_with(answer, "invoke", "f", "-", "--event", stdin=b"x" * 1048577)
        self.expect(done, 2, b"", b"more than the 1048576 bytes")
        self.assertEqual(self.daemon.asked, [])

    def test_a_missing_file_is_a_usage_error(self):
        self.expect(self.run_with(None, "invoke", "f", "@/nonexistent"), 2, b"", b"No such file")

    def test_an_event_prints_its_request_id(self):
        done = self.run_with(lambda *_: {"StatusCode": 202, "RequestId": "r-1"},
                             "invoke", "f", "p", "--event", "--delay", "5")
        self.expect(done, 0, b"r-1\n")
        self.assertEqual(self.daemon.asked[0][1]["InvocationType"], "Event")
        self.assertEqual(self.daemon.asked[0][1]["DelaySeconds"], 5)

    def waited(self, states):
        states = iter(states)
        row = {"RequestId": "r-1", "FunctionName": "f"}
        return self.run_with(
            lambda method, _: {"StatusCode": 202, "RequestId": "r-1"} if method == "Invoke"
            else row | next(states), "invoke", "f", "--event", "--wait")

    def test_waiting_asks_until_the_event_has_ended(self):
        done = self.waited([{"State": "pending"}, {"State": "running"},
                            {"State": "succeeded", "Result": b"done", "ResultBytes": 4}])
        self.expect(done, 0, b"done", b"accepted as r-1")
        self.assertEqual([method for method, _ in self.daemon.asked],
                         ["Invoke", "GetEvent", "GetEvent", "GetEvent"])
        self.assertEqual(self.daemon.asked[1][1], {"RequestId": "r-1", "WaitSeconds": 20})

    def test_waiting_for_an_event_that_dies_is_exit_status_1(self):
        done = self.waited([{"State": "dead", "Condition": "RetriesExhausted"}])
        self.expect(done, 1, b"", b"RetriesExhausted")

    def test_a_synchronous_call_with_the_key_of_an_event_waits_for_it(self):
        done = self.run_with(
            lambda method, _: {"StatusCode": 202, "RequestId": "r", "Duplicate": True}
            if method == "Invoke" else
            {"RequestId": "r", "FunctionName": "f", "State": "succeeded", "Result": b"late"},
            "invoke", "f", "--key", "k")
        self.expect(done, 0, b"late")

    def test_a_lost_connection_is_unknown(self):
        self.expect(self.run_with(lambda *_: None, "invoke", "f"), 5, b"", b"--key")

    def test_delay_and_wait_need_event(self):
        self.expect(self.run_with(None, "invoke", "f", "--delay", "3"), 2)
        self.expect(self.run_with(None, "invoke", "f", "--wait"), 2)

    def test_a_full_disk_under_stdout_is_not_success(self):
        daemon = FakeDaemon(lambda *_: {"StatusCode": 200, "RequestId": "r", "Payload": b"x"})
        self.addCleanup(daemon.close)
        with open("/dev/full", "wb") as full:
            self.expect(self.run_at(daemon.path, "invoke", "f", stdout=full), 7)


class Errors(CommandTest):
    def test_a_missing_socket_says_what_to_do(self):
        self.expect(self.run_at("/nonexistent/s", "status"), 4, b"", b"systemctl status holdfast")

    def test_a_socket_nobody_listens_at_says_so(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "s")
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(path)
            self.expect(self.run_at(path, "status"), 4, b"", b"has stopped")

    def test_a_refusal_shows_type_and_message(self):
        def refuse(*_):
            raise Refused("AccessDeniedException", "not you")
        done = self.run_with(refuse, "status")
        self.expect(done, 3, b"", b"AccessDeniedException: not you")
        self.assertIn(b"sudo", done.stderr)
        done = self.run_at(self.daemon.path, "--json", "status")
        self.expect(done, 3, b"")
        self.assertEqual(json.loads(done.stderr)["Error"],
                         {"Kind": "refused", "Type": "AccessDeniedException", "Message": "not you"})

    def test_a_wrong_command_line_is_exit_status_2(self):
        for arguments in ([], ["nonsense"], ["events"], ["status", "--nonsense"], ["invoke"],
                          ["events", "list", "--state", "asleep"], ["queues", "receive", "q",
                                                                    "--max", "11"]):
            self.assertEqual(self.run_at("/nonexistent", *arguments).returncode, 2, arguments)

    def test_help_tells_the_exit_codes(self):
        done = self.run_at("/nonexistent", "--help")
        self.expect(done, 0)
        for code in range(8):
            self.assertIn(f"\n  {code}  ".encode(), done.stdout)

    def test_the_socket_can_be_named_by_the_environment(self):
        done = subprocess.run([PROGRAM, "status"], capture_output=True, timeout=30,
                              env=os.environ | {"HOLDFAST_SOCKET": "/nonexistent/from-env"})
        self.expect(done, 4, b"", b"/nonexistent/from-env")


class Lists(CommandTest):
    def pages(self, pages):
        pages = iter(pages)
        return lambda *_: next(pages)

    def test_empty_pages_are_followed_to_the_end(self):
        pages = [{"Events": [{"RequestId": "a"}], "NextMarker": "m1"},
                 {"Events": [], "NextMarker": "m2"}, {"Events": [{"RequestId": "b"}]}]
        done = self.run_with(self.pages(pages), "--json", "events", "list", "--function", "f")
        self.expect(done, 0)
        self.assertEqual(json.loads(done.stdout), {"Events": [{"RequestId": "a"},
                                                              {"RequestId": "b"}]})
        self.assertEqual([params for _, params in self.daemon.asked],
                         [{"FunctionName": "f", "MaxItems": 100},
                          {"FunctionName": "f", "MaxItems": 99, "Marker": "m1"},
                          {"FunctionName": "f", "MaxItems": 99, "Marker": "m2"}])

    def test_the_limit_ends_the_list_and_the_rest_is_mentioned(self):
        pages = [{"Events": [{"RequestId": "a"}], "NextMarker": "m1"}]
        done = self.run_with(self.pages(pages), "events", "list", "--limit", "1")
        self.expect(done, 0, None, b"there are more")
        self.assertIn(b"a ", done.stdout)

    def test_json_marks_bytes_that_are_no_text(self):
        done = self.run_with(lambda *_: {"Payload": b"\xff", "Attempts": []},
                             "dlq", "show", "r", "--json")
        self.assertEqual(json.loads(done.stdout),
                         {"Payload": "/w==", "PayloadEncoding": "base64", "Attempts": []})


class DeadLetters(CommandTest):
    def test_all_of_a_function_are_redriven_page_by_page(self):
        pages = iter([{"Redriven": 100, "NextMarker": "m"}, {"Redriven": 0, "NextMarker": "n"},
                      {"Redriven": 7}])
        done = self.run_with(lambda *_: next(pages), "dead-letters", "redrive", "--all", "f")
        self.expect(done, 0, b"107 redriven\n")
        self.assertEqual([params.get("Marker") for _, params in self.daemon.asked],
                         [None, "m", "n"])

    def test_a_refused_id_does_not_keep_the_others(self):
        def answer(_, params):
            if params["RequestId"] == "b":
                raise Refused("ResourceNotFoundException", "no such dead letter")
            return {"Discarded": 1}
        done = self.run_with(answer, "dlq", "discard", "a", "b", "c")
        self.expect(done, 3, b"2 discarded\n", b"ResourceNotFoundException")

    def test_neither_ids_nor_all_is_a_usage_error(self):
        self.expect(self.run_with(None, "dlq", "discard"), 2, b"", b"--all")
        self.expect(self.run_with(None, "dlq", "discard", "a", "--all", "f"), 2)


class Queues(CommandTest):
    def test_a_message_is_sent_with_its_attributes(self):
        done = self.run_with(lambda *_: {"MessageId": "m-1"}, "queues", "send", "q", "body",
                             "--attribute", "a=b=c", "--attribute", "d=", "--delay", "900")
        self.expect(done, 0, b"m-1\n")
        self.assertEqual(self.daemon.asked[0][1], {
            "QueueName": "q", "MessageBody": b"body", "MessageAttributes": {"a": "b=c", "d": ""},
            "DelaySeconds": 900})

    def test_messages_are_shown_with_their_handles(self):
        message = {"MessageId": "m-1", "ReceiptHandle": "h-1", "Body": b"hello",
                   "MessageAttributes": {"a": "b"}, "SentAt": 0, "ReceiveCount": 1}
        done = self.run_with(lambda *_: {"Messages": [message]}, "queues", "receive", "q",
                             "--visibility", "0")
        self.expect(done, 0)
        for part in (b"m-1", b"h-1", b"hello"):
            self.assertIn(part, done.stdout)
        self.assertEqual(self.daemon.asked[0][1]["VisibilityTimeout"], 0)

    def test_a_message_is_deleted_by_its_handle(self):
        self.expect(self.run_with(lambda *_: {}, "queues", "delete", "q", "h-1"), 0, b"")
        self.assertEqual(self.daemon.asked, [("DeleteMessage", {"QueueName": "q",
                                                                "ReceiptHandle": "h-1"})])


def cells(done):
    return [re.split("  +", line) for line in done.stdout.decode().splitlines()]


class Workers(CommandTest):
    ROW = {"WorkerId": 7, "Pid": 4321, "Uid": 1000, "Since": 0, "LastSeen": 1000,
           "Concurrency": 4, "Running": 1, "Detaching": False}
    FUNCTIONS = {"Functions": [
        {"FunctionName": "resize", "Workers": [ROW, ROW | {"WorkerId": 8, "Detaching": True}]},
        {"FunctionName": "mail", "Workers": [ROW | {"WorkerId": 9}]},
        {"FunctionName": "old"}]}

    def test_all_workers_are_listed(self):
        done = self.run_with(lambda *_: self.FUNCTIONS, "functions", "workers")
        self.expect(done, 0)
        self.assertEqual(self.daemon.asked, [("ListFunctions", {})])
        lines = cells(done)
        self.assertEqual(lines[0], ["FUNCTION", "WORKER", "PID", "UID", "SINCE", "LAST SEEN",
                                    "RUNNING", "STATE"])
        self.assertEqual([line[:4] + line[6:] for line in lines[1:]], [
            ["resize", "7", "4321", "1000", "1 of 4", "attached"],
            ["resize", "8", "4321", "1000", "1 of 4", "detaching"],
            ["mail", "9", "4321", "1000", "1 of 4", "attached"]])

    def test_those_of_one_function_are_listed(self):
        done = self.run_with(lambda *_: self.FUNCTIONS, "functions", "workers", "mail")
        self.expect(done, 0)
        self.assertEqual([line[:2] for line in cells(done)[1:]], [["mail", "9"]])
        done = self.run_with(lambda *_: self.FUNCTIONS, "functions", "workers", "old")
        self.expect(done, 0)
        self.assertEqual(len(cells(done)), 1)

    def test_programs_get_them_as_json(self):
        done = self.run_with(lambda *_: self.FUNCTIONS, "--json", "functions", "workers", "mail")
        self.expect(done, 0)
        self.assertEqual(json.loads(done.stdout), {
            "Workers": [{"FunctionName": "mail"} | self.ROW | {"WorkerId": 9}]})

    def test_a_function_that_is_not_there_is_refused(self):
        done = self.run_with(lambda *_: self.FUNCTIONS, "functions", "workers", "nosuch")
        self.expect(done, 3, b"", b"ResourceNotFoundException")


class Status(CommandTest):
    WELL = {"State": "running", "Accepting": True, "Functions": [], "Queues": []}

    def test_a_check_without_trouble_is_exit_status_0(self):
        self.expect(self.run_with(lambda *_: self.WELL, "status", "--check"), 0, b"all is well\n")

    def test_a_check_with_trouble_is_exit_status_6(self):
        ill = self.WELL | {"State": "draining"}
        self.expect(self.run_with(lambda *_: ill, "status", "--check"), 6,
                    b"the daemon is draining\n")

    def test_lists_show_what_the_daemon_says(self):
        row = {"FunctionName": "resize", "Configured": True, "Backlog": 3, "Command": ["a", "b"]}
        for arguments in (["status"], ["functions", "list"]):
            done = self.run_with(lambda *_: self.WELL | {"Functions": [row]}, *arguments)
            self.expect(done, 0)
            self.assertIn(b"resize", done.stdout)

    def test_kinds_and_workers_are_columns_also_when_the_daemon_does_not_tell(self):
        row = {"FunctionName": "resize", "Configured": True, "Backlog": 3}
        told = row | {"Kinds": ["command", "worker"]}
        for functions, kinds in (([told], "command, worker"), ([row], "-")):
            done = self.run_with(lambda *_: {"Functions": functions}, "functions", "list")
            self.expect(done, 0)
            self.assertEqual(cells(done)[:2], [
                ["FUNCTION", "CONFIGURED", "KINDS", "BACKLOG", "RUNNING", "SLOTS", "RETRIES",
                 "TIMEOUT MS", "DEAD LETTERS", "COMMAND"],
                ["resize", "yes", kinds, "3", "-", "-", "-", "-", "-", "-"]])
        for functions, workers in (([row | {"Workers": 17}], "17"), ([row], "-")):
            done = self.run_with(lambda *_: self.WELL | {"Functions": functions}, "status")
            self.expect(done, 0)
            heads, values = cells(done)[-2:]
            self.assertEqual(values[heads.index("WORKERS")], workers)

    def test_a_pool_is_a_column_and_a_broken_one_is_trouble(self):
        pool = {"Min": 1, "Max": 8, "Starting": 0, "Idle": 1, "Busy": 2, "Ending": 0}
        row = {"FunctionName": "resize", "Configured": True}
        broken = pool | {"Broken": "it ended with exit status 1"}
        for pools, shown in (({}, "-"), ({"Pool": pool}, "2 busy, 1 idle of 8"),
                             ({"Pool": pool | {"Starting": 3}}, "2 busy, 1 idle, 3 starting of 8"),
                             ({"Pool": broken}, "BROKEN")):
            done = self.run_with(lambda *_: self.WELL | {"Functions": [row | pools]}, "status")
            self.expect(done, 0)
            heads, values = cells(done)[-2:]
            self.assertEqual(values[heads.index("POOL")], shown)
        ill = self.WELL | {"Functions": [row | {"Pool": broken}]}
        self.expect(self.run_with(lambda *_: ill, "status", "--check"), 6,
                    b"the command of function resize does not start: "
                    b"it ended with exit status 1\n")

    def test_a_daemon_that_does_not_answer_is_given_up(self):
        release = threading.Event()
        done = self.run_with(lambda *_: release.wait(20) and None, "--timeout", "1", "status")
        release.set()
        self.expect(done, 5)


if __name__ == "__main__":
    unittest.main()
