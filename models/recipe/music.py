"""Adds music to the recordings without words: pieces composed by chance, played by sampled instruments.

    python3 music.py --data DATA --minutes 40
    python3 music.py --wav PIECE.wav --seconds 600 --seed 7 --held-out

Appends to DATA/noise.pcm and DATA/noise.tsv, as prepare.py writes them; the source is called "music".
A piece has a key, a pace, chords that follow each other, up to five parts, and drums more often than not.  It
is written as a MIDI file and played by TiMidity++ with the Freepats (Debian's packages timidity and
freepats; the patches are under the GPL, with the exception that compositions played with them are not).
HELD_OUT instruments play in no piece for training, but in those of --held-out alone, with any drums.  A
run that was interrupted can be repeated and goes on; the same --seed gives the same pieces.
"""

import argparse
import array
import os
import random
import shutil
import subprocess
import sys
import tempfile
import wave

from index import RATE_HZ, Index

PIECE_S = 40.0
QUARTER = 480  # ticks
DRUMS = 9  # the channel

# General MIDI's programs of which there are patches.
HELD_OUT = (4, 15, 44, 59, 65, 71, 75)
INSTRUMENTS = tuple(
    program
    for programs in (range(0, 10), range(13, 17), (19, 21, 23), range(24, 31), range(32, 39), (40, 42), range(44, 49),
                     (53,), range(56, 62), range(64, 77), (79, 80, 84, 88, 94, 95, 98, 102, 104, 114))
    for program in programs
    if program != 3 and program not in HELD_OUT
)
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 8, 11), (0, 3, 5, 6, 7, 10, 12))
RHYTHMS = ((1,), (2,), (1, 2), (1, 1, 2), (2, 2, 4), (4, 8), (3, 3, 2), (1, 2, 4, 8))  # lengths in eighths


def length_bytes(number):
    """A MIDI file's number of variable length."""
    out = [number & 127]
    while number := number >> 7:
        out.insert(0, number & 127 | 128)
    return bytes(out)


