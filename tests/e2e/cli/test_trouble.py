"""Bad input, outputs that can't be written, signals: messages, exit statuses, what is left."""

import os
import random
import signal
import stat
import subprocess
import time
import unittest

import client
from client import AUDIO, FORMATS, INPUT, OUTPUT, WAV, noise, read_wav, steno, write_wav


class BadInput(client.ClientTest):
    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def test_can_not_be_read(self):
        self.fail_with(INPUT, "steno: /none.wav: ", "transcribe", "/none.wav")
        self.fail_with(INPUT, f"steno: {self.folder}: ", "transcribe", self.folder)
        if os.geteuid() == 0:
            return  # may read everything
        path = self.file("secret.wav", WAV.read_bytes())
        path.chmod(0)
        self.fail_with(INPUT, f"steno: {path}: ", "transcribe", path)

    def test_is_no_audio(self):
        for name, data in (
            ("empty.wav", b""),
            ("text.wav", b"this is a text, not a sound\n" * 100),
            ("zeros.mp3", bytes(5000)),
            ("header.wav", WAV.read_bytes()[:20]),
            ("noise.flac", random.Random(1).randbytes(5000)),
            ("flac.flac", (FORMATS / "speech.flac").read_bytes()[:30]),
        ):
            path = self.file(name, data)
            result = self.fail_with(AUDIO, f"steno: {path}: ", "transcribe", path)
            self.assertEqual(result.stdout, "", name)
            self.assertEqual(result.stderr.count("\n"), 1, name)

    def test_standard_input_is_no_audio(self):
        self.fail_with(AUDIO, "steno: standard input: ", "transcribe", "-", data=b"no sound")
        self.fail_with(AUDIO, "steno: standard input: ", "transcribe", "-", data=b"")

    def test_unsupported(self):
        path = write_wav(self.folder / "nine.wav", [noise(0.1)] * 9)
        self.fail_with(AUDIO, "channels", "transcribe", path)
        path = write_wav(self.folder / "slow.wav", [noise(1)], rate=4000)
        self.fail_with(AUDIO, "4000", "transcribe", path)

    def test_truncated(self):
        whole = self.succeed("transcribe", WAV).split()
        path = self.file("cut.wav", WAV.read_bytes()[:60000])
        result = self.fail_with(AUDIO, "truncated", "transcribe", path)
        words = result.stdout.split()
        self.assertGreater(len(words), 0)
        self.assertLess(len(words), len(whole))
        # To a file as well: what there is, whole in its form.
        place = self.folder / "out"
        self.fail_with(AUDIO, "truncated", "transcribe", "-d", place, path)
        self.assertEqual((place / "cut.txt").read_text(), result.stdout)

    def test_nothing_said(self):
        """Random weights hear things in silence; that the shipped model does not is tested with
        it."""
        for name, samples in (("silence.wav", [0] * 80000), ("one.wav", [1])):
            path = write_wav(self.folder / name, [samples])
            self.succeed("transcribe", path)
        path = write_wav(self.folder / "none.wav", [[]])
        self.assertEqual(self.succeed("transcribe", path), "")

    def test_others_go_on(self):
        good = self.succeed("transcribe", WAV)
        bad = self.file("bad.wav", b"bad")
        place = self.folder / "out"
        for status, paths in (
            (INPUT, ["/none.wav", WAV]),
            (AUDIO, [bad, WAV]),
            (AUDIO, [WAV, bad, "/none.wav"]),
        ):
            result = steno("transcribe", *paths)
            self.assertEqual(result.returncode, status)
            self.assertEqual(result.stdout, f"==> {WAV} <==\n{good}")
            self.assertEqual(result.stderr.count("\n"), len(paths) - 1)
            self.assertEqual(steno("transcribe", "-d", place, *paths).returncode, status)
            self.assertEqual([p.name for p in place.iterdir()], ["speech.txt"])

    def test_output_stays_when_input_fails(self):
        kept = self.file("kept.txt", b"before")
        bad = self.file("bad.wav", b"bad")
        self.fail_with(AUDIO, str(bad), "transcribe", "-o", kept, bad)
        self.assertEqual(kept.read_text(), "before")
        self.assertEqual(self.files(), ["bad.wav", "kept.txt"])


