"""The page of `steno inspect` in a real browser: Chromium, driven by playwright-core, which npm
installs into the build folder.  Skipped where there is no browser, or npm can't get the package."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

STENO = os.environ["STENO"]
SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
FOLDER = pathlib.Path(os.environ["BROWSER_FOLDER"])
MODEL = SOURCE / "models" / "en.safetensors"
RECORDING = SOURCE / "tests" / "data" / "speech" / "demo.flac"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 300


def install():
    """Why this can't be run, or None."""
    if CHROMIUM is None:
        return "there is no chromium"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not there"
    if not MODEL.exists():
        return "the shipped model is not there"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "look.js"):
        shutil.copy(SOURCE / "tests" / "e2e" / "browser" / name, FOLDER / name)
    if (FOLDER / "node_modules" / "playwright-core").exists():
        return None
    try:
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries", "1",
             "--fetch-timeout", "20000"],
            cwd=FOLDER, check=True, capture_output=True, timeout=240)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return "npm can't get playwright-core"
    return None


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
    unable = install()
    if unable:
        print(f"skipped: {unable}")
        sys.exit(77)
    unittest.main()
