"""Packs recordings for training: 16-bit PCM in one file, an index beside it.

    python3 prepare.py --speech DIR --out DIR

DIR/manifest.tsv and its zip files give OUT/SPLIT.pcm (16 kHz mono, int16,
little endian, recordings end to end), OUT/SPLIT.tsv (id, first sample, number
of samples, source, speaker, text) for the splits train and dev, and
OUT/noise.pcm, OUT/noise.tsv.  With --only NAME just that one is packed.  What
OUT already has is left as it is, so that a run that was broken off goes on.
"""

import argparse
import csv
import multiprocessing
import os
import sys
import zipfile

from index import Index
from sound import decode, pcm16
from text import normalise

_zips = {}


def _decode(job):
    folder, zip_name, member = job
    key = os.path.join(folder, zip_name)
    if key not in _zips:
        _zips[key] = zipfile.ZipFile(key)
    try:
        return pcm16(decode(_zips[key].read(member), member))
    except ValueError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None


def _pack(pool, out, split, jobs, rows):
    """rows: (id, source, speaker, text) of each job."""
    with Index(out, split) as index:
        missing = [(job, row) for job, row in zip(jobs, rows) if row[0] not in index.done]
        decoded = pool.imap(_decode, [job for job, _ in missing], chunksize=16)
        count = 0
        for samples, (_, (name, source, speaker, text)) in zip(decoded, missing):
            if samples is not None:
                index.add(name, samples, source, speaker, text)
                count += 1
        print(f"{split}: {count} recordings more, {index.hours():.2f} h in all", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", choices=["train", "dev", "noise"])
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)

    splits, left_out = {"dev": [], "train": []}, 0
    with open(os.path.join(arguments.speech, "manifest.tsv"), encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = normalise(row["text"])
            if text is None:
                left_out += 1
                continue
            job = (arguments.speech, row["file"], row["id"] + ".opus")
            splits[row["split"]].append((job, (row["id"], row["source"], row["speaker"], text)))
    print(f"{left_out} recordings left out: transcript outside the alphabet", file=sys.stderr)

    with multiprocessing.Pool() as pool:
        for split, items in splits.items():
            if arguments.only not in (None, split):
                continue
            _pack(pool, arguments.out, split, [j for j, _ in items], [r for _, r in items])
        if arguments.only not in (None, "noise"):
            return
        noise = []
        with open(os.path.join(arguments.speech, "noise.tsv"), encoding="utf-8", newline="") as f:
            for row in csv.DictReader(f, delimiter="\t"):
                job = (arguments.speech, "noise.zip", row["id"] + ".opus")
                noise.append((job, (row["id"], row["source"], "", "")))
        _pack(pool, arguments.out, "noise", [j for j, _ in noise], [r for _, r in noise])


if __name__ == "__main__":
    main()
