"""The shipped model on real speech, through the command line.  Skipped where it is not in the tree."""

import os
import pathlib
import sys
import unittest

import client
from client import FORMATS, SPEECH, WAV

SHIPPED = client.SOURCE / "models" / "en.safetensors"


def distance(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


class Words(client.ClientTest):
    def words(self, *arguments):
        return self.succeed("transcribe", *arguments, model=SHIPPED).split()

    def test_formats_agree(self):
        for name in ("speech.flac", "speech.aiff"):
            self.assertEqual(self.words(FORMATS / name), self.words(WAV))
        # Compression is audible to a model trained on few hours: "what's that" may become "what set".
        said = "what's that for demanded ned wonderingly".split()
        for name in ("speech.wav", "speech-mulaw.wav", "speech.ogg", "speech.opus", "speech.mp3"):
            words = self.words(FORMATS / name)
            self.assertLessEqual(distance(said, words), 2, f"{name}: {words}")

    def test_endpointing_keeps_the_words(self):
        demo = SPEECH / "demo.flac"
        self.assertEqual(self.words(demo), self.words(demo, "--no-endpointing"))

    def test_silence_says_nothing(self):
        path = client.write_wav(self.folder / "silence.wav", [[0] * 160000])
        self.assertEqual(self.words(path), [])

    def test_recordings_are_recognised(self):
        """Far better than chance; how well exactly is measured elsewhere."""
        import json

        lines = (SPEECH / "manifest.tsv").read_text().splitlines()[1:]
        manifest = self.folder / "manifest.tsv"
        rows = [line.split("\t") for line in lines]
        manifest.write_text("".join(f"{SPEECH / row[0]}\t{row[4]}\n" for row in rows))
        report = json.loads(self.succeed("wer", "--json", manifest, model=SHIPPED))
        self.assertEqual(report["total"]["recordings"], len(rows))
        self.assertLess(report["total"]["wer_percent"], 60)


if __name__ == "__main__":
    if not SHIPPED.exists():
        print(f"skipped: {pathlib.Path(os.path.relpath(SHIPPED, client.SOURCE))} is missing")
        sys.exit(77)
    unittest.main()
