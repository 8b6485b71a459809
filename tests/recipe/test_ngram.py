"""The language model: counts, estimates, pruning, packing; the text it is made of."""

import collections
import contextlib
import io
import json
import math
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import numpy as np
    import books
    import ngram
    import ngram_counts
    import ngram_trie
    from clones import clone, write
    from golden import random_lines
    from numerals import cardinal, spell_numbers
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

VOCABULARY, ORDER = 30, 4


def lines_of(tokens):
    out = []
    for token in tokens.tolist():
        if token == 0:
            out.append([])
        out[-1].append(token)
    return out


def plain_counts(tokens):
    """How often each n-gram occurs; 0 stands at a line's beginning only."""
    counts = collections.Counter()
    for line in lines_of(tokens):
        for begin in range(len(line)):
            for n in range(1, ORDER + 1):
                if begin + n <= len(line):
                    counts[tuple(line[begin : begin + n])] += 1
    return counts


def spelled(levels):
    """The tokens of every entry, by order."""
    out = {1: [(t,) for t in range(VOCABULARY)]}
    for n in range(2, max(levels) + 1):
        level = levels[n]
        out[n] = [out[n - 1][p] + (int(t),) for p, t in zip(level.parent, level.token)]
    return out


class Counts(unittest.TestCase):
    def setUp(self):
        self.texts = [random_lines(1, 300), random_lines(2, 90)]
        self.cut = {2: 1, 3: 2, 4: 3}
        self.levels, self.tables = ngram_counts.count(self.texts, ORDER, VOCABULARY, self.cut)
        self.names = spelled(self.levels)

    def test_against_the_plain_ones(self):
        plain = [plain_counts(text) for text in self.texts]
        for n in range(2, ORDER + 1):
            wanted = {g: (plain[0][g], plain[1][g]) for g in set(plain[0]) | set(plain[1]) if len(g) == n}
            wanted = {g: c for g, c in wanted.items() if sum(c) >= self.cut[n]}
            level = self.levels[n]
            self.assertEqual(self.names[n], sorted(wanted))
            for name, counts in zip(self.names[n], level.counts.T):
                self.assertEqual(tuple(counts), wanted[name])
            for source in (0, 1):
                for times in range(1, 5):
                    few = sum(c == times for g, c in plain[source].items() if len(g) == n)
                    self.assertEqual(self.tables[n, source, times], few)
        for n in range(1, ORDER):
            followed = [collections.Counter() for _ in plain]
            for source in (0, 1):
                for g, c in plain[source].items():
                    if len(g) == n + 1:
                        followed[source][g[:-1]] += c
            for name, follow in zip(self.names[n], self.levels[n].follow.T):
                self.assertEqual(tuple(follow), (followed[0][name], followed[1][name]))

    def test_saved(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "counts.npz")
            ngram_counts.save(path, self.levels, self.tables)
            for cut in (self.cut, {2: 2, 3: 3, 4: 6}):
                wanted, _ = ngram_counts.count(self.texts, ORDER, VOCABULARY, cut)
                levels, tables = ngram_counts.load(path, cut)
                self.assertTrue((tables == self.tables).all())
                self.assertEqual(spelled(levels), spelled(wanted))
                for n in range(1, ORDER + 1):
                    self.assertTrue((levels[n].counts == wanted[n].counts).all())
                    self.assertTrue((levels[n].follow == wanted[n].follow).all())

    def test_joined(self):
        third = random_lines(3, 200)
        further = ngram_counts.count([third], ORDER, VOCABULARY, self.cut)
        levels, tables = ngram_counts.join((self.levels, self.tables), further)
        self.assertEqual(tables.shape, (ORDER + 1, 3, 5))
        self.assertTrue((tables[:, 2] == further[1][:, 0]).all())
        parts = [(self.names, self.levels), (spelled(further[0]), further[0])]
        for n, names in spelled(levels).items():
            self.assertEqual(names, sorted(set(parts[0][0][n]) | set(parts[1][0][n])))
            for kind in ("counts", "follow"):
                told = [dict(zip(of[n], getattr(part[n], kind).T.tolist())) for of, part in parts]
                for name, column in zip(names, getattr(levels[n], kind).T.tolist()):
                    self.assertEqual(column, told[0].get(name, [0, 0]) + told[1].get(name, [0]), (name, kind))
            if n > 1:
                shorter = spelled(levels)[n - 1]
                self.assertEqual([shorter[suffix] for suffix in levels[n].suffix], [name[1:] for name in names])

    def test_side_by_side(self):
        levels, tables = ngram_counts.count(self.texts, ORDER, VOCABULARY, self.cut, jobs=2)
        self.assertEqual(spelled(levels), self.names)
        self.assertTrue((tables == self.tables).all())

    def test_suffixes(self):
        for n in range(2, ORDER + 1):
            for name, suffix in zip(self.names[n], self.levels[n].suffix):
                self.assertEqual(self.names[n - 1][suffix], name[1:])


