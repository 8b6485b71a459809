"""Adds sentences that speech synthesizers speak to a folder of recordings.

    python3 synthesize.py --data DATA --text TEXT/mix.txt.xz --dictionary TEXT/cmudict.dict.xz --hours 6
    python3 align.py --data DATA --dictionary TEXT/cmudict.dict.xz

Appends to DATA/train.pcm and DATA/train.tsv, as prepare.py writes them, or with --out to those of
another folder, which need not have any.  The sources are called synthetic-flite, synthetic-festival and
synthetic-espeak, so that sift.py and a reader of the index can tell them from people; the voice is the
speaker.  A run that was interrupted can be repeated and goes on; the same --seed gives the same
recordings, another one others.  (Not to the last sample where Festival's diphones speak: it reads past
the end of a block of its own memory, as valgrind tells, and what stands there now and then changes
a pause.)

Sentences are lines of --text (or, where a line has tabs, its parts) of 4 to 25 words, all of which the
dictionary has: the others a synthesizer would have to guess, and align.py could not place them.
Roman numbers and words without a vowel, which may be read as abbreviations, are left out, and so is
every sentence of DATA/dev.tsv and whatever shares eight words in a row with one (as in books.py).

Each is spoken by a voice drawn by chance, at a rate and, where the voice lets itself be told, a pitch
drawn by chance.  A few voices would soon be known by heart; so what they say is played faster or slower
by up to 15 % (less for eSpeak NG, which has voices enough), spoken slower or faster by as much before:
the pace stays, the speaker grows or shrinks.  The level is drawn by chance, too, and a faint noise (22
to 40 dB under the speech) takes the place of the zeros in which no room is heard.

Programs and voices are Debian's: flite and festival, festvox-kallpc16k, festvox-kdlpc16k,
festvox-us-slt-hts (permissive licences, the voices' too: Carnegie Mellon University, University of
Edinburgh, HTS working group) and espeak-ng (GPL 3 or later; what the program says is no copy of it).
MBROLA's voices are mostly not for commercial use and are not asked.
"""

import argparse
import functools
import itertools
import math
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from align import read_dictionary
from books import Grams, grams_of_lines, hits_of, read_lines, sentence_key
from index import Index
from more import plausible
from sound import RATE_HZ, decode, pcm16, resample, trim
from text import normalise

WORDS = range(4, 26)  # in a sentence
BATCH = 32  # sentences to a process that Festival starts
SIZES = 20  # a speaker's size is a whole number of twentieths

# Voices and how often each is drawn: those that sound more like people more often.
FLITE = {"slt": 2, "rms": 2, "awb": 2, "kal16": 1}
FESTIVAL = {"cmu_us_slt_arctic_hts": 2, "kal_diphone": 1, "ked_diphone": 1}
ACCENTS = "en-us en-us-nyc en-gb en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd en-029".split()
# Of eSpeak NG's variants those that are meant to be people, and that align.py mostly understands.
VARIANTS = (
    "f1 f2 f3 f4 f5 m1 m3 m4 m5 m6 m7 m8 adam anika benjamin caleb david Denis ed edward Gene Jacky john "
    "linda Marco max Mike paul steph victor"
).split()

ABBREVIATION = re.compile(r"(?<![^ ])(?:[^aeiouy ]+|[ivx]{2,})(?= |$)")  # "st", "mph"; "ii", "xiv"


class Manner:
    """How a sentence is spoken.  rate: 1 is the voice's own; semitones: above its own pitch; size: of
    the speaker, in twentieths of the voice's own (more is smaller, for a higher voice)."""

    def __init__(self, seeded, sizes):
        self.rate = math.exp(seeded.uniform(math.log(0.65), math.log(1.1)))
        self.semitones = max(-5.0, min(5.0, seeded.gauss(0.0, 2.0)))
        self.size = seeded.choice(sizes)
        self.peak = 10 ** (-seeded.uniform(1.0, 16.0) / 20)  # of the samples
        self.noise_db = seeded.uniform(-40.0, -22.0)  # of the room's, against the speech
        self.noise_tilt = seeded.uniform(0.0, 1.0)  # 0: white, 1: falls by 6 dB an octave
        self.noise_seed = seeded.getrandbits(32)

    @property
    def stretch(self):
        """How much longer the synthesizer takes than by itself."""
        return self.size / SIZES / self.rate

    @property
    def pitch(self):
        return 2 ** (self.semitones / 12)


def ask(command, folder=None, stdin=b""):
    """Standard output of a synthesizer.  RuntimeError: it failed."""
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


# Each synthesizer writes 0.wav, 1.wav, ... of (voice, manner, text) into a folder.


