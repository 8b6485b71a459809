"""The daemon's life: its end while streams are under way, other settings and models without an end,
and what it has to do with the service manager."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import sys
import time
import unittest

import grpc

import running
import speaking
from running import PATIENCE
from speaking import CHUNK_MS, GOOGLE, MODEL, STENOD, google, noise, pieces

CHECK = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


class LifeTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.samples = noise(4)
        self.content = self.samples.tobytes()

    def feed_all(self, feed):
        for piece in pieces(self.content):
            feed.put(google.StreamingRecognizeRequest(audio_content=piece))

    def whole(self):
        """The transcript of the recording, as one whole."""
        return [result.alternatives[0].transcript
                for result in self.recognize(self.content).results]


class Drain(LifeTest):
    def test_streams_end_in_peace(self):
        program = self.serve("--drain-seconds", 600)
        expected = self.whole()
        feed, call = self.hold_a_stream()
        feed.put(google.StreamingRecognizeRequest(audio_content=self.content[:6400]))
        self.assertEqual(self.health(), SERVING)
        program.tell()
        program.wait_for("told to end, ending when the streams have, after 600 s at most")
        self.assertTrue(running.eventually(lambda: self.health() == NOT_SERVING))
        for path in ("Recognize", "StreamingRecognize"):
            self.refuse("shutting down", lambda: list(self.stream(
                GOOGLE + path, [google.RecognizeRequest()], google.RecognizeResponse)),
                grpc.StatusCode.UNAVAILABLE)
        for piece in pieces(self.content[6400:]):
            feed.put(google.StreamingRecognizeRequest(audio_content=piece))
        feed.close()
        self.assertEqual(self.finals(list(call)), expected)
        self.assertEqual(call.code(), grpc.StatusCode.OK)

    def test_but_not_for_ever(self):
        program = self.serve("--drain-seconds", 1)
        _, call = self.hold_a_stream()
        program.tell()
        self.refuse("", lambda: list(call), grpc.StatusCode.UNAVAILABLE)

    def test_notice(self):
        """Health says that it ends, and streams are taken all the same until that is known."""
        program = self.serve("--notice-seconds", 600, "--drain-seconds", 600)
        expected = self.whole()
        program.tell()
        program.wait_for("told to end, taking streams for another 600 s, then ending when")
        self.assertTrue(running.eventually(lambda: self.health() == NOT_SERVING))
        self.assertEqual(self.whole(), expected)
        program.tell()
        program.wait_for("ending at once")
        self.assertEqual(program.finish(), 0)

    def test_notice_ends(self):
        program = self.serve("--notice-seconds", 1, "--drain-seconds", 600)
        expected = self.whole()
        feed, call = self.hold_a_stream()
        started = time.monotonic()
        program.tell()
        self.assertTrue(running.eventually(self.refuses))
        self.assertGreaterEqual(time.monotonic() - started, 1)
        self.feed_all(feed)
        feed.close()
        self.assertEqual(self.finals(list(call)), expected)
        self.assertEqual(program.finish(), 0)

    def refuses(self):
        try:
            self.whole()
        except grpc.RpcError as error:
            self.assertEqual((error.code(), error.details()),
                             (grpc.StatusCode.UNAVAILABLE, "the server is shutting down"))
            return True
        return False

    def test_notice_without_streams(self):
        program = self.serve("--notice-seconds", 2)
        started = time.monotonic()
        program.tell()
        self.assertEqual(program.finish(), 0)
        self.assertGreaterEqual(time.monotonic() - started, 2)

    def test_signals_at_once_and_again(self):
        program = self.serve("--drain-seconds", 600)
        feed, call = self.hold_a_stream()
        program.tell(signal.SIGHUP)
        program.tell()
        program.wait_for("told to end")
        # There is nothing to reload for.
        program.tell(signal.SIGHUP)
        program.tell(signal.SIGINT)
        self.refuse("", lambda: list(call), grpc.StatusCode.UNAVAILABLE)
        feed.close()


class Reload(LifeTest):
    def serve_file(self, text, **options):
        self.file = self.folder / "stenod.conf"
        self.file.write_text(text)
        program = self.start([STENOD, "--config", self.file, "--listen", "127.0.0.1:0",
                              "--threads", 1], **options)
        self.addCleanup(self.end, program)
        port = program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]
        self.connection = self.channel(f"127.0.0.1:{port}")
        program.wait_for("stenod: model ")
        return program

    def reload(self, program, text=None):
        """What it says to that; calls may just have ended."""
        if text is not None:
            self.file.write_text(text)
        seen = len(program.lines)
        program.tell(signal.SIGHUP)
        self.assertTrue(running.eventually(
            lambda: any("reloaded" in line for line in program.lines[seen:])))
        return "\n".join(line for line in program.lines[seen:] if "call ended" not in line)

    def settings(self, model, more=""):
        return f"model = {model}\nchunk = {CHUNK_MS}\n{more}"

    def test_model(self):
        """Streams keep the model that they began with; those that begin get the new one."""
        quiet = speaking.quiet_model(self.folder / "quiet.safetensors")
        program = self.serve_file(self.settings(MODEL))
        expected = self.whole()
        self.assertTrue(expected)
        feed, call = self.hold_a_stream()
        self.assertEqual(self.reload(program, self.settings(quiet)), "stenod: reloaded")
        self.assertEqual(self.whole(), [])
        self.feed_all(feed)
        feed.close()
        self.assertEqual(self.finals(list(call)), expected)
        # Audio whose format its own header tells makes its streams late, and keeps its model, too.
        wav = google.StreamingRecognitionConfig(config=google.RecognitionConfig())
        feed = running.Feed()
        call = self.stream(GOOGLE + "StreamingRecognize", feed, google.StreamingRecognizeResponse)
        feed.put(google.StreamingRecognizeRequest(streaming_config=wav))
        feed.wait_until_sent()
        self.health()
        self.assertIn("reloaded", self.reload(program, self.settings(MODEL)))
        self.assertEqual(self.whole(), expected)
        for piece in pieces(speaking.wav_bytes(self.samples)):
            feed.put(google.StreamingRecognizeRequest(audio_content=piece))
        feed.close()
        self.assertEqual(self.finals(list(call)), [])
        # The same name, another file.
        other = self.folder / "model.safetensors"
        shutil.copy(MODEL, other)
        self.reload(program, self.settings(other))
        self.assertEqual(self.whole(), expected)
        os.replace(quiet, other)
        self.reload(program)
        self.assertEqual(self.whole(), [])

    def test_beam(self):
        """The words are those of as many hypotheses as the settings say."""
        path = self.folder / "noise.wav"
        path.write_bytes(speaking.wav_bytes(self.samples))
        narrow = speaking.texts(speaking.transcribe(path, "--beam", "1"))
        program = self.serve_file(self.settings(MODEL, "beam = 1"))
        self.assertEqual(self.whole(), narrow)
        self.assertEqual(self.reload(program, self.settings(MODEL)), "stenod: reloaded")
        self.assertEqual(self.whole(), speaking.texts(speaking.transcribe(path)))
        self.assertNotEqual(self.whole(), narrow)
        self.assertIn("stenod.conf:3: 129 is not a number from 0 to 128",
                      self.reload(program, self.settings(MODEL, "beam = 129")))

    def test_what_is_wrong_changes_nothing(self):
        program = self.serve_file(self.settings(MODEL, "max-streams = 1"))
        expected = self.whole()
        broken = self.folder / "broken.safetensors"
        broken.write_bytes(pathlib.Path(MODEL).read_bytes()[:1000])
        for text, message in (
            ("max-streams = 2\nthreads = many", "stenod.conf:2: many is not a number"),
            (self.settings("/none", "max-streams = 2"), "/none"),
            (self.settings(broken, "max-streams = 2"), "broken.safetensors"),
            (f"model = {MODEL}\nchunk = 100\nmax-streams = 2", "chunk"),
            (self.settings(MODEL, "max-streams = 5000"), "above 1024 it takes a restart"),
        ):
            with self.subTest(text=text):
                said = self.reload(program, text)
                self.assertIn("stenod: not reloaded, all is as before: ", said)
                self.assertIn(message, said)
                self.assertEqual(self.whole(), expected)
                _, call = self.hold_a_stream()
                self.refuse("limit of 1 streams", self.whole, grpc.StatusCode.RESOURCE_EXHAUSTED)
                call.cancel()
                self.assertTrue(running.eventually(self.has_room))
        os.remove(self.file)
        self.assertIn("No such file", self.reload(program))
        self.assertEqual(self.whole(), expected)

    def has_room(self):
        try:
            return bool(self.whole())
        except grpc.RpcError:
            return False

    def test_limits(self):
        program = self.serve_file(self.settings(MODEL, "max-streams = 1"))
        _, first = self.hold_a_stream()
        self.refuse("limit of 1 streams", self.whole, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.reload(program, self.settings(MODEL, "max-streams = 2"))
        self.assertTrue(self.whole())
        self.reload(program, self.settings(MODEL, "max-streams-per-client = 1"))
        self.refuse("limit of 1 streams at once of one client", self.whole,
                    grpc.StatusCode.RESOURCE_EXHAUSTED)
        first.cancel()

    def test_what_takes_a_restart(self):
        program = self.serve_file(self.settings(MODEL))
        program.wait_for("stenod: model ")
        said = self.reload(program, self.settings(MODEL, "max-message-mb = 7\nlisten = 127.0.0.1:1"))
        # The command line rules over the file's addresses.
        self.assertEqual(said, "stenod: warning: max-message-mb has changed, which needs a restart\n"
                               "stenod: reloaded")

    def test_many_at_once(self):
        program = self.serve_file(self.settings(MODEL))
        for _ in range(20):
            program.tell(signal.SIGHUP)
        self.assertTrue(self.whole())
        self.reload(program)
        self.assertTrue(self.whole())


@unittest.skipUnless(os.environ.get("HAS_SYSTEMD") == "1", "built without libsystemd")
class ServiceManager(LifeTest):
    def notified(self):
        """A service manager's socket: its path, and a function for the next message."""
        path = self.folder / "notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        return path, lambda: manager.recv(4096).decode()

    def launch(self, options, sockets=(), **environment):
        """With sockets handed over, as a service manager does it."""
        launcher = (
            "import os, sys\n"
            "descriptors = [int(n) for n in sys.argv[1].split(',') if n]\n"
            "for place, fd in enumerate(descriptors): os.dup2(fd, 3 + place)\n"
            "os.environ['LISTEN_PID'] = os.environ['WATCHDOG_PID'] = str(os.getpid())\n"
            "if descriptors: os.environ['LISTEN_FDS'] = str(len(descriptors))\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n")
        # Out of the way of the places that they will have.
        passed = [os.dup(s.fileno()) for s in sockets]
        high = [self.high(fd) for fd in passed]
        program = running.Program(
            [sys.executable, "-c", launcher, ",".join(map(str, high)), STENOD, "--model", MODEL,
             "--threads", 1, *options], dict(os.environ, **environment), pass_fds=high)
        for fd in high:
            os.close(fd)
        self.addCleanup(program.stop)
        return program

    def high(self, fd):
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD, 100)
        os.close(fd)
        os.set_inheritable(moved, True)
        return moved

    def test_notification(self):
        path, message = self.notified()
        program = self.launch(["--listen", "127.0.0.1:0"], NOTIFY_SOCKET=str(path))
        self.assertEqual(message(), "READY=1\nSTATUS=Serving")
        program.tell(signal.SIGHUP)
        self.assertRegex(message(), r"^RELOADING=1\nMONOTONIC_USEC=\d+\n")
        self.assertEqual(message(), "READY=1\nSTATUS=Serving")
        program.tell()
        self.assertRegex(message(), "^STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000\n")
        self.assertEqual(program.finish(), 0)

    def test_watchdog(self):
        path, message = self.notified()
        program = self.launch(["--listen", "127.0.0.1:0"], NOTIFY_SOCKET=str(path),
                              WATCHDOG_USEC="300000")
        messages = [message() for _ in range(6)]
        self.assertIn("READY=1\nSTATUS=Serving", messages)
        self.assertGreaterEqual(messages.count("WATCHDOG=1"), 4)
        program.tell()
        self.assertEqual(program.finish(), 0)

    def test_sockets(self):
        """Who connects before the daemon is there, or while another takes its place, is served."""
        path = self.folder / "own.sock"
        unix, tcp = socket.socket(socket.AF_UNIX), socket.socket()
        for one, address in ((unix, str(path)), (tcp, ("127.0.0.1", 0))):
            self.addCleanup(one.close)
            one.bind(address)
            one.listen()
        port = tcp.getsockname()[1]
        early = self.channel(f"unix:{path}")
        answer = early.unary_unary(CHECK).future(b"", timeout=4 * PATIENCE, wait_for_ready=True)
        program = self.launch([], sockets=[unix, tcp])
        program.wait_for(f"listening on unix:{re.escape(str(path))}, from the service manager")
        program.wait_for(f"listening on 127.0.0.1:{port}, from the service manager")
        self.assertEqual(answer.result(), SERVING)
        self.connection = self.channel(f"127.0.0.1:{port}")
        expected = self.whole()
        self.assertTrue(expected)
        # No other addresses unless they are asked for.
        self.assertEqual(program.text().count("listening"), 2)
        feed, call = self.hold_a_stream()
        program.tell()
        program.wait_for("told to end")
        self.assertTrue(running.eventually(lambda: self.health() == NOT_SERVING))
        late = self.channel(f"unix:{path}", [("grpc.use_local_subchannel_pool", 1)])
        answer = late.unary_unary(CHECK).future(b"", timeout=4 * PATIENCE, wait_for_ready=True)
        self.feed_all(feed)
        feed.close()
        self.assertEqual(self.finals(list(call)), expected)
        self.assertEqual(program.finish(), 0, program.text())
        self.assertTrue(path.exists())
        second = self.launch([], sockets=[unix])
        self.assertEqual(answer.result(), SERVING)
        second.tell()
        self.assertEqual(second.finish(), 0, second.text())

    def test_sockets_that_can_not_be(self):
        tcp = socket.socket()
        tcp.bind(("0.0.0.0", 0))
        tcp.listen()
        self.addCleanup(tcp.close)
        program = self.launch([], sockets=[tcp])
        self.assertEqual(program.finish(), 1)
        self.assertIn("from the service manager: other machines could reach it", program.text())
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        program = self.launch([], sockets=[ours])
        self.assertEqual(program.finish(), 2)
        self.assertIn("not a listening stream socket", program.text())


if __name__ == "__main__":
    unittest.main()