class Model(unittest.TestCase):
    def setUp(self):
        self.texts = [random_lines(1, 300), random_lines(2, 90)]
        self.levels, tables = ngram_counts.count(self.texts, ORDER, VOCABULARY, {2: 1, 3: 1, 4: 2})
        self.estimate = ngram.Estimate(self.levels, tables, (1.0, 3.0))

    def check_sums(self, levels):
        """After any context the probabilities of all tokens sum to 1, by the look-ups' own rule."""
        names = spelled(levels)
        p = {g: x for n in levels for g, x in zip(names[n], levels[n].p)}
        gamma = {g: x for n in range(1, ORDER) for g, x in zip(names[n], levels[n].gamma)}

        def probability(context, token):
            if context + (token,) in p:
                return p[context + (token,)]
            return gamma.get(context, 1.0) * probability(context[1:], token)

        for context in [(), *names[1], *names[2][::7], *names[3][::11], (1, 1, 1), (29, 28, 27)]:
            total = sum(probability(context, token) for token in range(1, VOCABULARY))
            self.assertAlmostEqual(total, 1, delta=1e-5, msg=context)

    def test_sums_to_one(self):
        ngram.prune(self.estimate, 10**6, 1)
        self.check_sums(ngram.compact(self.levels, ORDER))

    def test_sums_to_one_when_pruned(self):
        ngram.prune(self.estimate, 500, 3)
        small = ngram.compact(self.levels, ORDER)
        size = sum(len(small[n]) for n in range(2, ORDER + 1))
        self.assertLess(size, 520)
        self.assertGreater(size, 400)
        self.check_sums(small)

    def test_sums_to_one_when_joined(self):
        cut = {2: 1, 3: 2, 4: 2}
        counts = [ngram_counts.count(texts, ORDER, VOCABULARY, cut) for texts in (self.texts, [random_lines(3, 200)])]
        levels, tables = ngram_counts.join(*counts)
        ngram.prune(ngram.Estimate(levels, tables, (1.0, 3.0, 0.5)), 800, 2)
        self.check_sums(ngram.compact(levels, ORDER))

    def test_a_weight_tells(self):
        """The kind that weighs more is foretold better."""
        losses, third = [], random_lines(3, 200)
        for weight in (0.1, 10):
            counts = [ngram_counts.count(t, ORDER, VOCABULARY, {2: 1, 3: 1, 4: 2}) for t in (self.texts, [third])]
            levels, tables = ngram_counts.join(*counts)
            ngram.prune(ngram.Estimate(levels, tables, (1.0, 3.0, weight)), 500, 2)
            model = ngram_trie.Ngram(ngram_trie.pack(ngram.compact(levels, ORDER)), ngram_trie.describe(ORDER))
            losses.append([-model.scores(text).sum() for text in (third, self.texts[0])])
        self.assertLess(losses[1][0], losses[0][0])
        self.assertGreater(losses[1][1], losses[0][1])

    def test_larger_is_better(self):
        test = random_lines(9, 200)
        losses = []
        for size in (10, 150, 1500):
            ngram.prune(self.estimate, size, 2)
            packed = ngram_trie.pack(ngram.compact(self.levels, ORDER))
            scores = ngram_trie.Ngram(packed, ngram_trie.describe(ORDER)).scores(test)
            losses.append(-scores.sum() / (test != 0).sum())
        self.assertLess(losses[1], losses[0] - 0.1)
        self.assertLess(losses[2], losses[1])
        self.assertLess(losses[0], math.log(VOCABULARY))

    def test_pack_and_back(self):
        ngram.prune(self.estimate, 500, 2)
        small = ngram.compact(self.levels, ORDER)
        packed = ngram_trie.pack(small)
        for n, columns in enumerate(ngram_trie.unpack(packed, ORDER), 1):
            self.assertEqual(columns["token"].tolist(), small[n].token.tolist())
            if n < ORDER:
                parents = np.repeat(np.arange(len(small[n])), np.diff(columns["child"]))
                self.assertEqual(parents.tolist(), small[n + 1].parent.tolist())
                back = np.exp(-ngram_trie.BACKOFF_SCALE * columns["backoff"].astype(float))
                self.assertLess(np.abs(np.log(back / small[n].gamma)).max(), 0.016)
        model = ngram_trie.Ngram(packed, ngram_trie.describe(ORDER))
        for line in lines_of(random_lines(4, 20)):
            scores = model.scores(np.array(line))
            for place in range(1, len(line)):
                self.assertAlmostEqual(scores[place], model.score(tuple(line[:place]), line[place]))


