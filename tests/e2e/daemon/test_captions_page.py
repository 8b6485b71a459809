"""The page of captions over HTTP: its events, what survives a broken connection, files to save, tokens,
limits, and what it makes of readers that are slow, gone or ill-meaning.  The captures hear what the
test says (captions_server.c)."""

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from captions_server import PATIENCE, Server
from events import Reader

STENO = os.environ["STENO"]


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class PageTest(unittest.TestCase):
    maxDiff = None

    def serve(self, *arguments, **options):
        self.server = Server(*arguments, **options)
        self.addCleanup(self.server.stop)
        return self.server

    def read(self, path="/captions/desk/events", headers=None):
        reader = Reader(self.server.port, path, headers)
        self.addCleanup(reader.close)
        return reader

    def ask(self, path, method="GET", body=None, headers=None):
        """(status, headers, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def final(self, number, name="desk"):
        self.server.say("final", name, number * 1000, f"words number {number}")

    def readers(self, name="desk"):
        return self.server.say("counts", name)[0]

    def end(self):
        """It ends as it should, and has lost no memory."""
        self.assertEqual(self.server.end(), (0, "0 blocks left\n"))


class Events(PageTest):
    def test_live(self):
        server = self.serve()
        server.say("status", "desk", 1, "A \"microphone\"", "")
        reader = self.read()
        self.assertEqual(reader.status, 200)
        self.assertEqual(reader.response.getheader("Content-Type"),
                         "text/event-stream; charset=utf-8")
        self.assertEqual(reader.response.getheader("Cache-Control"), "no-store")
        event, first_id, data = reader.next()
        self.assertEqual((event, data["state"], data["device"]),
                         ("status", "LISTENING", 'A "microphone"'))
        self.assertEqual(reader.next()[0], "beat")
        self.assertEqual(reader.retry, 2000)
        server.say("interim", "desk", 1, "good mourning")
        self.assertEqual(reader.next(), ("interim", None, {
            "sequence": 1, "settled": "good", "unsettled": "mourning"}))
        server.say("final", "desk", 480, "good morning")
        event, final_id, data = reader.next()
        self.assertGreater(int(final_id), int(first_id))
        self.assertAlmostEqual(data.pop("unix_ms") / 1000, time.time(), delta=3600)
        self.assertEqual((event, data), ("final", {
            "sequence": 1, "start_ms": 480, "end_ms": 980, "text": "good morning"}))
        server.say("status", "desk", 2, "", "unplugged")
        self.assertEqual(reader.next()[2]["reason"], "unplugged")
        self.end()
        self.assertIsNone(reader.next())

    def test_beginnings(self):
        self.serve()
        for number in range(1, 61):
            self.final(number)
        for query, first in (("", 11), ("?recent=3", 58), ("?recent=0", 61), ("?recent=1000", 1),
                             ("?recent=x", 11), ("?recent=-1", 11), ("?recent=" + "9" * 30, 11)):
            events = self.read("/captions/desk/events" + query).all_until("beat")
            self.assertEqual([data["sequence"] for event, _, data in events if event == "final"],
                             list(range(first, 61)), query)

    def test_going_on(self):
        self.serve()
        for number in range(1, 4):
            self.final(number)
        events = self.read("/captions/desk/events").all_until("beat")
        second = [name for event, name, _ in events if event == "final"][1]
        last = [name for _, name, _ in events if name][-1]
        self.final(4)
        for headers, query, expected in (
                ({"Last-Event-ID": second}, "?recent=1", [3, 4]),
                ({}, f"?after={second}", [3, 4]),
                ({"Last-Event-ID": last}, f"?after={second}", [4]),
                # Of another life of the daemon, and nonsense.
                ({"Last-Event-ID": "17"}, "", [1, 2, 3, 4]),
                ({"Last-Event-ID": "x" * 1000}, "", [1, 2, 3, 4]),
                ({"Last-Event-ID": ""}, "", [1, 2, 3, 4])):
            events = self.read("/captions/desk/events" + query, headers).all_until("beat")
            self.assertEqual([data["sequence"] for event, _, data in events if event == "final"],
                             expected, (headers, query))

    def test_nothing_lost_nor_doubled_however_often_it_breaks(self):
        self.serve()
        done = threading.Event()

        def speak():
            for number in range(1, 301):
                self.server.say("interim", "desk", 0, f"number {number}")
                self.final(number)
            done.set()

        thread = threading.Thread(target=speak)
        thread.start()
        self.addCleanup(thread.join)
        heard, last = [], {}
        reader = self.read("/captions/desk/events?recent=1000")
        while len(heard) < 300:
            event, name, data = reader.next()
            if name:
                last = {"Last-Event-ID": name}
            if event == "final":
                heard.append(data["sequence"])
                if len(heard) % 7 == 0:
                    reader.close()
                    reader = self.read("/captions/desk/events?recent=1000", last)
        self.assertEqual(heard, list(range(1, 301)))
        done.wait(PATIENCE)

    def test_gap(self):
        server = self.serve(history=3)
        reader = self.read()
        status = reader.next()
        self.final(1)
        reader.all_until("final")
        reader.close()
        for number in range(2, 8):
            self.final(number)
        reader = self.read(headers={"Last-Event-ID": status[1]})
        events = [(event, data) for event, _, data in reader.all_until("beat")]
        self.assertEqual([event for event, _ in events],
                         ["status", "gap", "final", "final", "final", "beat"])
        self.assertEqual([data["text"] for event, data in events if event == "final"],
                         [f"words number {number}" for number in (5, 6, 7)])
        del server

    def test_slow_reader(self):
        """One who takes nothing holds up nobody, and gets every final in the end."""
        server = self.serve(history=1000)
        slow = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /captions/desk/events HTTP/1.0\r\n\r\n")
        self.assertTrue(eventually(lambda: self.readers() == 1))
        quick = self.read()
        quick.all_until("beat")
        filler = "word " * 500
        for number in range(1, 801):
            server.say("interim", "desk", 0, f"interim {number} {filler}")
            server.say("final", "desk", number * 1000, f"final {number} {filler}")
            if number % 200 == 0:
                self.assertEqual(len(quick.finals(200)), 200)
        content = bytearray()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        slow.settimeout(PATIENCE)
        while b'"sequence":800,"start_ms"' not in content[-20000:]:
            piece = slow.recv(1 << 20)
            self.assertTrue(piece)
            content += piece
        numbers = re.findall(rb'"sequence":(\d+),"start_ms"', content)
        self.assertEqual([int(number) for number in numbers], list(range(1, 801)))
        self.assertLess(content.count(b"event: interim"), 700)

    def test_readers_that_go_make_room(self):
        server = self.serve(readers=2)
        readers = [self.read(), self.read()]
        for reader in readers:
            reader.all_until("beat")
        status, headers, _ = self.ask("/captions/desk/events")
        self.assertEqual((status, headers["Retry-After"]), (503, "5"))
        self.assertEqual(self.ask("/captions/desk/events", "HEAD")[0], 503)
        # Pages and files are there all the same.
        self.assertEqual(self.ask("/captions/desk")[0], 200)
        self.assertEqual(self.ask("/captions/desk.srt")[0], 200)
        readers[0].close()
        self.assertTrue(eventually(lambda: self.readers() == 1))
        self.final(1)
        self.assertEqual(self.read().finals(1), ["words number 1"])
        self.assertEqual(readers[1].finals(1), ["words number 1"])
        del server

    def test_requests_that_never_come_whole(self):
        """Those who send them byte by byte keep others out for seconds, not for ever."""
        self.serve(readers=2)
        slow = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(34)]
        begun = (b"GET /captions HTTP/1.1\r\nX: ",
                 b"POST /captions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        for number, one in enumerate(slow):
            self.addCleanup(one.close)
            one.sendall(begun[number % 2])

        def are_shown_out():
            for one in slow[:]:
                try:
                    one.sendall(b"x")
                except OSError:
                    slow.remove(one)
            time.sleep(0.2)
            return not slow

        self.assertTrue(eventually(are_shown_out))
        self.assertEqual(self.ask("/captions")[0], 200)
        # Who asks again and again over one connection may.
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        for _ in range(3):
            connection.request("GET", "/captions")
            self.assertEqual(connection.getresponse().read()[:15], b"<!doctype html>")
        self.end()

    def test_many(self):
        server = self.serve(readers=200)
        tasks = f"/proc/{server.process.pid}/task"
        before = len(os.listdir(tasks))
        readers = [self.read() for _ in range(200)]
        self.assertEqual(self.ask("/captions/desk/events")[0], 503)
        for reader in readers:
            reader.all_until("beat")
        for number in range(1, 6):
            self.final(number)
        for reader in readers:
            self.assertEqual(len(reader.finals(5)), 5)
        self.assertEqual(len(os.listdir(tasks)), before, "readers hold no threads")
        self.end()

    def test_draining(self):
        server = self.serve()
        reader = self.read()
        reader.all_until("beat")
        server.say("drain")
        self.assertEqual(self.ask("/captions/desk/events")[0], 503)
        self.final(1)
        server.say("close")
        self.assertEqual(reader.finals(1), ["words number 1"])
        self.assertIsNone(reader.next())
        self.assertTrue(eventually(lambda: self.readers() == 0))
        self.end()


    def test_end(self):
        """Readers get what was said last; one who takes nothing holds nothing up."""
        server = self.serve(history=3000)
        readers = [self.read() for _ in range(5)]
        for reader in readers:
            reader.all_until("beat")
        stuck = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(stuck.close)
        stuck.sendall(b"GET /captions/desk/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        filler = "word " * 500
        for number in range(1, 2001):
            server.say("final", "desk", number * 1000, f"final {number} {filler}")
            if number % 200 == 0:
                for reader in readers:
                    reader.finals(200)
        self.final(2001)
        self.end()
        for reader in readers:
            self.assertEqual(reader.finals(1), ["words number 2001"])
            self.assertIsNone(reader.next())


class Pages(PageTest):
    NASTY = 'a <script>alert("1")</script> & ü/\'%41.srt'

    def policy(self, headers, text):
        """Everything on the page is allowed by its hash, and nothing else."""
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        self.assertEqual(policy["default-src"], "'none'")
        self.assertEqual(policy["frame-ancestors"], "'none'")
        for kind in ("style", "script"):
            found = re.findall(f"<{kind}>(.*?)</{kind}>", text, re.S)
            hashes = " ".join(
                "'sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() + "'"
                for part in found)
            self.assertEqual(policy.get(f"{kind}-src", ""), hashes)
        self.assertNotIn("{{", text)
        self.assertNotRegex(text, r"(src|href)=\"?(https?:)?//")
        self.assertNotRegex(text, r" on\w+=| style=")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")

    def test_pages(self):
        self.serve(("desk", self.NASTY))
        status, headers, text = self.ask("/captions")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.policy(headers, text)
        self.assertNotIn("<script", text)
        escaped = urllib.parse.quote(self.NASTY, safe="")
        self.assertIn(f'href="captions/{escaped}"', text)
        self.assertIn("a &#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62; &#38; ü/&#39;%41.srt", text)
        self.assertEqual(self.ask("/captions/")[2], text)
        for name in ("desk", escaped):
            status, headers, text = self.ask(f"/captions/{name}?transparent=1")
            self.assertEqual(status, 200)
            self.policy(headers, text)
            self.assertIn(f'href="{name}.srt"', text)
            self.assertNotIn("<script>alert", text)
            self.assertEqual(self.read(f"/captions/{name}/events").next()[0], "status")
            status, headers, _ = self.ask(f"/captions/{name}.txt")
            self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Disposition"],
                         "attachment; filename=\"a <script>alert(_1_)<_script> & ___'_41.srt.txt\"; "
                         f"filename*=UTF-8''{escaped}.txt")

    def test_no_captures(self):
        self.serve(())
        self.assertIn("No captures are configured.", self.ask("/captions")[2])
        self.end()

    def test_states_in_the_index(self):
        server = self.serve()
        for number, name in enumerate(("starting", "listening", "waiting", "ended")):
            server.say("status", "desk", number, "", "")
            self.assertIn(f'<span class="state {name}">{name}</span>', self.ask("/captions")[2])

    def test_files(self):
        server = self.serve()
        self.assertEqual(self.ask("/captions/desk.vtt")[2], "WEBVTT\n\n")
        self.assertEqual(self.ask("/captions/desk.srt")[2], "")
        server.say("final", "desk", 1000, "good morning")
        server.say("final", "desk", 61000, "that is all")
        server.say("interim", "desk", 1, "not yet said")
        types = {}
        texts = {}
        for kind in ("srt", "vtt", "txt"):
            status, headers, texts[kind] = self.ask(f"/captions/desk.{kind}")
            self.assertEqual(status, 200)
            self.assertIn(f'filename="desk.{kind}"', headers["Content-Disposition"])
            types[kind] = headers["Content-Type"]
        self.assertEqual(types, {"srt": "application/x-subrip; charset=utf-8",
                                 "vtt": "text/vtt; charset=utf-8",
                                 "txt": "text/plain; charset=utf-8"})
        self.assertEqual(texts["txt"], "good morning\nthat is all\n")
        self.assertEqual(texts["srt"], "1\n00:00:01,000 --> 00:00:02,000\ngood morning\n\n"
                                       "2\n00:01:01,000 --> 00:01:01,800\nthat is all\n\n")
        self.assertIn("00:01:01.000 --> 00:01:01.800\nthat is all\n", texts["vtt"])
        self.assertEqual(self.ask("/captions/desk.srt", "HEAD")[2], "")

    def test_requests(self):
        self.serve()
        for path in ("/captions/none", "/captions/desk/", "/captions/desk/events/", "/captions//",
                     "/captions/desk.pdf", "/captions/.srt", "/captions/desk/.."):
            self.assertEqual(self.ask(path)[0], 404, path)
        for path in ("/", "/captionsdesk", "/Captions", "/favicon.ico", "/metrics"):
            self.assertEqual(self.ask(path)[0], 404, path)
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            status, headers, _ = self.ask("/captions/desk", method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD, POST"))
            status, headers, _ = self.ask("/captions/desk/events", method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.ask("/captions/desk/events", "POST", "token=x")[0], 405)
        for path in ("/captions", "/captions/desk", "/captions/desk/events"):
            status, headers, text = self.ask(path, "HEAD")
            self.assertEqual((status, text), (200, ""))
        self.assertTrue(eventually(lambda: self.readers() == 0))
        # Nonsense, and readers who leave in the middle of things.
        for sent in (b"\0" * 1000, b"GET " + b"x" * 100000, b"GET /captions/desk/ev",
                     b"GET /captions/desk/events HTTP/1.1\r\n\r\n", b"POST /captions/desk HTTP/1.1\r\n"
                     b"Host: localhost\r\nContent-Length: 100000\r\n\r\ntoken="):
            with socket.create_connection(("127.0.0.1", self.server.port)) as other:
                other.sendall(sent)
        self.assertTrue(eventually(lambda: self.readers() == 0))
        self.end()

    def test_other_hosts(self):
        """Somebody else's page, whose name leads here, reads nothing."""
        self.serve()
        for path in ("/captions", "/captions/desk", "/captions/desk/events", "/captions/desk.txt"):
            for host in ("evil.example", "evil.example:9464", "127.0.0.1.evil.example"):
                self.assertEqual(self.ask(path, headers={"Host": host})[0], 403)
        for host in ("localhost", "127.0.0.1", "[::1]:80", socket.gethostname()):
            self.assertEqual(self.ask("/captions/desk", headers={"Host": host})[0], 200, host)


