"""Training data packed and unpacked, files in pieces, checkpoints made slim."""

import io
import lzma
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "..", "..", "models", "recipe")
sys.path[:0] = [HERE, RECIPE]
try:
    import numpy as np
    import soundfile
    import torch
    import export
    import folder
    import pack
    import pieces
    import train
    from data import Recordings
    from network import Config, Network
    from opus import Opus, from_ogg

    pack.library_path()
except (ImportError, FileNotFoundError) as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

def bare_environment(place):
    """In which Python has NumPy and nothing else."""
    for name in ("soundfile", "torch", "sentencepiece", "scipy"):
        with open(os.path.join(place, name + ".py"), "w") as f:
            f.write("raise ImportError('not here')\n")
    return dict(os.environ, PYTHONPATH=place)


def speechlike(seconds, seed):
    random = np.random.default_rng(seed)
    time = np.arange(int(16000 * seconds)) / 16000
    wave = sum(np.sin(2 * np.pi * hz * time) / (1 + k) for k, hz in enumerate(random.uniform(120, 2500, 5)))
    return (0.1 * wave * (1 + np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def signal_to_noise(samples, out):
    return 10 * np.log10(np.mean(samples**2) / (np.mean((samples - out) ** 2) + 1e-12))


class Packets(unittest.TestCase):
    def test_as_libsndfile_decodes(self):
        for seed, seconds in ((1, 3.0), (2, 0.31)):
            blob = folder.ogg(speechlike(seconds, seed))
            wanted = soundfile.read(io.BytesIO(blob), dtype="float32")[0]
            packets, skip = from_ogg(blob)
            out = Opus().decode(packets, skip, len(wanted))
            self.assertLess(np.abs(out - wanted).max(), 2 / 32768)

    def test_there_and_back(self):
        samples = speechlike(2.013, 3)
        packets, skip = Opus().encode(samples, 24000)
        out = Opus().decode(packets, skip, len(samples))
        self.assertEqual(len(out), len(samples))
        self.assertGreater(signal_to_noise(samples, out), 12)
        self.assertLess(sum(map(len, packets)), 2.013 * 24000 / 8 * 1.4)
        longer = Opus().decode(packets, skip, len(samples) + 5000)
        self.assertFalse(longer[-3000:].any())

    def test_what_is_no_opus(self):
        blob = folder.ogg(speechlike(0.5, 1))
        for damaged in (b"RIFF" + blob, blob[:27], blob.replace(b"OpusHead", b"OpusHats")):
            with self.assertRaisesRegex(ValueError, "no "):
                from_ogg(damaged)
        with self.assertRaisesRegex(ValueError, "opus: "):
            Opus().decode([b"\xff\xff\xff\xff"], 0, 100)


class Pack(unittest.TestCase):
    def test_there_and_back(self):
        with tempfile.TemporaryDirectory() as work:
            data, speech, out = (os.path.join(work, name) for name in ("data", "speech", "out"))
            os.makedirs(data)
            os.makedirs(speech)
            dictionary = folder.make(data, train=8, dev=2)
            before = Recordings(data, "train", dictionary)
            # Two of the recordings stand in a zip file, as what prepare.py read them from.
            as_read = {}
            with zipfile.ZipFile(os.path.join(speech, "some.zip"), "w") as archive:
                for row in before.rows[2:4]:
                    archive.writestr(row[0] + ".opus", folder.ogg(before.samples(row)))
                    blob = archive.read(row[0] + ".opus")
                    as_read[row[0]] = soundfile.read(io.BytesIO(blob), dtype="float32")[0][: row[2]]
            file = os.path.join(work, "data.pack")
            command = [sys.executable, os.path.join(RECIPE, "pack.py"), "--jobs", "2", "pack", "--data", data]
            command += ["--speech", speech, "--dictionary", dictionary, "--with", "units.txt", "--out", file]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            self.assertIn("train: 8 recordings, 6 of them coded anew", told)
            unpack = [sys.executable, os.path.join(RECIPE, "pack.py"), "unpack", "--pack", file, "--out", out]
            done = subprocess.run(unpack, env=bare_environment(speech), capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)

            dictionary_there = os.path.join(out, "dictionary.xz")
            with lzma.open(dictionary_there) as there, open(dictionary, "rb") as here:
                self.assertEqual(there.read(), here.read())
            after = Recordings(out, "train", dictionary_there)
            self.assertEqual(after.rows, before.rows)
            self.assertEqual(after.aligned, before.aligned)
            self.assertTrue(os.path.exists(os.path.join(out, "units.txt")))
            for row in after.rows:
                samples = after.samples(row)
                if row[0] in as_read:
                    self.assertLess(np.abs(samples - as_read[row[0]]).max(), 2 / 32768)
                else:
                    self.assertGreater(signal_to_noise(before.samples(row), samples), 8)
            for split, count in (("dev", 2), ("noise", 16)):
                self.assertEqual(len(Recordings(out, split).rows), count)


class Pieces(unittest.TestCase):
    def test_cut_and_join(self):
        with tempfile.TemporaryDirectory() as work:
            path, parts, again = (os.path.join(work, name) for name in ("file", "parts", "again"))
            for size in (0, 1, 1000, 3000, 3001):
                content = os.urandom(size)
                with open(path, "wb") as f:
                    f.write(content)
                self.assertEqual(pieces.cut(path, parts, 1000), max(1, -(-size // 1000)))
                pieces.join(parts, again)
                with open(again, "rb") as f:
                    self.assertEqual(f.read(), content)
                os.remove(again)
            first = os.path.join(parts, "000.piece")
            with open(first, "r+b") as f:
                f.write(bytes([content[0] ^ 1]))
            with self.assertRaisesRegex(ValueError, "000.piece is not what was cut"):
                pieces.join(parts, again)
            os.remove(first)
            with self.assertRaisesRegex(ValueError, "000.piece is missing"):
                pieces.join(parts, again)
            self.assertFalse(os.path.exists(again) or os.path.exists(again + ".part"))


class Slim(unittest.TestCase):
    def test_slim(self):
        config = Config(tokens=20, dimension=64, blocks=2, heads=2, feed_forward=128)
        network = Network(config)
        average = train.Average(network, 0.9)
        optimiser = train.optimiser_of(network, 1e-3)
        sum(p.square().sum() for p in network.parameters()).backward()
        optimiser.step()
        with tempfile.TemporaryDirectory() as work:
            path, slim = os.path.join(work, "checkpoint.pt"), os.path.join(work, "slim.pt")
            train.save(path, network, average, optimiser, 3.0, 4.0)
            command = [sys.executable, os.path.join(RECIPE, "slim.py"), path, slim]
            subprocess.run(command, check=True)
            self.assertLess(os.path.getsize(slim), 0.2 * os.path.getsize(path))
            loaded, checkpoint = export.load_checkpoint(slim)
            self.assertEqual((checkpoint["minutes"], checkpoint["hours"]), (3.0, 4.0))
            for name, value in loaded.state_dict().items():
                self.assertTrue(torch.allclose(value, average.values[name], rtol=1 / 128), name)
            subprocess.run(command + ["--exact"], check=True)
            for name, value in export.load_checkpoint(slim)[0].state_dict().items():
                self.assertTrue(torch.equal(value, average.values[name]), name)


if __name__ == "__main__":
    unittest.main()
