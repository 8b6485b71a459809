"""Connections of clients that do not keep to the rules: HTTP/2 by hand, a frame at a time."""

import socket
import struct
import time

import running

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_HEADERS, END_STREAM, ACK = 4, 1, 1
MAX_CONCURRENT_STREAMS = 3


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A header as HPACK writes one without indexing or compression."""
    def text(data):
        assert len(data) < 127
        return bytes([len(data)]) + data
    return b"\0" + text(name) + text(value)


def request_headers(path=b"/grpc.health.v1.Health/Check"):
    return b"".join(literal(name, value) for name, value in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"),
        (b"te", b"trailers"), (b"content-type", b"application/grpc")))


class Stranger:
    """A connection: what is sent and what comes, as bytes or frames."""

    def __init__(self, address, speaks=True):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), running.PATIENCE)
        self._left = b""
        self._closed = False
        if speaks:
            self.send(PREFACE + frame(SETTINGS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Returns whether it could be sent: who is thrown out while talking gets an error."""
        try:
            self.socket.sendall(data)
        except ConnectionError:
            self._closed = True
        return not self._closed

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self._left += data
        return bool(data)

    def next_frame(self):
        """(kind, flags, stream, payload), or None when the server has closed."""
        while len(self._left) < 9 or len(self._left) < 9 + int.from_bytes(self._left[:3], "big"):
            if not self._more():
                return None
        size = int.from_bytes(self._left[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self._left[3:9])
        payload, self._left = self._left[9:9 + size], self._left[9 + size:]
        return kind, flags, stream, payload

    def wait_for(self, kind):
        """The first frame of the kind, or None when the server has closed."""
        while True:
            found = self.next_frame()
            if found is None or found[0] == kind:
                return found

    def wait_for_close(self):
        """Seconds until the server has closed; answers nothing."""
        began = time.monotonic()
        while self._more():
            self._left = b""
        return time.monotonic() - began


def settings_of(payload):
    return {key: value for key, value in struct.iter_unpack(">HI", payload)}


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")