class Tokens(PageTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "tokens")
        self.token = self.make("alice")
        self.other = self.make("bob")
        self.serve(tokens=self.path)

    def make(self, name):
        return subprocess.run([STENO, "token", "create", self.path, name], check=True,
                              capture_output=True, text=True, timeout=PATIENCE).stdout.strip()

    def test_header(self):
        good = {"Authorization": f"Bearer {self.token}"}
        bad = {"Authorization": "Bearer " + "x" * 43}
        for path in ("/captions", "/captions/desk", "/captions/desk.txt", "/captions/desk/events"):
            for headers in ({}, bad, {"Authorization": self.token}, {"Cookie": "steno-captions=x"},
                            {"Authorization": "Bearer"}, {"Cookie": f"other={self.token}"}):
                status, answered, text = self.ask(path, headers=headers)
                self.assertEqual((status, answered["WWW-Authenticate"]), (401, "Bearer"))
                self.assertNotIn("desk", text)
            self.assertEqual(self.ask(path, "HEAD", headers=good)[0], 200)
        self.assertEqual(self.ask("/captions/none")[0], 401, "who may not read learns no names")
        # The address is no place for a token.
        self.assertEqual(self.ask(f"/captions/desk?token={self.token}")[0], 401)
        # With tokens any name will do.
        self.assertEqual(self.ask("/captions", headers={**good, "Host": "captions.example"})[0], 200)
        self.final(1)
        self.assertEqual(self.read(headers=good).finals(1), ["words number 1"])

    def test_cookie(self):
        status, headers, text = self.ask("/captions/desk")
        self.assertEqual((status, headers["Content-Type"]), (401, "text/html; charset=utf-8"))
        Pages.policy(self, headers, text)
        for path, where in (("/captions/desk", "/captions/desk"), ("/captions", "/captions")):
            body = urllib.parse.urlencode({"token": self.token})
            status, headers, _ = self.ask(path, "POST", body)
            self.assertEqual((status, headers["Location"]), (303, where))
            cookie = headers["Set-Cookie"]
            self.assertRegex(cookie, r"^steno-captions=[\w-]+; Path=/captions; Max-Age=\d+; HttpOnly; "
                                     r"SameSite=Strict$")
        _, headers, _ = self.ask("/captions", "POST", body, {"X-Forwarded-Proto": "https"})
        self.assertTrue(headers["Set-Cookie"].endswith("; Secure"))
        shown = {"Cookie": f"a=b; {cookie.split(';')[0]}"}
        for path in ("/captions", "/captions/desk", "/captions/desk.vtt"):
            self.assertEqual(self.ask(path, headers=shown)[0], 200)
        self.final(1)
        self.assertEqual(self.read(headers=shown).finals(1), ["words number 1"])

    def test_wrong_forms(self):
        for body in ("", "token=", "token=x", f"token={self.token}%0d%0aSet-Cookie:a=b",
                     f"tok={self.token}", "token=" + "y" * 1000):
            status, headers, text = self.ask("/captions/desk", "POST", body)
            self.assertEqual((status, headers["Set-Cookie"]), (401, None))
            self.assertIn("This token is not valid.", text)
        self.assertEqual(self.ask("/captions/desk", "POST", "token=" + "y" * 100000)[0], 413)

    def test_revoked(self):
        mine = self.read(headers={"Authorization": f"Bearer {self.token}"})
        theirs = self.read(headers={"Cookie": f"steno-captions={self.other}"})
        for reader in (mine, theirs):
            reader.all_until("beat")
        subprocess.run([STENO, "token", "revoke", self.path, "bob"], check=True, timeout=PATIENCE)
        self.server.say("tokens", self.path)
        self.assertEqual(self.ask("/captions", headers={"Cookie": f"steno-captions={self.other}"})[0],
                         401)
        # Within the time of a beat.
        self.assertIsNone(theirs.next())
        self.final(1)
        self.assertEqual(mine.finals(1), ["words number 1"])


if __name__ == "__main__":
    if os.environ.get("HAS_HTTP") != "1":
        print("skipped: built without libmicrohttpd")
        raise SystemExit(77)
    unittest.main()
