"""A client of the protocol, from its bytes up: client/PROTOCOL.md, sections 1 and 9."""

import contextlib
import itertools
import socket

import msgpack

DEADLINE_S = 30.0


class Refused(Exception):
    """An error reply: `type` is for programs, `message` for people."""

    def __init__(self, error):
        super().__init__(f"{error['Type']}: {error['Message']}")
        self.type = error["Type"]
        self.message = error["Message"]


class Client:
    """One connection. send() and reply() pipeline; call() does one request at a time."""

    def __init__(self, path, seconds=DEADLINE_S):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.unpacker = msgpack.Unpacker(max_buffer_size=64 << 20)
        self.msgids = itertools.count(1)
        self.early = {}

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, method, **params):
        msgid = next(self.msgids)
        self.send_bytes(msgpack.packb([0, msgid, method, [params]]))
        return msgid

    def next_reply(self):
        """(msgid, error, result) of whatever comes next; ConnectionError when it is over."""
        while True:
            for kind, msgid, error, result in self.unpacker:
                assert kind == 1 and (error is None or result is None), (kind, error, result)
                return msgid, error, result
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the daemon closed the connection")
            self.unpacker.feed(data)

    def reply(self, msgid):
        while msgid not in self.early:
            answered, error, result = self.next_reply()
            self.early[answered] = (error, result)
        error, result = self.early.pop(msgid)
        if error is not None:
            raise Refused(error)
        return result

    def call(self, method, **params):
        return self.reply(self.send(method, **params))

    def replies_at_hand(self):
        """What one read gives, which must not wait; ConnectionError when it is over."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the daemon closed the connection")
        self.unpacker.feed(data)
        return [(msgid, error, result) for _, msgid, error, result in self.unpacker]

    def replies_until_closed(self):
        replies = []
        with contextlib.suppress(ConnectionError):
            while True:
                replies.append(self.next_reply())
        return replies

    def close(self):
        self.socket.close()
