"""What a recording goes through before its features, so that the network learns what not to mind.

In the order in which the world does it: speed of the speaker; the room; what else sounds there
(recorded or coloured noise, other voices, music); the microphone's level, overload and colour; a
telephone; hiss.  Each happens with a chance of its own, in proportion to one `level` from 0 (nothing)
to 1.  Nothing moves in time but by the speed, so that alignments stay true.

Rooms, noise and music are made once per process, from a fixed seed, and drawn from: about half a
millisecond per second of audio in all, on one core, at level 1.
"""

import functools

import numpy as np
import torch

from sound import RATE_HZ, resample

# Chances at level 1.
ROOM, BACKGROUND, OVERLOAD, COLOUR, TELEPHONE, HISS = 0.4, 0.6, 0.08, 0.3, 0.15, 0.25

ROOMS, ROOM_SAMPLES = 200, 7680
_EARLY_SAMPLES = 768  # 48 ms of reflections one by one; after that only their decay is heard
_SOUND_M_S = 343.0
_COLOUR_TAPS = 512


def convolve(samples, kernel, delay=0):
    """samples [N], kernel [K] -> [N]: the convolution from `delay` samples after its start."""
    size = 1 << max(12, int(np.ceil(np.log2(2 * len(kernel)))))
    fresh = size - len(kernel) + 1
    blocks = -(-(len(samples) + delay) // fresh)
    padded = np.zeros(blocks * fresh + len(kernel) - 1, np.float32)
    padded[len(kernel) - 1 : len(kernel) - 1 + len(samples)] = samples
    view = torch.from_numpy(padded).unfold(0, size, fresh)
    spectrum = torch.fft.rfft(view) * torch.fft.rfft(torch.from_numpy(kernel), n=size)
    out = torch.fft.irfft(spectrum, n=size)[:, len(kernel) - 1 :].reshape(-1)
    return out[delay : delay + len(samples)].numpy()


def _reflections(size, source, microphone, reflection):
    """Images of the source in the walls of a box (Allen & Berkley 1979): [_EARLY_SAMPLES] from the
    direct sound on, and the distance it travels, in metres."""
    reach = _EARLY_SAMPLES / RATE_HZ * _SOUND_M_S + 5
    axes = []
    for k in range(3):
        cells = np.arange(-int(reach / size[k] / 2) - 1, int(reach / size[k] / 2) + 2)
        places = np.concatenate([2 * cells * size[k] + source[k], 2 * cells * size[k] - source[k]])
        bounces = np.concatenate([np.abs(2 * cells), np.abs(2 * cells - 1)])
        axes.append((places - microphone[k], bounces))
    (x, a), (y, b), (z, c) = axes
    distance = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2).ravel()
    gain = reflection ** (a[:, None, None] + b[None, :, None] + c[None, None, :]).ravel() / distance
    direct = distance.min()
    place = np.round((distance - direct) / _SOUND_M_S * RATE_HZ).astype(int)
    inside = place < _EARLY_SAMPLES
    return np.bincount(place[inside], gain[inside], minlength=_EARLY_SAMPLES), direct


def make_room(random):
    """A room's answer to a click, [ROOM_SAMPLES] of energy 1 from the direct sound on; the seconds in
    which it dies away by 60 dB; and the metres between speaker and microphone.  Reflections one by
    one, then noise that decays, its upper half faster."""
    size = random.uniform([2.5, 2.5, 2.3], [10.0, 8.0, 4.0])
    decay_s = float(np.exp(random.uniform(np.log(0.15), np.log(0.9))))
    surface = 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorption = 1 - np.exp(-0.161 * np.prod(size) / (surface * decay_s))  # Eyring
    microphone = random.uniform(0.3, size - 0.3)
    direction = random.standard_normal(3) * [1, 1, 0.3]
    away = random.uniform(0.3, 4.0) * direction / np.linalg.norm(direction)
    source = np.clip(microphone + away, 0.2, size - 0.2)
    early, direct = _reflections(size, source, microphone, np.sqrt(1 - absorption))

    time = np.arange(ROOM_SAMPLES) / RATE_HZ
    noise = random.standard_normal(ROOM_SAMPLES)
    low = np.convolve(noise, np.hanning(9) / np.hanning(9).sum(), mode="same")
    tail = low * np.exp(-6.91 * time / decay_s) + (noise - low) * np.exp(-6.91 * time / (0.6 * decay_s))
    begin = _EARLY_SAMPLES // 2
    tail *= np.sqrt(np.sum(early[begin:] ** 2) / (np.sum(tail[begin:_EARLY_SAMPLES] ** 2) + 1e-12))
    fade = np.clip((np.arange(ROOM_SAMPLES) - begin) / (_EARLY_SAMPLES - begin), 0, 1)
    answer = tail * np.sqrt(fade)
    answer[:_EARLY_SAMPLES] += early * np.sqrt(1 - fade[:_EARLY_SAMPLES])
    return (answer / np.sqrt(np.sum(answer**2))).astype(np.float32), decay_s, direct


