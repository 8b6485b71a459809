"""`steno wer`: with the engine's own words as the reference there are no errors; each change to them
is one error of a known kind."""

import json
import unittest

import client
from client import AUDIO, INPUT, OUTPUT, WAV, noise, steno, write_wav


class WordErrors(client.ClientTest):
    def setUp(self):
        super().setUp()
        self.names = ["a.wav", "b.wav", "c.wav"]
        self.texts = []
        for seed, name in enumerate(self.names):
            path = write_wav(self.folder / name, [noise(4, seed=seed)])
            self.texts.append(" ".join(self.succeed("transcribe", path).split()))
            self.assertGreater(len(self.texts[-1].split()), 2)

    def manifest(self, lines):
        path = self.folder / "manifest.tsv"
        path.write_text("".join("\t".join(line) + "\n" for line in lines))
        return path

    def measure(self, lines, *options):
        return json.loads(self.succeed("wer", "--json", self.manifest(lines), *options))

    def test_own_words(self):
        report = self.measure(zip(self.names, self.texts))
        total = report["total"]
        self.assertEqual(report["groups"], [])
        self.assertEqual(total["recordings"], 3)
        self.assertEqual(total["words"], sum(len(text.split()) for text in self.texts))
        self.assertEqual(total["wer_percent"], 0)
        self.assertEqual(total["audio_ms"], 12000)
        self.assertGreater(total["real_time_factor"], 0)

    def test_known_errors_by_group(self):
        a, b, c = self.texts
        lines = [
            ("audio", "text", "group"),
            ("a.wav", a.upper() + " Missing.", "one"),
            ("b.wav", " ".join(b.split()[1:]), "two"),
            ("c.wav", " ".join(["Wrong!"] + c.split()[1:]), "one"),
        ]
        report = self.measure(lines, "--jobs", "2")
        one, two = report["groups"]
        kinds = ("substitutions", "deletions", "insertions")
        self.assertEqual((one["group"], two["group"]), ("one", "two"))
        self.assertEqual([one[kind] for kind in kinds], [1, 1, 0])
        self.assertEqual([two[kind] for kind in kinds], [0, 0, 1])
        self.assertEqual([report["total"][kind] for kind in kinds], [1, 1, 1])
        words = len((a + " " + c).split()) + 1
        self.assertAlmostEqual(one["wer_percent"], 200 / words, places=3)

    def test_table_and_details(self):
        details = self.folder / "details.tsv"
        lines = [(name, text, "all") for name, text in zip(self.names, self.texts)]
        text = self.succeed("wer", self.manifest(lines), "--details", details)
        header, group, total = text.splitlines()
        self.assertEqual(header.split()[0], "group")
        self.assertEqual(group.split()[:2], ["all", "3"])
        self.assertEqual(total.split()[0], "total")
        self.assertEqual(total.split()[6], "0.00")
        rows = [line.split("\t") for line in details.read_text().splitlines()]
        self.assertEqual(rows[0][0], "audio")
        self.assertEqual([row[7] for row in rows[1:]], self.texts)
        self.assertEqual([row[6] for row in rows[1:]], self.texts)
        self.fail_with(
            OUTPUT, "/none/x", "wer", self.manifest(lines), "--details", "/none/x"
        )

    def test_failures_are_not_counted(self):
        (self.folder / "bad.wav").write_text("bad")
        lines = [("a.wav", self.texts[0]), ("bad.wav", "x"), ("none.wav", "x")]
        result = steno("wer", "--json", self.manifest(lines))
        self.assertEqual(result.returncode, AUDIO)
        self.assertEqual(result.stderr.count("\n"), 2)
        report = json.loads(result.stdout)
        self.assertEqual((report["failed"], report["total"]["recordings"]), (2, 1))
        self.fail_with(INPUT, "none.wav", "wer", self.manifest(lines[2:]))

    def test_bad_manifests(self):
        self.fail_with(INPUT, "/none.tsv", "wer", "/none.tsv")
        self.fail_with(INPUT, str(self.folder), "wer", self.folder)
        self.fail_with(AUDIO, "no recordings", "wer", self.manifest([]))
        self.fail_with(AUDIO, ":1: ", "wer", self.manifest([("only",)]))
        self.fail_with(AUDIO, "not a text file", "wer", WAV)


if __name__ == "__main__":
    unittest.main()
