"""Opus packets through libopus itself (ctypes), and out of Ogg files.

For machines with nothing but Python and NumPy: libopus needs no other library than C's, so that the
file libopus.so.0 can be taken along (pack.py does).  RFC 6716 (Opus), 7845 (in Ogg), 3533 (Ogg).
"""

import ctypes
import ctypes.util

import numpy as np

RATE_HZ = 16000
_FRAME = RATE_HZ // 50
_AUDIO, _SET_BITRATE, _SET_COMPLEXITY, _GET_LOOKAHEAD = 2049, 4002, 4010, 4027
_LONGEST_PACKET, _LONGEST_FRAMES = 1500, RATE_HZ * 120 // 1000


class Opus:
    """One library; its decoders and encoders live as long as a call."""

    def __init__(self, path=None):
        path = path or ctypes.util.find_library("opus") or "libopus.so.0"
        self.library = library = ctypes.CDLL(path)
        for kind in ("encoder", "decoder"):
            getattr(library, f"opus_{kind}_create").restype = ctypes.c_void_p
            getattr(library, f"opus_{kind}_destroy").argtypes = [ctypes.c_void_p]
        library.opus_strerror.restype = ctypes.c_char_p
        library.opus_decode_float.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_int32,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_int,
        ]
        library.opus_encode_float.argtypes = [
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int32,
        ]

    def _checked(self, code):
        if code < 0:
            raise ValueError("opus: " + self.library.opus_strerror(code).decode())
        return code

    def _create(self, kind, *arguments):
        error = ctypes.c_int()
        handle = getattr(self.library, f"opus_{kind}_create")(RATE_HZ, 1, *arguments, ctypes.byref(error))
        self._checked(error.value)
        return ctypes.c_void_p(handle)

    def decode(self, packets, skip, count):
        """Packets -> `count` samples [count] float32 at 16 kHz, after the first `skip`; zeros where
        the packets end early."""
        out = np.zeros(skip + count + _LONGEST_FRAMES, np.float32)
        position, decoder = 0, self._create("decoder")
        try:
            for packet in packets:
                if position >= skip + count:
                    break
                place = out.ctypes.data + 4 * position
                position += self._checked(
                    self.library.opus_decode_float(decoder, packet, len(packet), place, _LONGEST_FRAMES, 0)
                )
        finally:
            self.library.opus_decoder_destroy(decoder)
        return out[skip : skip + count]

    def encode(self, samples, bits_per_second, complexity=6):
        """samples [N] float32 at 16 kHz -> packets of 20 ms, and how many samples a decoder must skip."""
        encoder = self._create("encoder", _AUDIO)
        control = self.library.opus_encoder_ctl
        try:
            self._checked(control(encoder, _SET_BITRATE, ctypes.c_int32(bits_per_second)))
            self._checked(control(encoder, _SET_COMPLEXITY, ctypes.c_int32(complexity)))
            skip = ctypes.c_int32()
            self._checked(control(encoder, _GET_LOOKAHEAD, ctypes.byref(skip)))
            frames = -(-(len(samples) + skip.value) // _FRAME)
            padded = np.zeros(frames * _FRAME, np.float32)
            padded[: len(samples)] = samples
            packets, room = [], ctypes.create_string_buffer(_LONGEST_PACKET)
            for frame in range(frames):
                place = padded.ctypes.data + 4 * _FRAME * frame
                size = self._checked(
                    self.library.opus_encode_float(encoder, place, _FRAME, room, _LONGEST_PACKET)
                )
                packets.append(room.raw[:size])
        finally:
            self.library.opus_encoder_destroy(encoder)
        return packets, skip.value


def from_ogg(blob):
    """The Opus packets of an Ogg file's bytes, and how many samples at 16 kHz to skip."""
    packets, part, position = [], b"", 0
    while position < len(blob):
        if blob[position : position + 4] != b"OggS" or position + 27 > len(blob):
            raise ValueError("no Ogg page where one should begin")
        segments = blob[position + 26]
        lacing = blob[position + 27 : position + 27 + segments]
        position += 27 + segments
        for size in lacing:
            part += blob[position : position + size]
            position += size
            if size < 255:
                packets.append(part)
                part = b""
    if len(packets) < 2 or packets[0][:8] != b"OpusHead" or packets[0][9] != 1:
        raise ValueError("no Opus of one channel")
    return packets[2:], int.from_bytes(packets[0][10:12], "little") * RATE_HZ // 48000
