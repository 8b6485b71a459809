"""The language model: a pruned Kneser-Ney n-gram over the units, as a trie of small arrays.

    python3 ngram.py --data DIR --text mix.txt.xz --order 6 --size 450000

Interpolated Kneser-Ney smoothing with one discount per order (Ney, Essen, Kneser 1994; Chen and
Goodman 1998), pruned by counts to about --size n-grams, in back-off form.  Writes DIR/lm.npz (what
export.py puts into the model file) and prints the perplexity per word of --heldout texts.
A key holds up to seven tokens of nine bits, the oldest highest.
"""

import argparse
import json
import lzma
import math
import os

import numpy as np

from units import Units

BITS = 9
MASK = (1 << BITS) - 1
PROBABILITY_SCALE, BACKOFF_SCALE = 0.06, 0.03  # nats per step of the 8-bit codes


def read_tokens(units, path, limit=0):
    """All lines as one array, each line after a 0 (the start)."""
    parts = []
    with lzma.open(path, "rt", encoding="utf-8") as f:
        lines = [line.strip() for number, line in enumerate(f) if not limit or number < limit]
    for begin in range(0, len(lines), 20000):
        for tokens in units.model.encode(lines[begin : begin + 20000]):
            parts.append(0)
            parts.extend(tokens)
        if begin == 0:
            kind = np.int16
    parts.append(0)
    return np.array(parts, dtype=kind), len(lines), sum(len(line.split()) for line in lines)


def keys_of(tokens, order):
    """Keys of all n-grams that do not run across a line's start (0 may only be first)."""
    count = len(tokens) - order + 1
    key = np.zeros(count, np.int64)
    good = np.ones(count, bool)
    for place in range(order):
        part = tokens[place : place + count].astype(np.int64)
        key = (key << BITS) | part
        if place > 0 and place < order - 1:
            good &= part != 0
    return key[good]


def suffix(key, order):
    """The key without its oldest token."""
    return key & ((1 << (BITS * (order - 1))) - 1)


class Level:
    """Unique n-grams of one order: keys ascending, adjusted counts, probabilities."""

    def __init__(self, keys, counts):
        self.keys, self.counts = keys, counts
        self.p = None


def make_levels(tokens, order):
    raw, levels = {}, {}
    for n in range(1, order + 1):
        raw[n] = np.unique(keys_of(tokens, n), return_counts=True)
    for n in range(1, order + 1):
        keys, counts = raw[n]
        if n < order:
            # Kneser-Ney: how many different tokens come before, but for n-grams that begin a line.
            longer = suffix(raw[n + 1][0], n + 1)
            unique, before = np.unique(longer, return_counts=True)
            adjusted = np.zeros(len(keys), np.int64)
            adjusted[np.searchsorted(keys, unique)] = before
            first = keys >> (BITS * (n - 1))
            counts = np.where((first == 0) & (n > 1), counts, np.maximum(adjusted, 1))
        levels[n] = Level(keys, counts.astype(np.float64))
    return levels


def smooth(levels, order, vocabulary):
    """Interpolated probabilities of all n-grams, lowest order first."""
    for n in range(1, order + 1):
        level = levels[n]
        ones, twos = (level.counts == 1).sum(), (level.counts == 2).sum()
        discount = ones / (ones + 2.0 * twos) if twos else 0.5
        context = level.keys >> BITS
        starts = np.flatnonzero(np.concatenate([[True], context[1:] != context[:-1]]))
        sizes = np.diff(np.concatenate([starts, [len(context)]]))
        total = np.add.reduceat(level.counts, starts)
        weight = discount * sizes / total  # of the lower order
        total, weight = np.repeat(total, sizes), np.repeat(weight, sizes)
        if n == 1:
            lower = np.full(len(level.keys), 1.0 / vocabulary)
        else:
            below = levels[n - 1]
            lower = below.p[np.searchsorted(below.keys, suffix(level.keys, n))]
        level.p = np.maximum(level.counts - discount, 0) / total + weight * lower


def member(keys, sorted_keys):
    place = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return sorted_keys[place] == keys


def prune(levels, order, size):
    """Which n-grams stay: the most worth having, with their contexts and suffixes.  An n-gram's
    worth is what it adds to the likelihood: count times log of its probability over the lower
    order's."""
    worth = {}
    for n in range(2, order + 1):
        level, below = levels[n], levels[n - 1]
        lower = below.p[np.searchsorted(below.keys, suffix(level.keys, n))]
        worth[n] = level.counts * np.log(level.p / lower)
        worth[n][level.counts < 2] = -1
    everything = np.concatenate(list(worth.values()))
    everything = everything[everything > 0]
    least = np.partition(everything, -size)[-size] if len(everything) > size else 0.0
    keep = {n: worth[n] >= max(least, 1e-9) for n in worth}
    for n in range(order, 2, -1):
        below = levels[n - 1].keys
        needed = np.concatenate([levels[n].keys[keep[n]] >> BITS, suffix(levels[n].keys[keep[n]], n)])
        needed = np.unique(needed)
        needed = needed[member(needed, below)]
        keep[n - 1][np.searchsorted(below, needed)] = True
    for n in keep:
        levels[n].keys, levels[n].p = levels[n].keys[keep[n]], levels[n].p[keep[n]]


