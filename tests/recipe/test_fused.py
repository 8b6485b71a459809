"""The kernels that train on a CPU against the plain network: outputs, gradients, steps.

Both compute in f32 and sum in different orders, so that values agree to about 1e-6 of the largest;
through a few layers forward and back, to 1e-4 of it.  Skipped without PyTorch, a compiler or CBLAS.
"""

import copy
import io
import math
import unittest

import with_kernels  # noqa: F401, isort: skip
import torch

import fused
from features import LogMel
from losses import ctc_loss, ctc_triggers
from network import Config, Dropout, Network
from train import Average, optimiser_of, take_step

TOLERANCE = 1e-4
SMALL = dict(dimension=32, blocks=2, heads=2, feed_forward=48, kernel=5, left_context=6, max_chunk=16, tokens=11)
SMALL.update(subsampling_channels=16, decoder_embedding=8, decoder_lstm=16, decoder_attention=16, phones=5)
CONFIGS = (
    SMALL,
    dict(SMALL, heads=1, kernel=9, left_context=64, subsampling=4, mel_bins=23),
    dict(SMALL, dimension=80, heads=4, feed_forward=16, subsampling=16, subsampling_channels=32, kernel=1),
)
LENGTHS = ((1,), (67, 9, 1, 130), (200, 511, 512), (8, 8), (1000, 640))


def make(config, dropout=0.0):
    torch.manual_seed(3)
    network = Network(Config(**config, dropout=dropout))
    with torch.no_grad():  # nothing may be so simple that a mistake doesn't show
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.train()


class Given(torch.nn.Module):
    """In place of Dropout: the factors that are given, one after another."""

    def __init__(self, factors):
        super().__init__()
        self.factors = list(factors)

    def forward(self, x):
        return x * self.factors.pop(0)


def give_factors(network, packing, seeds):
    """Makes the plain network drop what the kernels drop."""
    config = network.config

    def factors(seed, site, count):
        shape = fused.BlockShape(dropout=config.dropout, seed=seed)
        out = torch.empty(count)
        fused.library().dropout_factors(
            fused.byref(shape), site, fused.c_int64(0), fused.c_int64(count), fused.c_void_p(out.data_ptr())
        )
        return out

    def rows(seed, site, width):
        packed = factors(seed, fused.SITES.index(site), packing.rows * width)
        return packing.padded(packed.view(packing.rows, width), packing.longest)

    for block, seed in zip(network.encoder.blocks, seeds):
        d, f, time = config.dimension, config.feed_forward, packing.longest
        block.feed_forward_1.dropout = Given([rows(seed, "ff1_in", f), rows(seed, "ff1_out", d)])
        block.feed_forward_2.dropout = Given([rows(seed, "ff2_in", f), rows(seed, "ff2_out", d)])
        block.convolution.dropout = Given([rows(seed, "convolution", d)])
        count = packing.batch * config.heads * time * time
        score = factors(seed, fused.SITES.index("score"), count)
        score = score.view(packing.batch, config.heads, time, time)
        block.attention.dropout = Given([score, rows(seed, "attention", d)])


def batch_of(config, lengths):
    generator = torch.Generator().manual_seed(len(lengths))
    frames = torch.randn(len(lengths), max(lengths), config.mel_bins, generator=generator)
    counts = torch.tensor(lengths)
    return frames * (torch.arange(max(lengths)) < counts[:, None])[:, :, None], counts


def loss_of(network, frames, frame_counts, chunk):
    """A loss that each value of what the encoder gives within recordings enters; and those values."""
    out, counts, heard = network.encoder(frames, frame_counts, chunk, (0,))
    inside = (torch.arange(out.shape[1]) < counts[:, None])[:, :, None]
    values = torch.cat([out, heard[0]], dim=2) * inside
    generator = torch.Generator().manual_seed(1)
    return (values * torch.randn(values.shape, generator=generator)).sum() / counts.sum(), values


