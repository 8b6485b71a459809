"""Captures of files and named pipes, and those who watch them."""

import os
import signal
import subprocess
import time
import unittest
import wave

import grpc

from captures import CapturesTest, Status
from running import PATIENCE, eventually
from speaking import FORMATS, STENOD, pieces

SPEECH = FORMATS / "speech.wav"


class CaptureTest(CapturesTest):
    def speech(self, path, *parts):
        """Writes a recording: numbers are seconds of silence, None is the speech."""
        with wave.open(str(SPEECH)) as recording:
            rate, samples = recording.getframerate(), recording.readframes(-1 & 0x7FFFFFFF)
        with wave.open(str(path), "wb") as out:
            out.setparams((1, 2, rate, 0, "NONE", ""))
            for part in parts:
                out.writeframes(samples if part is None else bytes(2 * int(part * rate)))
        return path

    def two_utterances(self):
        return self.speech(self.folder / "two.wav", 1, None, 6, None, 1)

    def test_words_in_the_log_only_when_asked_for(self):
        path = self.speech(self.folder / "one.wav", 0.5, None, 0.5)
        expected = self.transcript(path)
        for options, found in (({}, []), ({"log_transcripts": True}, expected)):
            program = self.captures({"name": "tape", "file": path}, **options)
            program.wait_for("capture tape: the file is over")
            self.watch("tape").wait_for_state(Status.ENDED)
            lines = [line for line in program.lines if line and "stenod: transcript " in line]
            self.assertEqual([line.split(" text=")[1].strip('"') for line in lines], found)
            self.assertTrue(all(" capture=tape begin_ms=" in line for line in lines))

    def test_a_file_for_many(self):
        path = self.two_utterances()
        expected = self.transcript(path)
        self.assertGreaterEqual(len(expected), 2)
        began = time.monotonic()
        self.captures({"name": "tape", "file": path})
        first = [self.watch("tape", interim_results=True) for _ in range(3)]
        without = self.watch("tape")
        # Joins in the middle, and gets what was said before.
        late = self.watch("tape", interim_results=True)
        first[0].wait_for_finals(1)
        later = self.watch("tape", interim_results=True)
        new = self.watch("tape", only_new=True)
        new.wait_for(lambda self: self.events)
        for watcher in [*first, without, late, later, new]:
            ended = watcher.wait_for_state(Status.ENDED)
            self.check_order(watcher)
        with wave.open(str(path)) as recording:
            seconds = recording.getnframes() / recording.getframerate()
        self.assertGreater(time.monotonic() - began, seconds - 0.2)  # at the pace of speech
        self.assertAlmostEqual(ended.heard_ms, seconds * 1000, delta=1)
        self.assertEqual((ended.gaps, ended.lost_ms), (0, 0))
        for watcher in [*first, without, late, later]:
            self.assertEqual([final.text for final in watcher.of("final")], expected)
            self.assertEqual(watcher.of("gap"), [])
        self.assertEqual([f.text for f in new.of("final")], expected[1:])
        self.assertEqual(without.of("interim"), [])
        self.assertGreater(len(first[0].of("interim")), 1)
        for final in first[0].of("final"):
            self.assertEqual(" ".join(word.text for word in final.words), final.text)
            self.assertEqual(final.stable_words, len(final.words))
            self.assertEqual((final.words[0].start_ms, final.words[-1].end_ms),
                             (final.start_ms, final.end_ms))
        self.assertTrue(first[0].of("final")[0].endpoint)
        # After the end all that was said is still there.
        after = self.watch("tape", recent=1).wait_for_finals(1)
        self.assertEqual([f.text for f in after.of("final")], expected[-1:])

    def test_coming_back(self):
        path = self.two_utterances()
        expected = self.transcript(path)
        self.captures({"name": "tape", "file": path})
        whole = self.watch("tape")
        whole.wait_for_state(Status.ENDED)
        ids = [event.id for event in whole.events]
        for index, last in enumerate(ids):
            seen = [e.final.text for e in whole.events[: index + 1] if e.HasField("final")]
            again = self.watch("tape", after_id=last)
            again.wait_for(lambda self: self.events)
            again.wait_for_finals(len(expected) - len(seen))
            self.assertEqual(again.events[0].id, last)
            self.assertEqual(seen + [f.text for f in again.of("final")], expected)
            again.cancel()
        # An id of another life of the daemon.
        other = self.watch("tape", after_id=ids[0] - 10**6).wait_for_finals(len(expected))
        self.assertEqual([f.text for f in other.of("final")], expected)

    def test_a_slow_watcher(self):
        """One that reads nothing for a long time gets the finals, or is told of the gap, and holds
        nobody up."""
        path = self.speech(self.folder / "short.wav", None, 0.9)
        once = self.transcript(path)
        self.captures({"name": "tape", "file": path, "loop": "yes", "history": len(once)})
        # Room for a message or two on the way.
        narrow = self.channel(self.address, [("grpc.http2.lookahead_bytes", 1024),
                                             ("grpc.http2.bdp_probe", 0),
                                             ("grpc.use_local_subchannel_pool", 1)])
        slow = self.watch("tape", narrow, interim_results=True, reads=False)
        quick = self.watch("tape", interim_results=True)
        quick.wait_for_finals(4 * len(once))
        self.check_order(quick)
        self.assertEqual(quick.of("gap"), [])
        slow.start()
        slow.wait_for(lambda self: self.of("final")
                      and self.of("final")[-1].sequence >= 4 * len(once))
        # Whatever gRPC had room for: nothing is out of order, and what is missing was told.
        sequence = 0
        for event in slow.events:
            if event.HasField("gap"):
                self.assertEqual(event.gap.first_sequence, sequence + 1)
                sequence = event.gap.last_sequence
            elif event.HasField("final"):
                self.assertEqual(event.final.sequence, sequence + 1)
                sequence += 1
        ids = [event.id for event in slow.events]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertTrue(slow.of("gap"))
        self.assertLess(len(slow.of("interim")), len(quick.of("interim")))
        self.assertEqual([f.text for f in quick.of("final")][: 4 * len(once)], once * 4)

    def test_a_named_pipe(self):
        pipe, recording = self.folder / "pipe", SPEECH
        self.captures({"name": "line", "fifo": pipe, "rate": 16000})
        watcher = self.watch("line", interim_results=True)
        self.assertIn("No such file", watcher.wait_for_state(Status.WAITING).reason)
        os.mkfifo(pipe)
        with wave.open(str(recording)) as file:
            self.assertEqual(file.getframerate(), 16000)
            samples = file.readframes(file.getnframes())
        expected = self.transcript(recording)
        for times in (1, 2):
            with open(pipe, "wb") as out:
                # Torn apart between the bytes of a sample.
                for piece in pieces(samples, 3333):
                    out.write(piece)
                    out.flush()
            watcher.wait_for_finals(times * len(expected))
            watcher.wait_for(lambda self: "nobody writes" in self.of("status")[-1].reason)
            self.assertEqual([f.text for f in watcher.of("final")], expected * times)
        # Times go on.
        starts = [word.start_ms for f in watcher.of("final") for word in f.words]
        self.assertEqual(starts, sorted(starts))
        self.assertAlmostEqual(watcher.of("status")[-1].heard_ms, 2 * len(samples) / 32, delta=2)

    def test_list_and_names(self):
        self.captures({"name": "hall", "file": SPEECH, "loop": "yes"},
                      {"name": "line-2", "fifo": self.folder / "none", "rate": 8000})
        watcher = self.watch("hall")
        watcher.wait_for_finals(1)
        hall, line = self.list()
        self.assertEqual((hall.name, line.name), ("hall", "line-2"))
        serving = self.connection.unary_unary("/grpc.health.v1.Health/Check")(
            b"\x0a\x11steno.v1.Captions", timeout=PATIENCE)
        self.assertEqual(serving, b"\x08\x01")
        self.assertEqual(hall.about, f"file {SPEECH}, repeated")
        self.assertEqual(hall.status.state, Status.LISTENING)
        self.assertEqual(hall.status.device, str(SPEECH))
        self.assertEqual((hall.watchers, line.watchers), (1, 0))
        self.assertGreaterEqual(hall.finals, 1)
        self.assertTrue(eventually(lambda: self.list()[1].status.state == Status.WAITING))
        self.assertEqual(line.finals, 0)
        watcher.cancel()
        self.assertTrue(eventually(lambda: self.list()[0].watchers == 0))
        self.refuse("there is no capture \"cellar\"; there are: hall, line-2",
                    lambda: list(self.watch("cellar", reads=False).call),
                    grpc.StatusCode.NOT_FOUND)
        for method, message in (("Watch", b"\x0a\x05x"), ("ListCaptures", b"\xff")):
            self.refuse("not a steno.v1.", lambda m=method, b=message: list(
                self.connection.unary_stream("/steno.v1.Captions/" + m)(b, timeout=PATIENCE)))

    def test_no_captures(self):
        self.captures()
        self.assertEqual(list(self.list()), [])
        self.refuse("there is no capture \"hall\", nor any other",
                    lambda: list(self.watch("hall", reads=False).call),
                    grpc.StatusCode.NOT_FOUND)

    def test_too_many_watchers(self):
        self.captures({"name": "line", "fifo": self.folder / "none", "rate": 8000},
                      max_watchers=2)
        watchers = [self.watch("line") for _ in range(2)]
        for watcher in watchers:
            watcher.wait_for(lambda self: self.events)
        self.refuse("limit of 2 watchers", lambda: list(self.watch("line", reads=False).call),
                    grpc.StatusCode.RESOURCE_EXHAUSTED)
        watchers[0].cancel()
        self.assertTrue(eventually(lambda: self.list()[0].watchers == 1))
        self.watch("line").wait_for(lambda self: self.events)

    def test_a_stop_just_after_a_writer(self):
        """Who has left less than a sample: the pipe is open, and about to be listened to again."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        daemon = self.captures({"name": "line", "fifo": pipe, "rate": 16000})
        pipe.write_bytes(b"\0")
        daemon.wait_for("nobody writes to it any more")

    def test_a_named_pipe_made_anew(self):
        """Nobody had written to the one before."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        daemon = self.captures({"name": "line", "fifo": pipe, "rate": 16000})
        descriptors = f"/proc/{daemon.process.pid}/fd"

        def is_open(path):
            return any(os.path.realpath(f"{descriptors}/{one}") == path
                       for one in os.listdir(descriptors))

        self.assertTrue(eventually(lambda: is_open(os.path.realpath(pipe))))
        pipe.rename(self.folder / "old")
        os.mkfifo(pipe)

        def can_be_written_to():
            try:
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                return False
            return True

        self.assertTrue(eventually(can_be_written_to))
        with open(pipe, "wb") as out:
            out.write(bytes(32000))
        self.watch("line").wait_for(
            lambda self: self.of("status") and self.of("status")[-1].heard_ms >= 1000)

    def test_names_need_a_token(self):
        tokens = self.folder / "tokens"
        made = subprocess.run([os.environ["STENO"], "token", "create", tokens, "ada"],
                              capture_output=True, text=True, check=True)
        token = made.stdout.strip().splitlines()[-1].split()[-1]
        self.captures({"name": "line", "fifo": self.folder / "none", "rate": 8000}, tokens=tokens)
        self.refuse("a token is needed", self.list, grpc.StatusCode.UNAUTHENTICATED)
        self.refuse("a token is needed", lambda: list(self.watch("x", reads=False).call),
                    grpc.StatusCode.UNAUTHENTICATED)
        metadata = [("authorization", "Bearer " + token)]
        self.assertEqual([c.name for c in self.list(metadata=metadata)], ["line"])
        self.watch("line", metadata=metadata).wait_for(lambda self: self.events)

    def test_a_token_that_is_revoked(self):
        """A watch may last for ever; it ends when those who may are read anew."""
        tokens = self.folder / "tokens"

        def token(*arguments):
            made = subprocess.run([os.environ["STENO"], "token", arguments[0], tokens, arguments[1]],
                                  capture_output=True, text=True, check=True)
            return [("authorization", "Bearer " + made.stdout.strip().splitlines()[-1].split()[-1])
                    ] if arguments[0] == "create" else None

        ada, bob = token("create", "ada"), token("create", "bob")
        daemon = self.captures({"name": "tape", "file": SPEECH, "loop": "yes"}, tokens=tokens)
        hers, his = self.watch("tape", metadata=ada), self.watch("tape", metadata=bob)
        for watcher in (hers, his):
            watcher.wait_for_finals(1)
        token("revoke", "bob")
        daemon.tell(signal.SIGHUP)
        daemon.wait_for("reloaded")
        his.join(PATIENCE)
        self.assertEqual(his.error.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.assertIn("the token is not valid", his.error.details())
        hers.wait_for_finals(len(hers.of("final")) + 1)
        self.assertEqual([c.watchers for c in self.list(metadata=ada)], [1])

    def test_the_end_comes_after_the_last_words(self):
        """A drain hears what was said, tells it, and then ends the watchers."""
        path = self.speech(self.folder / "long.wav", None, 60)
        daemon = self.captures({"name": "tape", "file": path}, drain_seconds=600)
        watcher = self.watch("tape", interim_results=True)
        watcher.wait_for(lambda self: any(i.text for i in self.of("interim")))
        heard = watcher.of("interim")[-1].text.split()
        daemon.tell(signal.SIGTERM)
        watcher.join(PATIENCE)
        self.assertEqual(watcher.error.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("shutting down", watcher.error.details())
        said = " ".join(f.text for f in watcher.of("final")).split()
        self.assertGreaterEqual(len(said) + 1, len(heard))
        self.check_order(watcher)
        self.assertEqual(daemon.finish(), 0)

    def test_a_reload(self):
        """Captures that have changed need a restart; another model is taken at once."""
        daemon = self.captures({"name": "tape", "file": SPEECH, "loop": "yes"})
        watcher = self.watch("tape").wait_for_finals(1)
        config = self.folder / "stenod.conf"
        config.write_text(config.read_text() + "history = 7\n")
        daemon.tell(signal.SIGHUP)
        daemon.wait_for("the captures have changed, which needs a restart")
        daemon.wait_for("reloaded")
        watcher.wait_for_finals(len(watcher.of("final")) + 1)
        self.check_order(watcher)

    def test_mistakes_in_the_settings(self):
        config, pipe = self.folder / "wrong.conf", self.folder / "pipe"
        os.mkfifo(pipe)
        for text, message in (
                ("[capture a]\n", ":1: [capture a]: nothing to listen to"),
                ("[capture a]\nfile = /no/such\n", ":1: [capture a]: /no/such: No such file"),
                (f"[capture a]\nfile = {pipe}\n", f":1: [capture a]: {pipe}: is a named pipe"),
                ("[capture a]\nfile = /dev\n", ":1: [capture a]: /dev: is not a regular file"),
                ("\n[capture a b]\n", ":2: \"a b\" can't be a capture's name"),
                ("[capture a]\nfifo = x\nrate = 8000\nchunk = 13\n",
                 ":1: [capture a]: chunk_ms")):
            config.write_text(text)
            # The last one only the model knows.
            check = [] if "chunk" in text else ["--check-config"]
            done = subprocess.run(
                [STENOD, "--config", config, "--model", os.environ["STENO_TINY_MODEL"],
                 "--listen", "127.0.0.1:0", *check],
                capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertIn(f"{config}{message}", done.stderr)
            self.assertEqual(done.returncode, 2 if check else 1)


if __name__ == "__main__":
    unittest.main()
