"""The encyclopedia's articles as running text."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import books
    import encyclopedia
    from clones import clone, write
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)


class Paragraphs(unittest.TestCase):
    def test_spoken(self):
        for line, wanted in (
            (
                'Ödön Müller (born 3 May 1901; ) was a <b>Danish</b> painter &amp; poet. He won 40% of "all" prizes.',
                "odon muller was a danish painter and poet\the won forty percent of all prizes",
            ),
            (
                "The U.S. firm (founded (as Smith) by Smith) and all that belonged to it grew in the 1920s, "
                "but not, as far as anybody remembers or has written down anywhere, in the years of 1914–18.",
                "the u s firm and all that belonged to it grew in the nineteen twenties but not as "
                "far as anybody remembers or has written down anywhere in the years of nineteen fourteen to nineteen eighteen",
            ),
            (
                "Not much happened in the 2000s in this country, as everybody who lives there knows, nor had much happened there in the 1800s.",
                "not much happened in the two thousands in this country as everybody who lives there knows "
                "nor had much happened there in the eighteen hundreds",
            ),
            (
                "It lies in Rødby. The numbers are 123, 456, 789, 12345. Nobody lives in it any more.",
                "it lies in rodby\tnobody lives in it any more",
            ),
        ):
            self.assertEqual(encyclopedia.paragraph_of(line), wanted)

    def test_no_text(self):
        for line in (
            "Early life and the years of his education",
            "Short one.",
            "BULLET::::- The first of a number of things in a list.",
            "Station Road, of which there are several, may refer to one of these places.",
            "12 345, 13 456, 14 567, 15 678, 16 789 and 17 890 in all the years, 18 901 besides.",
        ):
            self.assertEqual(encyclopedia.paragraph_of(line), "", line)

    def test_articles(self):
        text = (
            '<doc id="1" url="u" title="One &amp; two">\nOne & two\n\nFirst.\nSecond.\n</doc>\n'
            '<doc id="2" url="u" title="Three">\nThree\n\n</doc>\n'
        )
        self.assertEqual(
            list(encyclopedia.articles_of(text)), [("One & two", ["", "First.", "Second."]), ("Three", [""])]
        )


def article(title, *paragraphs):
    return f'<doc id="1" url="u" title="{title}">\n{title}\n\n' + "\n".join(paragraphs) + "\n</doc>\n"


class Whole(unittest.TestCase):
    """From clones to the files."""

    HEARD = "nobody has ever said so many different words before breakfast"
    HELD = "seven or more words of this sentence are held out of the rest"

    def run_script(self, folder, texts, speech):
        for source, files in texts.items():
            clone(folder, source, files)
        clone(folder, "o/tests", {"t.tsv": f"id\t{self.HEARD}\t[]\n"})
        clone(folder, "o/dev", {"d.jsonl": json.dumps({"texts": ["ANOTHER ONE"]}) + "\n"})
        write(folder, "manifest.tsv", ["split\ttext", *speech])
        held = write(folder, "held.txt", [self.HELD])
        argv = ["encyclopedia.py", "--clones", folder, "--speech", folder, "--heldout", held, "--out", folder]
        places = {"TESTS": [("o/tests", "HEAD", "t.tsv")], "DEV_CLEAN": ("o/dev", "HEAD", "d.jsonl")}
        sources = [(source, "HEAD", ["text"]) for source in texts]
        with mock.patch.multiple(books, **places), mock.patch.object(sys, "argv", argv), mock.patch.multiple(
            encyclopedia, SOURCES=sources, HELD_OUT=4
        ), contextlib.redirect_stdout(io.StringIO()) as told:
            encyclopedia.main()
        out = []
        for name in ("encyclopedia.txt", "heldout_encyclopedia.txt"):
            with open(os.path.join(folder, name), encoding="ascii") as f:
                out.append(f.read().splitlines())
        return (*out, told.getvalue())

    def test_whole(self):
        first = article("Cats", "The cat is a small animal. It is kept in houses.", f"As they say, {self.HEARD} at all.")
        second = article("Dogs", "He plays the piano. The dog is a larger animal.", "Dogs are fond of their owners, and always were.")
        third = article("Birds", f"It is so that {self.HELD}.", "The bird is an animal with two wings and a beak.")
        again = article("Cats", "The cat, says this one, is a small animal.")
        last = article("Fish", "The fish is an animal that lives in water.")
        texts = {
            "o/one": {"text/AA/wiki_00": first + second, "text/AB/wiki_00": third, "other/wiki_00": article("No", "x" * 50 + ".")},
            "o/two": {"text/wiki_00": again + last},
        }
        speech = ["dev\tHe plays the piano.", "train\tThe bird is an animal with two wings and a beak."]
        with tempfile.TemporaryDirectory() as folder:
            lines, held, told = self.run_script(folder, texts, speech)
        self.assertEqual(
            lines,
            [
                "the cat is a small animal\tit is kept in houses",
                "dogs are fond of their owners and always were",
                "the bird is an animal with two wings and a beak",
            ],
        )
        self.assertEqual(held, ["the fish is an animal that lives in water"])
        self.assertIn("o/one: 3 paragraphs with evaluation text, 1 of them by a short sentence, 3 articles, 31 words", told)
        self.assertIn("o/two: 1 articles again", told)


if __name__ == "__main__":
    unittest.main()
