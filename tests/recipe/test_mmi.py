"""Maximum mutual information: against a sum over all paths, one by one, and the kernel against it.
Skipped without PyTorch, a compiler or CBLAS.
"""

import argparse
import itertools
import math
import tempfile
import unittest

import with_kernels  # noqa: F401, isort: skip
import torch

import folder
import fused
import loader
import mmi
from features import LogMel
from losses import ctc_loss
from network import Config, Network
from train import Stage, losses_of


def texts(classes, count, generator):
    return [torch.randint(1, classes, (12,), generator=generator).tolist() for _ in range(count)]


def text_of(path):
    """What CTC takes a path for."""
    return [label for at, label in enumerate(path) if label and (at == 0 or path[at - 1] != label)]


def by_hand(log_probabilities, bigram):
    """{text: its probability}, unnormalised.  log_probabilities [N, V + 1]"""
    found = {}
    for path in itertools.product(range(log_probabilities.shape[1]), repeat=len(log_probabilities)):
        text = text_of(path)
        share = math.exp(sum(float(log_probabilities[at, label]) for at, label in enumerate(path)))
        for before, unit in zip([0, *text], text):
            share *= float(bigram[before, unit])
        found[tuple(text)] = found.get(tuple(text), 0.0) + share
    return found


class TestMmi(unittest.TestCase):
    def setUp(self):
        self.generator = torch.Generator().manual_seed(20)

    def batch(self, batch, time, classes):
        logits = 4 * torch.randn(batch, time, classes, generator=self.generator)
        counts = torch.randint(1, time + 1, (batch,), generator=self.generator)
        return logits, mmi.unit_bigram(texts(classes, 20 * classes, self.generator), classes), counts

    def test_bigram(self):
        bigram = mmi.unit_bigram([[1, 2, 1], [1, 1], [2]], 5)
        self.assertTrue(torch.allclose(bigram.sum(1), torch.ones(5)))
        self.assertEqual(bigram[:, 0].tolist(), [0.0] * 5)
        self.assertTrue((bigram[:, 1:] > 0).all())
        self.assertGreater(bigram[0, 1], bigram[0, 2])  # which begins two texts of three
        self.assertGreater(bigram[2, 1], 2 * bigram[2, 2])  # 1 alone was seen after 2
        self.assertTrue(torch.equal(bigram[3], bigram[4]))  # never seen: as usual

    def test_sum_by_hand(self):
        for time in (1, 2, 5):
            logits, bigram, _ = self.batch(1, time, 3)
            log_probabilities = torch.log_softmax(logits, -1)
            ours = mmi.log_sum(log_probabilities, bigram, torch.tensor([time]))
            shares = by_hand(log_probabilities[0], bigram)
            self.assertAlmostEqual(float(ours), math.log(sum(shares.values())), places=4)

    def test_loss_by_hand(self):
        logits, bigram, _ = self.batch(1, 5, 3)
        log_probabilities = torch.log_softmax(logits, -1)
        shares = by_hand(log_probabilities[0], bigram)
        for text in ((1, 2, 1), (2, 2), (1, 1, 1), ()):
            tokens, lengths, counts = torch.tensor([[*text, 0]]), torch.tensor([len(text)]), torch.tensor([5])
            ctc = ctc_loss(log_probabilities, tokens, lengths, counts)
            sums = mmi.log_sum(log_probabilities, bigram, counts)
            ours = mmi.mmi_loss(ctc, sums, bigram, tokens, lengths, counts)
            per_token = -math.log(shares[text] / sum(shares.values())) / max(1, len(text))
            self.assertAlmostEqual(float(ours), per_token, places=4, msg=text)

    def test_what_has_no_path_counts_for_nothing(self):
        logits, bigram, _ = self.batch(2, 3, 4)
        tokens, lengths, counts = torch.tensor([[1, 1, 0], [1, 2, 3]]), torch.tensor([2, 3]), torch.tensor([2, 3])
        self.assertEqual(mmi.fits(tokens, lengths, counts).tolist(), [False, True])
        logits.requires_grad_()
        log_probabilities = torch.log_softmax(logits, -1)
        ctc = ctc_loss(log_probabilities, tokens, lengths, counts)
        sums = mmi.log_sum(log_probabilities, bigram, counts)
        mmi.mmi_loss(ctc, sums, bigram, tokens, lengths, counts).backward()
        self.assertEqual(float(logits.grad[0].abs().max()), 0.0)
        self.assertGreater(float(logits.grad[1].abs().max()), 0.0)

    def test_kernel(self):
        for batch, time, classes in ((1, 1, 3), (3, 40, 9), (4, 200, 257)):
            logits, bigram, counts = self.batch(batch, time, classes)
            exact, fast = logits.double().requires_grad_(), logits.clone().requires_grad_()
            true = mmi.log_sum(torch.log_softmax(exact, -1), bigram.double(), counts)
            ours = fused.mmi_log_sum(fast, torch.log_softmax(logits, -1), bigram, counts)
            for sums in (true, ours):
                (sums * torch.arange(1, batch + 1)).sum().backward()
            self.assertLess(float((ours - true).abs().max()), 1e-4 + 1e-5 * time)
            self.assertLess(float((fast.grad - exact.grad).abs().max()), 1e-5)

    def test_kernel_of_nan(self):
        logits, bigram, _ = self.batch(3, 20, 5)
        logits[1, 7, 2] = math.nan
        logits.requires_grad_()
        sums = fused.mmi_log_sum(logits, torch.log_softmax(logits.detach(), -1), bigram, torch.tensor([20, 20, 7]))
        self.assertEqual(torch.isnan(sums).tolist(), [False, True, False])
        sums.sum().backward()
        self.assertEqual(torch.isnan(logits.grad).flatten(1).all(1).tolist(), [False, True, False])
        self.assertEqual(float(logits.grad[2, 7:].abs().max()), 0.0)

    def test_what_is_trained_on(self):
        """The parts of the loss that train.py minimises, its share of this one, with and without the kernels."""
        with tempfile.TemporaryDirectory() as data:
            dictionary = folder.make(data)
            sampler = loader.open_sampler(data, dictionary, 6.0, Config(), seed=5)
            batch = sampler.next(False, 17.0, 0.0)
        size = sampler.recordings.units.size
        bigram = mmi.unit_bigram((sampler.recordings.units.encode(r[5]) for r in sampler.recordings.rows), size)
        found = []
        for kernels in (False, True):
            torch.manual_seed(3)
            network = Network(Config(tokens=size, dimension=32, blocks=2, heads=2, feed_forward=64, dropout=0.0)).train()
            if kernels:
                fused.use(network)
            for share in (0.0, 0.75):
                stage = Stage(0.5, argparse.Namespace(frames=0, level=0.0, mask=0.0, mmi=share, sample_units=False))
                generator = torch.Generator().manual_seed(1)
                given = (LogMel(), batch, stage, "cpu", generator, False, bigram)
                parts, total = losses_of(network, *given)
                found.append({name: float(value) for name, value in (*parts.items(), ("total", total))})
        for parts, name in itertools.product(found, found[0]):
            value = found[1]["total"] if name == "total" and "mmi" in parts else found[0][name]
            self.assertAlmostEqual(parts[name], value, delta=1e-4 * value, msg=name)
        self.assertEqual(["mmi" in parts for parts in found], [False, True, False, True])
        raised = 0.75 * (found[1]["mmi"] - found[1]["ctc"])
        self.assertAlmostEqual(found[1]["total"], found[0]["total"] + raised, places=3)


if __name__ == "__main__":
    unittest.main()
