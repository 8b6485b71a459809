"""models/recipe/learning_curve.py: a law of powers is found, and what it leads to."""

import math
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "recipe", "learning_curve.py")
sys.path.insert(0, os.path.dirname(SCRIPT))

from learning_curve import hours_for, law  # noqa: E402


class LearningCurve(unittest.TestCase):
    def run_script(self, table, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
            f.write(table)
            f.flush()
            return subprocess.run([sys.executable, SCRIPT, f.name, *options], capture_output=True, text=True)

    def test_law(self):
        points = [(hours, 80 * hours**-0.5) for hours in (1, 4, 9, 30)]
        scale, exponent = law(points)
        self.assertAlmostEqual(scale, 80)
        self.assertAlmostEqual(exponent, 0.5)
        self.assertAlmostEqual(hours_for(8, scale, exponent), 100)

    def test_least_squares(self):
        """What is too high here and too low there by the same factor leaves the law in the middle."""
        scale, exponent = law([(1, 50 * 1.1), (1, 50 / 1.1), (16, 25 * 1.1), (16, 25 / 1.1)])
        self.assertAlmostEqual(scale, 50)
        self.assertAlmostEqual(exponent, 0.25)

    def test_errors_that_do_not_fall(self):
        self.assertEqual(hours_for(15, *law([(1, 30), (10, 30)])), math.inf)
        self.assertEqual(hours_for(15, *law([(1, 30), (10, 40)])), math.inf)

    def test_table(self):
        done = self.run_script("# a comment\n4\t40\t40.0\t# the second\n1\t10\t80\n\n", "--goal", "20")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "error = 80.0 * hours ** -0.500")
        self.assertEqual(lines[1], "20 % at 16 hours of recordings, 160 heard")
        self.assertEqual(lines[2], "by 1 and 4 hours alone: 16")

    def test_too_few(self):
        done = self.run_script("1 10 80\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("a line takes two points", done.stderr)


if __name__ == "__main__":
    unittest.main()
