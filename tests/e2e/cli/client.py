"""What the tests of the command line client share: running it, and making recordings.

The environment says where things are: STENO (the program), STENO_TINY_MODEL (a small random model),
STENO_SOURCE (the source tree), STENO_COMPLETIONS (the folder with the completion scripts).
"""

import array
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest
import wave

STENO = os.environ["STENO"]
TINY_MODEL = pathlib.Path(os.environ["STENO_TINY_MODEL"])
SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
COMPLETIONS = pathlib.Path(os.environ["STENO_COMPLETIONS"])
FORMATS = SOURCE / "tests" / "data" / "formats"
SPEECH = SOURCE / "tests" / "data" / "speech"
WAV = FORMATS / "speech.wav"

# Nothing is measured here: a busy machine, and a sanitizer, are slow.
PATIENCE = 900

USAGE, MODEL, INPUT, AUDIO, OUTPUT = 2, 3, 4, 1, 5


def environment(model=TINY_MODEL):
    return dict(os.environ, STENO_MODEL=str(model), LC_ALL="C")


def steno(*arguments, stdin=subprocess.DEVNULL, data=None, model=TINY_MODEL, cwd=None):
    """Runs steno to its end; .returncode, .stdout, .stderr (texts)."""
    source = {"input": data} if data is not None else {"stdin": stdin}
    result = subprocess.run(
        [STENO, *map(str, arguments)],
        capture_output=True,
        timeout=PATIENCE,
        env=environment(model),
        cwd=cwd,
        **source,
    )
    result.stdout = result.stdout.decode()
    result.stderr = result.stderr.decode()
    return result


def read_wav(path):
    """The samples of a 16-bit WAV file of one channel."""
    with wave.open(str(path)) as file:
        assert (file.getsampwidth(), file.getnchannels()) == (2, 1)
        samples = array.array("h")
        samples.frombytes(file.readframes(file.getnframes()))
        return samples


def write_wav(path, channels, rate=16000):
    """Writes lists of 16-bit samples, one for each channel, as a WAV file."""
    frames = min(len(channel) for channel in channels)
    samples = array.array("h", bytes(2 * frames * len(channels)))
    for index, channel in enumerate(channels):
        samples[index :: len(channels)] = array.array("h", channel[:frames])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def noise(seconds, rate=16000, seed=1):
    """Bursts of noise, to which the tiny model answers with words."""
    generator = random.Random(seed)
    burst = rate // 5
    samples = array.array("h")
    while len(samples) < seconds * rate:
        level = generator.choice((0, 200, 2000, 6000))
        samples.extend(generator.randint(-level, level) for _ in range(burst))
    return samples[: int(seconds * rate)]


class ClientTest(unittest.TestCase):
    """A test with a folder of its own, self.folder."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="steno-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def succeed(self, *arguments, **more):
        result = steno(*arguments, **more)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def fail_with(self, status, reason, *arguments, **more):
        """Runs steno, which must end with this status and mention the reason; gives the result."""
        result = steno(*arguments, **more)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(reason, result.stderr)
        for line in result.stderr.splitlines():
            self.assertRegex(line, r"^(steno: |Try \")")
        return result

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())
