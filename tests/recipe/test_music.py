"""Music without words: MIDI files that are whole, pieces that are the same again, and where they go."""

import os
import subprocess
import sys
import tempfile
import unittest
import wave

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "..", "..", "models", "recipe")
sys.path[:0] = [HERE, RECIPE]
try:
    import random

    import numpy as np
    import music
    from music import HELD_OUT, INSTRUMENTS, Piece, length_bytes
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SCRIPT = os.path.join(RECIPE, "music.py")
CAN_PLAY = subprocess.run(["sh", "-c", "command -v timidity && ls /etc/timidity/freepats.cfg"],
                          capture_output=True).returncode == 0


def events_of(midi):
    """[(tick, status byte, data bytes)] of a file of one track."""
    assert midi[:14] == b"MThd\0\0\0\6\0\0\0\1\x01\xe0" and midi[14:18] == b"MTrk"
    track = midi[22:]
    assert int.from_bytes(midi[18:22], "big") == len(track)
    place, tick, events = 0, 0, []
    while place < len(track):
        delta = 0
        while True:
            delta = delta << 7 | track[place] & 127
            place += 1
            if track[place - 1] < 128:
                break
        tick += delta
        status = track[place]
        size = 2 + track[place + 2] if status == 0xFF else 1 if status & 0xF0 == 0xC0 else 2
        events.append((tick, status, track[place + 1 : place + 1 + size]))
        place += 1 + size
    return events


class Composing(unittest.TestCase):
    def test_lengths(self):
        for number, wanted in ((0, "00"), (127, "7f"), (128, "8100"), (16383, "ff7f"), (16384, "818000")):
            self.assertEqual(length_bytes(number).hex(), wanted)

    def test_pieces(self):
        programs = set()
        for seed in range(30):
            piece = Piece(random.Random(seed), 40, INSTRUMENTS)
            events = events_of(piece.midi())
            self.assertEqual(events[0][1:], (0xFF, b"\x51\x03" + piece.quarter_us.to_bytes(3, "big")))
            self.assertEqual(events[-1][1:], (0xFF, b"\x2f\x00"))
            self.assertTrue(all(byte < 128 for _, status, data in events if status != 0xFF for byte in data))
            programs.update(data[0] for _, status, data in events if status & 0xF0 == 0xC0)
            begun = sorted((status & 15, data[0]) for _, status, data in events if status & 0xF0 == 0x90)
            ended = sorted((status & 15, data[0]) for _, status, data in events if status & 0xF0 == 0x80)
            self.assertEqual(begun, ended)
            self.assertGreater(len(begun), 5)
            self.assertGreater(events[-1][0] / music.QUARTER * piece.quarter_us / 1e6, 30)  # seconds
        self.assertFalse(programs.intersection(HELD_OUT))
        self.assertGreater(len(programs), 30)

    def test_the_same_again(self):
        one, two, other = (Piece(random.Random(seed), 20, INSTRUMENTS).midi() for seed in (1, 1, 2))
        self.assertEqual(one, two)
        self.assertNotEqual(one, other)


@unittest.skipUnless(CAN_PLAY, "timidity or freepats is not installed")
class Playing(unittest.TestCase):
    def run_script(self, *options):
        return subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True)

    def test_wav(self):
        with tempfile.TemporaryDirectory() as folder:
            pieces = []
            for options in (["--seed", "3"], ["--seed", "3"], ["--seed", "3", "--held-out"]):
                path = os.path.join(folder, "music.wav")
                done = self.run_script("--wav", path, "--seconds", "45", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                with wave.open(path) as f:
                    self.assertEqual((f.getnchannels(), f.getsampwidth(), f.getframerate()), (1, 2, 16000))
                    pieces.append(np.frombuffer(f.readframes(1 << 30), "<i2"))
            self.assertTrue(42 * 16000 < len(pieces[0]) <= 45 * 16000)
            self.assertTrue(np.array_equal(pieces[0], pieces[1]))
            self.assertFalse(np.array_equal(pieces[0][: 16000 * 30], pieces[2][: 16000 * 30]))
            self.assertGreater(np.abs(pieces[0].astype(int)).max(), 20000)
            loud = np.abs(pieces[0][: len(pieces[0]) // 4000 * 4000].reshape(-1, 4000).astype(int)).max(1)
            self.assertGreater(np.mean(loud > 300), 0.7)  # it plays nearly all the time

    def test_what_is_added(self):
        try:
            import folder as folders
            from data import music_of, noise_of
        except ImportError as missing:
            self.skipTest(str(missing))
        with tempfile.TemporaryDirectory() as folder:
            folders.make(folder)
            before = [[row[0] for row in noise_of(folder, held).rows] for held in (False, True)]
            self.assertIsNone(music_of(folder))
            for minutes in ("0.7", "1.4", "1.4"):
                done = self.run_script("--data", folder, "--minutes", minutes)
                self.assertEqual(done.returncode, 0, done.stderr)
            recorded = music_of(folder)
            self.assertEqual([row[0] for row in recorded.rows], ["music-1-0000", "music-1-0001"])
            for row in recorded.rows:
                self.assertGreater(np.abs(recorded.samples(row)).max(), 0.6)
            self.assertEqual(before, [[row[0] for row in noise_of(folder, held).rows] for held in (False, True)])

    def test_wrong_arguments(self):
        for options in ([], ["--data", "x", "--wav", "y"]):
            done = self.run_script(*options)
            self.assertEqual(done.returncode, 2)
            self.assertIn("either --data or --wav", done.stderr)


if __name__ == "__main__":
    unittest.main()
