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
- korliu/whisper, with --untranscribed, for own_labels.py: clips of Common Voice 13 (CC0) that stand in none of
  the tables beside them, which would say who speaks and what.
"""

import argparse
import csv
import io
import json
import os
import re

from more import Repository
from text import normalise

HEADER = "repository commit path source speaker seconds note text".split()


def librispeech(read):
    """(path, source, speaker, seconds, text) of each recording; read(path) is a file's text."""
    for manifest in ("train_manifest.json", "val_manifest.json"):
        for line in read(manifest).splitlines():
            entry = json.loads(line)
            path = "/".join(entry["audio_filepath"].split("/")[-2:])
            speaker = "LS" + os.path.basename(path).split("-")[0]
            yield path, "librispeech", speaker, entry["duration"], entry["text"]


def minds14(read):
    """As librispeech; who speaks is not said, recordings of one call have a name in common."""
    folder = "data/minds14_banking"
    for entry in csv.DictReader(io.StringIO(read(f"{folder}/metadata.csv"))):
        call = os.path.basename(entry["source_path"]).split("_")[0]
        speaker = "MI" + entry["language_variety"] + call
        yield f"{folder}/{entry['file_name']}", "minds14", speaker, entry["duration"], entry["transcript"]


CORPORA = (
    ("nadichathu/whisper-banking-asr-optimization", "ec180be2bcf51cb67fcc274169ddc0a616875854", minds14),
    ("DK2325/asr-finetuning", "736664ec75297f55accd4b9b744c9703c0594ac6", librispeech),
)


UNTRANSCRIBED = ("korliu/whisper", "d03c14561ed7e5e354d76259a7606df7b6e68b0c")


def untranscribed(repository, commit, known):
    """Rows of the clips of Common Voice that no table names, and whose names are not known."""
    with repository as files:
        tables = "".join(files.read(commit, f"dataset/{name}.tsv").decode()
                         for name in ("validated", "invalidated", "testing_data"))
        named = set(re.findall(r"common_voice_en_\d+", "\n".join([tables, *known])))
        for _, path in files.listing(commit, ".mp3"):
            if os.path.splitext(os.path.basename(path))[0] not in named:
                yield [path, "commonvoice", "", "0", "", ""]


def rows_of(repository, commit, corpus, known, dev_texts):
    """Rows (lists in the order of HEADER) of the recordings whose names are not known."""
    with repository as files:
        for path, source, speaker, seconds, text in corpus(lambda p: files.read(commit, p).decode()):
            name = os.path.splitext(os.path.basename(path))[0]
            if name not in known and normalise(text) not in dev_texts:
                yield [path, source, speaker, str(seconds), "", " ".join(text.split())]


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
    with open(arguments.out, "w", encoding="utf-8") as out:
        out.write("\t".join(HEADER) + "\n")
        for name, commit, corpus in [(*UNTRANSCRIBED, None)] if arguments.untranscribed else CORPORA:
            repository = Repository(arguments.clones, name)
            if arguments.untranscribed:
                rows = untranscribed(repository, commit, known | dev_names)
            else:
                rows = rows_of(repository, commit, corpus, known | dev_names, dev_texts)
            count = 0
            for row in rows:
                out.write("\t".join([name, commit] + row) + "\n")
                count += 1
            print(f"{name}: {count} recordings")


if __name__ == "__main__":
    main()