def flite(items, folder):
    for number, (voice, manner, text) in enumerate(items):
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={manner.stretch:.3f}"]
        if voice == "kal16":  # the others have their melody from recordings
            command += ["--setf", f"int_f0_target_mean={95 * manner.pitch:.1f}"]
        ask(command + ["-t", text + ".", "-o", f"{number}.wav"], folder)


def espeak(items, folder):
    for number, (voice, manner, text) in enumerate(items):
        words_per_minute = max(80, min(450, round(165 / manner.stretch)))
        pitch = max(0, min(99, round(50 + 8 * manner.semitones)))
        command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-p", str(pitch)]
        ask(command + ["-w", f"{number}.wav", text + "."], folder)


def festival(items, folder):
    """One process for all: it takes longer to start than to speak a sentence."""
    lines = ["(define (say text file) (utt.save.wave (utt.synth (eval (list 'Utterance 'Text text))) file 'riff))"]
    for number, (voice, manner, text) in enumerate(items):
        lines.append(f"(voice_{voice})")
        if voice.endswith("_hts"):
            speed = f'(list "-r" {1 / manner.stretch:.3f})'
            lines.append(f"(set! hts_engine_params (append {voice[:-4]}_hts::hts_engine_params (list {speed})))")
        else:
            melody = f"(target_f0_mean {105 * manner.pitch:.1f}) (target_f0_std {15 * manner.pitch:.1f})"
            lines.append(f"(Parameter.set 'Duration_Stretch {manner.stretch:.3f})")
            lines.append(f"(set! int_lr_params '({melody} (model_f0_mean 170) (model_f0_std 34)))")
        lines.append(f'(say "{text}." "{number}.wav")')
    with open(os.path.join(folder, "say.scm"), "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")
    ask(["festival", "--batch", "say.scm"], folder)


def flite_voices():
    return ask(["flite", "-lv"]).split(":")[1].split()


def festival_voices():
    return re.findall(r"[a-z]\w+", ask(["festival", "--pipe"], stdin=b"(print (voice.list))"))


def espeak_voices():
    variants = set(re.findall(r"!v/(\S+)", ask(["espeak-ng", "--voices=variant"])))
    accents = set(re.findall(r"^ *\d+ +(\S+)", ask(["espeak-ng", "--voices=en"]), re.M))
    return [f"{accent}+{variant}" for accent in accents for variant in variants]


class Synthesizer:
    """A source: share of the hours; program and speak, what speaks; voices {name: weight} and installed,
    which asks what there is; packages, Debian's; sizes of the speakers."""

    def __init__(self, share, program, speak, voices, installed, packages, sizes):
        self.share, self.program, self.speak, self.packages = share, program, speak, packages
        self.voices, self.installed, self.sizes = voices, installed, sizes

    def missing(self):
        """What is not installed, or None."""
        if shutil.which(self.program) is None:
            return self.program
        voices = set(self.voices).difference(self.installed())
        return "voices " + ", ".join(sorted(voices)) if voices else None

    def draw(self, seeded):
        """(voice, manner) of a sentence."""
        return seeded.choices(*zip(*self.voices.items()))[0], Manner(seeded, self.sizes)


FESTVOX = "festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts"
VOICES_OF_ESPEAK = {f"{accent}+{variant}": 1 for accent in ACCENTS for variant in VARIANTS}
SYNTHESIZERS = {
    "flite": Synthesizer(0.4, "flite", flite, FLITE, flite_voices, "flite", range(17, 24)),
    "festival": Synthesizer(0.35, "festival", festival, FESTIVAL, festival_voices, FESTVOX, range(17, 24)),
    "espeak": Synthesizer(0.25, "espeak-ng", espeak, VOICES_OF_ESPEAK, espeak_voices, "espeak-ng", range(19, 22)),
}


def sentences_of(paths):
    """All sentences that are long enough, each once, in the order of the texts."""
    parts = (part for path in paths for line in read_lines(path) for part in line.split("\t"))
    return list(dict.fromkeys(part for part in parts if part.count(" ") + 1 in WORDS))


def fit(sentences, dictionary, held_out):
    """Those of the sentences that can be spoken and are not too like what is held out, in our spelling."""
    grams = Grams()
    runs = grams_of_lines(grams, held_out)
    keys = set(map(sentence_key, held_out))
    for sentence in sentences:
        text = normalise(sentence)
        if text is None or len(text.split()) not in WORDS or ABBREVIATION.search(text):
            continue
        if any(word not in dictionary for word in text.split()):
            continue
        if sentence_key(text) not in keys and not hits_of(grams, [text], runs)[0]:
            yield text


