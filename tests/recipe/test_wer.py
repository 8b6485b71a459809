"""The recipe's word error rate: known answers, and agreement with NIST sclite (package sctk).

sclite weighs a substitution 4 and an insertion or deletion 3, where the recipe counts the fewest
errors: its total can only be equal or higher, and on recognisers' output it is nearly always equal.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
from wer import Tally, errors  # noqa: E402

WORDS = "the a of to and in that it was his he with as had for you not be but is at on her".split()


def garbled(words, rate, seeded):
    """The words with about `rate` of them replaced, dropped or doubled."""
    out = []
    for word in words:
        chance = seeded.random()
        if chance < rate / 3:
            continue
        out.append(seeded.choice(WORDS) if chance < rate * 2 / 3 else word)
        if chance > 1 - rate / 3:
            out.append(seeded.choice(WORDS))
    return out


def sclite(pairs):
    """(words, substitutions, deletions, insertions) as sclite sums them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, column in (("ref", 0), ("hyp", 1)):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                for number, pair in enumerate(pairs):
                    f.write(f"{' '.join(pair[column])} (s-{number})\n")
        command = ["sctk", "sclite", "-i", "rm", "-r", "ref", "trn", "-h", "hyp", "trn", "-o", "rsum", "stdout"]
        out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    fields = re.search(r"\|\s*Sum\s*\|(.*)", out).group(1).replace("|", " ").split()
    _, words, _, sub, deleted, inserted = (int(x) for x in fields[:6])
    return words, sub, deleted, inserted


class Errors(unittest.TestCase):
    def test_known(self):
        for reference, hypothesis, counts in (
            ("", "", (0, 0, 0)),
            ("a b c", "a b c", (0, 0, 0)),
            ("a b c", "", (0, 3, 0)),
            ("", "a b", (0, 0, 2)),
            ("a b c", "a x c", (1, 0, 0)),
            ("a b c", "a c", (0, 1, 0)),
            ("a b c", "a b b c", (0, 0, 1)),
            ("a b c d", "b c d e", (0, 1, 1)),
        ):
            self.assertEqual(errors(reference.split(), hypothesis.split()), counts, (reference, hypothesis))

    def test_groups(self):
        tally = Tally()
        tally.add("x", "a b c d", "a b c")
        tally.add("y", "a b", "a b c d")
        self.assertEqual(tally.rates(), {"x": 0.25, "y": 1.0, "all": 0.5})

    @unittest.skipUnless(shutil.which("sctk"), "sclite (package sctk) is not installed")
    def test_against_sclite(self):
        seeded = random.Random(5)
        for rate in (0.05, 0.2, 0.5):
            pairs = []
            for _ in range(150):
                words = [seeded.choice(WORDS) for _ in range(seeded.randint(3, 30))]
                pairs.append((words, garbled(words, rate, seeded) or ["a"]))
            ours = sum(sum(errors(*pair)) for pair in pairs)
            words, *theirs = sclite(pairs)
            self.assertEqual(words, sum(len(pair[0]) for pair in pairs))
            self.assertLessEqual(ours, sum(theirs))
            self.assertLessEqual(sum(theirs) - ours, 0.01 * words + 1)


if __name__ == "__main__":
    unittest.main()
