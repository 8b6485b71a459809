"""Takes out of the training index what was hardly said as its transcript has it.

    python3 sift.py --data DIR --dictionary cmudict.dict.xz --least -32 [--source speechocean762 ...]

Goes by align.py's scores.  A recording leaves DIR/train.tsv if its score is below --least, or if
align.py found no way through it although the dictionary has all its words.  Those with other words
stay, as do recordings that were aligned before there were scores.  DIR/train.pcm is left alone: the
index names places in it.  What is taken out stands in DIR/left_out.tsv, with its score.
"""

import argparse
import os

from align import read_dictionary


def read_scores(path):
    scores = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            name, score = line.rstrip("\n").split("\t")
            scores[name] = float(score)
    return scores


def sift(rows, aligned, scores, dictionary, least, sources):
    """Splits index rows (lists of fields) into those that stay and (row, why) that don't."""
    stay, leave = [], []
    for row in rows:
        name, source, text = row[0], row[3], row[5]
        why = None
        if not sources or source in sources:
            if name in scores and scores[name] < least:
                why = f"{scores[name]:.1f}"
            elif name not in aligned and all(word in dictionary for word in text.split()):
                why = "not aligned"
        if why:
            leave.append((row, why))
        else:
            stay.append(row)
    return stay, leave


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--dictionary", required=True)
    parser.add_argument("--least", type=float, default=-32.0, help="score that may stay")
    parser.add_argument("--source", nargs="*", default=[], help="only of these (default: of all)")
    arguments = parser.parse_args()

    names = ("train.tsv", "align.tsv", "align.scores", "left_out.tsv")
    path = {name: os.path.join(arguments.data, name) for name in names}
    with open(path["train.tsv"], encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    with open(path["align.tsv"], encoding="utf-8") as f:
        aligned = {line.split("\t")[0] for line in f}
    stay, leave = sift(
        rows,
        aligned,
        read_scores(path["align.scores"]),
        read_dictionary(arguments.dictionary),
        arguments.least,
        set(arguments.source),
    )
    with open(path["left_out.tsv"], "a", encoding="utf-8") as f:
        for row, why in leave:
            f.write("\t".join([row[0], why, row[5]]) + "\n")
    with open(path["train.tsv"] + ".new", "w", encoding="utf-8") as f:
        for row in stay:
            f.write("\t".join(row) + "\n")
    os.replace(path["train.tsv"] + ".new", path["train.tsv"])
    print(f"{len(leave)} of {len(rows)} recordings taken out")


if __name__ == "__main__":
    main()
