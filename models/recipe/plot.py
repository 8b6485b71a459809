"""Curves of a training run: losses and greedy word error rate by hours of audio seen.

    python3 plot.py RUN OUT.png
"""

import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


def _read(path):
    """[(first columns as floats..., {name: value})] of a log of train.py."""
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            numbers = [float(x) for x in fields if "=" not in x]
            rows.append((numbers, {k: float(v) for k, v in (x.split("=") for x in fields if "=" in x)}))
    return rows


def main():
    run, out = sys.argv[1:3]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    curves = {}
    for numbers, values in _read(run + "/log.tsv"):
        for name, value in values.items():
            curves.setdefault(name, []).append((numbers[2], value))
    for name, points in curves.items():
        left.plot(*zip(*sorted(points)), label=name, linewidth=1)
    left.set(xlabel="hours of audio seen", ylabel="loss", title="training losses")
    left.legend()
    curves = {}
    for numbers, values in _read(run + "/eval.tsv"):
        for name, value in values.items():
            curves.setdefault(name, []).append((numbers[1], value))
    for name, points in curves.items():
        right.plot(*zip(*points), label=name, marker=".")
    right.set(xlabel="hours of audio seen", ylabel="WER %", title="greedy CTC, part of dev, chunk 640 ms", ylim=(0, 110))
    right.legend()
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
