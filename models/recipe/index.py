"""The index of a folder of packed recordings, and how more of them are added."""

import os

RATE_HZ = 16000  # of all that is packed


class Index:
    """FOLDER/SPLIT.pcm and FOLDER/SPLIT.tsv, to which recordings are appended.

    done: names of those there, and of those that sift.py has taken out.
    """

    def __init__(self, folder, split="train"):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, split + ".tsv")
        self.done, self._counts = set(), {}
        for row in _rows(path):
            self.done.add(row[0])
            self._counts[row[3]] = self._counts.get(row[3], 0) + int(row[2])
        if split == "train":
            self.done.update(row[0] for row in _rows(os.path.join(folder, "left_out.tsv")))
        self._index = open(path, "a", encoding="utf-8")
        self._pcm = open(os.path.join(folder, split + ".pcm"), "ab")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._index.close()
        self._pcm.close()

    def hours(self, source=None):
        """Of one source, or of all."""
        samples = sum(self._counts.values()) if source is None else self._counts.get(source, 0)
        return samples / RATE_HZ / 3600

    def add(self, name, samples, source, speaker, text):
        """samples: int16, anything with tobytes()."""
        first = self._pcm.tell() // 2
        self._pcm.write(samples.tobytes())
        self._pcm.flush()  # an index never names what is not there
        self._index.write("\t".join(map(str, (name, first, len(samples), source, speaker, text))) + "\n")
        self._index.flush()
        self.done.add(name)
        self._counts[source] = self._counts.get(source, 0) + len(samples)


def _rows(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f]
