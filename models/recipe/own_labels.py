"""Adds recordings without transcripts to those trained on: what a model hears in them with confidence.

    python3 own_labels.py --rows UNTRANSCRIBED.tsv --clones CLONES --data DATA --model MODEL --steno STENO

UNTRANSCRIBED.tsv has more.py's columns (manifests.py --untranscribed writes it); their texts are not looked
at.  Each recording is read out of the clones, decoded and trimmed as more.py does it and transcribed by
the program STENO with MODEL, by default in chunks of 1.28 s.  A run of words, none of which has less
than --least confidence and all of which together have --mean, becomes a recording of its own in
DATA/train.pcm and DATA/train.tsv, cut between words (self-training: J. Kahn et al. 2020, arXiv 1909.09116).

Who speaks may be unknown: where a corpus does not say it, some of the speakers may be in dev.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import wave

from index import Index
from manifests import read_index
from more import Repository
from sound import RATE_HZ, decode, pcm16, trim
from text import normalise

TOGETHER = 200  # recordings transcribed by one run of the program
MARGIN_MS = 300  # before the first word and after the last, where nobody else's word is
LONGEST_MS = 12000


def runs(words, least, mean, shortest):
    """words: dictionaries as steno's JSON has them.  -> [(first, last)], places of the words in the list."""
    found, first = [], None
    for place, word in enumerate(words + [None]):
        good = word is not None and word["confidence"] >= least
        if first is not None and (not good or word["end_ms"] - words[first]["start_ms"] > LONGEST_MS):
            run = words[first:place]
            if len(run) >= shortest and sum(w["confidence"] for w in run) >= mean * len(run):
                found.append((first, place - 1))
            first = None
        if good and first is None:
            first = place
    return found


def cut(words, first, last, length_ms):
    """(start, end) in ms of words[first .. last]: half way to the words beside them, MARGIN_MS away at most."""
    before = (words[first - 1]["end_ms"] + words[first]["start_ms"]) // 2 if first else 0
    after = (words[last]["end_ms"] + words[last + 1]["start_ms"]) // 2 if last + 1 < len(words) else length_ms
    start = max(before, words[first]["start_ms"] - MARGIN_MS)
    return start, min(after, words[last]["end_ms"] + MARGIN_MS, length_ms)


def transcribe(program, model, chunk_ms, recordings):
    """recordings: {name: int16 samples} -> {name: words}.  One that the program can't read is not there;
    RuntimeError if it is so with all."""
    if not recordings:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, samples in enumerate(recordings.values()):
            paths.append(os.path.join(folder, f"{number}.wav"))
            with wave.open(paths[-1], "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE_HZ)
                file.writeframes(samples.tobytes())
        options = ["--quiet", "--model", model, "--chunk", str(chunk_ms), "--format", "json", "--output-dir", folder]
        status = subprocess.run([program, "transcribe", *options, *paths]).returncode
        heard = {}
        for name, path in zip(recordings, paths):
            answer = path[: -len("wav")] + "json"
            if os.path.exists(answer):
                with open(answer, encoding="utf-8") as file:
                    heard[name] = [word for result in json.load(file)["results"] for word in result["words"]]
    if status != 0 and not heard:
        raise RuntimeError(f"{program} could transcribe none of {len(recordings)} recordings")
    return heard


def file_name(row):
    return os.path.splitext(os.path.basename(row["path"]))[0]


def own_name(row):
    """What the runs of words of this recording are called, but for their numbers."""
    return f"own-{row['source']}-{file_name(row)}"


def add_runs(index, row, samples, words, arguments):
    """Returns (count, seconds) of what was added of one recording."""
    name, count, seconds = own_name(row), 0, 0.0
    for first, last in runs(words, arguments.least, arguments.mean, arguments.words):
        start_ms, end_ms = cut(words, first, last, 1000 * len(samples) // RATE_HZ)
        piece = samples[start_ms * RATE_HZ // 1000 : end_ms * RATE_HZ // 1000]
        text = normalise(" ".join(word["word"] for word in words[first : last + 1]))
        index.add(f"{name}-{first}", piece, row["source"], row["speaker"] or name, text)
        count, seconds = count + 1, seconds + len(piece) / RATE_HZ
    return count, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", required=True)
    parser.add_argument("--clones", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--steno", required=True, help="the program")
    parser.add_argument("--chunk", type=int, default=1280, help="ms")
    parser.add_argument("--least", type=float, default=0.4, help="confidence of a word")
    parser.add_argument("--mean", type=float, default=0.7, help="confidence of a run of words")
    parser.add_argument("--words", type=int, default=3, help="in a run, at least")
    arguments = parser.parse_args()

    with open(arguments.rows, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    dev, _ = read_index(os.path.join(arguments.data, "dev.tsv"))
    if any(file_name(row) in dev for row in rows):
        raise ValueError("a recording of dev is among the rows")

    repositories, count, seconds, heard_seconds = {}, 0, 0.0, 0.0
    with Index(arguments.data) as index:
        done = {name.rpartition("-")[0] for name in index.done}
        rows = [row for row in rows if own_name(row) not in done]
        for at in range(0, len(rows), TOGETHER):
            recordings = {}
            for row in rows[at : at + TOGETHER]:
                name = row["repository"]
                if name not in repositories:
                    repositories[name] = Repository(arguments.clones, name)
                try:
                    samples = decode(repositories[name].read(row["commit"], row["path"]), own_name(row))
                except ValueError as error:
                    print(f"left out: {error}", file=sys.stderr)
                    continue
                recordings[own_name(row)] = pcm16(trim(samples))
            heard = transcribe(arguments.steno, arguments.model, arguments.chunk, recordings)
            for row in rows[at : at + TOGETHER]:
                name = own_name(row)
                if name in heard:
                    added = add_runs(index, row, recordings[name], heard[name], arguments)
                    count, seconds = count + added[0], seconds + added[1]
                    heard_seconds += len(recordings[name]) / RATE_HZ
            print(f"{count} runs of words, {seconds / 3600:.2f} of {heard_seconds / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    main()
