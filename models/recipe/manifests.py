"""Rows for more.py out of the manifests that public repositories have of their own recordings.

    python3 manifests.py --clones CLONES --data DATA --out DATA/rows.tsv
    python3 more.py --rows DATA/rows.tsv --clones CLONES --data DATA
    python3 manifests.py --clones CLONES --data DATA --untranscribed --out DATA/untranscribed.tsv

CLONES holds bare clones of the repositories below, as more.py reads them; a repository stands here with
the commit that was read.  What the index of DATA has already, and sentences of dev, are passed over.

- DK2325/asr-finetuning: LibriSpeech train-clean-100 (V. Panayotov et al. 2015, CC BY 4.0), 624 recordings of
  219 speakers.
- nadichathu/whisper-banking-asr-optimization: MInDS-14 (D. Gerz et al. 2021, arXiv 2104.08524, CC BY 4.0), the
  English part: what people say to a bank's telephone.  Its transcripts come from a machine; sift.py takes out the worst.
- global-asp/asp-audio: stories of the African Storybook (CC BY 3.0) that two readers tell; the texts are in
  global-asp/asp-source.

With --untranscribed, for own_labels.py:

- korliu/whisper: clips of Common Voice 13 (CC0) that stand in none of the tables beside them, which would say
  who speaks and what.
- Picovoice/speech-to-intent-benchmark (Apache-2.0): more than fifty people order coffee.
- Sakshee5/alphanumeric-audio-dataset (MIT): addresses and telephone numbers, by 70 speakers of many first languages.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import re

from more import Repository
from text import normalise

HEADER = "repository commit path source speaker seconds note text".split()


class Snapshot:
    """The files of one commit."""

    def __init__(self, repository, commit):
        self.repository, self.commit = repository, commit

    def text(self, path):
        return self.repository.read(self.commit, path).decode()

    def paths(self, ending):
        return [path for _, path in self.repository.listing(self.commit, ending)]


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def librispeech(files):
    """(path, source, speaker, seconds, text) of each recording, with transcripts."""
    for manifest in ("train_manifest.json", "val_manifest.json"):
        for line in files.text(manifest).splitlines():
            entry = json.loads(line)
            path = "/".join(entry["audio_filepath"].split("/")[-2:])
            speaker = "LS" + os.path.basename(path).split("-")[0]
            yield path, "librispeech", speaker, entry["duration"], entry["text"]


def minds14(files):
    """As librispeech; who speaks is not said, recordings of one call have a name in common."""
    folder = "data/minds14_banking"
    for entry in csv.DictReader(io.StringIO(files.text(f"{folder}/metadata.csv"))):
        call = os.path.basename(entry["source_path"]).split("_")[0]
        speaker = "MI" + entry["language_variety"] + call
        yield f"{folder}/{entry['file_name']}", "minds14", speaker, entry["duration"], entry["transcript"]


def african_storybook(files, texts):
    """As librispeech; a speaker is a reader with a story.  Only stories under CC BY that have as many
    recordings as pages."""
    pages_of = {path[3:7]: story_pages(texts.text(path)) for path in texts.paths(".md") if path.startswith("en/0")}
    recordings = {}
    for path in files.paths(".mp3"):
        if re.fullmatch(r"en/\d{4}_[^/]*/mp3/\d+\.mp3", path):
            recordings.setdefault(path[3:7], []).append(path)
    for line in files.text("en/README.md").splitlines():
        if line.startswith("[0") and "[CC-BY](" in line:
            story, reader = line[1:5], line.split("|")[4].strip()
            pages, paths = pages_of.get(story, []), sorted(recordings.get(story, []))
            if len(pages) == len(paths):
                for path, text in zip(paths, pages):
                    yield path, "africanstorybook", "AS" + reader.replace(" ", "") + story, 0, text


def story_pages(markdown):
    """The title and the text of each page; what stands after the last page says whose the story is."""
    title, *pages = re.split(r"^##.*$", markdown, flags=re.MULTILINE)
    return [" ".join(page.split()) for page in [title.lstrip("# "), *pages] if "* License:" not in page]


CORPORA = (
    ("nadichathu/whisper-banking-asr-optimization", "ec180be2bcf51cb67fcc274169ddc0a616875854", minds14),
    ("DK2325/asr-finetuning", "736664ec75297f55accd4b9b744c9703c0594ac6", librispeech),
    ("global-asp/asp-audio", "b2252fad7a657f2707901e7390ae0ae33e017968", african_storybook,
        ("global-asp/asp-source", "99e022369a980bd52bce8c6f86d5f24e9a4ada9d")),
)


def commonvoice(files):
    """(path, source) of the clips that no table names."""
    tables = "".join(files.text(f"dataset/{name}.tsv") for name in ("validated", "invalidated", "testing_data"))
    named = set(re.findall(r"common_voice_en_\d+", tables))
    for path in files.paths(".mp3"):
        if stem(path) not in named:
            yield path, "commonvoice"


def barista(files):
    """As commonvoice: orders for coffee."""
    for path in files.paths(".wav"):
        if path.startswith("data/speech/clean/"):
            yield path, "barista"


def alphanumeric(files):
    """As commonvoice: addresses and telephone numbers; names, which are spelt, are left out."""
    for kind in ("Addresses", "Numbers"):  # files of one speaker have one name
        for path in files.paths(".wav"):
            if path.startswith(f"audio_data/{kind}/"):
                yield path, kind.lower()


UNTRANSCRIBED = (
    ("korliu/whisper", "d03c14561ed7e5e354d76259a7606df7b6e68b0c", commonvoice),
    ("Picovoice/speech-to-intent-benchmark", "47b1ca63afe4f08cb83e1f70fec16764879bd130", barista),
    ("Sakshee5/alphanumeric-audio-dataset", "6c9a38ed7e590a45410fdc33a548005a30f03552", alphanumeric),
)


def rows_of(recordings, known, dev_texts):
    """Rows (lists in the order of HEADER, after commit) of the recordings whose names are not known."""
    for path, source, speaker, seconds, text in recordings:
        if stem(path) not in known and normalise(text) not in dev_texts:
            yield [path, source, speaker, str(seconds), "", " ".join(text.split())]


def rows_without_text(recordings, known):
    """As rows_of.  Who speaks is not known."""
    known = known | {name.rpartition("-")[2] for name in known}  # without the speaker
    for path, source in recordings:
        if stem(path) not in known:
            yield [path, source, "", "0", "", ""]


def read_index(path):
    """Names of recordings as their files are called, without the source; and their texts."""
    with open(path, encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    return {row[0].split("-", 1)[1] for row in rows}, {row[5] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clones", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--untranscribed", action="store_true", help="those without transcripts instead")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    known, _ = read_index(os.path.join(arguments.data, "train.tsv"))
    dev_names, dev_texts = read_index(os.path.join(arguments.data, "dev.tsv"))
    known |= dev_names
    with open(arguments.out, "w", encoding="utf-8") as out:
        out.write("\t".join(HEADER) + "\n")
        for name, commit, corpus, *beside in UNTRANSCRIBED if arguments.untranscribed else CORPORA:
            places = [(name, commit), *beside]
            with contextlib.ExitStack() as stack:
                snapshots = [Snapshot(stack.enter_context(Repository(arguments.clones, n)), c) for n, c in places]
                found = corpus(*snapshots)
                without = arguments.untranscribed
                rows = list(rows_without_text(found, known) if without else rows_of(found, known, dev_texts))
            out.writelines("\t".join([name, commit, *row]) + "\n" for row in rows)
            print(f"{name}: {len(rows)} recordings")


if __name__ == "__main__":
    main()
