"""A checkpoint without what only going on needs: the averaged weights, in bf16.

    python3 slim.py RUN/checkpoint.pt SLIM/checkpoint.pt

An eighth of the size.  export.py, tune.py and evaluate.py take it (--run SLIM); train.py --resume can't.
"""

import argparse

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--exact", action="store_true", help="in f32: a quarter of the size")
    arguments = parser.parse_args()
    checkpoint = torch.load(arguments.checkpoint, map_location="cpu")
    kept = {name: checkpoint[name] for name in ("config", "minutes", "hours")}
    kind = torch.float32 if arguments.exact else torch.bfloat16
    average = checkpoint["average"].items()
    kept["average"] = {name: value.to(kind if value.ndim > 1 else torch.float32) for name, value in average}
    torch.save(kept, arguments.out)


if __name__ == "__main__":
    main()
