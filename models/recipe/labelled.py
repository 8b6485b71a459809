"""Adds recordings without transcripts to DATA, with what a teacher heard in them as their text.

    python3 labelled.py --clips CLIPS --labels LABELS.tsv --data DATA --source commonvoice-labelled

CLIPS/clips.{pcm,tsv} is what clips.py wrote, LABELS.tsv what teacher.mjs made of it: id, mean natural
logarithm of the tokens' probabilities, least of them, whether the label came to its end, label.  They are
appended to DATA/train.pcm and DATA/train.tsv as prepare.py writes them, without a speaker.  Left out is
what is doubtful: see doubt().  What is left out stands in DATA/left_out.tsv with the reason.  Recordings
that stand in either index are passed over: it can be run again while labels are still being made.

Then align.py, and sift.py with --source, which finds labels that do not fit the sound.
"""

import argparse
import os
import re

from index import read_index
from numerals import spell_numbers
from sound import RATE_HZ
from text import normalise
from wer import errors

LEAST = -0.35  # mean log probability: of Common Voice a fifth is below, half of whose words are wrong
LETTERS_A_SECOND = (4.0, 22.0)
_FOREIGN = re.compile("[^ -~\u2018\u2019\u201c\u201d\u2013\u2014\u2026]")


def repeats(words):
    """Whether the label turns in circles, as decoders do that lose their place in the sound."""
    for size in range(1, len(words) // 2 + 1):
        times = 3 if size == 1 else 2
        for first in range(len(words) - times * size + 1):
            piece = words[first : first + size]
            if all(words[first + n * size : first + (n + 1) * size] == piece for n in range(1, times)):
                return True
    triples = [tuple(words[n : n + 3]) for n in range(len(words) - 2)]
    return len(set(triples)) < len(triples)


class Sentences:
    """Finds a text that says nearly the same, among texts that no label may be like."""

    def __init__(self, texts):
        self._texts = [text.split() for text in texts]
        self._places = {}
        for number, words in enumerate(self._texts):
            for word in set(words):
                self._places.setdefault(word, []).append(number)

    def like(self, words):
        """Whether one of the texts is had by changing at most two fifths of the words."""
        shared = {}
        for word in set(words):
            for number in self._places.get(word, ()):
                shared[number] = shared.get(number, 0) + 1
        for number, count in shared.items():
            text = self._texts[number]
            if 2 * count >= min(len(set(text)), len(set(words))):
                if sum(errors(text, words)) <= 0.4 * max(len(text), len(words)):
                    return True
        return False


def doubt(label, mean, ended, seconds, text, tests, least):
    """Why the label is not to be trained on, or None; text: normalised, tests: Sentences."""
    if mean < least:
        return "improbable"
    if not ended:
        return "endless"
    if text is None or _FOREIGN.search(label):
        return "letters"
    if not LETTERS_A_SECOND[0] <= len(text) / seconds <= LETTERS_A_SECOND[1]:
        return "length"
    if repeats(text.split()):
        return "repeats"
    if tests.like(text.split()):
        return "dev"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--source", required=True, help="what the recordings are called in DATA/train.tsv")
    parser.add_argument("--least", type=float, default=LEAST, help="mean log probability that is kept")
    arguments = parser.parse_args()

    tests = Sentences(row[5] for row in read_index(arguments.data, "dev"))
    done = {row[0] for row in read_index(arguments.data, "train")}
    left_out_path = os.path.join(arguments.data, "left_out.tsv")
    if os.path.exists(left_out_path):
        with open(left_out_path, encoding="utf-8") as f:
            done.update(line.split("\t")[0] for line in f)
    clips = {row[0]: row for row in read_index(arguments.clips, "clips")}
    reasons, count, total = {}, 0, 0
    with open(os.path.join(arguments.clips, "clips.pcm"), "rb") as sound, open(
        os.path.join(arguments.data, "train.pcm"), "ab"
    ) as pcm, open(os.path.join(arguments.data, "train.tsv"), "a", encoding="utf-8") as index, open(
        left_out_path, "a", encoding="utf-8"
    ) as left_out, open(
        arguments.labels, encoding="utf-8"
    ) as labels:
        for line in labels:
            name, mean, _, ended, label = line.rstrip("\n").split("\t")
            if name in done or name not in clips:
                continue
            done.add(name)
            _, first, length, _, speaker, _ = clips[name]
            text = normalise(spell_numbers(label))
            why = doubt(label, float(mean), ended == "1", length / RATE_HZ, text, tests, arguments.least)
            if why:
                left_out.write(f"{name}\t{why}\t{text or label}\n")
                reasons[why] = reasons.get(why, 0) + 1
                continue
            sound.seek(2 * first)
            place = pcm.tell() // 2
            pcm.write(sound.read(2 * length))
            pcm.flush()  # an index never names what is not there
            index.write(f"{name}\t{place}\t{length}\t{arguments.source}\t{speaker}\t{text}\n")
            count += 1
            total += length
    print(f"{count} recordings added, {total / RATE_HZ / 3600:.2f} h")
    print("left out:", ", ".join(f"{why} {number}" for why, number in sorted(reasons.items())) or "none")


if __name__ == "__main__":
    main()
