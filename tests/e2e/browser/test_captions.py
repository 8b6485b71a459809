"""The page of captions in a real browser, as its readers use it; captions.js has the scenes."""

import os
import re
import subprocess
import sys
import unittest

import browsing
from browsing import MODEL, PATIENCE, SOURCE, STENO

sys.path.insert(0, str(SOURCE / "tests" / "e2e" / "daemon"))
import captions_server  # noqa: E402

STENOD = os.environ["STENOD"]
RECORDING = SOURCE / "tests" / "data" / "speech" / "demo.flac"
CHUNK = "640"


class Captions(browsing.SceneTest):
    def setUp(self):
        super().setUp()
        self.tokens = ""
        self.server = None

    def serve(self, port=0):
        self.server = captions_server.Server(("desk", "hall & stage"), tokens=self.tokens, port=port)
        self.addCleanup(self.server.stop)

    def obey(self, words):
        """What a scene says is to happen."""
        if words == ["restart"]:
            port = self.server.port
            self.server.stop()
            self.serve(port)
        elif words == ["close and drain"]:
            self.server.say("drain")
            self.server.say("close")
        elif words == ["revoke"]:
            subprocess.run([STENO, "token", "revoke", self.tokens, "alice"], check=True)
            self.server.say("tokens", self.tokens)
        else:
            self.server.say(*words)

    def test_live(self):
        self.serve()
        seen = self.play("live", self.server.port)
        lines = ["good morning everybody and welcome", "it is good to see so many of you today",
                 "and this is what is being said"]
        late = lines + ["nobody sees this yet"]
        self.assertEqual(seen["title"], "desk – captions")
        self.assertEqual((seen["settled"], seen["unsettled"]), ("and this is", " what is being set"))
        final, unsettled, ink = seen["colours"]
        self.assertEqual((final, ink, seen["paper"]),
                         ("rgb(255, 255, 255)", "rgb(255, 255, 255)", "rgb(10, 11, 13)"))
        self.assertNotEqual(unsettled, final)
        self.assertEqual((seen["live"], seen["interimHidden"]), ("polite", "true"))
        self.assertEqual((seen["lines"], seen["interimGone"]), (lines, True))
        self.assertEqual((seen["paused"], seen["resumed"], seen["reloaded"]), (lines, late, late))
        first, second, third, fourth, kept = seen["sizes"]
        self.assertGreater(first, 30)
        self.assertLess(first, second)
        self.assertLess(second, third)
        self.assertEqual((fourth, kept), (second, second))
        self.assertEqual((seen["theme"], seen["themeKept"]), ("rgb(255, 255, 255)",) * 2)
        self.assertEqual(seen["stops"], [
            "All captures", "Captions of desk", "Pause", "Smaller text", "Larger text", "Dark",
            "Full screen", "Save as text", "Save as SRT subtitles", "Save as WebVTT subtitles"])
        self.assertEqual(set(seen["files"]), {"desk.txt", "desk.srt", "desk.vtt"})
        self.assertEqual(seen["files"]["desk.txt"].splitlines(), late)
        self.assertTrue(seen["files"]["desk.srt"].startswith("1\n00:00:01,000 --> "))
        self.assertTrue(seen["files"]["desk.vtt"].startswith("WEBVTT\n"))
        self.assertEqual(seen["scrolled"], 0)
        self.assertLess(seen["atEnd"], 2)
        self.assertLessEqual(seen["wide"], 0)

    def test_looks(self):
        self.serve()
        seen = self.play("looks", self.server.port)
        self.assertLessEqual(seen["phoneWide"], 0)
        self.assertGreaterEqual(seen["smallest"], 43.5, "fingers hit them")
        self.assertEqual(seen["clear"], ["rgba(0, 0, 0, 0)"] * 2)
        self.assertEqual(seen["bars"], 0)
        self.assertAlmostEqual(seen["rows"], 2, delta=0.05)
        self.assertLess(abs(seen["bottom"]), 20, "the newest words are seen")
        self.assertFalse(seen["styled"], "the policy lets no other style in")
        self.assertEqual(seen["plain"], ["rgb(255, 255, 255)", ""])
        self.assertEqual(seen["list"], ["desk a test listening", "hall & stage a test starting"])
        self.assertEqual(seen["still"], "none")

    def test_back(self):
        self.serve()
        seen = self.play("back", self.server.port)
        self.assertEqual(seen["lines"], ["before it went", "after it came back"])
        self.assertEqual(seen["last"], ["before it went", "after it came back", "and again"])

    def test_tokens(self):
        self.tokens = os.path.join(self.folder, "tokens")
        token = subprocess.run([STENO, "token", "create", self.tokens, "alice"], check=True,
                               capture_output=True, text=True).stdout.strip()
        self.serve()
        seen = self.play("tokens", self.server.port, token)
        self.assertEqual(seen["asked"], "A token is needed")
        self.assertEqual(seen["address"], "/captions/desk?size=50")
        self.assertEqual(seen["handed"], "/captions/desk?lines=2&recent=5")
        self.assertEqual(seen["cookie"], [{"name": "steno-captions", "httpOnly": True,
                                           "sameSite": "Strict", "path": "/captions"}])
        self.assertEqual(seen["scripts"], "")

    @unittest.skipUnless(MODEL.exists(), f"{MODEL} is not there")
    def test_real(self):
        """What the daemon hears, as steno transcribe does."""
        settings = os.path.join(self.folder, "stenod.conf")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"[capture film]\nfile = {RECORDING}\n")
        daemon = subprocess.Popen(
            [STENOD, "--config", settings, "--model", MODEL, "--chunk", CHUNK, "--threads", "1",
             "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--captions-page"],
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(daemon.communicate)
        self.addCleanup(daemon.kill)
        port = next(found[1] for line in daemon.stderr
                    if (found := re.search(r"captions on http://127.0.0.1:(\d+)/captions$", line)))
        seen = self.play("real", port)
        result = subprocess.run(
            [STENO, "transcribe", "--chunk", CHUNK, "--model", MODEL, "--threads", "1", RECORDING],
            check=True, capture_output=True, text=True, timeout=PATIENCE)
        self.assertTrue(seen["lines"])
        self.assertEqual(seen["lines"], result.stdout.splitlines())


if __name__ == "__main__":
    browsing.main("built without libmicrohttpd" if os.environ.get("HAS_HTTP") != "1"
                  else browsing.install("captions.js"))
