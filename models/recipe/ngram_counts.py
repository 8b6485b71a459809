"""Counts of n-grams over units, for ngram.py.

Kinds of text (books, others) are counted apart: two in one go, more by joining counts.  A line is running
text; within it tabs part sentences, and half of the sentences, drawn by chance, begin anew behind a 0, the
start.  Ends are not counted: the search never asks for them.
"""

import itertools
import lzma
import multiprocessing

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


class Workers:
    """Processes that share what this one has made so far; with one job, this one alone."""

    def __init__(self, jobs):
        self.pool = multiprocessing.get_context("fork").Pool(jobs) if jobs > 1 else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pool:
            self.pool.terminate()

    def map(self, function, items):
        """Results in order."""
        return self.pool.imap(function, items) if self.pool else map(function, items)


def blocks_of(path, size=1 << 24):
    """The text in pieces of whole lines, numbered."""
    with open_text(path) as f:
        for number in itertools.count():
            text = f.read(size)
            if not text:
                return
            text += f.readline()
            yield number, text if text.endswith("\n") else text + "\n"


_encoder = None  # likewise


def _encode_block(block):
    number, text = block
    return _encoder.encode(text, np.random.default_rng(number))


def read_tokens(units, path, jobs=1):
    """All lines as one array of units, each line behind a 0; and the number of words."""
    global _encoder
    _encoder = Encoder(units)
    with Workers(jobs) as workers:
        parts, words = zip(*workers.map(_encode_block, blocks_of(path)))
    return np.concatenate(parts), sum(words)


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


def starts_of(prefix):
    """Where runs of equal values begin."""
    return np.flatnonzero(np.concatenate([[True], prefix[1:] != prefix[:-1]]))


class Counter:
    """Counts of all orders by one sort: of the runs of `order` tokens that begin at each place, for
    one first token at a time.  An n-gram's occurrences are the runs that begin with it, so that the
    counts of an order are sums of those of the next.  Behind the end of a line runs are filled with
    zeros, which no n-gram has but at its beginning."""

    def __init__(self, texts, order, vocabulary, cut):
        self.order, self.cut, self.kinds = order, cut, len(texts)
        self.tokens = np.concatenate([*texts, np.zeros(order, np.uint16)])
        self.second = len(texts[0])  # where the second kind begins
        size = len(self.tokens) - order
        self.places = np.argsort(self.tokens[:size], kind="stable").astype(np.int32)
        occurrences = np.bincount(self.tokens[:size], minlength=vocabulary)
        self.bounds = np.concatenate([[0], np.cumsum(occurrences)])

    def _runs(self, first):
        """The different runs behind the first token, ascending, and their counts by kind."""
        places = self.places[self.bounds[first] : self.bounds[first + 1]].astype(np.int64)
        key = np.zeros(len(places), np.uint64)
        alive = np.ones(len(places), bool)
        for place in range(1, self.order):
            part = self.tokens[places + place]
            alive &= part != 0
            key = key << np.uint64(BITS) | np.where(alive, part, 0).astype(np.uint64)
        key = key << np.uint64(1) | (places >= self.second).astype(np.uint64)
        key.sort()
        starts = starts_of(key >> np.uint64(1))
        total = np.diff(np.append(starts, len(key)))
        second = np.add.reduceat((key & np.uint64(1)).astype(np.int32), starts)
        return key[starts] >> np.uint64(1), np.stack([total - second, second])[: self.kinds].astype(np.int32)

    def __call__(self, first):
        """Of the n-grams that begin with that token: for each order above 1 parents (counted from the
        first such one of the order below), tokens, counts and follow; how many are rare; and counts
        and follow of the token itself."""
        if self.bounds[first] == self.bounds[first + 1]:
            return None
        prefix, counts = self._runs(first)
        follow, stairs = np.zeros_like(counts), {}
        for n in range(self.order, 1, -1):
            token = (prefix & np.uint64(MASK)).astype(np.uint16)
            above = prefix >> np.uint64(BITS)
            starts = starts_of(above)
            parent = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(above))))
            stairs[n] = parent, token, counts, follow
            follow = np.add.reduceat(np.where(token != 0, counts, 0), starts, axis=1)
            counts = np.add.reduceat(counts, starts, axis=1)
            prefix = above[starts]
        parts, rare, entries = {}, np.zeros((self.order + 1, self.kinds, 5)), np.zeros(1, np.int64)
        for n in range(2, self.order + 1):
            parent, token, own, more = stairs[n]
            parent = entries[parent]
            for source in range(self.kinds):
                rare[n, source] = np.bincount(np.minimum(own[source][token != 0], 5), minlength=6)[:5]
            good = (token != 0) & (own.sum(0) >= self.cut[n]) & (parent >= 0)
            entries = np.where(good, np.cumsum(good) - 1, -1)
            columns = parent.astype(np.int32), token, own.astype(np.float32), more.astype(np.float32)
            parts[n] = tuple(column[..., good] for column in columns)
        return parts, rare, counts[:, 0], follow[:, 0]


