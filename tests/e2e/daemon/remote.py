"""What the tests of `steno --server` share: running it against the daemon, and beside it."""

import array
import os
import subprocess
import threading
import time

import running
import speaking
from speaking import MODEL, STENO

USAGE, MODEL_STATUS, INPUT, AUDIO, OUTPUT, SERVER = 2, 3, 4, 1, 5, 6


def steno(*arguments, data=None, model="/nowhere", environment=None, **more):
    """Runs steno to its end; .returncode, .stdout, .stderr (texts)."""
    result = subprocess.run(
        [STENO, *map(str, arguments)], input=data if data is not None else b"",
        capture_output=True, timeout=4 * running.PATIENCE,
        env=dict(os.environ, STENO_MODEL=str(model), LC_ALL="C", **(environment or {})), **more)
    result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
    return result


class Live:
    """steno that transcribes what the test writes, as 16-bit samples."""

    def __init__(self, test, *arguments):
        self.process = subprocess.Popen(
            [STENO, "transcribe", "--raw", *map(str, arguments), "-"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            env=dict(os.environ, STENO_MODEL="/nowhere", LC_ALL="C"))
        self.test = test
        self.said = array.array("h")
        test.addCleanup(self._stop)
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode())

    def _stop(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def say(self, samples):
        self.said.extend(samples)
        self.process.stdin.write(samples.tobytes())

    def say_until(self, condition, samples):
        """As if spoken, some times faster: results are taken as more audio comes."""
        for begin in range(0, len(samples), 8000):
            if condition():
                return
            self.say(samples[begin : begin + 8000])
            time.sleep(0.1)
        self.test.assertTrue(running.eventually(condition))

    def finish(self):
        """(exit status, standard error)"""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        complaints = self.process.stderr.read().decode()
        status = self.process.wait(2 * running.PATIENCE)
        self._reader.join()
        return status, complaints


class RemoteTest(speaking.SpeechTest):
    """A test with a daemon that self.serve starts, and steno that speaks to it."""

    def succeed(self, *arguments, **more):
        result = steno(*arguments, **more)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def fail_with(self, status, reason, *arguments, **more):
        result = steno(*arguments, **more)
        self.assertIn(reason, result.stderr)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def here(self, *arguments, model=MODEL, **more):
        """What the same words give without a server."""
        return self.succeed("transcribe", "--threads", "1", *arguments, model=model, **more)

    def there(self, *arguments, **more):
        return self.succeed("transcribe", "--server", self.address, *arguments, **more)

    def write_noise(self, name, seconds, rate=16000, channels=1, seed=1):
        samples = speaking.interleave(
            *(speaking.noise(seconds, rate, seed + i) for i in range(channels)))
        path = self.folder / name
        path.write_bytes(speaking.wav_bytes(samples, rate, channels))
        return path
