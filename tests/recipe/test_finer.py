"""A network with twice as many encodings that begins with another's weights: what of it is the same."""

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
    import torch
    import export
    import finer
    import folder
    import safetensors
    from network import Config, Network
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

torch.set_num_threads(1)
SMALL = dict(dimension=32, blocks=3, heads=2, feed_forward=64, decoder_lstm=32, decoder_attention=16, tokens=20,
             subsampling=8, ctc_frames=2, kernel=9, look_ahead=2, subsampling_channels=8, left_context=12, max_chunk=4, location_width=5, attention_window=16)


class Given(torch.nn.Module):
    """In place of a subsampling: its input is its output."""

    def forward(self, x):
        return x


def a_network():
    torch.manual_seed(1)
    network = Network(Config(**SMALL)).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("relative_bias"):  # straight lines, between whose values nothing is lost
                value.copy_(torch.arange(value.shape[1]) * torch.tensor([[0.1], [-0.07]]))
            elif name.endswith("bias"):
                value.copy_(0.1 * torch.randn(value.shape))
    return network


class Finer(unittest.TestCase):
    def setUp(self):
        self.old = a_network()
        self.new = Network(finer.config_of(self.old.config)).eval()
        with torch.no_grad():
            finer.carry_over(self.old, self.new)

    @torch.no_grad()
    def encodings(self, chunk):
        """Of the old network, and of the new one that is given each of its inputs twice."""
        x = torch.randn(2, 21, self.old.config.dimension)
        self.old.encoder.subsampling = self.new.encoder.subsampling = Given()
        counts = torch.tensor([21 * 8, 17 * 8])
        old, old_counts, _ = self.old.encoder(x, counts, chunk)
        new, new_counts, _ = self.new.encoder(x.repeat_interleave(2, dim=1), counts, 2 * chunk)
        self.assertEqual((2 * old_counts).tolist(), new_counts.tolist())
        return old, new, old_counts

    def test_blocks_make_the_same_of_each_phase(self):
        for chunk in (1, 2, 3):
            old, new, counts = self.encodings(chunk)
            for row, count in enumerate(counts):
                for phase in (0, 1):
                    apart = (new[row, phase::2] - old[row])[:count].abs().max()
                    self.assertLess(float(apart), 1e-4, (chunk, row, phase))
        self.assertGreater(float(old.std()), 0.5)

    def test_ctc_keeps_an_encodings_first_frame(self):
        old, new, _ = self.encodings(2)
        with torch.no_grad():
            apart = self.new.ctc_logits(new)[0, ::2] - self.old.ctc_logits(old)[0, ::2]
        self.assertLess(float(apart.abs().max()), 1e-4)

    def test_the_decoder_looks_at_as_much(self):
        x = torch.randn(2, 21, self.old.config.dimension)
        tokens = torch.tensor([[0, 3, 7, 7, 9], [0, 4, 4, 11, 2]])
        triggers = torch.tensor([[1, 5, 9, 12, 15], [0, 3, 4, 8, 16]])
        counts, starts = torch.tensor([21, 18]), torch.zeros_like(triggers)
        with torch.no_grad():
            for network in (self.old, self.new):  # what the filters say depends on the distance
                network.decoder.attention.filters["weight"].zero_()
            old = self.old.decoder(x, counts, tokens, triggers, starts)
            twice = x.repeat_interleave(2, dim=1)
            new = self.new.decoder(twice, 2 * counts, tokens, 2 * triggers + 1, starts)
            elsewhere = self.new.decoder(twice, 2 * counts, tokens, 2 * triggers - 7, starts)
        self.assertLess(float((new - old).abs().max()), 1e-4)
        self.assertGreater(float((elsewhere - old).abs().max()), 0.1)

    def test_location_filters_keep_their_middle(self):
        old, new = (n.decoder.attention.filters["weight"].detach() for n in (self.old, self.new))
        for place, taps in enumerate(((1,), (1, 2), (2,), (2, 3), (3,))):
            wanted = old[:, taps].mean(1)
            self.assertLess(float((new[:, place] - wanted).abs().max()), 1e-6, place)

    def test_a_model_file_to_begin_with(self):
        with tempfile.TemporaryDirectory() as place:
            folder.make(place)
            model, out = os.path.join(place, "old.safetensors"), os.path.join(place, "new.safetensors")
            metadata = export.metadata_of(
                self.old.config, [str(n) for n in range(19)], export.search_of(self.old.config), {"name": "made"}
            )
            safetensors.write(model, export.tensors_of(self.old, "f32"), metadata)
            command = [sys.executable, os.path.join(RECIPE, "finer.py"), model, "--data", place, "--out", out]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            explained = float(said.split("explains")[1].split()[0])
            self.assertTrue(50 < explained <= 100, said)
            read, _, kept = export.load_model_file(out)
            self.assertEqual((read.config.subsampling, read.config.ctc_frames), (4, 1))
            self.assertEqual((read.config.kernel, read.config.location_width), (17, 5))
            self.assertEqual(kept["name"], "made")
            self.assertEqual(json.loads(kept["search"]), export.search_of(read.config))
            self.assertEqual(json.loads(kept["search"])["segment_blanks"], 14)
            for name, value in self.new.state_dict().items():
                if not name.startswith(("phone", "encoder.subsampling.linear")):
                    self.assertTrue(torch.equal(read.state_dict()[name], value), name)
            again = subprocess.run([*command[:2], out, *command[3:]], capture_output=True, text=True)
            self.assertEqual(again.returncode, 1)
            self.assertIn("even number of frames", again.stderr)


if __name__ == "__main__":
    unittest.main()
