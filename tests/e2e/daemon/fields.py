"""Protobuf by hand: messages as the numbers and kinds of their fields, without any .proto file, so
that a wrong number there does not go unseen."""

import struct


def _varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*fields):
    """(number, value) each: int or bool, float (as float, not double), str, or bytes, which may be
    another message."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        elif isinstance(value, float):
            out += _varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return out


def _take_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


class Message(dict):
    """What a message has: number -> values in order, numbers as int or float, the rest as bytes."""

    def __init__(self, data):
        super().__init__()
        at = 0
        while at < len(data):
            key, at = _take_varint(data, at)
            if key & 7 == 0:
                value, at = _take_varint(data, at)
            elif key & 7 == 5:
                value, at = struct.unpack_from("<f", data, at)[0], at + 4
            else:
                assert key & 7 == 2, f"no such kind of field: {key & 7}"
                size, at = _take_varint(data, at)
                value, at = data[at:at + size], at + size
            self.setdefault(key >> 3, []).append(value)

    def all(self, number):
        """Messages of a repeated field."""
        return [Message(value) for value in self.get(number, [])]

    def of(self, number):
        (value,) = self[number]
        return Message(value)

    def text(self, number):
        return self.one(number, b"").decode()

    def one(self, number, absent=0):
        (value,) = self.get(number, [absent])
        return value
