"""Rows of recordings out of the manifests of public repositories."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import manifests
    from more import Repository, chosen, identity
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)
import clones

BANK = "data/minds14_banking/metadata.csv"
BANK_LINES = (
    "file_name,language_variety,intent,transcript,english_transcription,duration,source_path",
    "en-AU_abroad_0001.wav,en-AU,abroad,\"My card, abroad\",,7.12,en-AU~ABROAD/CA42_5.wav",
    "en-GB_freeze_0002.wav,en-GB,freeze,Said in dev,,3.00,en-GB~FREEZE/602b_2.wav",
)


def spoken(folder, name, text):
    return json.dumps({"audio_filepath": f"/home/x/{folder}/{name}.wav", "duration": 2.5, "text": text})


class Manifests(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        clones.write(self.folder, "train.tsv", ["librispeech-19-198-0001\t0\t9\tlibrispeech\tLS19\tknown"])
        clones.write(self.folder, "dev.tsv", ["librispeech-84-1-0001\t0\t9\tlibrispeech\tLS84\tsaid in dev"])
        self.bank, self.read = "a/bank", "a/read"
        clones.clone(self.folder, self.bank, {BANK: "\n".join(BANK_LINES) + "\n"})
        clones.clone(self.folder, self.read, {
            "train_manifest.json": "\n".join([
                spoken("train", "19-198-0001", "known"), spoken("train", "103-1240-0000", "the first\tone")]) + "\n",
            "val_manifest.json": spoken("val", "103-1240-0007", "Said in DEV") + "\n"})

    def rows(self, name, corpus):
        known, _ = manifests.read_index(os.path.join(self.folder, "train.tsv"))
        names, texts = manifests.read_index(os.path.join(self.folder, "dev.tsv"))
        with Repository(self.folder, name) as repository:
            return list(manifests.rows_of(corpus(manifests.Snapshot(repository, "HEAD")), known | names, texts))

    def test_librispeech(self):
        """What is in the index already, or said in dev, is not there."""
        self.assertEqual(self.rows(self.read, manifests.librispeech), [
            ["train/103-1240-0000.wav", "librispeech", "LS103", "2.5", "", "the first one"]])

    def test_minds14(self):
        self.assertEqual(self.rows(self.bank, manifests.minds14), [
            ["data/minds14_banking/en-AU_abroad_0001.wav", "minds14", "MIen-AUCA42", "7.12", "", "My card, abroad"]])

    def test_stories(self):
        """Those under CC BY that have a recording for the title and one for each page."""
        def index(*stories):
            return "".join(f"[{n}](x) | [t](x) | a | [{licence}](x) | A Reader\n" for n, licence in stories)

        page = "# The\ttitle\n\n##\nIt was.\n\n##\n* License: [CC-BY]\n"
        stories = {"0001": "CC-BY", "0002": "CC-BY-NC", "0003": "CC-BY"}
        recordings = {f"en/{n}_x/mp3/0{k}.mp3": "sound" for n in stories for k in (1, 2)}
        clones.clone(self.folder, "a/told", {
            "en/README.md": index(*stories.items()), "en/0003_x/mp3/03.mp3": "sound", "en/0001_x/0001_x.mp3": "all",
            **recordings})
        clones.clone(self.folder, "a/written", {f"en/{n}_x.md": page for n in stories})
        with Repository(self.folder, "a/told") as told, Repository(self.folder, "a/written") as written:
            found = list(manifests.african_storybook(
                manifests.Snapshot(told, "HEAD"), manifests.Snapshot(written, "HEAD")))
        self.assertEqual(found, [
            ("en/0001_x/mp3/01.mp3", "africanstorybook", "ASAReader0001", 0, "The title"),
            ("en/0001_x/mp3/02.mp3", "africanstorybook", "ASAReader0001", 0, "It was.")])

    def test_untranscribed(self):
        """Clips that no table names, and that are not here already."""
        clips = {f"dataset/clips/common_voice_en_{number}.mp3": "sound" for number in range(1, 6)}
        tables = {f"dataset/{name}.tsv": f"x\tcommon_voice_en_{number}.mp3\ty\n"
                  for number, name in enumerate(("validated", "invalidated", "testing_data"), 1)}
        clones.clone(self.folder, "a/clips", {**clips, **tables})
        with Repository(self.folder, "a/clips") as repository:
            found = manifests.commonvoice(manifests.Snapshot(repository, "HEAD"))
            rows = list(manifests.rows_without_text(found, {"CV9-common_voice_en_4"}))
        self.assertEqual(rows, [["dataset/clips/common_voice_en_5.mp3", "commonvoice", "", "0", "", ""]])

    def test_more_reads_them(self):
        """The file is one of more.py's."""
        script = (
            "import manifests as m\n"
            f"m.CORPORA = (('{self.bank}', 'HEAD', m.minds14), ('{self.read}', 'HEAD', m.librispeech))\n"
            "m.main()")
        out = os.path.join(self.folder, "rows.tsv")
        result = subprocess.run(
            [sys.executable, "-c", script, "--clones", self.folder, "--data", self.folder, "--out", out],
            env={**os.environ, "PYTHONPATH": os.path.dirname(manifests.__file__)}, capture_output=True, text=True,
            check=True)
        self.assertEqual(result.stdout, "a/bank: 1 recordings\na/read: 1 recordings\n")
        with open(out, encoding="utf-8", newline="") as f:
            pairs = chosen(list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)), 2, 1)
        self.assertEqual([(identity(row), text) for row, text in pairs], [
            ("minds14-MIen-AUCA42-en-AU_abroad_0001", "my card abroad"),
            ("librispeech-LS103-103-1240-0000", "the first one")])

    def test_a_clone_that_is_missing(self):
        with self.assertRaisesRegex(FileNotFoundError, "no clone of a/other"):
            self.rows("a/other", manifests.librispeech)


if __name__ == "__main__":
    unittest.main()