class Piece:
    """Events of a piece; seeded: a random.Random."""

    def __init__(self, seeded, seconds, instruments):
        self.seeded, self.events = seeded, []
        self.scale, self.root = seeded.choice(SCALES), seeded.randint(40, 52)
        self.quarter_us = round(60e6 / seeded.uniform(60, 170))
        bars = int(seconds * 1e6 / (4 * self.quarter_us)) + 1
        chords = [seeded.choice((0, 0, 3, 4, 5, 1)) for _ in range(seeded.choice((4, 8)))]
        drums = self._drums() if seeded.random() < 0.6 else []
        parts = seeded.randint(1, 5)
        for channel in range(parts):
            self._add(0, bytes([0xC0 | channel, seeded.choice(instruments)]))
            self._add(0, bytes([0xB0 | channel, 7, seeded.randint(50, 127)]))
        styles = [seeded.choice((self._chord, self._line, self._line, self._bass)) for _ in range(parts)]
        rhythms = [seeded.choice(RHYTHMS) for _ in range(parts)]
        for bar in range(bars):
            start, chord = bar * 4 * QUARTER, chords[bar % len(chords)]
            for channel, (style, rhythm) in enumerate(zip(styles, rhythms)):
                if seeded.random() < 0.9:
                    style(channel, start, chord, rhythm)
            for when, key, force in drums:
                if seeded.random() < 0.95:
                    self._note(DRUMS, start + when, QUARTER // 4, key, force)

    def _add(self, tick, message):
        self.events.append((tick, len(self.events), message))

    def _note(self, channel, tick, ticks, key, force):
        self._add(tick, bytes([0x90 | channel, key, force]))
        self._add(tick + ticks - 10, bytes([0x80 | channel, key, 0]))

    def _key(self, degree):
        return self.root + self.scale[degree % 7] + 12 * (degree // 7)

    def _drums(self):
        """[(tick in the bar, key, force)]."""
        seeded, hits = self.seeded, []
        for key, chance in ((36, 0.4), (38, 0.3), (42, 0.7), (46, 0.1), (seeded.randint(39, 82), 0.2)):
            hits += [(n * QUARTER // 2, key, seeded.randint(40, 110)) for n in range(8) if seeded.random() < chance]
        return hits

    def _chord(self, channel, start, chord, _):
        for step in (0, 2, 4)[: self.seeded.randint(2, 3)]:
            self._note(channel, start, 4 * QUARTER, self._key(chord + step + 7), self.seeded.randint(40, 100))

    def _bass(self, channel, start, chord, _):
        for beat in range(0, 4, self.seeded.choice((1, 2))):
            self._note(channel, start + beat * QUARTER, QUARTER, self._key(chord), self.seeded.randint(60, 110))

    def _line(self, channel, start, chord, rhythm):
        """A melody: steps and leaps about the chord, now and then a rest."""
        seeded, eighth = self.seeded, 0
        degree = chord + seeded.choice((7, 9, 11, 14))
        while eighth < 8:
            length = seeded.choice(rhythm)
            if seeded.random() < 0.8:
                self._note(channel, start + eighth * QUARTER // 2, length * QUARTER // 2, self._key(degree),
                           seeded.randint(50, 115))
            degree = max(chord + 5, min(chord + 19, degree + seeded.choice((-3, -2, -1, -1, 0, 1, 1, 2, 4))))
            eighth += length

    def midi(self):
        """The bytes of a MIDI file of one track."""
        track, now = b"\0\xff\x51\x03" + self.quarter_us.to_bytes(3, "big"), 0
        for tick, _, message in sorted(self.events):
            track += length_bytes(tick - now) + message
            now = tick
        track += b"\0\xff\x2f\0"
        header = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1]) + QUARTER.to_bytes(2, "big")
        return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def play(midi, seconds):
    """The first seconds of a MIDI file: 16-bit samples, mono, 16 kHz, their peak at 0.7.  RuntimeError: it
    can't be played."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = os.path.join(folder, "piece.mid"), os.path.join(folder, "piece.wav")
        with open(score, "wb") as f:
            f.write(midi)
        command = ["timidity", "-c", "/etc/timidity/freepats.cfg", "-Ow", "-s", str(RATE_HZ), "--output-mono"]
        done = subprocess.run(command + ["-o", sound, score], capture_output=True)
        if done.returncode or not os.path.exists(sound):
            raise RuntimeError("timidity failed: " + done.stderr.decode(errors="replace").strip())
        with wave.open(sound) as f:
            samples = array.array("h", f.readframes(int(seconds * RATE_HZ)))
    scale = 0.7 * 32767 / max(1, max(samples, default=0), -min(samples, default=0))
    return array.array("h", (int(scale * sample) for sample in samples))


def compose(seed, number, seconds, held_out=False):
    """A piece, as play() gives it."""
    seeded = random.Random(f"{seed} {number}")
    return play(Piece(seeded, seconds, HELD_OUT if held_out else INSTRUMENTS).midi(), seconds)


def write_wav(path, seed, seconds, held_out):
    """One piece after another."""
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(RATE_HZ)
        for number in range(round(seconds / PIECE_S + 0.5)):
            left = seconds - number * PIECE_S
            if left > 0:
                f.writeframes(compose(seed, number, min(PIECE_S, left), held_out).tobytes())


def append(data, seed, minutes):
    with Index(data, "noise") as index:
        for number in range(round(minutes * 60 / PIECE_S)):
            name = f"music-{seed}-{number:04d}"
            if name not in index.done:
                index.add(name, compose(seed, number, PIECE_S), "music", "", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder to whose noise it is added")
    parser.add_argument("--minutes", type=float, default=40.0, help="of music there, by this seed")
    parser.add_argument("--wav", help="or a file to write")
    parser.add_argument("--seconds", type=float, default=600.0, help="of it")
    parser.add_argument("--held-out", action="store_true", help="by instruments that are not trained with")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if bool(arguments.data) == bool(arguments.wav):
        parser.error("either --data or --wav")
    if shutil.which("timidity") is None or not os.path.exists("/etc/timidity/freepats.cfg"):
        sys.exit("timidity or its patches are missing (Debian's packages: timidity, freepats)")
    if arguments.wav:
        write_wav(arguments.wav, arguments.seed, arguments.seconds, arguments.held_out)
    else:
        append(arguments.data, arguments.seed, arguments.minutes)


if __name__ == "__main__":
    main()
