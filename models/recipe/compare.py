"""Compares what a teacher heard with the transcripts: its own errors, and transcripts that are wrong.

    python3 compare.py --labels LABELS.tsv --data DATA --split dev
    python3 compare.py --labels LABELS.tsv --data DATA --split train --leave-out 0.6 --source commonvoice

LABELS.tsv is teacher.mjs's of the split.  Prints the word error rate of the labels by source, and by
how probable the teacher held them: where labelled.py is to cut.  With --leave-out the recordings of
whose words more than that share differ leave DATA/train.tsv for DATA/left_out.tsv, unless the label is
improbable, or empty: then the teacher can't hear it, which does not say that the transcript is wrong.
"""

import argparse
import os

from index import read_index
from labelled import LEAST
from numerals import spell_numbers
from text import normalise
from wer import Tally, errors

STEPS = (-0.1, -0.2, -0.3, -0.4, -0.5, -0.7)


def read_labels(path):
    """{id: (mean log probability, normalised label)}."""
    labels = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            name, mean, _, _, label = line.rstrip("\n").split("\t")
            labels[name] = float(mean), normalise(spell_numbers(label)) or ""
    return labels


def difference(transcript, label):
    """Errors of the label per word of the transcript, at most 1."""
    words = transcript.split()
    return min(1.0, sum(errors(words, label.split())) / max(1, len(words)))


def band(mean):
    """The step that the mean log probability is not below."""
    return next((f"from {step}" for step in STEPS if mean >= step), f"below {STEPS[-1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", choices=["train", "dev"], default="dev")
    parser.add_argument("--source", nargs="*", default=[], help="only of these (default: of all)")
    parser.add_argument("--leave-out", type=float, help="share of words that may differ; only train")
    parser.add_argument("--least", type=float, default=LEAST, help="mean log probability of a label to go by")
    arguments = parser.parse_args()
    if arguments.leave_out is not None and arguments.split != "train":
        parser.error("--leave-out is for the split train")

    labels = read_labels(arguments.labels)
    rows = read_index(arguments.data, arguments.split)
    tally, bands, wrong = Tally(), Tally(), {}
    for name, _, _, source, _, text in rows:
        if name not in labels or arguments.source and source not in arguments.source:
            continue
        mean, label = labels[name]
        tally.add(source, text, label)
        bands.add(band(mean), text, label)
        share = difference(text, label)
        if arguments.leave_out is not None and label and mean >= arguments.least and share > arguments.leave_out:
            wrong[name] = share
    for groups in (tally, bands):
        for name, rate in sorted(groups.rates().items()):
            print(f"{name}: {groups.groups[name][0]} words, {100 * rate:.1f} % wrong")
    if arguments.leave_out is None:
        return
    index_path = os.path.join(arguments.data, "train.tsv")
    with open(os.path.join(arguments.data, "left_out.tsv"), "a", encoding="utf-8") as f:
        for row in rows:
            if row[0] in wrong:
                f.write(f"{row[0]}\t{wrong[row[0]]:.2f}\t{row[5]}\n")
    with open(index_path + ".new", "w", encoding="utf-8") as f:
        f.writelines("\t".join(map(str, row)) + "\n" for row in rows if row[0] not in wrong)
    os.replace(index_path + ".new", index_path)
    print(f"{len(wrong)} of {len(rows)} recordings taken out")


if __name__ == "__main__":
    main()
