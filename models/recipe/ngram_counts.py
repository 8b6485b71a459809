"""Counts of n-grams over units, for ngram.py.

Two kinds of text, books and others (modern), are counted apart.  A line is running text; within it tabs
part sentences, and half of the sentences, drawn by chance, begin anew behind a 0, the start.  Ends are
not counted: the search never asks for them.
"""

import lzma

import numpy as np

BITS = 9  # of a token in a key
MASK = (1 << BITS) - 1
MAX_ORDER = 8  # what is sorted is seven tokens, the first being the same, and the kind of text
SENTENCE_START = 0.5  # share of a paragraph's sentences that begin behind a start


def open_text(path):
    return (lzma.open if path.endswith(".xz") else open)(path, "rt", encoding="utf-8")


class Encoder:
    """Text to units by words, each segmented once (no unit runs across words)."""

    LINE, SENTENCE = 0, 1

    def __init__(self, units):
        self.units = units
        self.words = {"\n": self.LINE, "\t": self.SENTENCE}
        self.pieces = [[0], [0]]

    def _add(self, word):
        self.words[word] = len(self.pieces)
        self.pieces.append(self.units.encode(word))

    def encode(self, text, random):
        """Units of lines, each behind a 0; the text ends with a line's end."""
        words = ("\n" + text[:-1]).replace("\t", " \t ").replace("\n", " \n ").split(" ")[1:]
        for word in set(words).difference(self.words):
            self._add(word)
        ids = np.fromiter(map(self.words.__getitem__, words), np.int64, len(words))
        sentences = np.flatnonzero(ids == self.SENTENCE)
        ids = np.delete(ids, sentences[random.random(len(sentences)) >= SENTENCE_START])
        lengths = np.array([len(p) for p in self.pieces])
        flat = np.array([t for p in self.pieces for t in p], np.uint16)
        begins = np.concatenate([[0], np.cumsum(lengths)])[:-1]
        sizes = lengths[ids]
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes) + np.repeat(begins[ids], sizes)
        return flat[places], int((ids > self.SENTENCE).sum())


def read_tokens(units, path, block=1 << 25):
    """All lines as one array of units, each line behind a 0; and the number of words."""
    encoder, random, parts, words = Encoder(units), np.random.default_rng(5), [], 0
    with open_text(path) as f:
        while True:
            text = f.read(block)
            if not text:
                break
            text += f.readline()
            tokens, count = encoder.encode(text if text.endswith("\n") else text + "\n", random)
            parts.append(tokens)
            words += count
    return np.concatenate(parts), words


class Level:
    """The n-grams of one order that are frequent enough, those of one parent together and rising by
    token.  parent: the entry of all but the newest token one order lower (none in order 1, whose
    entries are the tokens); suffix: that of all but the oldest.  counts, follow: by kind of text,
    how often it occurs and how often something follows it."""

    def __init__(self, parent, token, counts, follow):
        self.parent, self.token, self.counts, self.follow = parent, token, counts, follow
        self.suffix = self.kept = self.p = self.gamma = None

    def __len__(self):
        return len(self.token)


def find(level, parents, tokens):
    """Entries of the n-grams with these parents (-1: none) and tokens; -1 where there is none."""
    if level.keys is None:
        level.keys = level.parent.astype(np.int64) << BITS | level.token
    keys = parents.astype(np.int64) << BITS | tokens
    place = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
    return np.where((parents >= 0) & (level.keys[place] == keys), place, -1)


Level.keys = None


def by_kind(flags, starts, modern):
    """Sums of flags over runs that begin at starts: [2, runs], of books and modern text."""
    sums = np.add.reduceat(np.stack([flags, flags & modern]).astype(np.int32), starts, axis=1)
    return np.stack([sums[0] - sums[1], sums[1]]).astype(np.float32)


