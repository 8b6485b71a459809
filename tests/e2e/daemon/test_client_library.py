"""libsteno-client with a real daemon: its C test, the example of its README, encoded files, memory."""

import os
import subprocess
import unittest
import wave

import remote
import running
import speaking

CLIENT_LIBRARY = os.environ["CLIENT_LIBRARY"]
EXAMPLE = os.environ["EXAMPLE"]


def resident_kib(command, environment):
    """What a program needed at most, when it has ended well."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return usage.ru_maxrss


class ClientLibraryTest(remote.RemoteTest):
    def setUp(self):
        super().setUp()
        self.serve()

    def test_from_c(self):
        samples = self.folder / "samples"
        samples.write_bytes(speaking.noise(14).tobytes())
        result = subprocess.run([CLIENT_LIBRARY, self.address, str(samples)], capture_output=True,
                                text=True, timeout=8 * running.PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("100%: Checks: 8", result.stdout)

    def test_the_example(self):
        path = self.write_noise("talk.wav", 8)
        result = subprocess.run([EXAMPLE, self.address, str(path)], capture_output=True, text=True,
                                timeout=running.PATIENCE, check=True)
        texts = [line[10:] for line in result.stdout.splitlines()]
        self.assertEqual(texts, self.here(path).splitlines())
        self.assertGreater(len(texts), 1)
        result = subprocess.run([EXAMPLE, "127.0.0.1:1", str(path)], capture_output=True,
                                text=True, timeout=running.PATIENCE, check=False)
        self.assertEqual((result.returncode, result.stderr),
                         (1, "cannot connect to 127.0.0.1:1: connection refused\n"))

    @unittest.skipIf(os.environ["STENO_SANITIZED"] != "none", "a sanitizer keeps what was freed")
    def test_memory_does_not_grow(self):
        """A recording ten times as long needs as much: neither audio nor results are kept."""
        environment = dict(os.environ, LC_ALL="C", STENO_MODEL="/nowhere")
        used = []
        for seconds in (60, 600):
            path = self.folder / f"{seconds}.wav"
            minute = speaking.noise(60)
            with wave.open(str(path), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(16000)
                for _ in range(seconds // 60):
                    out.writeframes(minute.tobytes())
            used.append([
                resident_kib([speaking.STENO, "transcribe", "--server", self.address, *more,
                              str(path)], environment)
                for more in ([], ["--server", "127.0.0.1:1"])])
        for short, long in zip(*used):
            self.assertLess(long, short + 3000, used)


if __name__ == "__main__":
    unittest.main()
