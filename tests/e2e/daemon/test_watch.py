"""`steno watch`: captures of a daemon on a terminal, in a pipe and in files, also over restarts."""

import json
import os
import signal
import subprocess
import threading
import time
import unittest

from captures import MODEL, CapturesTest
from running import PATIENCE, eventually
from speaking import FORMATS, STENO, STENOD, transcribe

SPEECH = FORMATS / "speech.wav"


class Watching:
    """A running `steno watch` whose lines are read as they come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [STENO, "watch", *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.errors = [], []
        self._threads = [
            threading.Thread(target=self._read, args=pair)
            for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for thread in self._threads:
            thread.start()

    def _read(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def end(self, number=signal.SIGINT):
        """Its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class WatchTest(CapturesTest):
    def watching(self, *arguments):
        watching = Watching(*arguments)
        self.addCleanup(watching.close)
        return watching

    def steno(self, *arguments):
        return subprocess.run([STENO, *map(str, arguments)], capture_output=True, text=True,
                              timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)

    def said(self):
        return self.transcript(SPEECH)

    def wait_for_lines(self, watching, count):
        self.assertTrue(eventually(lambda: len(watching.lines) >= count),
                        (watching.lines, watching.errors))

    def test_lines_in_a_pipe(self):
        said = self.said()
        self.captures({"name": "tape", "file": SPEECH, "loop": "yes"})
        watching = self.watching("tape", "--server", self.address)
        forming = self.watching("tape", "--server", self.address, "--interim")
        self.wait_for_lines(watching, 2 * len(said))
        self.assertEqual(watching.end(), 0)
        self.assertEqual(watching.lines[: 2 * len(said)], said * 2)
        self.assertEqual(watching.errors, [])
        self.assertTrue(eventually(lambda: any(line.startswith("~ ") for line in forming.lines)))
        self.assertEqual(forming.end(signal.SIGTERM), -signal.SIGTERM)
        # Who joins late may have the past, or not.
        last = self.watching("tape", "--server", self.address, "--recent", 1)
        self.wait_for_lines(last, 1)
        new = self.watching("tape", "--server", self.address, "--recent", 0)
        self.wait_for_lines(new, 1)
        for watching in (last, new):
            self.assertEqual(watching.end(), 0)

    def test_formats_and_files(self):
        said = self.said()
        expected = transcribe(SPEECH, model=MODEL)
        self.captures({"name": "tape", "file": SPEECH})
        watching = self.watching("tape", "--server", self.address, "--format", "json")
        subtitles = self.folder / "text.srt"
        writing = self.watching("tape", "--server", self.address, "-f", "srt", "-o", subtitles)
        self.assertTrue(eventually(lambda: self.list()[0].finals == len(said)))
        self.assertTrue(eventually(lambda: self.list()[0].watchers == 2))
        time.sleep(2)
        self.assertEqual((watching.end(), writing.end()), (0, 0))
        heard = json.loads("\n".join(watching.lines))
        self.assertEqual(heard["file"], "tape")
        self.assertEqual(heard["text"], " ".join(said))
        for one, other in zip(heard["results"], expected["results"], strict=True):
            self.assertEqual([(w["word"], w["start_ms"], w["end_ms"]) for w in one["words"]],
                             [(w["word"], w["start_ms"], w["end_ms"]) for w in other["words"]])
        self.assertEqual(writing.lines, [])
        self.assertGreaterEqual(subtitles.read_text().count("-->"), len(said))

    def test_the_list(self):
        self.captures({"name": "hall", "file": SPEECH, "loop": "yes"},
                      {"name": "line", "fifo": self.folder / "none", "rate": 8000})
        self.assertTrue(eventually(lambda: "No such file" in self.list()[1].status.reason))
        self.assertTrue(eventually(lambda: self.list()[0].status.heard_ms >= 1000))
        table = self.steno("watch", "--server", self.address)
        self.assertEqual((table.returncode, table.stderr), (0, ""))
        heading, hall, line = table.stdout.splitlines()
        self.assertEqual(heading.split(), ["NAME", "STATE", "HEARD", "WATCHERS", "WHAT"])
        self.assertRegex(hall, r"^hall +listening +0:00:\d\d +0  file .*speech.wav, repeated$")
        self.assertRegex(line, r"^line +waiting +0:00:00 +0  fifo .*none: .*No such file")
        listed = json.loads(self.steno("watch", "--server", self.address, "--json").stdout)
        self.assertEqual(listed["server"], self.address)
        self.assertEqual([(c["name"], c["state"]) for c in listed["captures"]],
                         [("hall", "listening"), ("line", "waiting")])

    def test_what_is_not_there(self):
        self.captures()
        for arguments, status, message in (
                (["hall"], 4, "there is no capture \"hall\""),
                ([], 4, "listens to nothing: its settings have no [capture NAME]"),
                (["hall", "--server", "127.0.0.1:1"], 6, "cannot connect to 127.0.0.1:1"),
                (["--server", "127.0.0.1:1"], 6, "cannot connect to 127.0.0.1:1")):
            if "--server" not in arguments:
                arguments = [*arguments, "--server", self.address]
            result = self.steno("watch", *arguments)
            self.assertEqual((result.returncode, result.stdout), (status, ""), result.stderr)
            self.assertIn(message, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_a_restart_loses_and_doubles_nothing(self):
        """Words come by a pipe, each utterance once, and the daemon goes away between them, by its
        own doing and not."""
        said, count = self.said(), len(self.said())
        pipe, socket = self.folder / "pipe", f"unix:{self.folder}/stenod.sock"
        os.mkfifo(pipe)
        config = self.folder / "stenod.conf"
        config.write_text(f"[capture line]\nfifo = {pipe}\nrate = 16000\n")

        def serve():
            daemon = self.start([STENOD, "--model", MODEL, "--listen", socket, "--threads", 1,
                                 "--chunk", 640, "--config", config])
            daemon.wait_for("model ")
            return daemon

        def speak(*numbers):
            for number in numbers:
                subprocess.run(["sox", SPEECH, "-t", "raw", pipe], check=True, timeout=PATIENCE)
                # So that this one is over before the next one comes.
                self.wait_for_lines(texts, number * count)

        first = serve()
        watching = self.watching("line", "--server", socket, "-f", "tsv")
        texts = self.watching("line", "--server", socket)
        speak(1, 2)
        first.tell()
        self.assertEqual(first.finish(), 0)
        self.assertTrue(eventually(lambda: any("shutting down; trying again" in line
                                               for line in texts.errors)), texts.errors)
        second = serve()
        speak(3)
        second.process.kill()
        second.finish()
        third = serve()
        speak(4)
        time.sleep(1)
        self.assertEqual((texts.end(), watching.end()), (0, 0))
        self.assertEqual(texts.lines, said * 4)
        starts = [int(line.split("\t")[0]) for line in watching.lines if line[0].isdigit()]
        self.assertGreater(len(starts), 4)
        self.assertEqual(starts, sorted(starts))
        third.tell()
        self.assertEqual(third.finish(), 0)

    def test_a_connection_that_breaks(self):
        """The daemon goes on; a stopped one's connection is taken up again where it was left."""
        said, count = self.said(), len(self.said())
        daemon = self.captures({"name": "tape", "file": SPEECH, "loop": "yes"})
        watching = self.watching("tape", "--server", self.address)
        self.wait_for_lines(watching, count)
        watching.process.send_signal(signal.SIGSTOP)
        before = self.list()[0].finals
        self.assertTrue(eventually(lambda: self.list()[0].finals >= before + count))
        watching.process.send_signal(signal.SIGCONT)
        self.wait_for_lines(watching, before + count)
        self.assertEqual(watching.end(), 0)
        self.assertEqual(watching.lines, (said * len(watching.lines))[: len(watching.lines)])
        self.assertIsNone(daemon.process.poll())


if __name__ == "__main__":
    unittest.main()
