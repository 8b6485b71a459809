"""Captions for browsers from the whole daemon: what a capture hears comes over HTTP while it is said, and
is there to be saved; settings, tokens, the end."""

import http.client
import os
import re
import signal
import subprocess
import unittest

import running
import speaking
from captures import MODEL, CapturesTest
from events import Reader

RECORDING = speaking.SPEECH / "demo.flac"


@unittest.skipUnless(os.environ.get("HAS_HTTP") == "1", "built without libmicrohttpd")
class CaptionsLive(CapturesTest):
    def serve(self, *options, **others):
        program = super().serve("--http", "127.0.0.1:0", "--captions-page", *options, **others)
        self.port = int(program.wait_for(r"captions on http://127.0.0.1:(\d+)/captions$")[1])
        return program

    def read(self, path, headers=None):
        reader = Reader(self.port, path, headers)
        self.addCleanup(reader.close)
        return reader

    def ask(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=running.PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()

    def test_a_film(self):
        program = self.captures({"name": "film", "file": RECORDING})
        path = "/captions/film/events"
        reader = self.read(path)
        kinds, finals, state = set(), [], None
        while state != "ENDED":
            event, name, data = reader.next()
            kinds.add(event)
            if event == "final":
                finals.append((name, data))
            state = data.get("state", state)
        self.assertEqual(kinds, {"status", "interim", "final", "beat"})
        texts = [data["text"] for _, data in finals]
        self.assertEqual(texts, self.transcript(RECORDING))
        # Who comes back, or late.
        self.assertEqual([data["text"] for event, _, data in
                          self.read(path, {"Last-Event-ID": finals[0][0]}).all_until("beat")
                          if event == "final"], texts[1:])
        self.assertEqual(self.read(path).finals(len(texts)), texts)
        # Files, which are those of steno transcribe.
        self.assertEqual(self.ask("/captions/film.txt"), (200, "".join(f"{text}\n" for text in texts)))
        for kind in ("srt", "vtt"):
            expected = subprocess.run(
                [speaking.STENO, "transcribe", "--format", kind, "--chunk", str(speaking.CHUNK_MS),
                 "--model", MODEL, "--threads", "1", RECORDING],
                capture_output=True, check=True, text=True, timeout=running.PATIENCE).stdout
            self.assertEqual(self.ask(f"/captions/film.{kind}"), (200, expected))
        self.assertIn('<span class="state ended">ended</span>', self.ask("/captions")[1])
        program.tell()
        # Of a slow machine there are beats by now.
        while (event := reader.next()) is not None:
            self.assertEqual(event[0], "beat")
        self.assertEqual(program.finish(), 0)

    def test_last_words_of_a_daemon_that_ends(self):
        program = self.captures({"name": "film", "file": RECORDING, "loop": "yes"},
                                drain_seconds=60)
        reader = self.read("/captions/film/events")
        reader.all_until("interim", 3)
        program.tell()
        events = []
        while (event := reader.next()) is not None:
            events.append(event[0])
        self.assertIn("final", events)
        self.assertEqual(program.finish(), 0)

    def test_tokens(self):
        path = self.folder / "tokens"
        token = subprocess.run([speaking.STENO, "token", "create", path, "alice"], check=True,
                               capture_output=True, text=True).stdout.strip()
        program = self.captures({"name": "film", "file": RECORDING}, tokens=path, log_level="debug")
        good = {"Authorization": f"Bearer {token}"}
        for what in ("", "/film", "/film/events", "/film.srt"):
            self.assertEqual(self.ask(f"/captions{what}", {"Cookie": "steno-captions=x"})[0], 401)
        self.assertEqual(self.ask("/captions/film", good)[0], 200)
        self.assertEqual(self.ask("/metrics")[0], 200, "monitors need none")
        reader = self.read("/captions/film/events", good)
        reader.all_until("beat")
        subprocess.run([speaking.STENO, "token", "revoke", path, "alice"], check=True)
        program.tell(signal.SIGHUP)
        self.assertTrue(running.eventually(lambda: self.ask("/captions", good)[0] == 401))
        while reader.next() is not None:
            pass
        self.assertNotIn(token, program.text())

    def test_settings(self):
        result = subprocess.run([speaking.STENOD, "--captions-page", "--check-config"],
                                capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr),
                         (2, "stenod: captions-page: needs --http HOST:PORT, where browsers find it\n"))
        self.captures({"name": "film", "file": RECORDING, "loop": "yes"}, captions_readers=1)
        self.read("/captions/film/events").next()
        self.assertEqual(self.ask("/captions/film/events")[0], 503)
        # Without the page, there is nothing of it.
        program = CapturesTest.serve(self, "--http", "127.0.0.1:0",
                                     "--config", self.folder / "stenod.conf", model=MODEL)
        self.port = int(program.wait_for(r"metrics on http://127.0.0.1:(\d+)/metrics$")[1])
        self.assertEqual(self.ask("/captions")[0], 404)
        self.assertFalse(re.search("captions on", program.text()))


if __name__ == "__main__":
    unittest.main()
