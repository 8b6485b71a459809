"""Samples: from one rate to another, and files that are read whatever they hold.

All of it is NumPy; soundfile is asked only where a file is decoded.
"""

import functools
import io
import math
import shutil
import subprocess

import numpy as np

RATE_HZ = 16000
_LOBES = 24  # of the windowed sinc, on each side of its middle


@functools.lru_cache(maxsize=None)
def _phases(up, down):
    """[taps, up] and the reach: column p gives the output at p * down / up of an input sample."""
    cutoff = 0.95 * min(1.0, up / down)
    reach = math.ceil(_LOBES / cutoff)
    taps = np.arange(down + 2 * reach)[:, None] - reach
    place = taps - (np.arange(up) * down / up)[None, :]
    window = np.where(np.abs(place) < reach, np.cos(0.5 * np.pi * np.clip(place / reach, -1, 1)) ** 2, 0)
    matrix = cutoff * np.sinc(cutoff * place) * window
    return (matrix / matrix.sum(axis=0)).astype(np.float32), reach


def resample(samples, up, down):
    """samples [N] float32 -> [ceil(N up / down)]: up / down as many samples, nothing folded back.

    A windowed sinc with a pass band of 0.95 of what both rates hold: one product of matrices, in
    which `down` samples become `up`.
    """
    divisor = math.gcd(up, down)
    up, down = up // divisor, down // divisor
    if up == down or not len(samples):
        return samples
    count = -(-len(samples) * up // down)
    several = -(-8 // up)  # periods at once: a product with few columns is slow
    up, down = up * several, down * several
    matrix, reach = _phases(up, down)
    rows = -(-count // up)
    padded = np.zeros(rows * down + 2 * reach, np.float32)
    padded[reach : reach + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, down + 2 * reach)[::down]
    return (np.ascontiguousarray(frames) @ matrix).reshape(-1)[:count]


def decode(blob, name):
    """The bytes of a sound file -> its first channel as [N] float32 in [-1, 1) at 16 kHz.

    What libsndfile refuses (Ogg Opus files whose time stamps are not those of their packets, as some
    encoders write them) goes through ffmpeg, if that is there.  ValueError: nothing can read it.
    """
    import soundfile

    try:
        samples, rate_hz = soundfile.read(io.BytesIO(blob), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        return _decode_with_ffmpeg(blob, name, error)
    return resample(np.ascontiguousarray(samples[:, 0]), RATE_HZ, rate_hz)


def _decode_with_ffmpeg(blob, name, error):
    if shutil.which("ffmpeg") is None:
        raise ValueError(f"{name}: {error} (and there is no ffmpeg to try)")
    command = "ffmpeg -v error -i pipe:0 -f s16le -ac 1 -ar".split() + [str(RATE_HZ), "pipe:1"]
    done = subprocess.run(command, input=blob, capture_output=True)
    if done.returncode or not done.stdout:
        raise ValueError(f"{name}: {error}; ffmpeg: {done.stderr.decode(errors='replace').strip()}")
    return np.frombuffer(done.stdout, "<i2").astype(np.float32) / 32768.0


def pcm16(samples):
    """[N] in [-1, 1) -> int16, little endian."""
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype("<i2")


def trim(samples, below_db=35.0, margin_s=0.25):
    """Without the stretches at both ends that are `below_db` under the loudest 20 ms, up to a margin."""
    size = RATE_HZ // 50
    frames = len(samples) // size
    if frames == 0:
        return samples
    energy = np.mean(samples[: frames * size].reshape(frames, size) ** 2, axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-below_db / 10))
    if not len(loud):
        return samples
    margin = int(margin_s * RATE_HZ)
    return samples[max(0, loud[0] * size - margin) : (loud[-1] + 1) * size + margin]
