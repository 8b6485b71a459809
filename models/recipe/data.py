"""Recordings, frame targets from alignments, batches of recordings that augment.py has changed."""

import os

import numpy as np
import torch

from align import read_dictionary
from augment import Augment
from features import HOP, RATE_HZ
from units import Units

PHONES = (
    "SIL AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()
# Rough relative lengths, to cut a word's time into its phones.
_LONG = {"AA", "AE", "AO", "AW", "AY", "ER", "EY", "IY", "OW", "OY", "UW", "S", "SH", "CH", "F", "Z"}
_SHORT = {"AH", "IH", "D", "DH", "T", "V", "B", "G", "HH", "L", "R", "Y", "W"}
_NO_TARGET = -100
MUSIC = "music"  # the source of recordings that are music


def _length(phone):
    return 1.4 if phone in _LONG else 0.75 if phone in _SHORT else 1.0


def read_index(data, split):
    rows = []
    with open(os.path.join(data, split + ".tsv"), encoding="utf-8") as f:
        for line in f:
            name, first, count, source, speaker, text = line.rstrip("\n").split("\t")
            rows.append((name, int(first), int(count), source, speaker, text))
    return rows


class Recordings:
    """One split: samples, transcripts and, where aligned, words with times and phones."""

    def __init__(self, data, split, dictionary_path=None):
        self.rows = read_index(data, split)
        self.pcm = np.memmap(os.path.join(data, split + ".pcm"), dtype="<i2", mode="r")
        self.units = Units(os.path.join(data, "units.model"))
        self.aligned = {}
        path = os.path.join(data, "align.tsv")
        if dictionary_path and os.path.exists(path):
            dictionary = read_dictionary(dictionary_path)
            with open(path, encoding="utf-8") as f:
                for line in f:
                    name, words = line.rstrip("\n").split("\t")
                    self.aligned[name] = [self._word(w, dictionary) for w in words.split()]

    @staticmethod
    def _word(field, dictionary):
        word, first, last = field.rsplit(":", 2)
        variant = 0
        if word.endswith(")"):
            word, number = word[:-1].split("(")
            variant = int(number) - 1
        phones = [PHONES.index(p) for p in dictionary[word][variant]]
        return word, int(first), int(last), phones

    def samples(self, row):
        return self.pcm[row[1] : row[1] + row[2]].astype(np.float32) / 32768.0

    def phone_frames(self, row, frames):
        """Phone of every 10 ms frame (0: silence), or None where not aligned."""
        words = self.aligned.get(row[0])
        if words is None:
            return None
        target = np.zeros(frames, np.int64)
        for _, first, last, phones in words:
            lengths = np.array([_length(PHONES[p]) for p in phones])
            edges = first + (last + 1 - first) * np.concatenate([[0.0], np.cumsum(lengths) / lengths.sum()])
            for phone, start, end in zip(phones, edges[:-1], edges[1:]):
                target[int(round(start)) : max(int(round(end)), int(round(start)) + 1)] = phone
        return target[:frames]

    def unit_triggers(self, row, encodings, subsampling, ctc_frames):
        """The CTC frame at which each unit ends, strictly rising, or None where it does not fit."""
        words = self.aligned.get(row[0])
        tokens = self.units.encode(row[5])
        if words is None:
            return tokens, None
        triggers, position, last_token, index = [], -1, None, 0
        for word, first, last, _ in words:
            pieces, letters = [], 0
            while letters < len(word) and index < len(tokens):
                text = self.units.piece(tokens[index]).replace("\u2581", "")
                pieces.append((tokens[index], letters + len(text)))
                letters += len(text)
                index += 1
            for token, end in pieces:
                frame = first + (last + 1 - first) * end / len(word)
                least = position + (2 if token == last_token else 1)
                # The frames of encoding i hear equal parts of what came since encoding i - 1.
                end_frame = int(np.ceil(frame * ctc_frames / subsampling)) + ctc_frames - 1
                position = max(end_frame, least)
                last_token = token
                triggers.append(position)
        if index != len(tokens) or not triggers or triggers[-1] >= encodings * ctc_frames:
            return tokens, None
        return tokens, triggers


def noise_of(data, held_out=False):
    """The recorded noise to train with, or the eighth of it that is kept for measuring."""
    noise = Recordings(data, "noise")
    numbered = enumerate(noise.rows)
    noise.rows = [row for number, row in numbered if row[3] != MUSIC and (number % 8 == 7) == held_out]
    return noise


def music_of(data):
    """What music.py has added to the noise, or None."""
    music = Recordings(data, "noise")
    music.rows = [row for row in music.rows if row[3] == MUSIC]
    return music if music.rows else None


class Batch:
    """samples [B, N] padded with zeros, counts [B]; tokens and triggers as lists; phones [B, F]."""

    def __init__(self, samples, tokens, triggers, phones):
        self.counts = torch.tensor([len(s) for s in samples])
        longest = int(self.counts.max())
        self.samples = torch.zeros(len(samples), longest)
        for row, piece in enumerate(samples):
            self.samples[row, : len(piece)] = torch.from_numpy(piece)
        self.frame_counts = torch.div(self.counts + HOP - 1, HOP, rounding_mode="floor")
        self.tokens, self.triggers = tokens, triggers
        self.phones = torch.full((len(samples), int(self.frame_counts.max())), _NO_TARGET)
        for row, target in enumerate(phones):
            if target is not None:
                self.phones[row, : len(target)] = torch.from_numpy(target)


def stretched(phones, frames, factor):
    """The phones of `frames` frames each of which stands for `factor` old ones."""
    if phones is None:
        return None
    return phones[np.minimum((np.arange(frames) * factor).astype(np.int64), len(phones) - 1)]


def phone_targets(batch, encodings, subsampling, slots):
    """[B, encodings, slots]: the phones of the newest `subsampling` frames of each encoding, of
    those that the recording has."""
    index = torch.arange(encodings)[:, None] * subsampling
    offset = -subsampling + (subsampling // slots) * (1 + torch.arange(slots))[None, :]
    place = index + offset
    inside = (place >= 0) & (place < batch.phones.shape[1])
    target = batch.phones[:, place.clamp(0, batch.phones.shape[1] - 1)]
    counts = torch.div(batch.frame_counts - 1, subsampling, rounding_mode="floor") + 1
    there = torch.arange(encodings)[None, :] < counts[:, None]
    return target.masked_fill(~(inside & there[:, :, None]), _NO_TARGET)


class Sampler:
    """Endless batches of about `seconds` of audio, recordings of like length together.  Several with
    one seed and shares (0, n) to (n - 1, n) divide the batches of each epoch among them.  speed: the
    chance that a recording's is changed."""

    def __init__(self, recordings, noise, seconds, config, seed, quiet_share=0.05, share=(0, 1), music=None,
                 speed=0.0):
        self.recordings, self.noise, self.music, self.seconds = recordings, noise, music, seconds
        self.config, self.quiet_share, self.speed = config, quiet_share, speed
        self.random = np.random.default_rng([seed, share[0]])
        self._seed, self._share, self._epochs = seed, share, {}
        self._queue, self._queue_key = [], None

    def _plan(self, aligned_only, longest_s):
        epoch = self._epochs[aligned_only, longest_s] = self._epochs.get((aligned_only, longest_s), 0) + 1
        random = np.random.default_rng([self._seed, int(aligned_only), int(1000 * longest_s), epoch])
        rows = [
            row
            for row in self.recordings.rows
            if row[2] <= longest_s * RATE_HZ and (not aligned_only or row[0] in self.recordings.aligned)
        ]
        keys = np.array([row[2] for row in rows]) * random.uniform(0.85, 1.15, len(rows))
        batches, batch, longest = [], [], 0
        for number in np.argsort(keys):
            row = rows[number]
            longest = max(longest, row[2])
            if batch and (len(batch) + 1) * longest > self.seconds * RATE_HZ:
                batches.append(batch)
                batch, longest = [], row[2]
            batch.append(row)
        batches.append(batch)
        order = random.permutation(len(batches))
        number, count = self._share
        return [batches[n] for n in order[number % len(order) :: count]]

    def next(self, aligned_only, longest_s, level, sample_units=False):
        return Batch(*self.parts(aligned_only, longest_s, level, sample_units))

    def close(self):
        """Nothing to do; a Loader ends its processes."""

    def parts(self, aligned_only, longest_s, level, sample_units=False):
        """What a Batch is made of."""
        key = (aligned_only, longest_s)
        if not self._queue or self._queue_key != key:
            self._queue, self._queue_key = self._plan(*key), key
        return self._make(self._queue.pop(), level, sample_units)

    def _make(self, rows, level, sample_units):
        augment = Augment(self.noise, level, self.random, self.recordings, self.music)
        samples, tokens, triggers, phones = [], [], [], []
        for row in rows:
            piece = self.recordings.samples(row)
            if self.random.random() < 0.5:  # zeros at the end, as a stream that ends has
                piece = np.concatenate([piece, np.zeros(self.random.integers(0, RATE_HZ // 2), np.float32)])
            frames = -(-len(piece) // HOP)
            subsampling, ctc_frames = self.config.subsampling, self.config.ctc_frames
            encodings = (frames - 1) // subsampling + 1
            row_tokens, row_triggers = self.recordings.unit_triggers(row, encodings, subsampling, ctc_frames)
            row_phones = self.recordings.phone_frames(row, frames)
            if self.random.random() < self.speed:
                piece, factor = augment.speed(piece)
                if factor != 1:
                    row_triggers, row_phones = None, stretched(row_phones, -(-len(piece) // HOP), factor)
            if sample_units:
                row_tokens = self.recordings.units.encode(row[5], sample=True)
            samples.append(augment(piece))
            tokens.append(row_tokens)
            triggers.append(row_triggers)
            phones.append(row_phones)
        longest = max(len(s) for s in samples)
        for _ in range(self.random.poisson(self.quiet_share * len(rows))):
            samples.append(augment.quiet(int(longest * self.random.uniform(0.3, 1.0))))
            tokens.append([])
            triggers.append([])
            phones.append(np.zeros(-(-len(samples[-1]) // HOP), np.int64))
        return samples, tokens, triggers, phones