def _music(random, count):
    """Chords that change about every second, of tones with harmonics that die away."""
    out, time = np.zeros(count, np.float32), np.arange(RATE_HZ * 2) / RATE_HZ
    position, root = 0, 110 * 2 ** random.uniform(0, 1)
    while position < count:
        step = int(RATE_HZ * random.uniform(0.2, 1.5))
        part = time[: min(int(1.3 * step), count - position)]
        chord = root * 2 ** (random.choice([0, 2, 4, 5, 7, 9]) / 12)
        for interval in (0, random.choice([3, 4]), 7, 12)[: random.integers(1, 5)]:
            for harmonic in range(1, random.integers(3, 9)):
                hz = chord * 2 ** (interval / 12) * harmonic
                wave = np.sin(2 * np.pi * hz * part) * np.exp(-part * random.uniform(0.5, 4))
                out[position : position + len(part)] += wave / harmonic ** random.uniform(0.7, 1.5)
        position += step
    return out


@functools.lru_cache(maxsize=None)
def stock(seed=1, rooms=ROOMS):
    """What is made once: {"rooms": [R, ROOM_SAMPLES], "coloured": [...], "white": ..., "music": [...]}."""
    random = np.random.default_rng(seed)
    made = {"rooms": np.stack([make_room(random)[0] for _ in range(rooms)])}
    count = 1 << 18
    made["white"] = random.standard_normal(count).astype(np.float32)
    made["coloured"] = []
    for exponent in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0):
        spectrum = np.fft.rfft(random.standard_normal(count))
        spectrum *= np.maximum(np.arange(len(spectrum)), count * 40 / RATE_HZ) ** -exponent
        made["coloured"].append(np.fft.irfft(spectrum).astype(np.float32))
    made["music"] = [_music(random, count) for _ in range(6)]
    return made


def loudness(samples):
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def decibels(value):
    return 10 ** (value / 20)


def room(samples, answer):
    """As heard in the room, as loud as before."""
    out = convolve(samples, answer)
    return out * (loudness(samples) / (loudness(out) + 1e-9))


def mixed(samples, background, ratio_db):
    """The background laid under, `ratio_db` below the samples on average."""
    gain = loudness(samples) / (loudness(background) + 1e-6) / decibels(ratio_db)
    return samples + background * np.float32(gain)


