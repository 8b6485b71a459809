"""The language model: a pruned n-gram over the units, as a trie of small arrays.

    python3 ngram.py --data DIR --books books.txt --text modern.txt --encyclopedia encyclopedia.txt \\
        --heldout heldout.txt.xz

Kinds of text are counted apart (ngram_counts.py) and joined: books (much; books.py makes them), others
(little), an event of which counts --text-weight times, and an encyclopedia (encyclopedia.py), likewise
with --encyclopedia-weight.  Only the second is needed.  Writes DIR/lm.npz (what export.py puts into the
model file) and prints the perplexity per word of the --heldout texts.

Smoothing is Kneser and Ney's idea (1995) for a pruned model.  Every token of the text is an event.
Orders are gone through from the highest down: an n-gram that is in the model keeps the events that
end in it, less a discount that depends on their number (Chen and Goodman 1998: three discounts), and
passes what it does not keep to the n-gram without the oldest token; one that is not in the model
passes everything.  So a lower order is estimated from just the events for which it will be asked, and
what a context's n-grams pass down, over its events, is its back-off weight: no normalisation is left.

Pruning is by what the likelihood of the events loses without an n-gram, with the change of the
back-off weight (Stolcke 1998, but with counts instead of the model's probability of the context,
which Kneser-Ney estimates badly: Chelba et al. 2010), in rounds, each on a new estimate.
"""

import argparse
import math
import os

import numpy as np

import ngram_counts
import ngram_trie
from ngram_counts import MAX_ORDER, Level
from units import Units


def discounts(counts_of_counts):
    """Of 0, 1, 2 and 3 or more events (Chen and Goodman 1998)."""
    t = np.maximum(counts_of_counts, 1)
    y = t[1] / (t[1] + 2 * t[2])
    three = [k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)]
    return np.array([0.0, *(min(max(d, 0.1), k) for k, d in zip((1, 2, 3), three))])


class Estimate:
    """Probabilities for the n-grams marked as kept; see above.  weights: of each kind of text."""

    def __init__(self, levels, counts_of_counts, weights):
        self.levels, self.order, self.weights = levels, max(levels), np.array(weights, np.float64)
        self.discounts = {
            n: [discounts(of_kind) for of_kind in counts_of_counts[n]] for n in range(2, self.order + 1)
        }

    def _discount(self, n, source, events):
        return np.interp(events, np.arange(4.0), self.discounts[n][source])

    def run(self):
        """Sets p and gamma of all n-grams (p of those not kept as the model gives it), and for those
        of order 2 and up: own, the share of the context's events kept; events, those that end here;
        total, those of the context."""
        taken = {n: np.zeros((len(self.weights), len(self.levels[n]))) for n in self.levels}  # by it and longer ones
        for n in range(self.order, 1, -1):
            level, above = self.levels[n], self.levels[n - 1]
            size, kept = len(above), level.kept
            own, total, level.events = np.zeros(len(level)), np.zeros(size), np.zeros(len(level))
            for source in range(len(self.weights)):
                events = np.maximum(level.counts[source] - taken[n][source], 0)
                used = np.bincount(level.parent, taken[n][source], size)
                total += self.weights[source] * np.maximum(above.follow[source] - used, 0)
                kept_events = np.where(kept, events - self._discount(n, source, events), 0)
                taken[n - 1][source] += np.bincount(level.suffix, taken[n][source] + kept_events, size)
                own += self.weights[source] * kept_events
                level.events += self.weights[source] * events
            del taken[n]
            level.total = np.maximum(total, 1e-9)[level.parent]
            level.own = own / level.total
            above.gamma = np.clip(1 - np.bincount(level.parent, level.own, size), 1e-4, 1)
        first = self.levels[1]
        events = self.weights @ np.maximum(first.counts - taken[1], 0)
        first.p = np.maximum(events / events.sum(), 1e-8)
        for n in range(2, self.order + 1):
            level, above = self.levels[n], self.levels[n - 1]
            level.lower = above.gamma[level.parent] * above.p[level.suffix]
            level.p = level.own + level.lower

    def worth(self, n):
        """What the log-likelihood loses without each n-gram of order n."""
        level, above = self.levels[n], self.levels[n - 1]
        gamma = above.gamma[level.parent]
        risen = gamma + level.own
        loss = level.events * np.log(level.p / np.minimum(level.lower * risen / gamma, 1))
        return np.where(level.kept, loss - gamma * level.total * np.log(risen / gamma), -1.0)


def mark(levels, worths, least, order):
    """Marks as kept what is worth more than `least`, and its contexts; returns how many."""
    count, needed = 0, None
    for n in range(order, 1, -1):
        kept = worths[n] > least
        if needed is not None:
            kept |= needed
        levels[n].kept = kept
        needed = np.zeros(len(levels[n - 1]), bool)
        needed[levels[n].parent[kept]] = True
        count += int(kept.sum())
    return count