def batches(synthesizer, name, sentences, seed, done):
    """Endless lists of (id, voice, manner, text) of what is not done, as far as there are sentences."""

    def items():
        for number, text in enumerate(sentences):
            seeded = random.Random(f"{seed} {name} {number}")
            voice, manner = synthesizer.draw(seeded)
            identity = f"synthetic-{name}-{voice}-{seed}-{number:06d}"
            if identity not in done:
                yield identity, voice, manner, text

    remaining = items()
    return iter(lambda: list(itertools.islice(remaining, BATCH)), [])


def noise(count, tilt, seed):
    """[count] of power 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum *= np.maximum(np.arange(len(spectrum)), count * 40 / RATE_HZ) ** -tilt
    samples = np.fft.irfft(spectrum, count)
    return samples / np.sqrt(np.mean(np.square(samples)))


def recorded(samples, manner):
    """As a microphone would have it: at some level, in a room that is not wholly silent."""
    power = np.mean(np.square(samples))
    if power == 0:
        return samples
    floor = noise(len(samples), manner.noise_tilt, manner.noise_seed)
    samples = samples + floor * np.sqrt(power) * 10 ** (manner.noise_db / 20)
    return samples * (manner.peak / np.abs(samples).max())


def speak(name, batch):
    """[N] int16 of each of a batch; None where nothing like the text was spoken."""
    with tempfile.TemporaryDirectory() as folder:
        SYNTHESIZERS[name].speak([item[1:] for item in batch], folder)
        out = []
        for number, (identity, _, manner, text) in enumerate(batch):
            with open(os.path.join(folder, f"{number}.wav"), "rb") as f:
                samples = decode(f.read(), identity)
            samples = trim(resample(samples, SIZES, manner.size))
            good = plausible(len(samples) / RATE_HZ, text)
            out.append(pcm16(recorded(samples, manner)) if good else None)
        return out


def add_hours(pool, jobs, index, name, hours, sentences, seed):
    """Appends what one synthesizer says until the index has as many hours of it."""
    source, left_out = f"synthetic-{name}", 0
    remaining = batches(SYNTHESIZERS[name], name, sentences, seed, index.done)
    while index.hours(source) < hours:
        round_of = list(itertools.islice(remaining, jobs))
        if not round_of:
            raise RuntimeError(f"the text has no more sentences for {source}: {index.hours(source):.2f} h")
        for batch, spoken in zip(round_of, pool.map(functools.partial(speak, name), round_of, chunksize=1)):
            for (identity, voice, _, text), samples in zip(batch, spoken):
                if index.hours(source) >= hours:
                    break
                if samples is None:
                    print(f"left out: {identity}: '{text}'", file=sys.stderr)
                    left_out += 1
                    continue
                index.add(identity, samples, source, f"{name}-{voice}", text)
    print(f"{source}: {index.hours(source):.2f} h, {left_out} left out", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with dev.tsv, to whose train split is added")
    parser.add_argument("--out", help="folder to add to instead")
    parser.add_argument("--text", required=True, nargs="+")
    parser.add_argument("--dictionary", required=True)
    parser.add_argument("--hours", type=float, default=6.0, help="of all that is synthetic there")
    parser.add_argument("--only", nargs="+", choices=SYNTHESIZERS, default=list(SYNTHESIZERS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    names = [name for name in SYNTHESIZERS if name in arguments.only]
    for name in names:
        missing = SYNTHESIZERS[name].missing()
        if missing:
            packages = SYNTHESIZERS[name].packages
            parser.error(f"{name} cannot speak: no {missing} (Debian's packages: {packages}); --only names others")

    with open(os.path.join(arguments.data, "dev.tsv"), encoding="utf-8") as f:
        held_out = [line.rstrip("\n").split("\t")[5] for line in f]
    dictionary = read_dictionary(arguments.dictionary)
    sentences = sentences_of(arguments.text)
    random.Random(arguments.seed).shuffle(sentences)
    print(f"{len(sentences)} sentences", flush=True)
    total = sum(SYNTHESIZERS[name].share for name in names)
    with multiprocessing.Pool(arguments.jobs) as pool, Index(arguments.out or arguments.data) as index:
        for place, name in enumerate(SYNTHESIZERS):  # a sentence belongs to one, whichever are asked
            if name in names:
                mine = fit(sentences[place :: len(SYNTHESIZERS)], dictionary, held_out)
                hours = arguments.hours * SYNTHESIZERS[name].share / total
                add_hours(pool, arguments.jobs, index, name, hours, mine, arguments.seed)


if __name__ == "__main__":
    main()
