"""clients/python on a daemon of ours: the package from inside, transcribe.py as a user runs it."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import threading
import unittest

import certificates
import running
import speaking

FOLDER = running.SOURCE / "clients" / "python"
os.environ["PATH"] += os.pathsep + str(pathlib.Path(os.environ["PROTOC"]).parent)
sys.path.insert(0, str(FOLDER))

from steno_client import Client, Flush, Settings, StenoError  # noqa: E402

FLAC = speaking.FORMATS / "speech.flac"


class PythonTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.authority = None if certificates.UNABLE else certificates.Authority(self.folder)
        self.program = self.serve(*self.options())
        self.samples = speaking.noise(12)
        self.path = self.folder / "noise.wav"
        self.path.write_bytes(speaking.wav_bytes(self.samples))
        self.expected = speaking.transcribe(self.path)["results"]
        self.assertGreater(len(self.expected), 1)
        self.texts = [result["text"] for result in self.expected]

    def options(self):
        if self.authority is None:
            return ()
        certificate, key = self.authority.issue("server")
        return ("--listen", "tls:127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key)

    def client(self, *arguments, **options):
        client = Client(*(arguments or (self.address,)), **options)
        self.addCleanup(client.close)
        return client

    def tls_address(self):
        if self.authority is None:
            self.skipTest(certificates.UNABLE)
        return "127.0.0.1:" + self.program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]


class Package(PythonTest):
    def assert_words(self, results):
        self.assertEqual(
            [[(w.text, round(w.start * 1000), round(w.end * 1000)) for w in r.words]
             for r in results],
            [[(w["word"], w["start_ms"], w["end_ms"]) for w in r["words"]] for r in self.expected])
        for result, expected in zip(results, self.expected):
            self.assertEqual(round(result.end * 1000), expected["end_ms"])
            self.assertAlmostEqual(result.confidence, expected["confidence"], 2)

    def test_a_whole_recording(self):
        results = self.client().recognize(self.path.read_bytes(), Settings(words=True))
        self.assertEqual([r.text for r in results], self.texts)
        self.assertTrue(all(r.is_final for r in results))
        self.assert_words(results)

    def test_a_stream(self):
        content, heard = self.samples.tobytes(), threading.Event()
        self.addCleanup(heard.set)
        spoken = self.expected[0]["end_ms"] * 32

        def audio():
            """No final can come of the first part; of interims at once the newest alone is kept."""
            yield content[:spoken]
            heard.wait(running.PATIENCE)
            yield content[spoken:]

        results = []
        for result in self.client().stream(audio(), Settings(rate=16000, words=True), interim=True):
            results.append(result)
            heard.set()
        finals = [r for r in results if r.is_final]
        self.assertEqual([r.text for r in finals], self.texts)
        self.assert_words(finals)
        interims = [r for r in results if not r.is_final]
        self.assertTrue(interims)
        for result in interims:
            self.assertEqual(" ".join(w.text for w in result.words), result.text)
            self.assertGreater(result.stability, 0)

    def test_channels(self):
        both = speaking.interleave(self.samples, speaking.noise(12, seed=2))
        settings = Settings(rate=16000, channels=2, per_channel=True)
        results = list(self.client().stream([both.tobytes()], settings))
        self.assertEqual([r.text for r in results if r.channel == 1], self.texts)
        self.assertTrue([r for r in results if r.channel == 2])

    def test_flush(self):
        content, go_on = self.samples.tobytes(), threading.Event()
        self.addCleanup(go_on.set)

        def audio():
            yield content[:96000]
            yield Flush()
            go_on.wait(running.PATIENCE)
            yield content[96000:]

        results = self.client().stream(audio(), Settings(rate=16000))
        first = next(results)
        self.assertTrue(first.is_final)
        self.assertLessEqual(first.end, 3)
        go_on.set()
        self.assertTrue(list(results))

    def test_a_stream_that_is_left(self):
        """The daemon must not wait for it."""
        def audio():
            while True:
                yield self.samples.tobytes()[:32000]

        results = self.client().stream(audio(), Settings(rate=16000), interim=True)
        next(results)
        results.close()
        self.program.tell()
        self.assertEqual(self.program.finish(), 0, self.program.text())

    def test_trouble(self):
        client = self.client()
        with self.assertRaises(StenoError) as caught:
            client.recognize(b"nothing that is sound")
        self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")
        self.assertIn("encoding: not given", caught.exception.text)
        with self.assertRaises(StenoError) as caught:
            list(client.stream([b"12"], Settings(rate=1)))
        self.assertIn("sample_rate_hertz: 1", str(caught.exception))
        with self.assertRaises(StenoError) as caught:
            list(client.stream(iter(threading.Event().wait, None), Settings(rate=16000),
                               timeout=0.2))
        self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")

        def audio():
            yield b"1234"
            raise RuntimeError("the microphone was pulled out")

        with self.assertRaisesRegex(RuntimeError, "pulled out"):
            list(client.stream(audio(), Settings(rate=16000)))
        with self.assertRaisesRegex(ValueError, "needs TLS"):
            Client("speech.example:50051", token="secret")
        with self.assertRaisesRegex(ValueError, "TLS only"):
            Client(self.address, certificate=b"", key=b"")

    def test_tls(self):
        address = self.tls_address()
        trusted = self.authority.certificate.read_bytes()
        for options in ({}, {"token": "secret"}):
            client = self.client(address, ca=trusted, **options)
            self.assertEqual([r.text for r in client.recognize(self.path.read_bytes())],
                             self.texts)
        for options in ({}, {"tls": True}):
            with self.assertRaises(StenoError) as caught:
                self.client(address, **options).recognize(self.path.read_bytes())
            self.assertEqual(caught.exception.code, "UNAVAILABLE")


class Access(PythonTest):
    """A daemon that lets in those alone that it knows."""

    def options(self):
        tokens = self.folder / "tokens"
        self.token = subprocess.run(
            [speaking.STENO, "token", "create", tokens, "alice"], capture_output=True, text=True,
            check=True).stdout.strip()
        options = ("--tokens", tokens, *super().options())
        return options + (("--tls-client-ca", self.authority.certificate) if self.authority else ())

    def test_tokens(self):
        content = self.path.read_bytes()
        client = self.client(token=self.token)
        self.assertEqual([r.text for r in client.recognize(content)], self.texts)
        self.assertEqual([r.text for r in client.stream([content])], self.texts)
        for options in ({}, {"token": "wrong"}):
            client = self.client(**options)
            for call in (lambda: client.recognize(content), lambda: list(client.stream([content]))):
                with self.assertRaises(StenoError) as caught:
                    call()
                self.assertEqual(caught.exception.code, "UNAUTHENTICATED")

    def test_certificates(self):
        address, content = self.tls_address(), self.path.read_bytes()
        ca = self.authority.certificate.read_bytes()
        certificate, key = (path.read_bytes() for path in self.authority.issue("bob"))
        client = self.client(address, ca=ca, certificate=certificate, key=key, token=self.token)
        self.assertEqual([r.text for r in client.recognize(content)], self.texts)
        with self.assertRaises(StenoError) as caught:
            self.client(address, ca=ca, token=self.token).recognize(content)
        self.assertEqual(caught.exception.code, "UNAVAILABLE")


class Program(PythonTest):
    def transcribe(self, *arguments, address=None, **options):
        return subprocess.run(
            [sys.executable, FOLDER / "transcribe.py", "--server", address or self.address,
             *map(str, arguments)],
            capture_output=True, timeout=running.PATIENCE, check=False, **options)

    def lines(self, *arguments, **options):
        result = self.transcribe(*arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout.decode().splitlines()

    def test_files(self):
        self.assertEqual(self.lines(self.path), self.texts)
        self.assertEqual(self.lines("--whole", self.path), self.texts)
        expected = [f"{w['start_ms'] / 1000:.2f}\t{w['end_ms'] / 1000:.2f}\t{w['word']}"
                    for r in self.expected for w in r["words"]]
        self.assertEqual(self.lines("--words", self.path), expected)
        self.assertEqual(self.lines(FLAC), [r["text"]
                                            for r in speaking.transcribe(FLAC)["results"]])

    def test_standard_input(self):
        raw = self.samples.tobytes()
        self.assertEqual(self.lines("--raw", 16000, "-", input=raw), self.texts)
        # Of what comes at once the newest alone is kept, so that now and then there is none.
        for _ in range(10):
            result = self.transcribe("--raw", 16000, "--interim", "-", input=raw)
            self.assertEqual(result.stdout.decode().splitlines(), self.texts)
            if result.stderr:
                break
        self.assertTrue(result.stderr)

    def test_tls(self):
        address = self.tls_address()
        self.assertEqual(self.lines("--ca", self.authority.certificate, "--token", "x", self.path,
                                    address=address), self.texts)

    def test_trouble(self):
        for arguments, reason in (
            ((running.SOURCE / "README.md",), "INVALID_ARGUMENT: encoding: not given"),
            ((self.folder / "none",), "No such file"),
            (("--server", "speech.example:1", "--token", "x", self.path), "a token needs TLS"),
            (("--cert", self.path, self.path), "TLS only"),
        ):
            result = self.transcribe(*arguments)
            self.assertEqual((result.returncode, result.stdout), (1, b""))
            self.assertIn(reason, result.stderr.decode())
            self.assertNotIn("Traceback", result.stderr.decode())

    def test_live(self):
        """What is said comes out while standard input is still open."""
        program = subprocess.Popen(
            [sys.executable, FOLDER / "transcribe.py", "--server", self.address, "--raw", "16000",
             "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.kill)
        program.stdin.write(self.samples.tobytes())
        program.stdin.flush()
        self.assertEqual(program.stdout.readline().decode().strip(), self.texts[0])
        program.stdin.close()
        rest = program.stdout.read().decode().splitlines()
        self.assertEqual([self.texts[0], *rest], self.texts)
        self.assertEqual(program.wait(running.PATIENCE), 0)


@unittest.skipUnless(importlib.util.find_spec("mypy"), "mypy is not installed")
class Types(unittest.TestCase):
    def test_all_are_right(self):
        result = subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", os.devnull,
             "steno_client", "transcribe.py"],
            cwd=FOLDER, capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


del PythonTest

if __name__ == "__main__":
    unittest.main()