class BadOutput(client.ClientTest):
    def test_can_not_be_written(self):
        path = self.folder / "absent" / "x"
        self.fail_with(OUTPUT, f"steno: {path}: ", "transcribe", "-o", path, WAV)
        self.fail_with(OUTPUT, f"steno: {self.folder}: ", "transcribe", "-o", self.folder, WAV)
        self.fail_with(OUTPUT, f"steno: {path}: ", "transcribe", "-d", path, WAV)
        self.fail_with(OUTPUT, "steno: /dev/full: ", "transcribe", "-o", "/dev/full", WAV)
        file = self.folder / "file"
        file.touch()
        self.fail_with(OUTPUT, "Not a directory", "transcribe", "-d", file, WAV)
        (self.folder / "out" / "speech.txt").mkdir(parents=True)
        self.fail_with(OUTPUT, "speech.txt", "transcribe", "-d", self.folder / "out", WAV)

    def test_worse_than_bad_input(self):
        path = self.folder / "absent" / "x"
        place = self.folder / "out"
        (place / "speech.txt").mkdir(parents=True)
        result = steno("transcribe", "-d", place, WAV, "/none.wav")
        self.assertEqual(result.returncode, OUTPUT)
        self.assertFalse(path.exists())

    def test_devices_stay_devices(self):
        self.succeed("transcribe", "-o", "/dev/null", WAV)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_reader_goes_away(self):
        long = write_wav(self.folder / "long.wav", [noise(60)])
        for command in (["transcribe", "-i", str(long), str(WAV)], ["--help"]):
            read, write = os.pipe()
            os.close(read)
            process = subprocess.run(
                [client.STENO, *command],
                stdout=write,
                stderr=subprocess.PIPE,
                env=client.environment(),
                timeout=client.PATIENCE,
            )
            os.close(write)
            self.assertEqual((process.returncode, process.stderr), (-signal.SIGPIPE, b""))


class Signals(client.ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Under nohup SIGHUP is ignored, and programs started from here would ignore it too.
        cls.before = signal.signal(signal.SIGHUP, lambda number, frame: None)

    @classmethod
    def tearDownClass(cls):
        signal.signal(signal.SIGHUP, cls.before)
        super().tearDownClass()

    def start(self, *arguments, **more):
        return subprocess.Popen(
            [client.STENO, *map(str, arguments)],
            stderr=subprocess.PIPE,
            env=client.environment(),
            **more,
        )

    def wait_for(self, process, condition):
        deadline = time.monotonic() + client.PATIENCE
        while not condition():
            self.assertIsNone(process.poll(), "steno has ended already")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def end(self, process, number=signal.SIGINT):
        process.send_signal(number)
        _, errors = process.communicate(timeout=client.PATIENCE)
        self.assertEqual((process.returncode, errors), (-number, b""))

    def test_unfinished_files_are_removed(self):
        sound = noise(30)
        long = write_wav(self.folder / "long.wav", [sound * 40])
        place = self.folder / "out"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.start("transcribe", "-d", place, "-j2", WAV, long)
            self.wait_for(
                process,
                lambda: (place / "speech.txt").exists()
                and any(path.name.startswith(".long") for path in place.iterdir()),
            )
            self.end(process, number)
            self.assertEqual([path.name for path in place.iterdir()], ["speech.txt"])
            (place / "speech.txt").unlink()

    def test_live_input_ends(self):
        """What was said before the signal is given, also into a file."""
        data = read_wav(WAV).tobytes()
        expected = self.succeed("transcribe", WAV)
        result = self.folder / "result"
        for output in ([], ["-o", str(result)]):
            process = self.start(
                "transcribe",
                "--raw",
                "-",
                *output,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            process.stdin.write(data)
            process.stdin.flush()
            self.wait_for(process, lambda: pipe_is_empty(process.stdin))
            time.sleep(0.2)  # from the pipe to the recogniser
            process.send_signal(signal.SIGINT)
            process.wait(timeout=client.PATIENCE)
            shown = process.stdout.read().decode()
            self.assertEqual(process.stderr.read(), b"")
            process.stdin.close()
            process.stdout.close()
            process.stderr.close()
            self.assertEqual(process.returncode, -signal.SIGINT)
            self.assertEqual(shown if not output else result.read_text(), expected)

    def test_json_is_whole(self):
        import json

        data = read_wav(WAV).tobytes()
        process = self.start(
            "transcribe", "--raw", "-fjson", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.stdin.write(data)
        process.stdin.flush()
        self.wait_for(process, lambda: pipe_is_empty(process.stdin))
        process.send_signal(signal.SIGINT)
        document = json.loads(process.stdout.read())
        self.assertEqual(document["file"], "stdin")
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGINT)


def pipe_is_empty(pipe):
    import array
    import fcntl
    import termios

    waiting = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, waiting)
    return waiting[0] == 0


if __name__ == "__main__":
    unittest.main()
