"""Running text for the language model: the books of a public collection, cleaned.

    for r in rcdm-uga/Gutenberg_Text BriansIDP/LibrispeechBiasingLists \\
        facebookresearch/fbai-speech NaoyukiKanda/LibriSpeechMix; do
        git clone --bare https://github.com/$r CLONES/$(echo $r | tr / +); done
    python3 books.py --clones CLONES --speech SPEECH --text mix.txt.xz \\
        --heldout heldout_books.txt.xz --out DATA

Writes

    DATA/books.txt   one paragraph a line, its sentences separated by tabs, in the alphabet of text.py
    DATA/modern.txt  the lines of --text that do not occur in the books

What is in LibriSpeech's dev and test sets stays out, in three ways:
  1. books: a file whose Project Gutenberg number or title is that of a book read in dev or test,
     by LibriSpeech's own list of chapters, is left out;
  2. files: one with FILE_HITS or more paragraphs that share eight words in a row with a line of the
     transcripts of test-clean, test-other, dev-clean or SPEECH's dev split is left out;
  3. paragraphs: all others that do so, and those that share eight words in a row, or a whole sentence
     of four words or more, with --heldout, are left out.
Further: texts that are not English, what is there twice, headings, tables.
"""

import argparse
import collections
import json
import lzma
import os
import re
import unicodedata

import numpy as np

from dev_manifest import read_rows
from more import Repository
from numerals import spell_numbers
from text import normalise

COLLECTION = ("rcdm-uga/Gutenberg_Text", "a0b16d35a9851168ce9ac649851c17b7ab08d48e")
# Repository, commit, path: LibriSpeech's CHAPTERS.TXT, transcripts of test, and of dev-clean.
CHAPTERS = (
    "BriansIDP/LibrispeechBiasingLists",
    "8dea672d800ddb3ab1d74aee7c959d79260b3e0e",
    "work/speaker_book.txt",
)
TESTS = [
    (
        "facebookresearch/fbai-speech",
        "43cdb3ca9644a755d5c6cc55cbcc91132f85ed44",
        f"is21_deep_bias/ref/test-{kind}.biasing_100.tsv",
    )
    for kind in ("clean", "other")
]
DEV_CLEAN = (
    "NaoyukiKanda/LibriSpeechMix",
    "869aa26ab37b60418898549447ff62d596c73ec6",
    "list/dev-clean-1mix.jsonl",
)

GRAM = 8  # words in a row that two texts do not share by chance
FILE_HITS = 12

