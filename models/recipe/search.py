"""The streaming search, written for reading: what lib/decoder computes fast.

Frame-synchronous CTC prefix beam search; a prefix's next token is scored by the attention decoder
when CTC triggers it (Moritz, Hori, Le Roux 2019), over encodings up to look_ahead after the
trigger.  docs/model.md has the maths.
"""

import math

import torch

MINUS = -math.inf
MERGED_ENDING = 7  # of prefixes that end in the same so many tokens only the best is kept


def _add(a, b):
    if a == MINUS:
        return b
    if b == MINUS:
        return a
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


class _Hypothesis:
    __slots__ = ("blank", "token", "attention", "lm", "state", "times")

    def __init__(self, attention, lm, state):
        self.blank, self.token = MINUS, MINUS  # log-probabilities of ending in blank, in the token
        self.attention, self.lm, self.state = attention, lm, state
        self.times = []  # (best posterior, its encoding) of each token

    def ctc(self):
        return _add(self.blank, self.token)


class Search:
    def __init__(self, network, options, lm=None):
        self.decoder, self.config, self.options = network.decoder, network.config, options
        self.lm = lm if options["lm_weight"] > 0 else None

    def score(self, prefix, hypothesis):
        options = self.options
        return (
            options["ctc_weight"] * hypothesis.ctc()
            + options["attention_weight"] * hypothesis.attention
            + options["lm_weight"] * hypothesis.lm
            + options["token_bonus"] * len(prefix)
        )

    def lm_score(self, longer):
        """Of the last token of a prefix; what was settled before it is its context too."""
        if self.lm is None:
            return 0.0
        return self.lm.score((0, *self.result, *longer[:-1])[-8:], longer[-1])

    @torch.no_grad()
    def __call__(self, encodings, log_probabilities):
        """encodings [N, d], log_probabilities [N * ctc_frames, V + 1] of a whole recording -> tokens.
        Times count CTC's frames."""
        self.encodings = encodings[None]
        self.keys = self.decoder.attention.key(self.encodings)
        self.start, self.result = 0, []
        probabilities = log_probabilities.tolist()
        cut = math.log(self.options["token_threshold"]) if self.options["token_threshold"] > 0 else MINUS
        self._restart(0)
        for t, row in enumerate(probabilities):
            candidates = (log_probabilities[t, 1:] >= cut).nonzero().flatten().add(1).tolist()
            self._advance(t, row, candidates)
            self._end_segment(t)
        self._settle(max(self.beam, key=lambda p: self.score(p, self.beam[p])))
        return self.result

    def _restart(self, start):
        self.start = start
        first = _Hypothesis(0.0, 0.0, self.decoder.start(1, self.encodings.shape[1], self.encodings.device))
        first.blank = 0.0
        self.beam = {(): first}

    def _step(self, prefix, hypothesis, t):
        """Log-probabilities of the token after prefix, triggered at t, and the state then."""
        trigger, first = t // self.config.ctc_frames, self.start // self.config.ctc_frames
        high = min(trigger + self.config.look_ahead, self.encodings.shape[1] - 1)
        low = max(first, trigger + self.config.look_ahead - self.config.attention_window + 1)
        last = prefix[-1] if prefix else 0
        logits, state = self.decoder.step(
            torch.tensor([last]), hypothesis.state, self.keys, self.encodings, torch.tensor([low]), torch.tensor([high])
        )
        return torch.log_softmax(logits[0], -1).tolist(), state

    def _advance(self, t, row, candidates):
        options, following = self.options, {}
        for prefix, hypothesis in self.beam.items():
            kept = following.setdefault(prefix, _Hypothesis(hypothesis.attention, hypothesis.lm, hypothesis.state))
            kept.times = hypothesis.times
            kept.blank = _add(kept.blank, hypothesis.ctc() + row[0])
            if prefix:
                kept.token = _add(kept.token, hypothesis.token + row[prefix[-1]])
                if math.exp(row[prefix[-1]]) > kept.times[-1][0] and hypothesis.token > hypothesis.blank:
                    kept.times = kept.times[:-1] + [(math.exp(row[prefix[-1]]), t)]
        extended = {}
        for prefix, hypothesis in self.beam.items():
            for token in candidates:
                repeats = prefix and token == prefix[-1]
                gain = (hypothesis.blank if repeats else hypothesis.ctc()) + row[token]
                longer = prefix + (token,)
                if longer in following:
                    following[longer].token = _add(following[longer].token, gain)
                elif gain > MINUS:
                    extended[longer] = gain
        # Only what could enter the beam if the decoder were certain of it deserves a step.
        def bound(longer):
            parent = self.beam[longer[:-1]]
            return (
                options["ctc_weight"] * extended[longer]
                + options["attention_weight"] * parent.attention
                + options["lm_weight"] * (parent.lm + self.lm_score(longer))
                + options["token_bonus"] * len(longer)
            )

        scores = sorted((self.score(p, h) for p, h in following.items()), reverse=True)
        least = scores[options["beam"] - 1] if len(scores) >= options["beam"] else MINUS
        steps = {}
        for longer in extended:
            if bound(longer) <= least:
                continue
            parent = longer[:-1]
            hypothesis = self.beam[parent]
            attention, state = 0.0, hypothesis.state
            if options["attention_weight"] > 0:
                if parent not in steps:
                    steps[parent] = self._step(parent, hypothesis, t)
                outputs, state = steps[parent]
                attention = outputs[longer[-1]]
            new = _Hypothesis(hypothesis.attention + attention, hypothesis.lm + self.lm_score(longer), state)
            new.token = extended[longer]
            new.times = hypothesis.times + [(math.exp(row[longer[-1]]), t)]
            following[longer] = new
        self.beam, endings = {}, set()
        for prefix in sorted(following, key=lambda p: self.score(p, following[p]), reverse=True):
            ending = prefix[-MERGED_ENDING:]
            if len(self.beam) < options["beam"] and ending not in endings:
                self.beam[prefix] = following[prefix]
                if len(ending) == MERGED_ENDING:
                    endings.add(ending)

    def _end_segment(self, t):
        best = next(iter(self.beam))
        if best and t - self.beam[best].times[-1][1] >= self.options["segment_blanks"] * self.config.ctc_frames:
            self._settle(best)
            self._restart(t + 1)
        elif t - self.start + 1 >= self.options["segment_max"] * self.config.ctc_frames:
            if not best:
                self._restart(t + 1)
                return
            times = [self.start] + [time for _, time in self.beam[best].times] + [t]
            pauses = [(times[n + 1] - times[n], n) for n in range(1, len(times) - 1)]
            count = max(pauses)[1]
            self._settle(best[:count])
            beam = {p[count:]: h for p, h in self.beam.items() if p[:count] == best[:count]}
            for hypothesis in beam.values():
                hypothesis.times = hypothesis.times[count:]
            self.beam, self.start = beam, times[count] + 1

    def _settle(self, prefix):
        self.result.extend(prefix)
