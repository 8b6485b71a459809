"""What more hours of recordings would give, by the word error rates that fewer hours gave.

    python3 learning_curve.py models/learning_curve.tsv --goal 15 --out models/learning_curve.png

A line of the table: hours of recordings, hours of audio heard in training, word error rate in per cent, of
networks that were trained alike and heard their recordings equally often (train.py --part).  Errors
fall as a power of the hours, error = scale * hours ** -exponent (Hestness et al. 2017, "Deep Learning
Scaling is Predictable, Empirically"), as long as the network is large enough for them: a straight line
where both axes are logarithmic.  Through each two neighbouring points goes another line; where these
lead is said too, since a law from so few points is a rough one.
"""

import argparse
import itertools
import math


def read_table(path):
    """[(hours of recordings, hours heard, word error rate)], fewest recordings first; # begins a comment."""
    with open(path, encoding="utf-8") as f:
        lines = [line.split("#")[0].split() for line in f]
    return sorted(tuple(map(float, fields)) for fields in lines if fields)


def law(points):
    """(scale, exponent) of the least squares in the logarithms of (hours, rate)."""
    x, y = ([math.log(value) for value in values] for values in zip(*points))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / spread
    return math.exp(mean_y - slope * mean_x), -slope


def hours_for(goal, scale, exponent):
    """Hours of recordings at which the law gives that rate; infinite if errors do not fall."""
    return (scale / goal) ** (1 / exponent) if exponent > 0 else math.inf


def draw(points, goal, scale, exponent, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(6, 4))
    hours = [points[0][0], max(points[-1][0], hours_for(goal, scale, exponent))]
    axes.plot(hours, [scale * h**-exponent for h in hours], "--", color="grey", linewidth=1)
    axes.plot(*zip(*points), "o")
    axes.axhline(goal, color="green", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="hours of recordings", ylabel="WER %")
    for axis, steps in (axes.xaxis, (1, 2, 5)), (axes.yaxis, (1, 1.5, 2, 3, 4, 5, 7)):
        axis.set_major_locator(ticker.LogLocator(subs=steps))
        axis.set_major_formatter(ticker.ScalarFormatter())
        axis.set_minor_formatter(ticker.NullFormatter())
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--goal", type=float, default=15.0, help="word error rate, per cent")
    parser.add_argument("--out", help="a picture")
    arguments = parser.parse_args()
    rows = read_table(arguments.table)
    if len(rows) < 2:
        parser.error(f"{arguments.table}: a line takes two points")
    points = [(hours, rate) for hours, _, rate in rows]
    scale, exponent = law(points)
    wanted = hours_for(arguments.goal, scale, exponent)
    passes = sum(heard / hours for hours, heard, _ in rows) / len(rows)
    print(f"error = {scale:.1f} * hours ** -{exponent:.3f}")
    print(f"{arguments.goal:g} % at {wanted:.0f} hours of recordings, {wanted * passes:.0f} heard")
    for one, other in itertools.pairwise(points):
        hours = hours_for(arguments.goal, *law([one, other]))
        print(f"by {one[0]:g} and {other[0]:g} hours alone: {hours:.0f}")
    if arguments.out:
        draw(points, arguments.goal, scale, exponent, arguments.out)


if __name__ == "__main__":
    main()
