"""The weighted mean of the weights of two checkpoints of one training.

    python3 average.py FIRST/checkpoint.pt SECOND/checkpoint.pt --share 0.3 OUT/checkpoint.pt

--share is that of the first.  All else (hours, moments of the optimiser) is the second's.  Both must
come from one run: weights of networks that were trained apart have no common mean.
"""

import argparse
import os

import torch


def mean(first, second, share):
    return {name: share * first[name] + (1 - share) * value for name, value in second.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("out")
    parser.add_argument("--share", type=float, default=0.5)
    arguments = parser.parse_args()
    first = torch.load(arguments.first, map_location="cpu")
    result = torch.load(arguments.second, map_location="cpu")
    for kind in ("average", "weights"):
        result[kind] = mean(first[kind], result[kind], arguments.share)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.out)), exist_ok=True)
    torch.save(result, arguments.out)


if __name__ == "__main__":
    main()