class Characters:
    """Units that are letters."""

    def encode(self, word):
        return [1 + (ord(c) - ord("a")) % 29 for c in word]


class Text(unittest.TestCase):
    def test_encoder(self):
        encoder = ngram_counts.Encoder(Characters())
        text = "ab c\tde f\nb\tc\n"
        seen = set()
        for seed in range(20):
            tokens, words = encoder.encode(text, np.random.default_rng(seed))
            self.assertEqual(words, 6)
            seen.add(tuple(tokens))
        one = [([0] if b else []) for b in (0, 1)]
        wanted = {(0, 1, 2, 3, *x, 4, 5, 6, 0, 2, *y, 3) for x in one for y in one}
        self.assertEqual(seen, wanted)

    def test_numbers(self):
        for figures, words in (
            ("0", "zero"),
            ("41", "forty one"),
            ("115", "one hundred and fifteen"),
            ("1805", "eighteen oh five"),
            ("1,805", "one thousand eight hundred and five"),
            ("1900", "nineteen hundred"),
            ("21st", "twenty first"),
            ("12th", "twelfth"),
            ("20th", "twentieth"),
            ("$3.50", "three point five zero dollars"),
            ("007", "zero zero seven"),
        ):
            self.assertEqual(" ".join(spell_numbers(figures).split()), words)

    def test_paragraphs(self):
        text = (
            "CHAPTER I.\n\n'Tis Mr. J. R. Smith's,\" said he.  \"Is it--really?\" \"Yes!\"\nShe left.\n\n"
            "Nothing.\n\n[Illustration: a cat]\n\nThe boys' dog, No. 7, [see note] barked.\n"
        )
        self.assertEqual(
            list(books.paragraphs_of(books.decode(text.encode()))),
            [
                "'tis mister j r smith's said he\tis it really\tyes\tshe left",
                "the boys dog number seven barked",
            ],
        )

    def test_evaluation_books(self):
        numbers, titles = {"121"}, {books.title_key("Life of Bees, Volume 2 (version 3)")}
        self.assertEqual(titles, {"lifeofbees"})
        for header, wanted in (
            ("Title: Northanger Abbey\n\nRelease Date: 1994 [EBook #121]\n", True),
            ("Title: Northanger Abbey\n\nRelease Date: 1994 [EBook #1212]\n", False),
            ("Title: The Life of Bees, Vol. 1\n\n[EBook #5]\n", True),
            ("Title: The Complete Life of\n     Bees\n\n[EBook #5]\n", True),
            ("Title: Life\n\n[EBook #5]\n", False),
        ):
            self.assertEqual(books.is_evaluation_book(header, numbers, titles), wanted, header)

    def test_shared_runs(self):
        grams = books.Grams()
        known = books.grams_of_lines(grams, ["a b c d e f g h i", "too short"])
        hits = books.hits_of(grams, ["x b c d e\tf g h i y", "a b c d e f g x", "b c d e f g h i"], known)
        self.assertEqual(hits.tolist(), [True, False, True])