def decoder_batch(config, counts, steps, generator):
    """Encodings, counts, tokens, triggers, starts for the decoder: transcripts with pauses, after which
    it starts afresh; one sees nothing for a while, as after an impossible path."""
    counts = torch.tensor(counts)
    encodings = torch.randn(len(counts), int(counts.max()), config.dimension, generator=generator)
    tokens = torch.randint(1, config.tokens, (len(counts), steps), generator=generator)
    triggers = torch.rand(len(counts), steps, generator=generator).sort(1).values * (counts[:, None] - 1)
    triggers, starts = triggers.round().long(), torch.zeros(len(counts), steps, dtype=torch.long)
    tokens[:, 0] = 0
    for row in range(len(counts)):
        for step in torch.randint(0, steps, (steps // 6,), generator=generator).tolist():
            tokens[row, step], starts[row, step] = 0, triggers[row, step]
    starts = starts.cummax(1).values
    if steps > 6:
        starts[0, 4:6] = int(counts[0])
    return encodings.requires_grad_(), counts, tokens, triggers, starts


class Fused(unittest.TestCase):
    def assert_close(self, ours, theirs, what, tolerance=TOLERANCE):
        self.assertEqual(ours.shape, theirs.shape, what)
        self.assertTrue(torch.isfinite(ours).all(), what)
        apart, most = float((ours - theirs).abs().max()), float(theirs.abs().max())
        self.assertLessEqual(apart, tolerance * max(most, 1e-3), what)

    def compare(self, config, lengths, chunk, dropout):
        plain, fast = make(config, dropout), make(config, dropout)
        fused.use(fast)
        frames, frame_counts = batch_of(plain.config, lengths)
        if dropout:
            torch.manual_seed(7)
            seeds = torch.randint(0, 1 << 32, (plain.config.blocks,)).tolist()
            counts = torch.div(frame_counts - 1, plain.config.subsampling, rounding_mode="floor") + 1
            give_factors(plain, fused.Packing(counts), seeds)
        torch.manual_seed(7)
        ours, our_values = loss_of(fast, frames, frame_counts, chunk)
        theirs, their_values = loss_of(plain, frames, frame_counts, chunk)
        where = f"{lengths} chunk {chunk} dropout {dropout}"
        self.assert_close(our_values, their_values, where)
        ours.backward()
        theirs.backward()
        gradients = {name: p.grad for name, p in plain.encoder.named_parameters()}
        for name, parameter in fast.encoder.named_parameters():
            self.assert_close(parameter.grad, gradients[name], f"{name} {where}")

    def test_encoder(self):
        for config in CONFIGS:
            for lengths in LENGTHS:
                for chunk in (0, 2, 16):
                    self.compare(config, lengths, chunk, 0.0)

    def test_encoder_with_dropout(self):
        for config in CONFIGS:
            for chunk in (0, 4):
                self.compare(config, (300, 77, 1), chunk, 0.3)

    def test_decoder(self):
        sizes = (dict(), dict(location_width=7, look_ahead=0, decoder_lstm=48), dict(attention_window=16, location_width=5))
        for number, size in enumerate(sizes):
            for counts, steps in (((1,), 1), ((40, 90, 7), 23), ((200, 30, 33, 1, 80), 50)):
                for dropout in (0.0, 0.3):
                    networks = [make(dict(SMALL, **size), dropout) for _ in range(2)]
                    fused.use(networks[1])
                    found = []
                    for network in networks:
                        generator = torch.Generator().manual_seed(number)
                        batch = decoder_batch(network.config, counts, steps, generator)
                        network.decoder.dropout(torch.ones(1))  # which makes the masks, once
                        torch.manual_seed(4)
                        logits = network.decoder(*batch)
                        (logits * torch.randn(logits.shape, generator=generator)).sum().backward()
                        gradients = {name: p.grad for name, p in network.decoder.named_parameters()}
                        found.append({"logits": logits, "encodings": batch[0].grad, **gradients})
                    for name, value in found[0].items():
                        self.assert_close(found[1][name], value, f"{name} {size} {counts} {steps} {dropout}")

    def test_ctc_loss(self):
        generator = torch.Generator().manual_seed(9)
        for batch, time, longest, classes in ((1, 1, 1, 3), (4, 50, 20, 5), (6, 130, 60, 257), (5, 12, 20, 9)):
            logits = 4 * torch.randn(batch, time, classes, generator=generator)
            tokens = torch.randint(1, classes, (batch, longest), generator=generator)  # 3 classes: repeats
            lengths = torch.randint(0, longest + 1, (batch,), generator=generator)  # not all have a path
            counts = torch.randint(1, time + 1, (batch,), generator=generator)
            plain, fast, exact = (logits.clone().to(t).requires_grad_() for t in (torch.float, torch.float, torch.double))
            ours, probabilities = fused.ctc_loss(fast, tokens, lengths, counts)
            theirs, true = (
                ctc_loss(torch.log_softmax(x, -1), tokens, lengths, counts) for x in (plain, exact)
            )
            self.assert_close(probabilities, torch.log_softmax(logits, -1), "softmax", 1e-6)
            for loss in (ours, theirs, true):
                (3 * loss).backward()
            self.assertAlmostEqual(float(ours), float(true), delta=1e-5 * float(true) + 1e-5)
            # Logarithms of sums over paths, some 100s in f32, make for noise in both.
            apart, usual = (float((x.grad - exact.grad).abs().max()) for x in (fast, plain))
            self.assertLess(apart, 3 * usual + 1e-6, (batch, time))

    def test_ctc_loss_of_nan(self):
        logits = torch.zeros(3, 20, 5)
        logits[1, 7, 2] = math.nan
        logits.requires_grad_()
        tokens, counts = torch.ones(3, 4, dtype=torch.long), torch.tensor([20, 20, 20])
        loss, _ = fused.ctc_loss(logits, tokens, torch.tensor([4, 0, 2]), counts)
        self.assertTrue(math.isnan(float(loss)))
        loss.backward()
        self.assertEqual(torch.isnan(logits.grad).flatten(1).all(1).tolist(), [False, True, False])

    def test_linear(self):
        generator = torch.Generator().manual_seed(10)
        for shape, size in (((1, 1, 3), 1), ((4, 9, 20), 7), ((50, 33), 130)):
            given = [torch.randn(s, generator=generator) for s in (shape, (size, shape[-1]), (size,))]
            results = []
            for function in (fused.linear, torch.nn.functional.linear):
                leaves = [t.clone().requires_grad_() for t in given]
                out = function(*leaves)
                (out * torch.arange(out.numel()).view(out.shape).sin()).sum().backward()
                results.append([out] + [t.grad for t in leaves])
            for ours, theirs in zip(*results):
                self.assert_close(ours, theirs, f"{shape} {size}")

    def test_triggers(self):
        generator = torch.Generator().manual_seed(6)
        for batch, time, longest, classes in ((1, 1, 1, 3), (4, 50, 20, 5), (6, 130, 60, 3), (3, 12, 20, 9)):
            logits = 4 * torch.randn(batch, time, classes, generator=generator)
            tokens = torch.randint(1, classes, (batch, longest), generator=generator)
            lengths = torch.randint(0, longest + 1, (batch,), generator=generator)
            counts = torch.randint(1, time + 1, (batch,), generator=generator)
            lengths = torch.minimum(lengths, counts // 2)  # that a path exists
            given = torch.log_softmax(logits, -1), tokens * (torch.arange(longest) < lengths[:, None]), lengths, counts
            self.assertTrue(torch.equal(fused.ctc_triggers(*given), ctc_triggers(*given)))

    def test_share_dropped(self):
        shape, out = fused.BlockShape(dropout=0.25, seed=12345), torch.empty(100000)
        for site in range(len(fused.SITES)):
            fused.library().dropout_factors(
                fused.byref(shape), site, fused.c_int64(0), fused.c_int64(len(out)), fused.c_void_p(out.data_ptr())
            )
            self.assertEqual(sorted(set(out.tolist())), [0.0, float(torch.tensor(1 / 0.75))])
            self.assertAlmostEqual(float((out == 0).float().mean()), 0.25, delta=0.01)  # 7 deviations
            both = float(((out[1:] == 0) & (out[:-1] == 0)).float().mean())
            self.assertAlmostEqual(both, 0.0625, delta=0.006)

    def test_finite_differences(self):
        network = make(SMALL)
        fused.use(network)
        frames, counts = batch_of(network.config, (150, 90))
        loss_of(network, frames, counts, 4)[0].backward()
        for name, parameter in network.encoder.named_parameters():
            gradient, step = parameter.grad, 2e-2 / max(1.0, float(parameter.grad.norm()))
            direction = gradient / gradient.norm()
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.add_(direction, alpha=sign * step)
                    values.append(float(loss_of(network, frames, counts, 4)[0]))
                    parameter.sub_(direction, alpha=sign * step)
            slope = (values[0] - values[1]) / (2 * step)
            # f32 losses of about 1 leave 1e-7 / step of noise; the rest is curvature.
            self.assertAlmostEqual(slope, float(gradient.norm()), delta=0.05 * float(gradient.norm()) + 2e-4, msg=name)

    def test_two_forwards_before_backward(self):
        network = make(SMALL)
        fused.use(network)
        one, two = batch_of(network.config, (150, 90)), batch_of(network.config, (333,))
        alone = []
        for frames, counts in (one, two):
            network.zero_grad(set_to_none=True)
            loss_of(network, frames, counts, 8)[0].backward()
            alone.append([p.grad.clone() for p in network.encoder.parameters()])
        network.zero_grad(set_to_none=True)
        (loss_of(network, *one, 8)[0] + loss_of(network, *two, 8)[0]).backward()
        for parameter, first, second in zip(network.encoder.parameters(), *alone):
            self.assert_close(parameter.grad, first + second, "sum of two")

    def test_optimiser(self):
        """Same weights, state and average as PyTorch's, also after the state went through a file."""
        networks = [make(SMALL), make(SMALL)]
        optimisers = [optimiser_of(network, 1e-2) for network in networks]
        averages = [Average(network, 0.9) for network in networks]
        for number in range(6):
            torch.manual_seed(number)
            for one, other in zip(*(network.named_parameters() for network in networks)):
                gradient = torch.randn_like(one[1]) * (100 if number == 2 else 0.01)
                if number % 2 and one[0].startswith("decoder"):
                    gradient = None
                if number == 4 and one[0] == "ctc.weight":
                    gradient[0, 0] = math.nan
                one[1].grad, other[1].grad = gradient, copy.deepcopy(gradient)
            norms = [
                take_step(network, optimiser, average, fast)
                for network, optimiser, average, fast in zip(networks, optimisers, averages, (False, True))
            ]
            if number == 4:
                self.assertTrue(all(math.isnan(norm) for norm in norms))
            else:
                self.assertAlmostEqual(norms[0], norms[1], delta=1e-5 * norms[0])
            for value, same in zip(*(network.parameters() for network in networks)):
                self.assert_close(same, value, "weights", 1e-5)
            for name, value in averages[0].values.items():
                self.assert_close(averages[1].values[name], value, "average " + name, 1e-5)
            if number == 3:  # each goes on with the state of the other
                files = [io.BytesIO(), io.BytesIO()]
                for optimiser, file in zip(optimisers, files):
                    torch.save(optimiser.state_dict(), file)
                    file.seek(0)
                optimisers = [optimiser_of(network, 1e-2) for network in networks]
                for optimiser, file in zip(optimisers, reversed(files)):
                    optimiser.load_state_dict(torch.load(file))
        states = [optimiser.state_dict()["state"] for optimiser in optimisers]
        for key, state in states[0].items():
            for part, value in state.items():
                self.assert_close(states[1][key][part], value, part, 1e-5)

    def test_log_mel(self):
        plain, fast, exact = LogMel(), fused.LogMel(), LogMel().double()
        generator = torch.Generator().manual_seed(8)
        for shape in ((1, 1), (3, 159), (1, 160), (2, 16 * 160), (2, 16 * 160 + 1), (4, 20000)):
            samples = torch.randn(shape, generator=generator) * 0.1
            samples[0, shape[1] // 2 :] *= 1e-7  # below the floor
            ours, theirs, true = fast(samples), plain(samples), exact(samples.double())
            self.assertEqual(ours.shape, theirs.shape)
            # Both take sums of 512 in f32, in different orders.
            most = max(1e-5, 10 * float((theirs - true).abs().max()))
            self.assertLess(float((ours - true).abs().max()), most, shape)

    def test_what_does_not_fit(self):
        for change in (dict(dimension=24), dict(feed_forward=20), dict(subsampling=2), dict(kernel=33)):
            with self.assertRaises(fused.Unavailable):
                fused.use(Network(Config(**dict(SMALL, **change))))
        network = make(SMALL)
        fused.use(network)
        with self.assertRaises(ValueError):
            network.encoder(*batch_of(network.config, (50,)), 17)

    def test_plain_when_evaluating(self):
        network = make(SMALL)
        given = batch_of(network.config, (200, 30))
        network.eval()
        before = network.encoder(*given, 4)[0]
        fused.use(network)
        self.assertTrue(torch.equal(network.encoder(*given, 4)[0], before))
        self.assertIsInstance(network.encoder.blocks[0].attention.dropout, Dropout)


if __name__ == "__main__":
    unittest.main()
