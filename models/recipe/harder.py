"""Development recordings made harder to hear, and a manifest of them for `steno wer`.

    python3 harder.py --data DATA --out FOLDER [--every 5]
    steno wer FOLDER/manifest.tsv

Of every so many'th recording of DATA's dev split (prepare.py) FOLDER holds, as FLAC and each a group
of the manifest: `clean`; `far`, two metres away and more, in rooms that take 0.4 to 0.9 s to fall silent;
`noise-10` and `noise-0`, with recorded noise 10 and 0 dB below the speech; `voices-10`, the same with
three to six other speakers of dev; `telephone`, G.711 in a telephone's band; `quiet`, 30 dB softer;
`clipped`, at 12 dB above full scale.  Transcripts and everything else stay as they are.

Rooms are other ones than in training (another seed) and the noise is that which data.py keeps out of
it.  The same seed makes the same files.
"""

import argparse
import os

import numpy as np
import soundfile

import augment
from data import Recordings, noise_of
from sound import RATE_HZ, pcm16

KINDS = ("clean", "far", "noise-10", "noise-0", "voices-10", "telephone", "quiet", "clipped")


def far_rooms(seed, count):
    """Answers of rooms with a long decay and the speaker far from the microphone."""
    random, rooms = np.random.default_rng(seed), []
    while len(rooms) < count:
        answer, decay_s, away_m = augment.make_room(random)
        if decay_s >= 0.4 and away_m >= 1.8:
            rooms.append(answer)
    return rooms


def harder(kind, samples, row, rooms, others, random):
    """others: Augment over dev itself and the noise that was kept out of training."""
    if kind == "far":
        return augment.room(samples, rooms[random.integers(len(rooms))])
    if kind.startswith("noise"):
        return augment.mixed(samples, others.noise_piece(len(samples)), float(kind[6:]))
    if kind.startswith("voices"):
        return augment.mixed(samples, others.voices(len(samples), but=row[4]), float(kind[7:]))
    if kind == "telephone":
        narrow = augment.colour(samples, np.zeros(8), 250, 3400)
        return augment.telephone(narrow, bool(random.integers(2)))
    if kind == "quiet":
        return samples * np.float32(augment.decibels(-30))
    if kind == "clipped":
        return augment.overload(samples, 12)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    arguments = parser.parse_args()

    dev, noise = Recordings(arguments.data, "dev"), noise_of(arguments.data, held_out=True)
    rooms = far_rooms(1000 + arguments.seed, 20)
    rows = dev.rows[:: arguments.every]
    os.makedirs(arguments.out, exist_ok=True)
    with open(os.path.join(arguments.out, "manifest.tsv"), "w", encoding="utf-8") as manifest:
        for kind in arguments.kinds:
            os.makedirs(os.path.join(arguments.out, kind), exist_ok=True)
            random = np.random.default_rng(arguments.seed)
            others = augment.Augment(noise, 1.0, random, dev)
            for row in rows:
                out = harder(kind, dev.samples(row), row, rooms, others, random)
                peak = np.abs(out).max(initial=0)
                path = os.path.join(kind, row[0] + ".flac")
                out = pcm16(out / max(1.0, 1.01 * peak))
                soundfile.write(os.path.join(arguments.out, path), out, RATE_HZ, subtype="PCM_16")
                manifest.write(f"{path}\t{row[5]}\t{kind}\n")
    print(f"{len(rows)} recordings, each in {len(arguments.kinds)} kinds")


if __name__ == "__main__":
    main()
