"""Spoken sentences: which are chosen, how they are spoken, and what goes into the folder."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import numpy as np
    import soundfile  # synthesizers' files are read with it
    from more import plausible
    from sound import RATE_HZ, pcm16
    import synthesize
    from index import Index
    from synthesize import SIZES, SYNTHESIZERS, Manner, batches, fit, recorded, sentences_of
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe", "synthesize.py")
WORDS = "the old boat went slowly over a river and under its bridge while we all stood there".split()
INSTALLED = [name for name, synthesizer in SYNTHESIZERS.items() if not synthesizer.missing()]


def sentence(seeded, count):
    return " ".join(seeded.choice(WORDS) for _ in range(count))


def manner(**given):
    made = Manner(random.Random(1), [SIZES])
    made.__dict__.update(given)
    return made


class Sentences(unittest.TestCase):
    def test_lines_and_their_parts(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "text")
            with open(path, "w") as f:
                f.write("one two three four\ntoo short\tbut this one is not\none two three four\n" + "far " * 26 + "\n")
            self.assertEqual(sentences_of([path]), ["one two three four", "but this one is not"])

    def test_which_fit(self):
        known = dict.fromkeys(WORDS + ["st", "ii", "mister", "i", "don't", "vivid", "mix"])
        good = ["the old boat went over", "i don't mix a vivid river", "Mr. boat went slowly"]
        bad = [
            "the unknowable boat went",  # outside the dictionary
            "the st went over there",
            "the boat ii went over",
            "all 4 boats went over",
            "the old river",
        ]
        expected = good[:2] + ["mister boat went slowly"]
        self.assertEqual(list(fit(good + bad, known, [])), expected)

    def test_held_out(self):
        seeded = random.Random(1)
        words = dict.fromkeys(f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600))
        pool = list(words)
        seeded.shuffle(pool)
        dev = [pool[:20], pool[20:25]]
        eight = pool[100:104] + pool[6:14] + pool[104:106]
        seven = pool[110:114] + pool[6:13] + pool[114:116]
        within = pool[120:122] + dev[1]  # a short sentence of dev in a longer one is allowed
        lines = [" ".join(line) for line in (eight, seven, dev[1], within, dev[0])]
        self.assertEqual(list(fit(lines, words, [" ".join(d) for d in dev])), [lines[1], lines[3]])

    def test_draw(self):
        texts = [f"sentence {n}" for n in range(200)]
        for name, synthesizer in SYNTHESIZERS.items():
            all_of = [item for batch in batches(synthesizer, name, texts, 1, set()) for item in batch]
            self.assertEqual([text for *_, text in all_of], texts)
            names = [item[0] for item in all_of]
            self.assertEqual(len(set(names)), len(names))
            again = [item for batch in batches(synthesizer, name, texts, 1, set(names[:50])) for item in batch]
            self.assertEqual([item[:2] for item in again], [item[:2] for item in all_of[50:]])
            self.assertEqual([vars(item[2]) for item in again], [vars(item[2]) for item in all_of[50:]])
            other = [item for batch in batches(synthesizer, name, texts, 2, set()) for item in batch]
            self.assertNotEqual([item[1] for item in other], [item[1] for item in all_of])
            self.assertFalse(set(names).intersection(item[0] for item in other))
            voices = {item[1] for item in all_of}
            self.assertGreater(len(voices), min(len(synthesizer.voices), 60) - 1)
            for _, _, drawn, _ in all_of:
                self.assertIn(drawn.size, synthesizer.sizes)
                self.assertAlmostEqual(drawn.stretch * drawn.rate * SIZES, drawn.size)


class Recording(unittest.TestCase):
    def test_level_and_noise(self):
        time = np.arange(2 * RATE_HZ) / RATE_HZ
        speech = np.where(time < 1, np.sin(2 * np.pi * 300 * time), 0)
        for tilt in (0.0, 0.5, 1.0):
            out = recorded(speech, manner(peak=0.5, noise_db=-30.0, noise_tilt=tilt))
            self.assertAlmostEqual(np.abs(out).max(), 0.5, places=6)
            loud, quiet = np.mean(out[: RATE_HZ] ** 2), np.mean(out[RATE_HZ:] ** 2)
            # The tone has twice the power of the whole, half of which is silent.
            self.assertAlmostEqual(10 * np.log10(quiet / loud), -33, delta=2)
        self.assertTrue((recorded(np.zeros(99), manner()) == 0).all())

    def test_index_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            inner = os.path.join(folder, "new")
            for turn in range(2):
                with Index(inner) as index:
                    self.assertEqual(index.done, {"old"} if turn else set())
                    self.assertAlmostEqual(index.hours("s"), turn / 3600)
                    index.add("new" if turn else "old", np.full(RATE_HZ, turn, "<i2"), "s", "v", "text")
            with open(os.path.join(inner, "train.tsv")) as f:
                self.assertEqual(f.read(), f"old\t0\t{RATE_HZ}\ts\tv\ttext\nnew\t{RATE_HZ}\t{RATE_HZ}\ts\tv\ttext\n")
            with open(os.path.join(inner, "left_out.tsv"), "w") as f:
                f.write("sifted\t-40.0\ttext\n")
            with Index(inner) as index:
                self.assertEqual(index.done, {"old", "new", "sifted"})


class Speaking(unittest.TestCase):
    def run_script(self, data, *options, **environment):
        command = [sys.executable, SCRIPT, "--data", data, "--text", os.path.join(data, "text")]
        command += ["--dictionary", os.path.join(data, "dictionary"), "--jobs", "1", *options]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})

    def folder(self, place, count=90):
        seeded = random.Random(3)
        self.dev = sentence(seeded, 12)
        with open(os.path.join(place, "text"), "w") as f:
            f.writelines(line + "\n" for line in [self.dev] * 9)
            f.writelines(sentence(seeded, seeded.randint(4, 12)) + "\n" for _ in range(count))
        with open(os.path.join(place, "dictionary"), "w") as f:
            f.writelines(f"{word} T AH K\n" for word in WORDS)
        with open(os.path.join(place, "dev.tsv"), "w") as f:
            f.write(f"d\t0\t5\ts\tsomeone\t{self.dev}\n")
        with open(os.path.join(place, "train.tsv"), "w") as f:
            f.write("person\t0\t7\tpeople\tanna\tfour words of hers\n")
        with open(os.path.join(place, "train.pcm"), "wb") as f:
            f.write(b"\1\0" * 7)

    def read(self, place):
        with open(os.path.join(place, "train.tsv")) as f:
            rows = [line.rstrip("\n").split("\t") for line in f]
        return rows, np.fromfile(os.path.join(place, "train.pcm"), "<i2")

    @unittest.skipUnless(INSTALLED, "no synthesizer is installed")
    def test_from_text_to_index(self):
        with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as other:
            self.folder(data)
            options = ["--only", *INSTALLED, "--hours", str(len(INSTALLED) * 12 / 3600)]
            done = self.run_script(data, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            rows, pcm = self.read(data)
            self.assertEqual(rows[0][0], "person")
            self.assertTrue((pcm[:7] == 1).all())
            self.assertEqual({row[3] for row in rows[1:]}, {f"synthetic-{name}" for name in INSTALLED})
            place, samples = 7, {}
            for name, first, count, source, speaker, text in rows[1:]:
                self.assertEqual(int(first), place)
                place += int(count)
                samples[source] = samples.get(source, 0) + int(count)
                self.assertTrue(plausible(int(count) / RATE_HZ, text), (name, count))
                self.assertNotEqual(text, self.dev)
                self.assertIn(speaker.partition("-")[2], SYNTHESIZERS[source.partition("-")[2]].voices)
                self.assertGreater(np.abs(pcm[int(first) : place]).max(), 3000)
            self.assertEqual(place, len(pcm))
            shares = {name: SYNTHESIZERS[name].share for name in INSTALLED}
            for name, share in shares.items():
                seconds = len(INSTALLED) * 12 * share / sum(shares.values())
                least = samples[f"synthetic-{name}"] / RATE_HZ
                self.assertTrue(seconds <= least < seconds + 12, (name, least))

            # Once more: nothing is to do.  In another folder, in two steps: the same again.
            self.assertEqual(self.run_script(data, *options).returncode, 0)
            self.assertEqual(self.read(data)[0], rows)
            for hours in ("0.0004", options[-1]):
                done = self.run_script(data, *options[:-1], hours, "--out", other)
                self.assertEqual(done.returncode, 0, done.stderr)
            again, pcm_again = self.read(other)
            self.compare(rows[1:], pcm, again, pcm_again)

    def compare(self, rows, pcm, again, pcm_again):
        """The same recordings but for Festival's diphones, whose lengths may differ (see synthesize.py): so
        one sentence of Festival's more or less may have been enough."""
        rows, again = ({row[0]: row for row in some} for some in (rows, again))
        one_only = rows.keys() ^ again.keys()
        self.assertLessEqual(len(one_only), 1, one_only)
        self.assertTrue(all("festival" in name for name in one_only), one_only)
        for name in rows.keys() & again.keys():
            one, other = rows[name], again[name]
            self.assertEqual(one[3:], other[3:])
            if not one[4].endswith("_diphone"):
                self.assertEqual(one[2], other[2], name)
                samples = [a[int(r[1]) : int(r[1]) + int(r[2])] for a, r in ((pcm, one), (pcm_again, other))]
                self.assertTrue((samples[0] == samples[1]).all(), name)

    def test_every_voice_obeys(self):
        """A pace that is slower by a half takes longer, at any size of the speaker."""
        for name in INSTALLED:
            voices = list(SYNTHESIZERS[name].voices)
            for voice in voices if len(voices) < 10 else voices[:: len(voices) // 5]:
                for size in min(SYNTHESIZERS[name].sizes), max(SYNTHESIZERS[name].sizes):
                    manners = [manner(rate=rate, size=size, semitones=0.0) for rate in (1.0, 0.67)]
                    text = "the boat went slowly under a bridge"
                    spoken = synthesize.speak(name, [(f"{voice}", voice, m, text) for m in manners])
                    brisk, slow = (len(samples) / RATE_HZ - 0.5 for samples in spoken)
                    self.assertTrue(1.2 < slow / brisk < 1.8, (name, voice, size, brisk, slow))

    @unittest.skipUnless(INSTALLED, "no synthesizer is installed")
    def test_text_that_ends(self):
        with tempfile.TemporaryDirectory() as data:
            self.folder(data, count=9)
            done = self.run_script(data, "--only", INSTALLED[0], "--hours", "1")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("no more sentences", done.stderr)
            rows, pcm = self.read(data)
            self.assertEqual(sum(int(row[2]) for row in rows), len(pcm))

    def test_nothing_installed(self):
        with tempfile.TemporaryDirectory() as data:
            self.folder(data)
            done = self.run_script(data, PATH=data)
            self.assertEqual(done.returncode, 2)
            self.assertIn("flite cannot speak: no flite", done.stderr)
            self.assertEqual(len(self.read(data)[0]), 1)

    @unittest.skipUnless("espeak" in INSTALLED and shutil.which("sh"), "no eSpeak NG")
    def test_synthesizer_that_fails(self):
        """One whose voices are there but that then says nothing: its own words are passed on."""
        with tempfile.TemporaryDirectory() as data:
            self.folder(data)
            broken = os.path.join(data, "espeak-ng")
            with open(broken, "w") as f:
                real = shutil.which("espeak-ng")
                f.write(f'#!/bin/sh\ncase $1 in --voices*) exec {real} "$1";; esac\necho out of breath >&2; exit 3\n')
            os.chmod(broken, 0o755)
            done = self.run_script(data, "--only", "espeak", PATH=data + ":" + os.environ["PATH"])
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("out of breath", done.stderr)
            self.assertEqual(len(self.read(data)[0]), 1)


if __name__ == "__main__":
    unittest.main()
