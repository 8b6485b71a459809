"""Runs under valgrind: no errors, nothing lost.  The reference operators alone, since oneDNN makes
code that valgrind may not know."""

import shutil
import subprocess
import sys
import unittest

import client
from client import WAV, noise, write_wav


class Memory(client.ClientTest):
    def check(self, status, *arguments, **more):
        result = subprocess.run(
            [
                "valgrind",
                "--quiet",
                "--error-exitcode=99",
                "--leak-check=full",
                client.STENO,
                *map(str, arguments),
            ],
            capture_output=True,
            env=client.environment(),
            **more,
        )
        self.assertEqual(result.returncode, status, result.stderr.decode())
        self.assertNotIn(b"==", result.stderr)

    def test_usage(self):
        self.check(0, "--help")
        self.check(client.USAGE, "transcribe", "--foo")
        self.check(client.MODEL, "transcribe", "-m", "/none", WAV)
        self.check(0, "model", "info", "--json", "--operators=reference")

    def test_transcribe(self):
        short = write_wav(self.folder / "short.wav", [noise(1), noise(1, seed=2)])
        other = write_wav(self.folder / "other.wav", [noise(0.6)])
        bad = self.folder / "bad.wav"
        bad.write_text("bad")
        reference = ["--operators=reference", "--threads=1", "-j2", "--progress=always", "-q"]
        self.check(client.AUDIO, "transcribe", *reference, "--interim", short, bad, other)
        self.check(0, "transcribe", *reference, "--per-channel", "-d", self.folder, short, other)
        self.check(
            client.OUTPUT, "transcribe", *reference, "-o", self.folder / "none" / "x", short
        )

    def test_wer(self):
        write_wav(self.folder / "short.wav", [noise(1)])
        manifest = self.folder / "manifest.tsv"
        manifest.write_text("short.wav\ta b c\tgroup\nnone.wav\tx\n")
        reference = ["--operators=reference", "--threads=1"]
        details = self.folder / "details"
        self.check(client.INPUT, "wer", *reference, "--details", details, manifest)


if __name__ == "__main__":
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        sys.exit(77)
    unittest.main()