_counter = None  # of the workers, who are forked from its owner


def _count_first(first):
    return _counter(first)


def count(texts, order, vocabulary, cut, jobs=1):
    """Levels of the n-grams of one or two token arrays, each a kind of text; and how many n-grams occur
    0..4 times, by order and kind."""
    global _counter
    _counter = Counter(texts, order, vocabulary, cut)
    columns, rare = {n: [] for n in range(2, order + 1)}, np.zeros((order + 1, len(texts), 5))
    counts, follow = np.zeros((2, len(texts), vocabulary), np.float32)
    with Workers(jobs) as workers:
        for first, found in enumerate(workers.map(_count_first, range(vocabulary))):
            if not found:
                continue
            parts, few, counts[:, first], follow[:, first] = found
            rare += few
            before = first  # entries of the order below that begin with smaller tokens
            for n, (parent, *rest) in parts.items():
                columns[n].append((parent + np.int32(before), *rest))
                before = sum(len(part[0]) for part in columns[n][:-1])
    _counter = None
    counts[:, 0] = 0  # a start is no event
    none = np.zeros(vocabulary, np.int32)
    levels = {1: Level(none, np.arange(vocabulary, dtype=np.uint16), counts, follow)}
    for n, parts in columns.items():
        levels[n] = Level(*(np.concatenate(column, axis=-1) for column in zip(*parts)))
    link(levels)
    return levels, rare


def link(levels):
    """Finds every n-gram's suffix; what is frequent has a frequent one."""
    for n in range(2, max(levels) + 1):
        level = levels[n]
        if n == 2:
            level.suffix = level.token.astype(np.int32)
        else:
            above = levels[n - 1].suffix[level.parent]
            level.suffix = find(levels[n - 1], above, level.token).astype(np.int32)
            levels[n - 1].keys = None  # memory
            assert (level.suffix >= 0).all()


def join(first, second):
    """Of two pairs of levels and rare ones as count() gives them, of the same order and units: one whose
    kinds are those of the first and then those of the second.  An n-gram that only one of them found
    frequent enough counts as missing in the other, which so leaves its events to the order below."""
    (one, rare_one), (two, rare_two) = first, second
    out, places = {}, None
    for n in one:
        if n == 1:
            keys = [level.token.astype(np.int64) for level in (one[1], two[1])]
        else:
            keys = [p[level.parent] << BITS | level.token for p, level in zip(places, (one[n], two[n]))]
        every = np.union1d(*keys)
        places = [np.searchsorted(every, k) for k in keys]
        columns = []
        for name in ("counts", "follow"):
            parts = [getattr(level, name) for level in (one[n], two[n])]
            column = np.zeros((sum(map(len, parts)), len(every)), np.float32)
            column[: len(parts[0]), places[0]], column[len(parts[0]) :, places[1]] = parts
            columns.append(column)
        out[n] = Level((every >> BITS).astype(np.int32), (every & MASK).astype(np.uint16), *columns)
    link(out)
    return out, np.concatenate([rare_one, rare_two], axis=1)


def save(path, levels, rare):
    columns = {}
    for n, level in levels.items():
        for name in ("parent", "token", "counts", "follow"):
            columns[f"{n}.{name}"] = getattr(level, name)
    np.savez(path, rare=rare, **columns)


def load(path, cut):
    """Counts saved with the same `cut` or a lower one."""
    levels, places = {}, None
    with np.load(path) as f:
        rare = f["rare"]
        for n in range(1, len(rare)):
            parent, token, counts, follow = (f[f"{n}.{name}"] for name in ("parent", "token", "counts", "follow"))
            good = counts.sum(0) >= (cut[n] if n > 1 else 0)
            if n > 1:
                parent = places[parent[good]]
            levels[n] = Level(parent, token[good], counts[:, good], follow[:, good])
            places = (np.cumsum(good) - 1).astype(np.int32)
    link(levels)
    return levels, rare
