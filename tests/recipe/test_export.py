"""A checkpoint as a model file: what is in it, and what of it the units' prior changes."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "..", "..", "models", "recipe")
sys.path[:0] = [HERE, RECIPE]
try:
    import numpy as np
    import torch
    import folder
    import safetensors
    import train
    from network import Config, Network
    from units import Units
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

torch.set_num_threads(1)
SMALL = dict(dimension=32, blocks=2, heads=2, feed_forward=128, decoder_lstm=32, decoder_attention=16)


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.data = cls.place.name
        folder.make(cls.data)
        with open(os.path.join(cls.data, "tokens.json"), encoding="utf-8") as f:
            cls.tokens = json.load(f)
        network = Network(Config(tokens=len(cls.tokens) + 1, ctc_frames=2, **SMALL))
        cls.network = network
        config = network.config.as_dict()
        saved = {"config": config, "average": network.state_dict(), "hours": 5.0, "minutes": 3.0}
        torch.save(saved, os.path.join(cls.data, "checkpoint.pt"))

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def test_a_model_file_keeps_its_head(self):
        for option in ("--prior", "--blank"):
            command = [sys.executable, os.path.join(RECIPE, "export.py"), "--model", "a", "--out", "b", option, "0"]
            refused = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("go with --run", refused.stderr)

    def export(self, *options):
        out = os.path.join(self.data, "out.safetensors")
        command = [sys.executable, os.path.join(RECIPE, "export.py"), "--data", self.data, "--run", self.data]
        subprocess.run([*command, "--out", out, *options], check=True, stdout=subprocess.DEVNULL)
        tensors, metadata = safetensors.read(out)
        return {name: np.array(value) for name, value in tensors.items()}, metadata

    def test_as_trained(self):
        tensors, metadata = self.export("--prior", "0", "--blank", "0", "--weights", "f32", "--name", "a name")
        self.assertEqual(metadata["name"], "a name")
        self.assertEqual(json.loads(metadata["tokens"]), self.tokens)
        for name, value in self.network.state_dict().items():
            if name.startswith("phone"):
                self.assertNotIn(name, tensors)
            else:
                stored = tensors[name.replace("feature_", "feature.")]
                self.assertTrue(np.array_equal(stored, value.numpy()), name)

    def test_rounding(self):
        """Of what is stored in whole numbers, nothing is off by more than half of a 127th of its row's largest."""
        tensors, _ = self.export("--prior", "0", "--blank", "0")
        trained = self.network.encoder.blocks[0].state_dict()
        name = next(n for n, value in trained.items() if value.ndim == 2 and value.numel() >= 4096)
        trained, stored = trained[name].numpy(), tensors["encoder.blocks.0." + name]
        least = np.abs(trained).max(1, keepdims=True) / 127
        self.assertTrue(bool((np.abs(stored - trained) <= 0.5001 * least).all()))
        self.assertFalse(np.array_equal(stored, trained))

    def test_prior(self):
        plain, _ = self.export("--prior", "0", "--blank", "0")
        divided, _ = self.export("--prior", "0.5", "--blank", "0.25")
        for name in plain:
            self.assertEqual(np.array_equal(plain[name], divided[name]), name != "ctc.bias", name)
        said = {token: 1 for token in range(1, len(self.tokens) + 1)}
        units = Units(os.path.join(self.data, "units.model"))
        with open(os.path.join(self.data, "train.tsv"), encoding="utf-8") as f:
            for line in f:
                for token in units.encode(line.rstrip("\n").split("\t")[5]):
                    said[token] += 1
        shift = (divided["ctc.bias"] - plain["ctc.bias"]).reshape(2, -1)
        self.assertLess(float(np.abs(shift[:, 0] - 0.25).max()), 1e-6)
        counts = np.array([said[token] for token in sorted(said)])
        self.assertGreater(counts.max(), 2 * counts.min())
        for frame in shift[:, 1:]:
            level = frame + 0.5 * np.log(counts)  # the same for all units
            self.assertLess(float(np.abs(level - level[0]).max()), 1e-5)
            self.assertAlmostEqual(float((frame * counts).sum()), 0.0, delta=1e-2)

    def test_training_can_begin_with_it(self):
        self.export("--weights", "f32")
        path = os.path.join(self.data, "out.safetensors")
        started = train.start_from(path, self.data, self.tokens, 0.25)
        self.assertEqual(started.config.as_dict(), {**self.network.config.as_dict(), "dropout": 0.25})
        for name, value in started.state_dict().items():
            if not name.startswith("phone"):
                apart = float((value - self.network.state_dict()[name]).abs().max())
                self.assertLess(apart, 1e-5 if name == "ctc.bias" else 1e-12, name)
        with self.assertRaisesRegex(SystemExit, "other text units"):
            train.start_from(path, self.data, self.tokens[1:], 0.25)


if __name__ == "__main__":
    unittest.main()
