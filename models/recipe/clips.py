"""Reads recordings without transcripts out of a repository that holds a piece of Common Voice.

    git clone --bare https://github.com/korliu/whisper CLONES/korliu+whisper
    python3 clips.py --clones CLONES --repository korliu/whisper --folder dataset/clips/ \
        --tables dataset/validated.tsv dataset/invalidated.tsv dataset/testing_data.tsv \
        --manifests SPEECH/manifest.tsv SPEECH/more.tsv --data DATA --out CLIPS

Writes CLIPS/clips.pcm and CLIPS/clips.tsv as prepare.py does, without speaker and text, for teacher.mjs
and labelled.py: what the repository's tables and the manifests name is left out, for it has a
transcript, or had one that was refused.

Who speaks is not known either, and speakers of dev must not be trained on.  But Common Voice numbers
recordings as they come in, so that those of like number are mostly one speaker's: of pairs up to 100
apart nine of ten.  A clip is left out if one of dev's speakers made the recording of known speaker
that is nearest to it, or any within --apart.
"""

import argparse
import bisect
import csv
import io
import multiprocessing
import os
import re
import sys

from index import read_index
from more import Repository
from sound import RATE_HZ, decode, pcm16, trim

LENGTH_S = (0.5, 17.0)
_NAME = re.compile(r"common_voice_en_(\d+)")
_state = {}


def speaker_of(client):
    """What the manifests call a speaker of Common Voice's."""
    return "CV" + client[:16]


def read_table(content):
    """{number: speaker} of one of Common Voice's tables."""
    rows = csv.DictReader(io.StringIO(content), delimiter="\t", quoting=csv.QUOTE_NONE)
    pairs = ((_NAME.search(row["path"]), row["client_id"]) for row in rows)
    return {int(found.group(1)): speaker_of(client) for found, client in pairs if found}


class Neighbours:
    """Tells by its number whether a clip may be one of the given speakers'."""

    def __init__(self, known, speakers, apart):
        """known: {number: speaker}."""
        self._known, self._speakers, self._apart = known, speakers, apart
        self._numbers = sorted(known)
        self._theirs = [number for number in self._numbers if known[number] in speakers]

    @staticmethod
    def _nearest(numbers, number):
        place = bisect.bisect_left(numbers, number)
        return min(numbers[max(0, place - 1) : place + 1], key=lambda each: abs(each - number), default=None)

    def suspect(self, number):
        theirs = self._nearest(self._theirs, number)
        if theirs is None:
            return False
        if abs(theirs - number) <= self._apart:
            return True
        return self._known[self._nearest(self._numbers, number)] in self._speakers


def _start(clones, repository):
    _state["repository"] = Repository(clones, repository)


def _decode(job):
    blob, name = job
    try:
        samples = trim(decode(_state["repository"].read_object(blob), name))
    except ValueError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    seconds = len(samples) / RATE_HZ
    return pcm16(samples) if LENGTH_S[0] <= seconds <= LENGTH_S[1] else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clones", required=True)
    parser.add_argument("--repository", required=True, help="OWNER/NAME")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--folder", required=True, help="of the repository, where the clips are")
    parser.add_argument("--tables", nargs="*", default=[], help="of Common Voice, in the repository")
    parser.add_argument("--manifests", nargs="*", default=[], help="tables of recordings with transcripts")
    parser.add_argument("--data", required=True, help="whose dev speakers are to be left out")
    parser.add_argument("--apart", type=int, default=300, help="numbers from a clip of dev's speakers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    with Repository(arguments.clones, arguments.repository) as repository:
        known = {}
        for table in arguments.tables:
            known.update(read_table(repository.read(arguments.commit, table).decode()))
        listed = list(repository.files(arguments.commit, ".mp3", arguments.folder))
    transcribed = set(known)
    for path in arguments.manifests:
        with open(path, encoding="utf-8") as f:
            transcribed.update(int(number) for number in _NAME.findall(f.read()))
    dev_speakers = {row[4] for row in read_index(arguments.data, "dev")}
    neighbours = Neighbours(known, dev_speakers, arguments.apart)

    jobs, near = [], 0
    for blob, path in listed:
        found = _NAME.search(path)
        if not found or int(found.group(1)) in transcribed:
            continue
        if neighbours.suspect(int(found.group(1))):
            near += 1
            continue
        jobs.append((blob, f"commonvoice-{found.group()}"))
    print(f"{len(listed)} clips, {len(jobs)} without transcript, {near} more maybe by dev's speakers", flush=True)

    os.makedirs(arguments.out, exist_ok=True)
    first, count = 0, 0
    context = multiprocessing.get_context("fork")
    with context.Pool(arguments.jobs, _start, (arguments.clones, arguments.repository)) as pool, open(
        os.path.join(arguments.out, "clips.pcm"), "wb"
    ) as pcm, open(os.path.join(arguments.out, "clips.tsv"), "w", encoding="utf-8") as index:
        for (_, name), samples in zip(jobs, pool.imap(_decode, jobs, chunksize=16)):
            if samples is None:
                continue
            pcm.write(samples.tobytes())
            index.write(f"{name}\t{first}\t{len(samples)}\tcommonvoice\t\t\n")
            first += len(samples)
            count += 1
    print(f"{count} recordings, {first / RATE_HZ / 3600:.2f} h")


if __name__ == "__main__":
    main()