def prune(estimate, size, rounds):
    levels, order = estimate.levels, estimate.order
    for n in range(2, order + 1):
        levels[n].kept = np.ones(len(levels[n]), bool)
    estimate.run()
    for left in reversed(range(rounds)):
        goal = size * 3**left
        worths = {n: estimate.worth(n) for n in range(2, order + 1)}
        low, high = 0.0, 1e4
        for _ in range(16):
            middle = math.sqrt(max(low, 1e-3) * high)
            if mark(levels, worths, middle, order) > goal:
                low = middle
            else:
                high = middle
        kept = mark(levels, worths, high, order)
        print(f"{kept} n-grams kept, each worth {high:.2f} nats or more", flush=True)
        estimate.run()


def compact(levels, order):
    """Levels of what is kept only, with p and gamma."""
    out, places = {1: levels[1]}, np.arange(len(levels[1]))
    for n in range(2, order + 1):
        level, kept = levels[n], levels[n].kept
        small = Level(places[level.parent[kept]].astype(np.int32), level.token[kept], None, None)
        small.p = level.p[kept]
        small.gamma = level.gamma[kept] if level.gamma is not None else np.ones(len(small))
        out[n] = small
        places = np.cumsum(kept) - 1
    return out


def cuts(order, cut):
    """How often an n-gram of each order occurs that is looked at."""
    return {n: 1 if n < 3 else min(2, cut) if n == 3 else cut for n in range(2, order + 1)}


def build(levels, rare, weights, size, rounds):
    """The packed arrays of an n-gram from counts, and their description."""
    order = max(levels)
    print("n-grams by order: " + ", ".join(str(len(level)) for level in levels.values()), flush=True)
    prune(Estimate(levels, rare, weights), size, rounds)
    return ngram_trie.pack(compact(levels, order)), ngram_trie.describe(order)


def counts_of(texts, saved, arguments, units):
    """Counts of one or two kinds of text (None: one of which there is none); kept in the file `saved` if
    that is given, or taken from it if it is there."""
    if saved and os.path.exists(saved):
        return ngram_counts.load(saved, cuts(MAX_ORDER, arguments.cut))
    kinds = []
    for path in texts:
        if not path:
            kinds.append(np.zeros(0, np.uint16))
            continue
        tokens, words = ngram_counts.read_tokens(units, path, arguments.jobs)
        kinds.append(tokens)
        print(f"{os.path.basename(path)}: {words} words, {len(tokens)} units", flush=True)
    cut = cuts(arguments.order, arguments.cut)
    counts = ngram_counts.count(kinds, arguments.order, units.size, cut, arguments.jobs)
    if saved:
        ngram_counts.save(saved, *counts)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--books")
    parser.add_argument("--text-weight", type=float, default=6.0)
    parser.add_argument("--encyclopedia")
    parser.add_argument("--encyclopedia-weight", type=float, default=0.6)
    parser.add_argument("--heldout", nargs="*", default=[])
    parser.add_argument("--order", type=int, default=MAX_ORDER, choices=range(2, MAX_ORDER + 1))
    parser.add_argument("--size", type=int, default=6200000, help="n-grams kept, about")
    parser.add_argument("--cut", type=int, default=5, help="n-grams of order 4 and up as frequent as that are looked at")
    parser.add_argument("--rounds", type=int, default=2, help="of pruning")
    parser.add_argument("--jobs", type=int, default=1, help="processes that read and count")
    parser.add_argument("--counts", help="file (.npz) to keep the counts in, or to take them from if it is there")
    parser.add_argument("--encyclopedia-counts", help="likewise those of the encyclopedia")
    parser.add_argument("--out", help="lm.npz in DIR unless given")
    arguments = parser.parse_args()
    units = Units(os.path.join(arguments.data, "units.model"))
    counts = counts_of([arguments.books, arguments.text], arguments.counts, arguments, units)
    weights = [1.0, arguments.text_weight]
    if arguments.encyclopedia:
        further = counts_of([arguments.encyclopedia], arguments.encyclopedia_counts, arguments, units)
        counts = ngram_counts.join(counts, further)
        weights.append(arguments.encyclopedia_weight)
    out, description = build(*counts, weights, arguments.size, arguments.rounds)
    ngram_trie.save(arguments.out or os.path.join(arguments.data, "lm.npz"), out, description)
    counts = ", ".join(str(len(out[f"lm.{n + 1}.probability"])) for n in range(description["order"]))
    print(f"n-grams by order: {counts}; {sum(a.nbytes for a in out.values()) / 1e6:.1f} MB", flush=True)
    ngram = ngram_trie.Ngram(out, description)
    for path in arguments.heldout:
        print(f"{os.path.basename(path)}: perplexity per word {ngram_trie.perplexity(ngram, units, path):.1f}")


if __name__ == "__main__":
    main()
