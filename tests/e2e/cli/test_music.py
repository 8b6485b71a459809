"""The shipped model hears no words in music.  Instruments that it was not trained with play pieces that it does
not know.  Skipped where it is not in the tree, or music can't be made."""

import os
import subprocess
import sys
import unittest

import client

SHIPPED = client.SOURCE / "models" / "en.safetensors"
SECONDS = 600


class Music(client.ClientTest):
    def test_no_words(self):
        piece = self.folder / "music.wav"
        command = [sys.executable, client.SOURCE / "models" / "recipe" / "music.py", "--wav", piece]
        made = subprocess.run(
            [*command, "--seconds", str(SECONDS), "--seed", "7", "--held-out"], capture_output=True, text=True)
        if "Debian's packages" in made.stderr:
            self.skipTest(made.stderr.strip())
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(self.succeed("transcribe", piece, model=SHIPPED), "")


if __name__ == "__main__":
    if not SHIPPED.exists():
        print("skipped: models/en.safetensors is not in the tree")
        sys.exit(77)
    unittest.main()
