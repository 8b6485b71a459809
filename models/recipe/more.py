"""Adds recordings that stand in public repositories to those that prepare.py packed.

    for r in $(tail -n +2 MORE.tsv | cut -f1 | sort -u); do
        git clone --bare https://github.com/$r CLONES/${r/\//+}; done
    python3 more.py --rows MORE.tsv --clones CLONES --data DATA

MORE.tsv names repository, commit, path, source, speaker, seconds, note and text of each recording.
They are read from the clones by `git cat-file` (no checkout), decoded to 16 kHz mono, trimmed of long
silence at both ends and appended to DATA/train.pcm and DATA/train.tsv, as prepare.py writes them.
Rows already there, and those that sift.py took out again, are passed over, so that an interrupted run
can be repeated.

A sentence that several rows say (the readers of CMU ARCTIC all read the same 1,132) is taken
--sayings times at most, by different speakers as far as there are any: which ones is drawn by --seed.
"""

import argparse
import csv
import os
import random
import subprocess
import sys

from index import Index
from sound import RATE_HZ, decode, pcm16, trim
from text import normalise


class Repository:
    """Files of one commit after another, out of a clone: one `git cat-file` for all of them."""

    def __init__(self, clones, name):
        owner, short = name.split("/")
        places = (f"{owner}+{short}", f"{owner}/{short}", f"{owner}/{short}.git", short, short + ".git")
        for place in (os.path.join(clones, p, inner) for p in places for inner in ("", ".git", "repo", "repo/.git")):
            if os.path.isdir(os.path.join(place, "objects")):
                break
        else:
            raise FileNotFoundError(f"no clone of {name} below {clones}")
        self.place = place
        command = ["git", "--git-dir", place, "cat-file", "--batch"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def read(self, commit, path):
        return self.read_object(f"{commit}:{path}")

    def read_object(self, name):
        self.process.stdin.write(f"{name}\n".encode())
        self.process.stdin.flush()
        header = self.process.stdout.readline().split()
        if len(header) != 3 or header[1] != b"blob":
            raise ValueError(f"{name} is not in the clone")
        content = self.process.stdout.read(int(header[2]) + 1)
        return content[:-1]

    def listing(self, commit, ending):
        """(object, path) of the commit's files whose names end so."""
        command = ["git", "--git-dir", self.place, "ls-tree", "-r", "-z", commit]
        listing = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode("utf-8", "replace")
        for entry in listing.split("\0"):
            about, _, path = entry.partition("\t")
            if path.endswith(ending):
                yield about.split()[2], path


def identity(row):
    """What the recording is called here; the same for the same row always."""
    name = os.path.splitext(os.path.basename(row["path"]))[0]
    return f"{row['source']}-{row['speaker']}-{name}"


def chosen(rows, sayings, seed):
    """Rows with a spelling in our alphabet, none said more than `sayings` times; in their old order."""
    by_text = {}
    for number, row in enumerate(rows):
        text = normalise(row["text"])
        if text:
            by_text.setdefault(text, []).append(number)
    kept, seeded = {}, random.Random(seed)
    for text, numbers in by_text.items():
        seeded.shuffle(numbers)
        said_by = {}
        for number in numbers:  # a speaker's second time comes after everybody's first
            said_by.setdefault(rows[number]["speaker"], []).append(number)
        rounds = [n for turn in range(len(numbers)) for n in (s[turn] for s in said_by.values() if turn < len(s))]
        kept.update((number, text) for number in rounds[:sayings])
    return [(rows[number], kept[number]) for number in sorted(kept)]


def plausible(seconds, text):
    """No slower than a hesitant learner, no faster than anybody speaks."""
    return 0.4 + 0.025 * len(text) <= seconds <= 3 + 0.35 * len(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", required=True)
    parser.add_argument("--clones", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--sayings", type=int, default=2, help="of one sentence, at most")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    with open(arguments.rows, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = chosen(rows, arguments.sayings, arguments.seed)
    print(f"{len(pairs)} of {len(rows)} rows chosen", flush=True)
    with open(os.path.join(arguments.data, "dev.tsv"), encoding="utf-8") as f:
        dev_speakers = {line.split("\t")[4] for line in f}

    repositories, hours, left_out = {}, {}, 0
    with Index(arguments.data) as index:
        for row, text in pairs:
            name = identity(row)
            if name in index.done:
                continue
            if row["speaker"] in dev_speakers:
                raise ValueError(f"{name}: its speaker is in dev")
            repository = row["repository"]
            if repository not in repositories:
                repositories[repository] = Repository(arguments.clones, repository)
            try:
                samples = decode(repositories[repository].read(row["commit"], row["path"]), name)
            except ValueError as error:
                print(f"left out: {error}", file=sys.stderr)
                left_out += 1
                continue
            samples = trim(samples)
            seconds = len(samples) / RATE_HZ
            if not plausible(seconds, text):
                print(f"left out: {name}: {seconds:.1f} s for '{text}'", file=sys.stderr)
                left_out += 1
                continue
            index.add(name, pcm16(samples), row["source"], row["speaker"], text)
            hours[row["source"]] = hours.get(row["source"], 0) + seconds / 3600
    for source, value in hours.items():
        print(f"{source}: {value:.2f} h")
    print(f"{left_out} left out")


if __name__ == "__main__":
    main()
