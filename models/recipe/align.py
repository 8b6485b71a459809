"""Word times of the training recordings, by forced alignment with PocketSphinx.

    python3 align.py --data DIR --dictionary cmudict.dict.xz [--order short]

Reads DIR/train.{pcm,tsv}; appends to DIR/align.tsv a line per recording as it
is done: id, then for each word WORD:FIRST_FRAME:LAST_FRAME, a frame being
10 ms and a word carrying the number of the pronunciation heard ("read(2)");
and to DIR/align.scores id and score: how much less likely the words are than
the likeliest sounds, as a mean over their frames in tenths of a nat.  Words
that were said get -10 to -25, others -35 and less.  sift.py goes by it.
Recordings with words outside the dictionary, and those whose transcript does
not fit, are skipped.  Started again, it goes on where it stopped.

The acoustic model is Debian's pocketsphinx-en-us (BSD licence).
"""

import argparse
import lzma
import multiprocessing
import os
import re

import numpy as np

MODEL = "/usr/share/pocketsphinx/model/en-us/en-us"
_state = {}


def read_dictionary(path):
    """{word: [phone list, ...]} with stress removed; order as in the file."""
    words = {}
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        for line in f:
            fields = line.split("#")[0].split()
            if not fields or fields[0].startswith(";;;"):
                continue
            word = re.sub(r"\(\d+\)$", "", fields[0])
            phones = [re.sub(r"\d", "", p) for p in fields[1:]]
            pronunciations = words.setdefault(word, [])
            if phones not in pronunciations:
                pronunciations.append(phones)
    return words


def _start(data, dictionary_path, vocabulary_path):
    from pocketsphinx import Decoder

    config = Decoder.default_config()
    config.set_string("-hmm", MODEL)
    config.set_string("-dict", vocabulary_path)
    config.set_string("-logfn", "/dev/null")
    config.set_boolean("-remove_silence", False)  # or frames are counted without the silences
    config.set_boolean("-bestpath", False)
    config.set_boolean("-fsgusefiller", True)
    config.set_boolean("-backtrace", False)
    config.set_int("-topn", 2)
    config.set_float("-beam", 1e-60)
    config.set_float("-wbeam", 1e-40)
    config.set_float("-pbeam", 1e-50)
    _state["decoder"] = Decoder(config)
    _state["pcm"] = np.memmap(os.path.join(data, "train.pcm"), dtype="<i2", mode="r")


def _align(row):
    name, first, count, words = row
    decoder = _state["decoder"]
    grammar = "#JSGF V1.0; grammar g; public <s> = " + " ".join(words) + ";"
    decoder.set_jsgf_string("a", grammar)
    decoder.set_search("a")
    decoder.start_utt()
    decoder.process_raw(_state["pcm"][first : first + count].tobytes(), False, True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return None
    found = [(s.word, s.start_frame, s.end_frame, s.ascore) for s in decoder.seg()]
    found = [s for s in found if not s[0].startswith("<") and not s[0].startswith("[") and s[0] != "(NULL)"]
    if [re.sub(r"\(\d+\)$", "", s[0]) for s in found] != words:
        return None
    score = sum(s[3] for s in found) / sum(s[2] - s[1] + 1 for s in found)
    return name, " ".join(f"{w}:{a}:{b}" for w, a, b, _ in found), score


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--dictionary", required=True)
    parser.add_argument("--limit", type=int, default=0, help="stop after so many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    dictionary = read_dictionary(arguments.dictionary)
    out_path = os.path.join(arguments.data, "align.tsv")
    done = set()
    if os.path.exists(out_path):
        with open(out_path, encoding="utf-8") as f:
            done = {line.split("\t")[0] for line in f}
    rows, vocabulary, unknown = [], set(), 0
    with open(os.path.join(arguments.data, "train.tsv"), encoding="utf-8") as f:
        for line in f:
            name, first, count, _, _, text = line.rstrip("\n").split("\t")
            words = text.split()
            if any(w not in dictionary for w in words):
                unknown += 1
                continue
            vocabulary.update(words)
            if name not in done:
                rows.append((name, int(first), int(count), words))
    rows.sort(key=lambda r: r[2])
    if arguments.limit:
        rows = rows[: arguments.limit]
    vocabulary_path = os.path.join(arguments.data, "align.dict")
    with open(vocabulary_path, "w", encoding="utf-8") as f:
        for word in sorted(vocabulary):
            for i, phones in enumerate(dictionary[word]):
                f.write(f"{word}{'' if i == 0 else f'({i + 1})'} {' '.join(phones)}\n")
    print(f"{len(rows)} to align, {len(done)} done before, {unknown} with unknown words", flush=True)

    failed = 0
    context = multiprocessing.get_context("fork")
    with context.Pool(arguments.jobs, _start, (arguments.data, arguments.dictionary, vocabulary_path)) as pool:
        with open(out_path, "a", encoding="utf-8") as out, open(
            os.path.join(arguments.data, "align.scores"), "a", encoding="utf-8"
        ) as scores:
            for n, found in enumerate(pool.imap(_align, rows, chunksize=4)):
                if found is None:
                    failed += 1
                else:
                    name, words, score = found
                    scores.write(f"{name}\t{score:.1f}\n")
                    scores.flush()
                    out.write(f"{name}\t{words}\n")
                    out.flush()
                if n % 500 == 499:
                    print(f"{n + 1} of {len(rows)}, {failed} failed", flush=True)
    print(f"done: {failed} of {len(rows)} failed")


if __name__ == "__main__":
    main()
