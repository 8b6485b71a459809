"""Google's own client for Node, unmodified, on a daemon of ours.  Installed by npm into the build
folder; skipped where there is no npm or it cannot get the package."""

import os
import pathlib
import shutil
import subprocess
import unittest

import running
import speaking

CLIENT = running.SOURCE / "clients" / "node"
INSTALLED = pathlib.Path(os.environ["NODE_FOLDER"])
FLAC = speaking.FORMATS / "speech.flac"


def install():
    """Why the client can't be run, or None."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not there"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "transcribe.js"):
        shutil.copy(CLIENT / name, INSTALLED / name)
    if (INSTALLED / "node_modules" / "@google-cloud" / "speech").exists():
        return None
    try:
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries", "1",
             "--fetch-timeout", "20000"],
            cwd=INSTALLED, check=True, capture_output=True, timeout=240)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return "npm can't get @google-cloud/speech"
    return None


UNABLE = install()


@unittest.skipIf(UNABLE, UNABLE)
class NodeTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.serve()

    def transcribe(self, *arguments):
        return subprocess.run(
            ["node", "transcribe.js", "--server", self.address, *map(str, arguments)],
            cwd=INSTALLED, capture_output=True, text=True, timeout=running.PATIENCE)

    def test_the_same_words(self):
        expected = [result["text"] for result in speaking.transcribe(FLAC)["results"]]
        self.assertTrue(expected)
        for mode in ("stream", "whole", "long"):
            result = self.transcribe("--mode", mode, FLAC)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(result.stdout.splitlines(), expected, mode)

    def test_trouble(self):
        for mode in ("stream", "whole", "long"):
            result = self.transcribe("--mode", mode, running.SOURCE / "README.md")
            self.assertEqual(result.returncode, 1)
            self.assertIn("encoding: not given", result.stderr)


if __name__ == "__main__":
    unittest.main()