class Counter:
    """Counts of all orders by one sort: of the runs of `order` tokens that begin at each place, for
    one first token at a time.  An n-gram's occurrences are the runs that begin with it.  Behind the
    end of a line runs are filled with zeros, which no n-gram has but at its beginning."""

    def __init__(self, order, cut):
        self.order, self.cut = order, cut
        self.parts = {n: [] for n in range(2, order + 1)}
        self.sizes = np.zeros(order + 1, np.int64)  # entries so far
        self.counts_of_counts = np.zeros((order + 1, 2, 5))

    def add(self, tokens, modern, first, places):
        """tokens [length], modern [length]: the kind; places where `first` stands."""
        key = np.zeros(len(places), np.uint64)
        alive = np.ones(len(places), bool)
        for place in range(1, self.order):
            part = tokens[places + place]
            alive &= part != 0
            key = key << np.uint64(BITS) | np.where(alive, part, 0).astype(np.uint64)
        key = key << np.uint64(1) | modern[places].astype(np.uint64)
        key.sort()
        kind = (key & np.uint64(1)).astype(bool)
        parent_starts, parent_entries = np.zeros(1, np.int64), np.array([first])
        for n in range(2, self.order + 1):
            prefix = key >> np.uint64(BITS * (self.order - n) + 1)
            starts = np.flatnonzero(np.concatenate([[True], prefix[1:] != prefix[:-1]]))
            token = (prefix[starts] & np.uint64(MASK)).astype(np.uint16)
            counts = by_kind(np.ones(len(key), bool), starts, kind)
            for source in (0, 1):
                few = np.bincount(np.minimum(counts[source][token != 0], 5).astype(np.int64), minlength=6)
                self.counts_of_counts[n, source] += few[:5]
            follow = np.zeros((2, len(starts)), np.float32)
            if n < self.order:
                next_token = key >> np.uint64(BITS * (self.order - n - 1) + 1) & np.uint64(MASK)
                follow = by_kind(next_token != 0, starts, kind)
            parent = parent_entries[np.searchsorted(parent_starts, starts, "right") - 1]
            good = (token != 0) & (counts.sum(0) >= self.cut[n]) & (parent >= 0)
            entries = np.full(len(starts), -1)
            entries[good] = self.sizes[n] + np.arange(good.sum())
            self.sizes[n] += good.sum()
            self.parts[n].append((parent[good].astype(np.int32), token[good], counts[:, good], follow[:, good]))
            parent_starts, parent_entries = starts, entries

    def levels(self, first):
        levels = {1: first}
        for n, parts in self.parts.items():
            levels[n] = Level(*(np.concatenate(column, axis=-1) for column in zip(*parts)))
        return levels


def count(texts, order, vocabulary, cut):
    """Levels of the n-grams of two token arrays; and how many n-grams occur 0..4 times, by order and
    kind."""
    tokens = np.concatenate([*texts, np.zeros(order, np.uint16)])
    modern = np.zeros(len(tokens), bool)
    modern[len(texts[0]) :] = True
    size = len(tokens) - order
    places = np.argsort(tokens[:size], kind="stable").astype(np.int32)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(tokens[:size], minlength=vocabulary))])
    counter = Counter(order, cut)
    counts, follow = np.zeros((2, 2, vocabulary), np.float32)
    for token in range(vocabulary):
        here = places[bounds[token] : bounds[token + 1]].astype(np.int64)
        if not len(here):
            continue
        kind, more = modern[here], tokens[here + 1] != 0
        counts[:, token] = (~kind).sum(), kind.sum()
        follow[:, token] = (more & ~kind).sum(), (more & kind).sum()
        counter.add(tokens, modern, token, here)
    counts[:, 0] = 0  # a start is no event
    none = np.zeros(vocabulary, np.int32)
    levels = counter.levels(Level(none, np.arange(vocabulary, dtype=np.uint16), counts, follow))
    link(levels)
    return levels, counter.counts_of_counts


def link(levels):
    """Finds every n-gram's suffix; what is frequent has a frequent one."""
    for n in range(2, max(levels) + 1):
        level = levels[n]
        if n == 2:
            level.suffix = level.token.astype(np.int32)
        else:
            above = levels[n - 1].suffix[level.parent]
            level.suffix = find(levels[n - 1], above, level.token).astype(np.int32)
            assert (level.suffix >= 0).all()
