"""The index of a folder of recordings, as prepare.py writes it beside their samples."""

import os


def read_index(data, split):
    """[(id, first sample, number of samples, source, speaker, text)] of DATA/SPLIT.tsv."""
    rows = []
    with open(os.path.join(data, split + ".tsv"), encoding="utf-8") as f:
        for line in f:
            name, first, count, source, speaker, text = line.rstrip("\n").split("\t")
            rows.append((name, int(first), int(count), source, speaker, text))
    return rows
