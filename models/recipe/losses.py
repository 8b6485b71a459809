"""What the network is trained on: frame targets, CTC, the triggered attention decoder."""

import torch
from torch.nn import functional as F

from data import phone_targets


def phone_loss(phone_logits, batch, config):
    target = phone_targets(batch, phone_logits.shape[1], config.subsampling, config.phone_slots)
    target = target.to(phone_logits.device).flatten()
    loss = F.cross_entropy(phone_logits.float().flatten(0, 2), target, ignore_index=-100, reduction="sum")
    return loss / (target >= 0).sum().clamp(min=1)  # a batch may have no alignment at all


def peak_loss(log_probabilities, batch, counts):
    """Frame classification of the CTC head: each unit at its trigger, blank elsewhere."""
    target = torch.full(log_probabilities.shape[:2], -100)
    for row, (tokens, triggers) in enumerate(zip(batch.tokens, batch.triggers)):
        if triggers is not None:
            target[row, : int(counts[row])] = 0
            if tokens:
                target[row, torch.tensor(triggers)] = torch.tensor(tokens)
    target = target.flatten().to(log_probabilities.device)
    loss = F.nll_loss(log_probabilities.flatten(0, 1), target, ignore_index=-100, reduction="sum")
    return loss / (target >= 0).sum().clamp(min=1)


def pad_tokens(batch, device):
    lengths = torch.tensor([len(t) for t in batch.tokens])
    padded = torch.zeros(len(batch.tokens), max(1, int(lengths.max())), dtype=torch.long)
    for row, tokens in enumerate(batch.tokens):
        padded[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
    return padded.to(device), lengths.to(device)


def ctc_loss(log_probabilities, tokens, lengths, counts):
    """Mean over recordings that fit of the loss per encoding, scaled to be per token on average."""
    loss = F.ctc_loss(
        log_probabilities.transpose(0, 1), tokens, counts, lengths, blank=0, reduction="none", zero_infinity=True
    )
    return loss.sum() / lengths.sum().clamp(min=1)


@torch.no_grad()
def ctc_triggers(log_probabilities, tokens, lengths, counts):
    """Best CTC path through each transcript: the encoding with each token's best posterior.
    log_probabilities [B, N, V + 1], tokens [B, U] -> triggers [B, U] (rising; padding repeats)."""
    batch, time, _ = log_probabilities.shape
    width = 2 * tokens.shape[1] + 1
    device = tokens.device
    states = torch.zeros(batch, width, dtype=torch.long, device=device)
    states[:, 1::2] = tokens
    skip = torch.zeros(batch, width, dtype=torch.bool, device=device)
    skip[:, 3::2] = tokens[:, 1:] != tokens[:, :-1]
    emission = log_probabilities.gather(2, states[:, None, :].expand(-1, time, -1))
    minus = torch.tensor(-1e9, device=device)
    score = torch.full((batch, width), -1e9, device=device)
    score[:, :2] = emission[:, 0, :2]
    back = torch.zeros(batch, time, width, dtype=torch.uint8, device=device)
    for t in range(1, time):
        one = F.pad(score[:, :-1], (1, 0), value=-1e9)
        two = torch.where(skip, F.pad(score[:, :-2], (2, 0), value=-1e9), minus)
        best, step = torch.stack([score, one, two]).max(dim=0)
        alive = (t < counts)[:, None]
        score = torch.where(alive, best + emission[:, t], score)
        back[:, t] = torch.where(alive, step, torch.zeros_like(step)).to(torch.uint8)
    rows = torch.arange(batch, device=device)
    last, before = 2 * lengths, (2 * lengths - 1).clamp(min=0)
    state = torch.where(score[rows, before] > score[rows, last], before, last)
    best = torch.full((batch, tokens.shape[1]), -1e9, device=device)
    triggers = torch.zeros(batch, tokens.shape[1], dtype=torch.long, device=device)
    for t in range(time - 1, -1, -1):
        here = (t < counts) & (state % 2 == 1)
        place = torch.div(state - 1, 2, rounding_mode="floor").clamp(min=0)
        value = emission[rows, t, state]
        better = here & (value > best[rows, place])
        best[rows, place] = torch.where(better, value, best[rows, place])
        triggers[rows, place] = torch.where(better, torch.full_like(place, t), triggers[rows, place])
        state = state - back[rows, t, state].long()
    return triggers


def attention_loss(network, encodings, counts, tokens, lengths, triggers, half, segment_blanks, smoothing=0.1):
    """Cross-entropy of the decoder, told the true prefix, over the windows of the triggers and in
    the segments that the search would make, which starts afresh after segment_blanks encodings without a
    token; the last step, triggered by the last encoding, is the end (token 0)."""
    batch, longest = tokens.shape
    steps = torch.arange(longest + 1, device=tokens.device)[None, :]
    given = torch.cat([tokens.new_zeros(batch, 1), tokens], dim=1)
    target = torch.cat([tokens, tokens.new_zeros(batch, 1)], dim=1)
    target = target.masked_fill(steps > lengths[:, None], -100)
    last = (counts - 1)[:, None]
    when = torch.cat([triggers, last], dim=1)
    when = torch.where(steps >= lengths[:, None], last.expand_as(when), when)
    after_pause = torch.zeros_like(when)
    after_pause[:, 1:] = torch.where(
        when[:, 1:] - when[:, :-1] > segment_blanks, when[:, :-1] + segment_blanks + 1, after_pause[:, 1:]
    )
    given = given.masked_fill(after_pause > 0, 0)
    starts = after_pause.cummax(dim=1).values
    with torch.autocast(encodings.device.type, dtype=torch.bfloat16, enabled=half):
        logits = network.decoder(encodings, counts, given, when, starts)
    return F.cross_entropy(
        logits.float().flatten(0, 1), target.flatten(), ignore_index=-100, label_smoothing=smoothing
    )
