"""Batches made ahead, in processes of their own: what a GPU needs to be kept busy.

A Loader answers `next` as a Sampler does.  Each of its processes has the whole of the recordings (the
samples are mapped, so the memory is shared) and takes its share of the batches of one common plan, so
that all recordings come once before any comes again.

There are as many batches on their way as were asked for, `ahead` for each process: every one that is
taken asks for the next, in the stage of training that then is.  One made for an earlier stage is
dropped and asked for anew.  Samples travel as 16-bit numbers through pipes: neither shared memory,
of which containers have little, nor the GPU is touched by the processes.
"""

import contextlib
import multiprocessing
import os
import queue

import numpy as np
import torch

from data import Batch, Recordings, Sampler, music_of, noise_of
from sound import pcm16

_PATIENCE_S = 20  # between looks at whether the processes live


def open_sampler(data, dictionary, seconds, config, seed, share=(0, 1), part=1, overfit=0, speed=0.0):
    """share: (number, count) of this sampler among those of one plan; part, overfit, speed: see train.py."""
    recordings = Recordings(data, "train", dictionary)
    recordings.rows = recordings.rows[::part]
    if overfit:
        recordings.rows = [r for r in recordings.rows if r[0] in recordings.aligned][:overfit]
    return Sampler(recordings, noise_of(data), seconds, config, seed, share=share, music=music_of(data),
                   speed=speed)


def _serve(number, requests, results, settings):
    torch.set_num_threads(1)
    sampler = open_sampler(**settings)
    while True:
        key = requests.get()
        samples, *rest = sampler.parts(*key)
        results.put((number, key, [pcm16(piece) for piece in samples], *rest))


@contextlib.contextmanager
def _usual_allocation():
    """Processes begun here give memory back.  What is good for training, to keep it for ever (README.md),
    makes a loader grow without end: its pieces have other sizes each time and are freed by other threads."""
    kept = os.environ.pop("MALLOC_CONF", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["MALLOC_CONF"] = kept


class Loader:
    """settings: those of open_sampler, but for the share."""

    def __init__(self, count, ahead=3, **settings):
        context = multiprocessing.get_context("spawn")
        self._requests, self._results = [context.SimpleQueue() for _ in range(count)], context.Queue()
        self._ahead, self._asked = ahead, False
        self._processes = []
        for number, requests in enumerate(self._requests):
            each = (number, requests, self._results, dict(settings, share=(number, count)))
            process = context.Process(target=_serve, args=each, daemon=True)
            with _usual_allocation():
                process.start()
            self._processes.append(process)

    def next(self, *key):
        """As Sampler.next; RuntimeError if a process has died."""
        if not self._asked:
            for requests in self._requests:
                for _ in range(self._ahead):
                    requests.put(key)
            self._asked = True
        while True:
            number, made_for, samples, *rest = self._take()
            self._requests[number].put(key)
            if made_for == key:
                return Batch([piece.astype(np.float32) / 32768.0 for piece in samples], *rest)

    def _take(self):
        while True:
            try:
                return self._results.get(timeout=_PATIENCE_S)
            except queue.Empty:
                dead = [p for p in self._processes if not p.is_alive()]
                if dead:
                    count = len(self._processes)
                    raise RuntimeError(f"{len(dead)} of {count} loaders ended by themselves") from None

    def close(self):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
