"""The harder development recordings: each kind as it says, the same again, and a manifest of them."""

import filecmp
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "..", "..", "models", "recipe")
sys.path[:0] = [HERE, RECIPE]
try:
    import numpy as np
    import soundfile
    import torch  # noqa: F401
    import folder
    from data import Recordings, noise_of
    from harder import KINDS
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)


def db(samples):
    return 10 * np.log10(np.mean(samples**2) + 1e-12)


class Harder(unittest.TestCase):
    def run_it(self, data, out, *options):
        command = [sys.executable, os.path.join(RECIPE, "harder.py"), "--data", data, "--out", out, *options]
        subprocess.run(command, check=True, capture_output=True)

    def test_kinds(self):
        with tempfile.TemporaryDirectory() as work:
            folder.make(work, train=1)
            one, two = os.path.join(work, "one"), os.path.join(work, "two")
            self.run_it(work, one, "--every", "2")
            self.run_it(work, two, "--every", "2", "--kinds", "far", "voices-10")
            with open(os.path.join(one, "manifest.tsv"), encoding="utf-8") as f:
                lines = [line.rstrip("\n").split("\t") for line in f]
            dev = Recordings(work, "dev")
            self.assertEqual(len(lines), 2 * len(KINDS))
            self.assertEqual({kind for _, _, kind in lines}, set(KINDS))
            for path, text, kind in lines:
                row = next(r for r in dev.rows if path == f"{kind}/{r[0]}.flac")
                self.assertEqual(text, row[5])
                out, rate_hz = soundfile.read(os.path.join(one, path), dtype="float32")
                clean = dev.samples(row)
                self.assertEqual((rate_hz, len(out)), (16000, len(clean)))
                if kind == "clean":
                    self.assertLess(np.abs(out - clean).max(), 1e-4)
                elif kind == "quiet":
                    self.assertAlmostEqual(db(clean) - db(out), 30, delta=0.5)
                elif kind.startswith(("noise", "voices")):
                    ratio = float(kind.split("-")[1])
                    out *= np.dot(out, clean) / np.dot(out, out)  # it may have been made softer to fit
                    scale = np.dot(out, clean) / np.dot(clean, clean)
                    self.assertAlmostEqual(db(scale * clean) - db(out - scale * clean), ratio, delta=1.5)
                else:
                    self.assertGreater(np.abs(out - clean).max(), 0.01)
            for kind in ("far", "voices-10"):
                for row in dev.rows[::2]:
                    name = os.path.join(kind, row[0] + ".flac")
                    self.assertTrue(filecmp.cmp(os.path.join(one, name), os.path.join(two, name), False))

    def test_noise_is_kept_apart(self):
        with tempfile.TemporaryDirectory() as work:
            folder.make(work, train=1)
            used, kept = ({row[0] for row in noise_of(work, held).rows} for held in (False, True))
            self.assertEqual((len(used), len(kept), len(used & kept)), (14, 2, 0))


if __name__ == "__main__":
    unittest.main()
