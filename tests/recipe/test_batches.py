"""Batches, made here or ahead in other processes; and training over them, interrupted and resumed."""

import os
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "..", "..", "models", "recipe")
sys.path[:0] = [HERE, RECIPE]
try:
    import numpy as np
    import torch
    import folder
    import loader
    from data import Batch, stretched
    from network import Config, Network
    from train import optimiser_of, restore
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

torch.set_num_threads(1)
SMALL = "--dimension 32 --blocks 2 --heads 2 --feed-forward 64 --decoder-lstm 32 --decoder-attention 16"


class Folder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.data = cls.place.name
        cls.dictionary = folder.make(cls.data)
        cls.settings = {
            "data": cls.data,
            "dictionary": cls.dictionary,
            "seconds": 6.0,
            "config": Config(),
            "seed": 5,
        }

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def test_an_epoch_has_everything_once(self):
        def batches(share):
            sampler = loader.open_sampler(**self.settings, share=share)
            return [sorted(row[0] for row in rows) for rows in sampler._plan(False, 17.0)]

        whole = batches((0, 1))
        self.assertEqual(sum(len(rows) for rows in whole), 24)
        self.assertEqual(len({name for rows in whole for name in rows}), 24)
        shares = [rows for number in range(3) for rows in batches((number, 3))]
        self.assertEqual(sorted(shares), sorted(whole))

    def test_epochs_differ(self):
        sampler = loader.open_sampler(**self.settings)
        plans = [[[row[0] for row in rows] for rows in sampler._plan(False, 17.0)] for _ in range(2)]
        self.assertNotEqual(*plans)

    def test_phones_follow_the_speed(self):
        phones = np.repeat(np.arange(10), 9)
        self.assertEqual(stretched(phones, 100, 0.9).tolist(), np.repeat(np.arange(10), 10).tolist())
        self.assertEqual(len(stretched(phones, 90, 1.1)), 90)
        self.assertEqual(stretched(phones, 90, 1.1)[-1], 9)
        self.assertIsNone(stretched(None, 90, 1.1))

    def check(self, batch):
        self.assertIsInstance(batch, Batch)
        self.assertEqual(batch.samples.dtype, torch.float32)
        self.assertEqual(len(batch.samples), len(batch.tokens))
        self.assertTrue(0.01 < float(batch.samples.abs().max()) <= 1)
        for row, count in enumerate(batch.counts.tolist()):
            self.assertFalse(bool(batch.samples[row, count:].any()))
        self.assertGreaterEqual(batch.phones.shape[1], int(batch.frame_counts.max()))

    def test_loader(self):
        ahead = loader.Loader(2, ahead=2, **self.settings)
        try:
            for _ in range(7):
                batch = ahead.next(True, 17.0, 0.0, False)
                self.check(batch)
                for phones, tokens in zip(batch.phones, batch.tokens):
                    self.assertTrue(not tokens or bool((phones > 0).any()))  # all are aligned
            unaligned = 0
            for _ in range(14):
                batch = ahead.next(False, 17.0, 1.0, True)
                self.check(batch)
                unaligned += sum(bool((p < 0).all()) for p in batch.phones)
            self.assertGreater(unaligned, 0)
        finally:
            ahead.close()

    def test_loaders_allocate_as_usual(self):
        """However the process that trains does it: theirs would grow without end."""
        with unittest.mock.patch.dict(os.environ, MALLOC_CONF="abort:false"):
            ahead = loader.Loader(1, ahead=1, **self.settings)
            self.assertEqual(os.environ["MALLOC_CONF"], "abort:false")
            try:
                ahead.next(False, 17.0, 0.0, False)
                with open(f"/proc/{ahead._processes[0].pid}/environ", encoding="utf-8") as f:
                    self.assertNotIn("MALLOC_CONF", f.read())
            finally:
                ahead.close()

    def test_a_loader_that_dies_is_noticed(self):
        loader._PATIENCE_S, patience = 1, loader._PATIENCE_S
        ahead = loader.Loader(1, ahead=1, **dict(self.settings, data=os.path.join(self.data, "nowhere")))
        try:
            with self.assertRaisesRegex(RuntimeError, "1 of 1 loaders"):
                ahead.next(False, 17.0, 0.0, False)
        finally:
            loader._PATIENCE_S = patience
            ahead.close()

    def test_training_resumes(self):
        run = os.path.join(self.data, "run")
        command = [sys.executable, os.path.join(RECIPE, "train.py"), "--data", self.data, "--out", run]
        command += ["--dictionary", self.dictionary, "--seconds", "6", "--frames", "0.3"]
        saved = []
        for options in (["--loaders", "2", "--ctc-frames", "1", *SMALL.split()], ["--resume"]):
            minutes = saved[0]["minutes"] + 0.05 if saved else 0.05
            done = subprocess.run(command + options + ["--minutes", str(minutes)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            saved.append(torch.load(os.path.join(run, "checkpoint.pt"), map_location="cpu"))
        self.assertEqual(saved[1]["config"], saved[0]["config"])
        self.assertEqual(saved[1]["config"]["ctc_frames"], 1)
        self.assertGreater(saved[1]["hours"], saved[0]["hours"])
        self.assertGreaterEqual(saved[0]["minutes"], 0.05)
        self.assertGreaterEqual(saved[1]["minutes"], saved[0]["minutes"] + 0.05)
        with open(os.path.join(run, "eval.tsv"), encoding="utf-8") as f:
            self.assertEqual(len(f.readlines()), 2)
        refused = subprocess.run(command + ["--loaders", "1", "--workers", "2"], capture_output=True, text=True)
        self.assertIn("--loaders goes with one worker", refused.stderr)

    def test_workers_end_with_their_training(self):
        command = [sys.executable, os.path.join(RECIPE, "train.py"), "--data", self.data, "--workers", "2"]
        command += ["--out", os.path.join(self.data, "two"), "--dictionary", self.dictionary, *SMALL.split()]
        training = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        workers = []
        while len(workers) < 2:
            self.assertIsNone(training.poll())
            with open(f"/proc/{training.pid}/task/{training.pid}/children", encoding="utf-8") as f:
                workers = [pid for pid in f.read().split() if "spawn_main" in _command_line(pid)]
            time.sleep(0.1)
        training.terminate()
        self.assertNotEqual(training.wait(60), 0)
        # One that was only just begun ends a moment after it.
        end = time.monotonic() + 60
        while any(map(_command_line, workers)) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in workers:
            self.assertEqual(_command_line(pid), "")


def _command_line(pid):
    """Nothing if there is no such process, or it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Optimiser(unittest.TestCase):
    def test_moments_of_another_version(self):
        """A checkpoint whose optimiser has options that this PyTorch does not know, or lacks some."""
        network = Network(Config(tokens=20, dimension=32, blocks=2, heads=2, feed_forward=64))
        before = optimiser_of(network, 1e-3)
        sum(p.square().sum() for p in network.parameters()).backward()
        before.step()
        saved = before.state_dict()
        for group in saved["param_groups"]:
            for name in ("foreach", "maximize", "betas"):
                group.pop(name, None)
            group["of_the_future"] = True
        after = optimiser_of(network, 1e-3)
        restore(after, saved)
        for parameter in network.parameters():
            for name in ("exp_avg", "exp_avg_sq", "step"):
                was, now = before.state[parameter][name], after.state[parameter][name]
                self.assertTrue(torch.equal(torch.as_tensor(was), torch.as_tensor(now)))
        after.step()
        self.assertEqual(after.param_groups[0]["betas"], (0.9, 0.98))


if __name__ == "__main__":
    unittest.main()
