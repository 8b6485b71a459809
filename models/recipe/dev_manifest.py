"""The development recordings as files and a manifest for `steno wer`.

    python3 dev_manifest.py --speech DIR --out FOLDER

DIR holds manifest.tsv and the zip files it names.  Unpacks the recordings of the split "dev" to
FOLDER, unless they are there, writes FOLDER/manifest.tsv (path, text, source) and prints its path.
With --accents FOLDER/accents.tsv is written too: the recordings whose speakers named their accent,
with that for the source.
Transcripts with digits are left out, as in training: the model writes numbers in words.  Needs
nothing but Python.
"""

import argparse
import csv
import os
import re
import sys
import zipfile

from text import normalise


def read_rows(speech):
    with open(os.path.join(speech, "manifest.tsv"), encoding="utf-8", newline="") as f:
        rows = csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row for row in rows if row["split"] == "dev"]


def unpack(zip_path, names, out):
    """Extracts those of the names that are not there, each appearing whole or not at all."""
    missing = [name for name in names if not os.path.exists(os.path.join(out, name))]
    if not missing:
        return
    with zipfile.ZipFile(zip_path) as archive:
        for name in missing:
            partial = os.path.join(out, name + ".part")
            with open(partial, "wb") as f:
                f.write(archive.read(name))
            os.replace(partial, os.path.join(out, name))


def write_manifest(path, rows, group_of):
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(f"{row['id']}.opus\t{row['text']}\t{group_of(row)}\n")


def accent(row):
    """As Common Voice has it: "India and South Asia".  Of several the first that names a place in two
    words or more, as Common Voice's own do; speakers may write what they like."""
    named = [part.strip() for part in re.sub(r" \([^)]*\)", "", row["note"]).split(",")]
    return next((part for part in named if " " in part), named[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--accents", action="store_true")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)

    rows = read_rows(arguments.speech)
    kept = [row for row in rows if normalise(row["text"]) is not None]
    for file in sorted({row["file"] for row in kept}):
        names = [row["id"] + ".opus" for row in kept if row["file"] == file]
        unpack(os.path.join(arguments.speech, file), names, arguments.out)
    path = os.path.join(arguments.out, "manifest.tsv")
    write_manifest(path, kept, lambda row: row["source"])
    if arguments.accents:
        told = [row for row in kept if row["source"] == "commonvoice" and accent(row)]
        write_manifest(os.path.join(arguments.out, "accents.tsv"), told, accent)
    print(f"{len(kept)} recordings, {len(rows) - len(kept)} left out for their digits", file=sys.stderr)
    print(path)


if __name__ == "__main__":
    main()
