"""A client of holdfastd that keeps many requests in flight (client/PROTOCOL.md).

    connection = Connection("/run/holdfast/holdfast.sock")
    status = connection.call("GetStatus")
    for index, reply in connection.pipeline("Invoke", list_of_params): ...
"""

import socket

import msgpack

IN_FLIGHT_MAX = 64


class Refused(Exception):
    """The daemon said no, and kept nothing."""


class Lost(Exception):
    """The connection ended: the fate of what has no reply is unknown."""


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.settimeout(30)
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.unpacker = msgpack.Unpacker(max_buffer_size=16 << 20)
        self.msgid = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _send(self, method, params):
        self.msgid += 1
        try:
            self.socket.sendall(msgpack.packb([0, self.msgid, method, [params]]))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Lost(str(error)) from error
        return self.msgid

    def _reply(self):
        """The next reply, whichever request it belongs to."""
        while True:
            for _, msgid, error, result in self.unpacker:
                if error:
                    raise Refused(f"{error['Type']}: {error['Message']}")
                return msgid, result
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError as error:
                raise Lost(str(error)) from error
            if not data:
                raise Lost("the connection ended")
            self.unpacker.feed(data)

    def call(self, method, **params):
        sent = self._send(method, params)
        msgid, result = self._reply()
        if msgid != sent:
            raise Refused(f"a reply to request {msgid}, which nobody sent")
        return result

    def pipeline(self, method, requests):
        """Yields (index into requests, result) as the replies come, in any order.

        A write that fails doesn't end it at once: replies may have come before.
        """
        waiting = {}
        broken = None
        requests = list(enumerate(requests))
        while requests or waiting:
            while requests and len(waiting) < IN_FLIGHT_MAX and not broken:
                index, params = requests.pop(0)
                try:
                    waiting[self._send(method, params)] = index
                except Lost as error:
                    broken = error
            if broken and not waiting:
                raise broken
            msgid, result = self._reply()
            yield waiting.pop(msgid), result
