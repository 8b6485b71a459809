"""Recordings packed for training: what is in the folder, what is left out, and a run that goes on."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "..", "..", "models", "recipe")
sys.path[:0] = [HERE, RECIPE]
try:
    import numpy as np
    import soundfile  # noqa: F401, with which files are written and read
    import folder
    from data import read_index
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SECOND = 16000


def tone(seed):
    """A second of one, other for each seed."""
    return folder.ogg(0.25 * np.sin(np.arange(SECOND) * (0.05 + 0.01 * seed)))


class Prepare(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.speech, self.out = (os.path.join(work.name, name) for name in ("speech", "out"))
        os.makedirs(self.speech)
        rows = [("a", "train", "one two"), ("b", "train", "in 1984"), ("c", "dev", "three"),
                ("broken", "train", "four"), ("d", "train", "Five, six.")]
        with zipfile.ZipFile(os.path.join(self.speech, "some.zip"), "w") as archive:
            for seed, (name, _, _) in enumerate(rows):
                archive.writestr(name + ".opus", b"rubbish" if name == "broken" else tone(seed))
        with open(os.path.join(self.speech, "manifest.tsv"), "w") as f:
            f.write("id\tfile\tsource\tspeaker\tsplit\ttext\n")
            for name, split, text in rows:
                f.write(f"{name}\tsome.zip\there\ts1\t{split}\t{text}\n")
        with zipfile.ZipFile(os.path.join(self.speech, "noise.zip"), "w") as archive:
            archive.writestr("n.opus", tone(9))
        with open(os.path.join(self.speech, "noise.tsv"), "w") as f:
            f.write("id\tsource\nn\tstreet\n")

    def prepare(self, *arguments):
        command = [sys.executable, os.path.join(RECIPE, "prepare.py")]
        command += ["--speech", self.speech, "--out", self.out, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    def packed(self):
        return [pathlib.Path(self.out, "train" + kind).read_bytes() for kind in (".pcm", ".tsv")]

    def names(self, split):
        return [row[0] for row in read_index(self.out, split)]

    def test_all_of_it(self):
        told = self.prepare()
        self.assertIn("1 recordings left out: transcript outside the alphabet", told.stderr)
        self.assertIn("broken", told.stderr)
        self.assertEqual([self.names(split) for split in ("train", "dev", "noise")], [["a", "d"], ["c"], ["n"]])
        train = read_index(self.out, "train")
        self.assertEqual([row[3:] for row in train], [("here", "s1", "one two"), ("here", "s1", "five six")])
        pcm = np.fromfile(os.path.join(self.out, "train.pcm"), "<i2")
        self.assertEqual(len(pcm), sum(row[2] for row in train))
        for _, first, count, *_ in train:
            self.assertEqual(count, SECOND)
            self.assertAlmostEqual(pcm[first : first + count].max() / 32768, 0.25, delta=0.05)

    def test_goes_on(self):
        self.prepare("--only", "dev")
        self.assertEqual(sorted(os.listdir(self.out)), ["dev.pcm", "dev.tsv"])
        self.prepare()
        path = os.path.join(self.out, "train")
        whole = self.packed()
        # As if it had been broken off after the first of them.
        first = read_index(self.out, "train")[0]
        os.truncate(path + ".tsv", whole[1].index(b"\n") + 1)
        os.truncate(path + ".pcm", 2 * first[2])
        self.assertIn("train: 1 recordings more", self.prepare("--only", "train").stdout)
        self.assertEqual(self.packed(), whole)


if __name__ == "__main__":
    unittest.main()