def colour(samples, gains_db, low_hz, high_hz):
    """Through a filter of gains at eight frequencies from 100 Hz to 7 kHz, and edges."""
    hz = np.arange(_COLOUR_TAPS // 2 + 1) * RATE_HZ / _COLOUR_TAPS
    places = np.geomspace(100, 7000, len(gains_db))
    curve = decibels(np.interp(np.log(np.maximum(hz, 1)), np.log(places), gains_db))
    curve *= 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 8) / (1 + (hz / high_hz) ** 24)
    kernel = np.roll(np.fft.irfft(curve), _COLOUR_TAPS // 2) * np.hanning(_COLOUR_TAPS)
    return convolve(samples, kernel.astype(np.float32), _COLOUR_TAPS // 2)


@functools.lru_cache(maxsize=None)
def _companded(a_law):
    """[65536]: what 16-bit samples, from -32768 on, are after the 8 bits of G.711's smooth curves."""
    size = np.abs(np.arange(-32768, 32768) / 32768)
    if a_law:
        bend = 1 + np.log(87.6)
        code = np.where(size < 1 / 87.6, 87.6 * size, 1 + np.log(np.maximum(87.6 * size, 1))) / bend
        code = np.round(code * 127) / 127 * bend
        size = np.where(code < 1, code, np.exp(code - 1)) / 87.6
    else:
        code = np.round(np.log1p(255 * size) / np.log(256) * 127) / 127
        size = np.expm1(code * np.log(256)) / 255
    return (np.sign(np.arange(-32768, 32768)) * size).astype(np.float32)


def telephone(samples, a_law):
    """At 8 kHz in G.711's 8 bits, and back; the band of a telephone is left to colour()."""
    narrow = np.clip(resample(samples, 1, 2) * 32768 + 32768, 0, 65535).astype(np.int32)
    return resample(_companded(a_law)[narrow], 2, 1)[: len(samples)]


def overload(samples, excess_db):
    """Clipped where a gain of `excess_db` over full scale would clip it, as loud as before."""
    peak = float(np.abs(samples).max(initial=0))
    ceiling = peak / decibels(excess_db)
    out = np.clip(samples, -ceiling, ceiling)
    return out * (loudness(samples) / (loudness(out) + 1e-9))


class Augment:
    """noise: recordings of noise; speech: recordings for other voices, or None; music: recordings of
    it, or None; random: a NumPy generator.  One of these per Batch or per process: it keeps nothing."""

    def __init__(self, noise, level, random, speech=None, music=None):
        self.noise, self.level, self.random, self.speech, self.recorded_music = noise, level, random, speech, music

    def _happens(self, chance):
        return self.random.random() < chance * self.level

    def _cut(self, piece, count):
        """`count` samples of the piece from a random place, repeated where it is short."""
        if len(piece) < count:
            piece = np.tile(piece, count // len(piece) + 1)
        start = self.random.integers(len(piece) - count + 1)
        return piece[start : start + count]

    def _piece(self, recordings, count):
        rows = recordings.rows
        return self._cut(recordings.samples(rows[self.random.integers(len(rows))]), count)

    def noise_piece(self, count):
        return self._piece(self.noise, count)

    def music(self, count):
        """Mostly recorded, where there is any; else what is made here, of tones alone."""
        if self.recorded_music is not None and self.random.random() < 0.8:
            return self._piece(self.recorded_music, count)
        return self._stocked("music", count)

    def voices(self, count, but=None):
        """Three to six recordings at once, alike loud, of anybody `but` one speaker."""
        out, rows = np.zeros(count, np.float32), self.speech.rows
        for _ in range(self.random.integers(3, 7)):
            row = rows[self.random.integers(len(rows))]
            while but is not None and row[4] == but:
                row = rows[self.random.integers(len(rows))]
            piece = self._cut(self.speech.samples(row), count)
            out += piece / (loudness(piece) + 1e-4)
        return out

    def _stocked(self, kind, count):
        pieces = stock()[kind]
        return self._cut(pieces[self.random.integers(len(pieces))], count)

    def background(self, count):
        kind = self.random.random()
        if kind < 0.5:
            return self.noise_piece(count)
        if kind < 0.75 and self.speech is not None:
            return self.voices(count)
        return self._stocked("coloured", count) if kind < 0.88 else self.music(count)

    def speed(self, samples):
        """The samples, and how many of the old a new one stands for: 0.85 to 1.15.  The speaker's voice and
        size change with the pace."""
        twentieths = int(self.random.integers(17, 24))
        return resample(samples, 20, twentieths), twentieths / 20

    def channel(self, samples):
        """From the microphone on."""
        random = self.random
        if self._happens(OVERLOAD):
            samples = overload(samples, random.uniform(3, 15))
        samples = samples * np.float32(decibels(random.uniform(-12 - 6 * self.level, 6)))
        by_telephone = self._happens(TELEPHONE)
        if by_telephone or self._happens(COLOUR):
            edges = (random.uniform(150, 350), random.uniform(3200, 3700))
            if not by_telephone:
                edges = (random.uniform(20, 200), np.exp(random.uniform(np.log(3500), np.log(9000))))
            samples = colour(samples, random.normal(0, 3, 8), *edges)
        if by_telephone:
            samples = telephone(samples, bool(random.integers(2)))
        if self._happens(HISS):
            hiss = self._cut(stock()["white"], len(samples))
            samples = samples + hiss * np.float32(10 ** random.uniform(-4.5, -2.5))
        return np.clip(samples, -1, 1)

    def __call__(self, samples):
        random = self.random
        if self.level <= 0:
            return samples
        if self._happens(ROOM):
            rooms = stock()["rooms"]
            samples = room(samples, rooms[random.integers(len(rooms))])
        if self._happens(BACKGROUND):
            samples = mixed(samples, self.background(len(samples)), random.uniform(10 - 10 * self.level, 30))
        return self.channel(samples)

    def quiet(self, count):
        """Sound without a word in it: digital silence, recorded or coloured noise, hum, tones, music."""
        random = self.random
        kind = random.integers(8)
        if kind == 0:
            return np.zeros(count, np.float32)
        level = 10 ** random.uniform(-4, -0.7)
        if kind == 1:
            piece = self._cut(stock()["white"], count) * np.float32(level)
        elif kind == 2:
            piece = self._hum(count) * np.float32(level)
        elif kind == 3:
            piece = self._tones(count) * np.float32(level)
        else:
            sources = {4: lambda: self._stocked("coloured", count), 5: lambda: self.noise_piece(count)}
            piece = sources.get(kind, lambda: self.music(count))()
            piece = piece * np.float32(0.3 * level / (loudness(piece) + 1e-6))
        return self.channel(piece) if self.level > 0 else np.clip(piece, -1, 1)

    def _hum(self, count):
        time = np.arange(count) / RATE_HZ
        hz = self.random.choice([50, 60]) * (1 + 0.002 * self.random.standard_normal())
        parts = (self.random.uniform(0, 1) / k * np.sin(2 * np.pi * hz * k * time) for k in (1, 2, 3, 5, 7))
        return sum(parts).astype(np.float32)

    def _tones(self, count):
        """Pairs of tones with gaps, as keypads and signals make."""
        random, wave, time = self.random, np.zeros(count, np.float32), np.arange(count) / RATE_HZ
        position = 0
        while position < count:
            on, off = (int(RATE_HZ * random.uniform(0.05, 0.6)) for _ in range(2))
            part = time[position : position + on]
            for hz in (random.uniform(300, 1000), random.uniform(1000, 3000)):
                wave[position : position + on] += np.sin(2 * np.pi * hz * part)
            position += on + off
        return wave


def mask_features(frames, counts, strength, generator):
    """SpecAugment (Park et al. 2019) in place: frames [B, T, bins] with counts [B] of them filled; two
    bands of up to 27 bins, a time mask of up to 5 % for each second, ten at most."""
    batch, longest, bins = frames.shape
    counts = counts.cpu()

    def masks(number, widest, size, limit):
        """[B, size] bool: `number` stretches of up to `widest`, each beginning below `limit` - width."""
        draw = torch.rand(2, batch, number, generator=generator)
        width = (draw[0] * (widest[:, None] + 1)).long()
        first = (draw[1] * (limit[:, None] - width + 1).clamp(min=1)).long()
        place = torch.arange(size)
        return (place >= first[:, :, None]) & (place < (first + width)[:, :, None])

    whole = torch.full((batch,), bins)
    bands = masks(2, torch.full((batch,), max(1, int(27 * strength))), bins, whole).any(1)
    spans = masks(10, counts // 20, longest, counts)
    number = ((counts // 100).clamp(max=10) * strength).long()
    spans = (spans & (torch.arange(10)[None, :] < number[:, None])[:, :, None]).any(1)
    hidden = bands[:, None, :].to(frames.device) | spans[:, :, None].to(frames.device)
    frames.masked_fill_(hidden, 0.0)
