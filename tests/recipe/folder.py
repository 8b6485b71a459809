"""A folder of training data as prepare.py, units.py and align.py leave it, made of tones and noise."""

import io
import json
import os

import numpy as np
import sentencepiece

RATE_HZ = 16000
WORDS = "one two three four five six seven eight nine ten".split()


def ogg(samples):
    """Opus, as the bytes of a file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="OGG", subtype="OPUS")
    return file.getvalue()


def _pack(folder, split, rows):
    """rows: (id, samples as floats, source, speaker, text)."""
    first = 0
    with open(os.path.join(folder, split + ".pcm"), "wb") as pcm, open(
        os.path.join(folder, split + ".tsv"), "w", encoding="utf-8"
    ) as index:
        for name, samples, *rest in rows:
            pcm.write(np.round(np.clip(samples, -1, 0.9999) * 32768).astype("<i2").tobytes())
            index.write("\t".join(map(str, [name, first, len(samples)] + rest)) + "\n")
            first += len(samples)


def _speech(random, count, prefix):
    for number in range(count):
        words = random.choice(WORDS, 13 if number % 6 == 5 else random.integers(2, 7))
        time = np.arange(int(RATE_HZ * (0.4 * len(words) + 0.3))) / RATE_HZ
        wave = sum(np.sin(2 * np.pi * random.uniform(150, 3000) * time) for _ in range(4)) * 0.08
        yield f"{prefix}-{number}", wave, "made", f"{prefix}-speaker-{number % 3}", " ".join(words)


def make(folder, train=24, dev=4, seed=1):
    """Returns the path of a dictionary for it."""
    random = np.random.default_rng(seed)
    _pack(folder, "train", _speech(random, train, "train"))
    _pack(folder, "dev", _speech(random, dev, "dev"))
    noise = [(f"noise-{n}", random.standard_normal(20000) * 0.1, "made", "", "") for n in range(16)]
    _pack(folder, "noise", noise)
    with open(os.path.join(folder, "units.txt"), "w", encoding="utf-8") as f:
        f.writelines(" ".join(random.choice(WORDS, 6)) + "\n" for _ in range(300))
    sentencepiece.SentencePieceTrainer.train(
        input=os.path.join(folder, "units.txt"),
        model_prefix=os.path.join(folder, "units"),
        vocab_size=24,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        minloglevel=2,
    )
    units = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "units.model"))
    with open(os.path.join(folder, "tokens.json"), "w", encoding="utf-8") as f:
        json.dump([units.id_to_piece(t) for t in range(1, units.get_piece_size())], f)
    dictionary = os.path.join(folder, "dictionary")
    with open(dictionary, "w", encoding="utf-8") as f:
        f.writelines(f"{word} T AH{n % 3} K IY\n" for n, word in enumerate(WORDS))
    with open(os.path.join(folder, "train.tsv"), encoding="utf-8") as index, open(
        os.path.join(folder, "align.tsv"), "w", encoding="utf-8"
    ) as align:
        for number, line in enumerate(index):
            name, text = line.split("\t")[0], line.rstrip("\n").split("\t")[5].split()
            if number % 4:
                times = (f"{word}:{15 + 40 * n}:{50 + 40 * n}" for n, word in enumerate(text))
                align.write(name + "\t" + " ".join(times) + "\n")
    return dictionary
