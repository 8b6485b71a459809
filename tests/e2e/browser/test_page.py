"""The page of `steno inspect` in a real browser."""

import json
import os
import subprocess
import unittest

import browsing
from browsing import CHROMIUM, FOLDER, MODEL, SOURCE, STENO

RECORDING = SOURCE / "tests" / "data" / "speech" / "demo.flac"
PATIENCE = 300


class PageTest(unittest.TestCase):
    def look(self, scheme, *options):
        page = FOLDER / f"{scheme}.html"
        subprocess.run(
            [STENO, "inspect", RECORDING, "--html", page, *options], check=True, timeout=PATIENCE,
            env=dict(os.environ, STENO_MODEL=str(MODEL)))
        result = subprocess.run(
            ["node", "look.js", page, CHROMIUM, scheme, FOLDER / f"{scheme}.png"],
            cwd=FOLDER, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def check(self, seen, duration):
        self.assertEqual(seen["messages"], [])
        self.assertLessEqual(set(seen["requests"]), {"file", "data"})
        self.assertAlmostEqual(seen["duration"], duration, delta=0.4)
        self.assertTrue(seen["spectra"])
        self.assertEqual(set(seen["spectra"]), {"data:image/png;base64,"})
        self.assertEqual(seen["overlaps"], [])
        self.assertLessEqual(seen["wide"], 0, "the page is as wide as the window")
        self.assertTrue(seen["playing"])
        self.assertEqual(seen["printed"], ["rgb(255, 255, 255)", "none"])

    def test_light(self):
        seen = self.look("light")
        self.check(seen, 15.8)
        self.assertEqual(seen["paper"], "rgb(255, 255, 255)")
        self.assertAlmostEqual(seen["sought"], seen["expected"], delta=0.05)
        self.assertRegex(seen["readout"], r"^\d+\.\d\d s: blank \d\.\d\d, ")

    def test_dark_and_a_part(self):
        seen = self.look("dark", "--from", "4", "--to", "12")
        self.check(seen, 8)
        self.assertNotEqual(seen["paper"], "rgb(255, 255, 255)")
        self.assertAlmostEqual(seen["sought"] + 4, seen["expected"], delta=0.05)


if __name__ == "__main__":
    browsing.main("the shipped model is not there" if not MODEL.exists()
                  else browsing.install("look.js"))
