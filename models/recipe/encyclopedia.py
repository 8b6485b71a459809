"""More running text for the language model: articles of an encyclopedia, cleaned as books.py cleans books.

    for r in Vibhas-hs-edu/WikiTasks ag-gipp/wikiextractor; do
        git clone --bare https://github.com/$r CLONES/$(echo $r | tr / +); done
    python3 encyclopedia.py --clones CLONES --speech SPEECH --heldout TEXT/heldout_*.txt.xz --out DATA

The clones (those that books.py asks for are needed too) have pieces of the English Wikipedia as
WikiExtractor leaves them: an article's paragraphs are lines between <doc title="..."> and </doc>.  The first
has 34,000 new, mostly short articles as of 2021, the second 6,000 good and excellent ones as of 2019.
Their text is under CC BY-SA 3.0.  Writes

    DATA/encyclopedia.txt          one paragraph a line, its sentences separated by tabs
    DATA/heldout_encyclopedia.txt  the same of every HELD_OUT-th article, for perplexity; not in the other

An article that stands in several places is taken once, by its title.  What is in parentheses, headings,
lists and paragraphs of figures are left out; and so are, for the reasons given in books.py,
  1. paragraphs that share eight words in a row with the transcripts of test-clean, test-other,
     dev-clean or SPEECH's dev split, or with --heldout;
  2. those with a sentence that is a transcript of SPEECH's dev split, however short: Common Voice's
     readers read sentences of Wikipedia.
"""

import argparse
import collections
import html
import os
import re
import subprocess

import numpy as np

from books import (
    SENTENCE,
    Grams,
    decode,
    grams_of_lines,
    hits_of,
    read_lines,
    read_transcripts,
    sentence_key,
    spoken,
)
from dev_manifest import read_rows
from more import Repository
from text import normalise

# Repository, commit, folders.
SOURCES = [
    ("Vibhas-hs-edu/WikiTasks", "52b1f163137bc40b0f67cbf129d5dab4f6fd5901", ["text/AA"]),
    ("ag-gipp/wikiextractor", "6b6a412dda77cbbda4af9614ebecf30950ae0553", ["text", "text-excellent"]),
]
HELD_OUT = 500

ARTICLE = re.compile(r'<doc [^>]*?title="([^"]*)"[^>]*>\n(.*?)\n?</doc>', re.S)
LIST = re.compile(r"may refer to|BULLET::::|^[*#|!:;]")
PARENTHESES = re.compile(r" ?\([^()]*\)")
TAGS = re.compile(r"<[^<>]*>")
PERCENT = re.compile(r"(?<=\d) ?%")
RANGE = re.compile(r"\b(1[1-9]|20)(\d\d)[\u2013-](\d\d)\b")  # 1914-18
DECADE = re.compile(r"\b(twent|thirt|fort|fift|sixt|sevent|eight|ninet)y s\b|\b(hundred|thousand) s\b")
STOPS = '.!?"\')'
# Letters that do not fall apart into one of a to z and a mark.
STROKES = str.maketrans({**dict(zip("øØłŁđĐðÐı", "oOlLdDdDi")), "þ": "th", "Þ": "Th"})


def articles_of(text):
    """(title, lines) of each article of a file; the first line, which repeats the title, left out."""
    for article in ARTICLE.finditer(text):
        yield html.unescape(article[1]), article[2].split("\n")[1:]


def paragraph_of(line):
    """A line of an article in our alphabet, tabs between its sentences; nothing of what is no text."""
    line = line.strip()
    if len(line) < 40 or line[-1] not in STOPS or LIST.search(line):
        return ""
    if "&" in line or "<" in line:
        line = TAGS.sub(" ", html.unescape(line))
    while "(" in line and (shorter := PARENTHESES.sub("", line)) != line:
        line = shorter
    line = RANGE.sub(r"\1\2 to \1\3", PERCENT.sub(" percent", line)).translate(STROKES)
    line = decode(line.encode())
    out = spoken(line) or "\t".join(filter(None, map(spoken, SENTENCE.split(line))))
    return DECADE.sub(lambda m: f"{m[1]}ies" if m[1] else f"{m[2]}s", out) if " s" in out else out


def files_of(clones, source):
    """The texts of a source, in the order of their paths."""
    name, commit, folders = source
    with Repository(clones, name) as repository:
        command = ["git", "--git-dir", repository.place, "ls-tree", "-r", "-z", commit, *(f + "/" for f in folders)]
        listing = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode("utf-8", "replace")
        for entry in listing.split("\0")[:-1]:
            yield repository.read_object(entry.split()[2]).decode("utf-8", "replace")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clones", required=True)
    parser.add_argument("--speech", required=True)
    parser.add_argument("--heldout", nargs="*", default=[])
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    grams = Grams()
    lines = [normalise(t) or "" for t in read_transcripts(arguments.clones, arguments.speech)]
    dev = {sentence_key(normalise(row["text"]) or "") for row in read_rows(arguments.speech)}
    for path in arguments.heldout:
        lines += read_lines(path)
    evaluation = grams_of_lines(grams, lines)

    titles, seen = set(), set()
    with open(os.path.join(arguments.out, "encyclopedia.txt"), "w", encoding="ascii") as out, open(
        os.path.join(arguments.out, "heldout_encyclopedia.txt"), "w", encoding="ascii"
    ) as held:
        for source in SOURCES:
            tally = collections.Counter()
            for text in files_of(arguments.clones, source):
                for title, lines in articles_of(text):
                    if title in titles:
                        tally["articles again"] += 1
                        continue
                    titles.add(title)
                    paragraphs = [p for p in map(paragraph_of, lines) if p.count(" ") >= 2 and hash(p) not in seen]
                    if not paragraphs:
                        continue
                    seen.update(map(hash, paragraphs))
                    hit = hits_of(grams, paragraphs, evaluation)
                    equal = np.array([not dev.isdisjoint(map(sentence_key, p.split("\t"))) for p in paragraphs])
                    tally["paragraphs with evaluation text"] += int((hit | equal).sum())
                    tally["of them by a short sentence"] += int((equal & ~hit).sum())
                    paragraphs = [p for p, left_out in zip(paragraphs, hit | equal) if not left_out]
                    (held if len(titles) % HELD_OUT == 0 else out).writelines(p + "\n" for p in paragraphs)
                    tally["articles"] += 1
                    tally["words"] += sum(p.count(" ") + p.count("\t") + 1 for p in paragraphs)
            print(f"{source[0]}: " + ", ".join(f"{count} {what}" for what, count in tally.items()), flush=True)


if __name__ == "__main__":
    main()
