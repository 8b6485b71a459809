"""The n-gram as a model file holds it: packed, and look-ups in it.

docs/model.md has the layout.  Ngram reads that and the older plain one, and is what the C code
(lib/decoder) is compared with.
"""

import json
import math

import numpy as np

import ngram_counts

PROBABILITY_SCALE, BACKOFF_SCALE = 0.06, 0.03  # nats per step of the 8-bit codes


def codes(logarithms, scale):
    return np.clip(np.rint(-logarithms / scale), 0, 255).astype(np.uint8)


def bitmap(bits):
    """Lowest bit of the first byte first, in whole words of eight bytes."""
    return np.packbits(np.pad(bits, (0, -len(bits) % 64)), bitorder="little")


def bits_of(array, count):
    return np.unpackbits(array, count=count, bitorder="little").astype(bool)


def pack(levels):
    """{name: array} of levels with parent, token, p and gamma; order 1 has all tokens, no other has
    token 0."""
    out, order = {}, max(levels)
    narrow = len(levels[1]) <= 257
    for n, level in levels.items():
        if n > 1:
            first = np.ones(len(level), bool)
            first[1:] = level.parent[1:] != level.parent[:-1]
            out[f"lm.{n}.first"] = bitmap(first)
            out[f"lm.{n}.token"] = (level.token - 1).astype(np.uint8) if narrow else level.token.astype(np.uint16)
        out[f"lm.{n}.probability"] = codes(np.log(level.p), PROBABILITY_SCALE)
        if n < order:
            inner = np.zeros(len(level), bool)
            inner[levels[n + 1].parent] = True
            out[f"lm.{n}.inner"] = bitmap(inner)
            out[f"lm.{n}.backoff"] = codes(np.log(level.gamma[inner]), BACKOFF_SCALE)
    return out


def describe(order):
    """The metadata "lm"."""
    return {"order": order, "probability_scale": PROBABILITY_SCALE, "backoff_scale": BACKOFF_SCALE}


def unpack(tensors, order):
    """The plain arrays of a packed trie: for each order a dictionary of token, probability, backoff
    and child."""
    levels = []
    for n in range(1, order + 1):
        probability = tensors[f"lm.{n}.probability"]
        token = np.arange(len(probability))
        if n > 1:
            token = tensors[f"lm.{n}.token"]
            token = token.astype(np.int64) + (1 if token.dtype == np.uint8 else 0)
        level = {"token": token, "probability": probability, "backoff": None, "child": None}
        if n < order:
            inner = bits_of(tensors[f"lm.{n}.inner"], len(probability))
            level["backoff"] = np.zeros(len(probability), np.uint8)
            level["backoff"][inner] = tensors[f"lm.{n}.backoff"]
            below = len(tensors[f"lm.{n + 1}.probability"])
            begins = np.append(np.flatnonzero(bits_of(tensors[f"lm.{n + 1}.first"], below)), below)
            # An entry's children begin where those of the next entry that has any do.
            level["child"] = begins[np.concatenate([[0], np.cumsum(inner)])]
        levels.append(level)
    return levels


class Ngram:
    """Look-ups in the trie, as lib/decoder does them."""

    def __init__(self, tensors, description):
        self.order = description["order"]
        self.scale, self.backoff_scale = description["probability_scale"], description["backoff_scale"]
        if "lm.1.inner" in tensors:
            self.levels = unpack(tensors, self.order)
        else:
            names = ("token", "probability", "backoff", "child")
            self.levels = [{k: tensors.get(f"lm.{n}.{k}") for k in names} for n in range(1, self.order + 1)]
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

    def scores(self, tokens):
        """Of every token of lines that each begin with 0, given those before it in its line: of the
        zeros, 0.  All at once, in numpy."""
        tokens = tokens.astype(np.int64)
        entries, places = [tokens], np.arange(len(tokens))
        for level in range(self.order - 1):
            child = self.levels[level]["child"]
            below = self.levels[level + 1]["token"]
            parents = np.repeat(np.arange(len(child) - 1), np.diff(child))
            keys = parents << 16 | below
            before = np.concatenate([[-1], entries[-1][:-1]])
            wanted = before << 16 | tokens
            found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            entries.append(np.where((before >= 0) & (tokens != 0) & (keys[found] == wanted), found, -1))
        total, open_ = np.zeros(len(tokens)), tokens != 0
        for level in range(self.order - 1, -1, -1):
            here = open_ & (entries[level] >= 0)
            total[here] -= self.levels[level]["probability"][entries[level][here]] * self.scale
            open_ &= ~here
            if level:
                context = entries[level - 1][np.maximum(places - 1, 0)]
                back = open_ & (context >= 0)
                total[back] -= self.levels[level - 1]["backoff"][context[back]] * self.backoff_scale
        return total


def save(path, tensors, description):
    np.savez(path, description=json.dumps(description), **tensors)


def load(path):
    with np.load(path) as f:
        tensors = {k: f[k] for k in f.files if k != "description"}
        return tensors, json.loads(str(f["description"]))


def perplexity(ngram, units, path):
    """Per word; the ends of lines do not count."""
    tokens, words = ngram_counts.read_tokens(units, path)
    return math.exp(-ngram.scores(tokens).sum() / words)