def fill_unigrams(level, vocabulary):
    p = np.full(vocabulary, 1e-8)
    p[level.keys] = level.p
    level.keys, level.p = np.arange(vocabulary), p / p.sum()


def backoffs(levels, order):
    """For each entry of each order but the last, the log weight of the lower order after it."""
    out = {}
    for n in range(1, order):
        level, longer = levels[n], levels[n + 1]
        context = longer.keys >> BITS
        place = np.searchsorted(level.keys, context)
        kept = np.zeros(len(level.keys))
        lower = np.zeros(len(level.keys))
        np.add.at(kept, place, longer.p)
        below = levels[n]
        lower_p = below.p[np.searchsorted(below.keys, suffix(longer.keys, n + 1))]
        np.add.at(lower, place, lower_p)
        out[n] = np.log(np.clip(1 - kept, 1e-6, 1)) - np.log(np.clip(1 - lower, 1e-6, 1))
        out[n][kept == 0] = 0.0
    return out


def arrays(levels, order, weights):
    """{name: array} of the trie."""
    out = {}
    for n in range(1, order + 1):
        level = levels[n]
        out[f"lm.{n}.token"] = (level.keys & MASK).astype(np.uint16)
        code = np.rint(-np.log(level.p) / PROBABILITY_SCALE)
        out[f"lm.{n}.probability"] = np.clip(code, 0, 255).astype(np.uint8)
        if n < order:
            out[f"lm.{n}.backoff"] = np.clip(np.rint(-weights[n] / BACKOFF_SCALE), 0, 255).astype(np.uint8)
            parents = levels[n + 1].keys >> BITS
            first = np.searchsorted(parents, level.keys)
            out[f"lm.{n}.child"] = np.concatenate([first, [len(parents)]]).astype(np.int32)
    return out


class Ngram:
    """Look-ups in the trie, as lib/decoder does them."""

    def __init__(self, tensors, description):
        self.order = description["order"]
        self.scale, self.backoff_scale = description["probability_scale"], description["backoff_scale"]
        self.levels = []
        for n in range(1, self.order + 1):
            names = ("token", "probability", "backoff", "child")
            self.levels.append({k: tensors.get(f"lm.{n}.{k}") for k in names})
        self.cache = {}

    def _child(self, level, entry, token):
        here, below = self.levels[level], self.levels[level + 1]
        low, high = int(here["child"][entry]), int(here["child"][entry + 1])
        place = low + int(np.searchsorted(below["token"][low:high], token))
        return place if place < high and int(below["token"][place]) == token else None

    def score(self, context, token):
        """Natural log of p(token | context), context a tuple of tokens, oldest first."""
        context = context[-(self.order - 1) :] if self.order > 1 else ()
        key = context + (token,)
        if key not in self.cache:
            self.cache[key] = self._score(context, token)
        return self.cache[key]

    def _score(self, context, token):
        backoff = 0.0
        while context:
            entry = context[0]
            for level, one in enumerate(context[1:]):
                entry = None if entry is None else self._child(level, entry, one)
            if entry is not None:
                level = len(context) - 1
                found = self._child(level, entry, token)
                if found is not None:
                    return backoff - float(self.levels[level + 1]["probability"][found]) * self.scale
                backoff -= float(self.levels[level]["backoff"][entry]) * self.backoff_scale
            context = context[1:]
        return backoff - float(self.levels[0]["probability"][token]) * self.scale


def load(path):
    with np.load(path) as f:
        tensors = {k: f[k] for k in f.files if k != "description"}
        return tensors, json.loads(str(f["description"]))


def perplexity(ngram, units, path, lines=2000):
    total, words = 0.0, 0
    with lzma.open(path, "rt", encoding="utf-8") as f:
        for _, line in zip(range(lines), f):
            context = (0,)
            for token in units.encode(line.strip()) + [0]:
                total += ngram.score(context, token)
                context += (token,)
            words += len(line.split()) + 1
    return math.exp(-total / words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--heldout", nargs="*", default=[])
    parser.add_argument("--order", type=int, default=6)
    parser.add_argument("--size", type=int, default=450000, help="n-grams kept, about")
    parser.add_argument("--lines", type=int, default=0, help="of the text; 0: all")
    arguments = parser.parse_args()
    units = Units(os.path.join(arguments.data, "units.model"))
    tokens, lines, words = read_tokens(units, arguments.text, arguments.lines)
    print(f"{lines} lines, {words} words, {len(tokens) - lines - 1} units", flush=True)
    levels = make_levels(tokens, arguments.order)
    smooth(levels, arguments.order, units.size)
    prune(levels, arguments.order, arguments.size)
    fill_unigrams(levels[1], units.size)
    out = arrays(levels, arguments.order, backoffs(levels, arguments.order))
    description = {
        "order": arguments.order,
        "probability_scale": PROBABILITY_SCALE,
        "backoff_scale": BACKOFF_SCALE,
    }
    np.savez(os.path.join(arguments.data, "lm.npz"), description=json.dumps(description), **out)
    counts = ", ".join(str(len(levels[n].keys)) for n in levels)
    print(f"n-grams by order: {counts}; {sum(a.nbytes for a in out.values()) / 1e6:.1f} MB", flush=True)
    for path in arguments.heldout:
        print(f"{os.path.basename(path)}: perplexity per word {perplexity(Ngram(out, description), units, path):.0f}")


if __name__ == "__main__":
    main()
