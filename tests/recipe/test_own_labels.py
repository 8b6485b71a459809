"""Training data out of what the program hears in recordings without transcripts."""

import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import own_labels
    from sound import decode, pcm16
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)
import clones

STENO, MODEL, SPEECH = (os.environ[name] for name in ("STENO", "STENO_MODEL", "STENO_RECORDING"))
CLIP = "dataset/clips/common_voice_en_5.mp3"


def heard(*confidences, step_ms=500):
    return [{"word": f"w{n}", "start_ms": n * step_ms, "end_ms": n * step_ms + 300, "confidence": c}
            for n, c in enumerate(confidences)]


class Runs(unittest.TestCase):
    def test_what_is_sure(self):
        words = heard(0.9, 0.9, 0.1, 0.8, 0.9, 0.5, 0.9, 0.3, 0.5, 0.5, 0.5, 0.3, 0.9)
        self.assertEqual(own_labels.runs(words, 0.4, 0.7, 3), [(3, 6)])
        self.assertEqual(own_labels.runs(words, 0.4, 0.5, 3), [(3, 6), (8, 10)])
        self.assertEqual(own_labels.runs(words, 0.4, 0.7, 2), [(0, 1), (3, 6)])
        self.assertEqual(own_labels.runs(heard(0.9, 0.9, 0.9), 0.4, 0.7, 3), [(0, 2)])
        self.assertEqual(own_labels.runs([], 0.4, 0.7, 3), [])

    def test_longest(self):
        found = own_labels.runs(heard(*[1.0] * 60), 0.4, 0.7, 3)
        self.assertEqual([place for run in found for place in range(run[0], run[1] + 1)], list(range(60)))
        words = heard(*[1.0] * 60)
        self.assertLessEqual(max(words[b]["end_ms"] - words[a]["start_ms"] for a, b in found), own_labels.LONGEST_MS)

    def test_cut(self):
        words = heard(1, 1, 1, 1)
        self.assertEqual(own_labels.cut(words, 1, 2, 9000), (400, 1400))
        self.assertEqual(own_labels.cut(words, 0, 3, 9000), (0, 2100))
        self.assertEqual(own_labels.cut(words, 0, 3, 1900), (0, 1900))
        words[2]["start_ms"] += 2000
        self.assertEqual(own_labels.cut(words, 0, 1, 9000), (0, 1100))


class Program(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        with open(SPEECH, "rb") as file:
            self.speech = pcm16(decode(file.read(), SPEECH))

    def run_main(self, path=CLIP):
        rows = clones.write(self.folder, "rows.tsv", [
            "repository\tcommit\tpath\tsource\tspeaker\tseconds\tnote\ttext",
            f"a/clips\tHEAD\t{path}\tcommonvoice\t\t0\t\t",
            "a/clips\tHEAD\tdataset/clips/no_sound.mp3\tcommonvoice\t\t0\t\t"])
        sys.argv = ["own_labels.py", "--rows", rows, "--clones", self.folder, "--data", self.folder, "--model", MODEL,
                    "--steno", STENO]
        own_labels.main()
        with open(os.path.join(self.folder, "train.tsv"), encoding="utf-8") as file:
            return [line.rstrip("\n").split("\t") for line in file]

    def test_from_clone_to_index(self):
        """Sure words only, each with its sound; not twice; nothing of dev."""
        clones.write(self.folder, "dev.tsv", ["commonvoice-common_voice_en_7\t0\t9\tcommonvoice\tCV1\tsaid in dev"])
        place = os.path.join(self.folder, "a+clips", CLIP)
        os.makedirs(os.path.dirname(place))
        shutil.copy(SPEECH, place)
        clones.clone(self.folder, "a/clips", {"dataset/clips/no_sound.mp3": "no sound"})
        rows = self.run_main()
        self.assertTrue(rows)
        samples = 0
        for name, first, count, source, speaker, text in rows:
            self.assertRegex(name, r"^own-commonvoice-common_voice_en_5-\d+$")
            self.assertEqual((int(first), source, speaker), (samples, "commonvoice", "own-commonvoice-common_voice_en_5"))
            self.assertGreaterEqual(len(text.split()), 3)
            samples += int(count)
        self.assertEqual(os.path.getsize(os.path.join(self.folder, "train.pcm")), 2 * samples)
        self.assertLessEqual(samples, len(self.speech))
        self.assertEqual(self.run_main(), rows)
        with self.assertRaisesRegex(ValueError, "dev"):
            self.run_main("x/common_voice_en_7.mp3")

    def test_unreadable_is_left_out(self):
        heard = own_labels.transcribe(STENO, MODEL, 640, {"speech": self.speech, "nothing": self.speech[:0]})
        self.assertTrue(heard["speech"])
        self.assertEqual(heard.get("nothing", []), [])
        with self.assertRaisesRegex(RuntimeError, "none of 1"):
            own_labels.transcribe(STENO, "no-such-model", 640, {"speech": self.speech})


if __name__ == "__main__":
    unittest.main()
