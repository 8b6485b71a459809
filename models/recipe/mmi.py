"""Maximum mutual information: what a transcript's probability is among all texts, not by itself.

The probability of a text is CTC's times a bigram's of the units, divided by the sum of that over all texts
(LF-MMI: D. Povey et al. 2016, Purely sequence-trained neural networks for ASR based on lattice-free MMI;
with CTC's states: H. Xiang, Z. Ou 2019, arXiv 1904.08463).  CTC alone raises what was said; this
lowers what might be taken for it, as the search with its n-gram would.
"""

import torch

DISCOUNT = 0.75


def unit_bigram(sequences, classes):
    """Of token sequences -> [classes, classes]: row v has the probability of each unit after v, row 0 of the
    first; column 0, the blank's, is 0.  Absolute discounting, with each unit's share by how many others it
    follows (R. Kneser, H. Ney 1995) and one more."""
    counts = torch.zeros(classes, classes)
    for tokens in sequences:
        text = torch.tensor([0, *tokens])
        counts.index_put_((text[:-1], text[1:]), torch.ones(len(tokens)), accumulate=True)
    seen = counts > 0
    usual = seen.sum(0).float() + 1
    usual[0] = 0
    usual /= usual.sum()
    total = counts.sum(1, keepdim=True)
    left = torch.where(total > 0, DISCOUNT * seen.sum(1, keepdim=True) / total.clamp(min=1), torch.ones(()))
    return (counts - DISCOUNT).clamp(min=0) / total.clamp(min=1) + left * usual


def text_log_probability(bigram, tokens, lengths):
    """tokens [B, U] -> [B]"""
    before = torch.nn.functional.pad(tokens[:, :-1], (1, 0))
    inside = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    return bigram[before, tokens].clamp(min=1e-30).log().masked_fill(~inside, 0.0).sum(1)


def fits(tokens, lengths, counts):
    """Whether CTC has a path: a frame for each token and for a blank between two alike.  -> [B]"""
    inside = torch.arange(1, tokens.shape[1], device=tokens.device) < lengths[:, None]
    return counts >= lengths + ((tokens[:, 1:] == tokens[:, :-1]) & inside).sum(1)


def log_sum(log_probabilities, bigram, counts):
    """The logarithm of the sum over all texts: log_probabilities [B, N, V + 1], counts [B] -> [B]"""
    batch, time, classes = log_probabilities.shape
    repeated = bigram.diagonal()
    said = log_probabilities.new_zeros(batch, classes)
    paused = torch.nn.functional.one_hot(counts.new_zeros(batch), classes).to(said.dtype)
    total = said.new_zeros(batch)
    for t in range(time):
        y = log_probabilities[:, t].exp()
        both = said + paused
        inside = (t < counts)[:, None]
        after = y * (both @ bigram + said * (1 - repeated))
        said = torch.where(inside, after, said)
        paused = torch.where(inside, y[:, :1] * both, paused)
        sums = (said + paused).sum(1, keepdim=True)
        said, paused, total = said / sums, paused / sums, total + sums[:, 0].log()
    return total


def mmi_loss(ctc_loss, sums, bigram, tokens, lengths, counts):
    """Minus the logarithm of the transcripts' probability among all texts, per token.  ctc_loss: as
    losses.ctc_loss has it, of all recordings that fit; sums [B]: log_sum's."""
    others = (sums - text_log_probability(bigram, tokens, lengths))[fits(tokens, lengths, counts)]
    return ctc_loss + others.sum() / lengths.sum().clamp(min=1)
