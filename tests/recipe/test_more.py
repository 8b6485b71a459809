"""Recordings out of public repositories: read from a clone, chosen, trimmed, packed, sifted."""

import io
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import numpy as np
    import soundfile
    from sound import RATE_HZ, decode, pcm16, resample, trim
    from more import Repository, chosen, identity, plausible
    from sift import sift
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SCRIPTS = os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe")


def sine(hz, seconds, rate_hz):
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz).astype(np.float32)


def row(text, speaker, path="x.wav", source="s", repository="a/b", commit="HEAD"):
    place = {"repository": repository, "commit": commit, "path": path}
    return {"text": text, "speaker": speaker, "source": source, **place}


class Resampling(unittest.TestCase):
    def test_sine_stays_itself(self):
        for rate_hz in (8000, 22050, 44100, 48000, 17600, 14400):
            out = resample(sine(1000, 1.0, rate_hz), RATE_HZ, rate_hz)
            self.assertEqual(len(out), RATE_HZ)
            middle = slice(2000, -2000)
            self.assertLess(np.abs(out - sine(1000, 1.0, RATE_HZ))[middle].max(), 1e-3, rate_hz)

    def test_nothing_folds_back(self):
        for up, down, rate_hz in ((1, 3, 48000), (160, 441, 44100), (10, 11, 16000)):
            hz = 0.5 * rate_hz * min(1, up / down) * 1.06  # just above what the new rate holds
            out = resample(sine(hz, 1.0, rate_hz), up, down)
            level = 20 * np.log10(np.sqrt(np.mean(out[2000:-2000] ** 2)) * np.sqrt(2))
            self.assertLess(level, -50, (up, down))

    def test_lengths(self):
        for count in (0, 1, 5, 159, 160, 161):
            self.assertEqual(len(resample(np.ones(count, np.float32), 10, 11)), -(-count * 10 // 11))
        same = np.ones(7, np.float32)
        self.assertIs(resample(same, 3, 3), same)


class Sounds(unittest.TestCase):
    def test_decode(self):
        for rate_hz, channels in ((16000, 1), (48000, 2), (22050, 1)):
            wave = sine(440, 0.5, rate_hz) * 0.5
            file = io.BytesIO()
            soundfile.write(file, np.stack([wave] + [0 * wave] * (channels - 1), 1), rate_hz, format="WAV")
            out = decode(file.getvalue(), "a")
            self.assertEqual(len(out), RATE_HZ // 2)
            self.assertLess(np.abs(out - 0.5 * sine(440, 0.5, RATE_HZ))[900:-900].max(), 1e-3)
        with self.assertRaisesRegex(ValueError, "broken"):
            decode(b"no sound file", "broken")

    def test_pcm16_saturates(self):
        loud = np.array([0.5, 1.0, -1.0, 3.0, -3.0])
        self.assertEqual(pcm16(loud).tolist(), [16384, 32767, -32768, 32767, -32768])

    def test_trim(self):
        noise = np.random.default_rng(1).standard_normal(3 * RATE_HZ).astype(np.float32) * 1e-3
        spoken = noise.copy()
        spoken[RATE_HZ : 2 * RATE_HZ] += sine(200, 1.0, RATE_HZ)
        self.assertAlmostEqual(len(trim(spoken)) / RATE_HZ, 1.5, delta=0.05)
        self.assertEqual(len(trim(sine(200, 1.0, RATE_HZ))), RATE_HZ)
        self.assertEqual(len(trim(np.zeros(100, np.float32))), 100)


class Choice(unittest.TestCase):
    def test_sayings(self):
        rows = [row("Said, by all!", s) for s in "abcde"] + [row("said by all", "a"), row("once", "a")]
        rows += [row("only she", "k")] * 4 + [row("in 1908", "a")]
        for seed in range(5):
            pairs = chosen(rows, 2, seed)
            texts = [text for _, text in pairs]
            self.assertEqual({t: texts.count(t) for t in texts}, {"said by all": 2, "once": 1, "only she": 2})
            self.assertEqual(len({r["speaker"] for r, t in pairs if t == "said by all"}), 2)
        self.assertEqual(chosen(rows, 2, 3), chosen(rows, 2, 3))
        drawn = {tuple(r["speaker"] for r, t in chosen(rows, 2, seed)[:2]) for seed in range(20)}
        self.assertGreater(len(drawn), 3)

    def test_plausible(self):
        self.assertTrue(plausible(2.5, "a sentence of some forty letters or so"))
        self.assertFalse(plausible(0.6, "a sentence of some forty letters or so"))
        self.assertFalse(plausible(19, "a sentence of some forty letters or so"))


class Clone(unittest.TestCase):
    def test_from_clone_to_index(self):
        """A repository of two recordings, cloned bare, goes into a folder as prepare.py leaves it; once."""
        with tempfile.TemporaryDirectory() as folder:
            work, clones = os.path.join(folder, "work"), os.path.join(folder, "clones")
            os.makedirs(work)
            os.makedirs(clones)
            for name, hz in (("one", 300), ("two", 400)):
                soundfile.write(os.path.join(work, name + ".wav"), sine(hz, 2.0, 48000) * 0.3, 48000)
            git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", work]
            for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "m"]):
                subprocess.run(git + command, check=True)
            subprocess.run(["git", "clone", "-q", "--bare", work, os.path.join(clones, "a+b")], check=True)
            commit = subprocess.run(git + ["rev-parse", "HEAD"], capture_output=True, check=True)
            commit = commit.stdout.decode().strip()

            repository = Repository(clones, "a/b")
            with self.assertRaisesRegex(ValueError, "three.wav"):
                repository.read(commit, "three.wav")
            self.assertEqual(len(decode(repository.read(commit, "two.wav"), "two")), 2 * RATE_HZ)
            repository.process.stdin.close()
            repository.process.wait()
            repository.process.stdout.close()
            with self.assertRaises(FileNotFoundError):
                Repository(clones, "a/other")

            data = os.path.join(folder, "data")
            os.makedirs(data)
            open(os.path.join(data, "train.tsv"), "w").close()
            with open(os.path.join(data, "train.pcm"), "wb") as f:
                f.write(b"\0\0" * 5)
            with open(os.path.join(data, "dev.tsv"), "w") as f:
                f.write("d\t0\t5\ts\tsomeone\tword\n")
            rows = [
                ("one.wav", "anna", "this is the first of them"),
                ("two.wav", "bert", "this is the second of them"),
                ("three.wav", "bert", "this is not there at all"),
            ]
            table = os.path.join(folder, "more.tsv")
            with open(table, "w") as f:
                f.write("repository\tcommit\tpath\tsource\tspeaker\tseconds\tnote\ttext\n")
                for path, speaker, text in rows:
                    f.write(f"a/b\t{commit}\t{path}\ts\t{speaker}\t2.0\t\t{text}\n")
            command = [sys.executable, os.path.join(SCRIPTS, "more.py")]
            command += ["--rows", table, "--clones", clones, "--data", data]
            for _ in range(2):
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                self.assertIn("three.wav is not in the clone", done.stderr)
            with open(os.path.join(data, "train.tsv")) as f:
                index = [line.rstrip("\n").split("\t") for line in f]
            self.assertEqual([i[0] for i in index], ["s-anna-one", "s-bert-two"])
            self.assertEqual([int(i[1]) for i in index], [5, 5 + 2 * RATE_HZ])
            self.assertEqual(os.path.getsize(os.path.join(data, "train.pcm")), 2 * (5 + 4 * RATE_HZ))
            self.assertEqual(identity({"path": "q/one.wav", "source": "s", "speaker": "anna"}), "s-anna-one")

            with open(os.path.join(data, "left_out.tsv"), "w") as f:
                f.write("s-anna-one\t-40.0\tthis is the first of them\n")
            open(os.path.join(data, "train.tsv"), "w").close()
            subprocess.run(command, capture_output=True, check=True)
            with open(os.path.join(data, "train.tsv")) as f:
                self.assertEqual([line.split("\t")[0] for line in f], ["s-bert-two"])

            os.remove(os.path.join(data, "left_out.tsv"))
            with open(os.path.join(data, "dev.tsv"), "w") as f:
                f.write("d\t0\t5\ts\tanna\tword\n")
            open(os.path.join(data, "train.tsv"), "w").close()
            refused = subprocess.run(command, capture_output=True, text=True)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("in dev", refused.stderr)


class Sifting(unittest.TestCase):
    def test_sift(self):
        said = {name: "the word" for name in ("good", "bad", "lost", "elsewhere", "old")}
        said["unknown"] = "the wrod"
        rows = [[name, "0", "9", "t" if name == "elsewhere" else "s", "a", text] for name, text in said.items()]
        scores = {"good": -20.0, "bad": -40.0}
        aligned = {"good", "bad", "old"}
        stay, leave = sift(rows, aligned, scores, {"the": [], "word": []}, -32.0, {"s"})
        self.assertEqual([r[0] for r in stay], ["good", "elsewhere", "old", "unknown"])
        self.assertEqual([(r[0], why) for r, why in leave], [("bad", "-40.0"), ("lost", "not aligned")])
        self.assertEqual(len(sift(rows, aligned, scores, {"the": [], "word": []}, -32.0, set())[1]), 3)


if __name__ == "__main__":
    unittest.main()
