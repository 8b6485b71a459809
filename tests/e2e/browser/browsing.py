"""What the tests in a browser share: Chromium, driven by playwright-core, which npm installs into the
build folder.  Skipped where there is no browser, or npm can't get the package."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

STENO = os.environ["STENO"]
SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
FOLDER = pathlib.Path(os.environ["BROWSER_FOLDER"])
MODEL = SOURCE / "models" / "en.safetensors"
PATIENCE = 600
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def install(*scripts):
    """Puts the scripts where node finds the package.  Why this can't be run, or None."""
    if CHROMIUM is None:
        return "there is no chromium"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not there"
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Tests run side by side.
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", *scripts):
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


class SceneTest(unittest.TestCase):
    """A test that plays scenes, and does what they say is to happen, by obey(words)."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def play(self, scene, port, token=""):
        """What came of a scene of captions.js."""
        pictures = FOLDER / "captions"
        pictures.mkdir(exist_ok=True)
        with open(os.path.join(self.folder, "errors"), "w+", encoding="utf-8") as errors:
            process = subprocess.Popen(
                ["node", "captions.js", CHROMIUM, str(port), scene, str(pictures), token],
                cwd=FOLDER, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.stdin.close)
            self.addCleanup(process.kill)
            seen = {}
            for line in process.stdout:
                seen = json.loads(line)
                if "say" in seen:
                    self.obey(seen["say"])
                    process.stdin.write("\n")
                    process.stdin.flush()
            status = process.wait(PATIENCE)
            errors.seek(0)
            self.assertEqual((status, errors.read()), (0, ""))
        self.assertEqual((seen["messages"], seen["strangers"]), ([], []))
        return seen


def main(unable):
    """Runs the script's tests, or says why they can't be."""
    if unable:
        print(f"skipped: {unable}")
        sys.exit(77)
    unittest.main()