def book(number, title, paragraphs):
    head = f"Title: {title}\n\nRelease Date: 1901 [EBook #{number}]\n\nLanguage: English\n\n"
    start = "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n"
    end = "\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n\nthe licence of the thing\n"
    return head + start + "\n\n".join(paragraphs) + end


class Books(unittest.TestCase):
    """From clones to the two files."""

    HEARD = "nobody has ever said so many different words before breakfast"
    KEPT = ["The cat sat on the mat. Then the dog came.", "It was the best of the times."]

    def test_whole(self):
        said = [f"the man and the {self.HEARD} of day {cardinal(n)}." for n in range(books.FILE_HITS + 1)]
        texts = {
            "a/kept.txt": book(7, "Some Book", self.KEPT),
            "a/again.txt": book(8, "Some Other Book", self.KEPT),
            "a/number.txt": book(121, "Anything", ["By its number the book is known."]),
            "a/title.txt": book(9, "The Life of the Bees, Volume 3", ["By its title the book is known."]),
            "b/hits.txt": book(10, "A Book", ["The quotation is of the whole.", *said]),
            "b/hit.txt": book(11, "The Book", [said[0], "The rest of the book is fine.", "The held out sentence is here."]),
        }
        chapters = ["5 | 6 | 1.0 | dev-other | 7 | 121 | One | Some Title", "6 | 6 | 1.0 | test-clean | 8 | 5 | One | Life of the Bees"]
        with tempfile.TemporaryDirectory() as folder:
            clone(folder, "o/books", texts)
            clone(folder, "o/chapters", {"chapters": "\n".join(chapters)})
            clone(folder, "o/tests", {"t.tsv": f"id\t{self.HEARD}\t[]\n"})
            clone(folder, "o/dev", {"d.jsonl": json.dumps({"texts": ["ANOTHER ONE"]}) + "\n"})
            speech = ["split\ttext", "dev\tHE CAME", "train\tIT WAS THE BEST OF THE TIMES IN ALL THE WORLD"]
            write(folder, "manifest.tsv", speech)
            mix = write(folder, "mix.txt", ["then the dog came", "what is said of the web"])
            heldout = write(folder, "heldout.txt", ["the held out sentence is here"])
            names = {
                "COLLECTION": ("o/books", "HEAD"),
                "CHAPTERS": ("o/chapters", "HEAD", "chapters"),
                "TESTS": [("o/tests", "HEAD", "t.tsv")],
                "DEV_CLEAN": ("o/dev", "HEAD", "d.jsonl"),
            }
            argv = ["books.py", "--clones", folder, "--speech", folder, "--text", mix]
            argv += ["--heldout", heldout, "--out", folder]
            with mock.patch.multiple(books, **names), mock.patch.object(sys, "argv", argv):
                with contextlib.redirect_stdout(io.StringIO()) as told:
                    books.main()
            with open(os.path.join(folder, "books.txt"), encoding="utf-8") as f:
                lines = f.read().splitlines()
            with open(os.path.join(folder, "modern.txt"), encoding="utf-8") as f:
                self.assertEqual(f.read().splitlines(), ["what is said of the web"])
        known = ["the cat sat on the mat\tthen the dog came", "it was the best of the times", "the rest of the book is fine"]
        self.assertEqual(sorted(lines), sorted(known))
        for what in ("2 files of evaluation books", "1 files with evaluation text", "1 files that are there already"):
            self.assertIn(what, told.getvalue())


if __name__ == "__main__":
    unittest.main()