QUOTES = {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2014": " ", "\u2013": " ", "\u2026": ". "}
LETTERS = {"\u00e6": "ae", "\u00c6": "Ae", "\u0153": "oe", "\u0152": "Oe", "\u00df": "ss"}
BEGIN = re.compile(r"\*\*\* ?START OF TH[EI].*?\*\*\*|\*END\*? ?THE SMALL PRINT.*", re.S)
END = re.compile(r"\*\*\* ?END OF TH[EI]|\n *End of (?:the )?Project Gutenberg", re.I)
TITLES = re.compile(r"\b(Mr|Mrs|Dr|St|Messrs|Prof|Capt|Col|Gen|Lieut|Rev|Hon|Esq|vol|Vol|No|etc|viz|i\.e|e\.g)\.")
SPOKEN = {
    "Mr": "mister",
    "Mrs": "missus",
    "Dr": "doctor",
    "St": "saint",
    "Messrs": "messieurs",
    "Prof": "professor",
    "Capt": "captain",
    "Col": "colonel",
    "Gen": "general",
    "Lieut": "lieutenant",
    "Rev": "reverend",
    "Hon": "honorable",
    "Esq": "esquire",
    "vol": "volume",
    "Vol": "volume",
    "No": "number",
    "etc": "et cetera",
    "viz": "viz",
    "i.e": "i e",
    "e.g": "e g",
}
# After a full stop that follows a word, not an initial.
SENTENCE = re.compile(r"(?:(?<=[a-z\d\)\"'][.!?])|(?<=[A-Z][!?])|(?<=[.!?][\"')]))[\"')]*\s+(?=[\"'(]*[A-Z])")
BRACKETS = re.compile(r"\[[^\]]*\]?|\{[^}]*\}?")
OTHER = re.compile(r"[^a-z'\t]+")
APOSTROPHES = re.compile(r"(?<![a-z])'+(?!(?:em|tis|twas)(?![a-z]))|'+(?![a-z])")
SPACES = re.compile(r" *\t[ \t]*")


def spoken(text):
    """ASCII text as it is read out, in the alphabet of text.py, with tabs between sentences; nothing of
    what is mostly figures."""
    if "[" in text or "{" in text:
        text = BRACKETS.sub(" ", text)
    text = TITLES.sub(lambda m: SPOKEN[m[1]], text)
    text = text.replace("&c.", "et cetera").replace("&", " and ")
    if any(d in text for d in "0123456789"):
        digits = sum(map(str.isdigit, text))
        if digits > 4 and digits * 12 > len(text):
            return ""
        text = spell_numbers(text)
    text = SENTENCE.sub("\t", text).lower()
    text = APOSTROPHES.sub("", OTHER.sub(" ", text))
    text = SPACES.sub("\t", " ".join(text.split(" ")).strip())
    return re.sub(r"  +", " ", text).strip(" \t")


def paragraphs_of(text):
    """The cleaned paragraphs of a book's ASCII text."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        paragraph = " ".join(paragraph.split())
        # Headings, tables, leaders of contents.
        if len(paragraph) < 12 or paragraph.isupper() or "...." in paragraph or "   |" in paragraph:
            continue
        paragraph = spoken(paragraph)
        if paragraph.count(" ") >= 2:
            yield paragraph


def decode(blob):
    try:
        text = blob.decode("utf-8")
    except UnicodeDecodeError:
        text = blob.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("_", "").replace("--", " ")
    if not text.isascii():
        for old, new in {**QUOTES, **LETTERS}.items():
            text = text.replace(old, new)
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return text


def files_of(clones):
    """(path, bytes) of every text of the collection."""
    name, commit = COLLECTION
    with Repository(clones, name) as repository:
        for blob, path in repository.listing(commit, ".txt"):
            try:
                yield path, repository.read_object(blob)
            except ValueError:  # a copy without its largest files
                print(f"not there: {path!r}", flush=True)


def read_lines_of(clones, name, commit, path):
    with Repository(clones, name) as repository:
        return repository.read(commit, path).decode("utf-8", "replace").splitlines()


def read_transcripts(clones, speech):
    """Those of LibriSpeech's test sets and dev-clean, and of all dev recordings of `speech`."""
    out = []
    for place in TESTS:
        out += [line.split("\t")[1] for line in read_lines_of(clones, *place)]
    for line in read_lines_of(clones, *DEV_CLEAN):
        out += json.loads(line)["texts"]
    return out + [row["text"] for row in read_rows(speech)]


def title_key(title):
    """Letters of a title without its article, volume and version."""
    title = unicodedata.normalize("NFKD", title.lower())
    title = re.sub(r"\(.*?\)|[,.:;\u2014-]? *\b(vol|volume|book|part|chapter)s?\b\.? *[\divxl].*", "", title)
    title = re.sub(r"^(the|a|an|les|la|le) ", "", title.strip())
    return re.sub(r"[^a-z]", "", title)


def read_evaluation_books(clones):
    """Gutenberg numbers and title keys of the books read in LibriSpeech's dev and test sets."""
    numbers, titles = set(), set()
    for line in read_lines_of(clones, *CHAPTERS):
        fields = [x.strip() for x in line.split("|")]
        if len(fields) >= 8 and fields[3].startswith(("dev", "test")):
            numbers.add(fields[5])
            titles.add(title_key(fields[7]))
    return numbers, {t for t in titles if len(t) >= 5}


def is_evaluation_book(header, numbers, titles):
    number = re.search(r"(?:EBook|EText|Etext) #\s*(\d+)", header, re.I)
    title = re.search(r"^Title: *(.*(?:\n +.*)*)", header, re.M)
    if number and number[1] in numbers:
        return True
    if not title:
        return False
    key = title_key(" ".join(title[1].split()))
    return key in titles or any(len(t) >= 10 and t in key for t in titles)


class Grams:
    """Runs of GRAM words, as hashes of the words' numbers."""

    def __init__(self):
        self.words = collections.defaultdict()
        self.words.default_factory = self.words.__len__
        random = np.random.default_rng(1)
        self.factors = random.integers(1, 1 << 63, GRAM, dtype=np.uint64) | np.uint64(1)
        self.mixed = random.integers(0, 1 << 63, 1 << 21, dtype=np.uint64)

    def of(self, words):
        ids = np.fromiter(map(self.words.__getitem__, words), np.int64, len(words))
        if len(ids) < GRAM:
            return np.zeros(0, np.uint64)
        values = self.mixed[ids % len(self.mixed)]
        return sum(values[n : len(ids) - GRAM + 1 + n] * self.factors[n] for n in range(GRAM))


def read_lines(path):
    with (lzma.open if path.endswith(".xz") else open)(path, "rt", encoding="utf-8") as f:
        return [line.strip() for line in f]


def grams_of_lines(grams, lines):
    parts = [grams.of(line.split()) for line in lines]
    return np.unique(np.concatenate(parts + [np.zeros(0, np.uint64)]))


def sentence_key(sentence):
    return hash(sentence.replace(" ", "").replace("'", ""))


def hits_of(grams, paragraphs, sorted_hashes):
    """For each paragraph whether it has a gram of the sorted ones."""
    counts = [p.count(" ") + p.count("\t") + 1 for p in paragraphs]
    values = grams.of(" ".join(paragraphs).replace("\t", " ").split(" "))
    if not len(sorted_hashes):
        return np.zeros(len(paragraphs), bool)
    place = np.minimum(np.searchsorted(sorted_hashes, values), len(sorted_hashes) - 1)
    found = np.flatnonzero(sorted_hashes[place] == values)
    # A run across two paragraphs belongs to the first; that is no harm.
    hit = np.zeros(len(paragraphs), bool)
    hit[np.searchsorted(np.cumsum(counts), found, side="right")] = True
    return hit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clones", required=True)
    parser.add_argument("--speech", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--heldout", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    numbers, titles = read_evaluation_books(arguments.clones)
    grams = Grams()
    transcripts = read_transcripts(arguments.clones, arguments.speech)
    evaluation = grams_of_lines(grams, [normalise(t) or "" for t in transcripts])
    heldout_lines = read_lines(arguments.heldout)
    heldout = grams_of_lines(grams, heldout_lines)
    heldout_sentences = {sentence_key(s) for s in heldout_lines if s.count(" ") >= 3}
    mix = read_lines(arguments.text)
    mix_keys, in_books = {sentence_key(s) for s in mix}, set()
    print(f"{len(numbers)} evaluation books, {len(evaluation)} runs of their words", flush=True)

    seen, tally, words = set(), collections.Counter(), 0
    with open(os.path.join(arguments.out, "books.txt"), "w", encoding="ascii") as out:
        for path, blob in files_of(arguments.clones):
            text = decode(blob)
            header = text[:6000]
            begin = BEGIN.search(header)
            end = END.search(text, len(text) * 2 // 3)
            language = re.search(r"^Language: *(\w+)", header, re.M)
            if language and language[1] != "English" or text.count(" the ") * 200 < len(text) // 6:
                tally["files not English"] += 1
                continue
            if is_evaluation_book(header, numbers, titles):
                tally["files of evaluation books"] += 1
                continue
            body = text[begin.end() if begin else 0 : end.start() if end else len(text)]
            paragraphs = [p for p in paragraphs_of(body) if hash(p) not in seen]
            if not paragraphs:
                tally["files that are there already"] += 1
                continue
            seen.update(map(hash, paragraphs))
            hit = hits_of(grams, paragraphs, evaluation)
            if hit.sum() >= FILE_HITS:
                tally["files with evaluation text"] += 1
                print(f"evaluation text, {hit.sum()} times: {path!r}", flush=True)
                continue
            tally["paragraphs with evaluation text"] += int(hit.sum())
            held = hits_of(grams, paragraphs, heldout)
            for number, paragraph in enumerate(paragraphs):
                keys = [sentence_key(s) for s in paragraph.split("\t")]
                in_books.update(k for k in keys if k in mix_keys)
                if hit[number]:
                    continue
                if held[number] or not heldout_sentences.isdisjoint(keys):
                    tally["paragraphs held out"] += 1
                    continue
                out.write(paragraph + "\n")
                tally["paragraphs"] += 1
                words += paragraph.count(" ") + len(keys)
            tally["files"] += 1
    modern = [line for line in mix if sentence_key(line) not in in_books]
    with open(os.path.join(arguments.out, "modern.txt"), "w", encoding="ascii") as out:
        out.writelines(line + "\n" for line in modern)
    for what, count in tally.items():
        print(f"{count} {what}")
    print(f"{words} words of books, {sum(m.count(' ') + 1 for m in modern)} of {len(modern)} other lines")


if __name__ == "__main__":
    main()
