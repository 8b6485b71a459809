"""`steno --server` and servers that are not there, not what they should be, full, or gone."""

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
from concurrent import futures

import grpc

import certificates
import remote
import running
import speaking
from remote import INPUT, SERVER, USAGE
from speaking import STENO

SHIPPED = running.SOURCE / "models" / "en.safetensors"


class Unreachable(remote.RemoteTest):
    """No daemon is needed for these."""

    def setUp(self):
        super().setUp()
        self.path = self.write_noise("talk.wav", 2)

    def refuse(self, address, reason, status=SERVER, *options, **more):
        started = time.monotonic()
        self.fail_with(status, reason, "transcribe", "--server", address, *options, self.path,
                       **more)
        result = remote.steno("model", "info", "--server", address, *options, **more)
        self.assertIn(reason, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 2 if status == USAGE else 1)
        return time.monotonic() - started

    def test_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
            self.refuse(address, f"cannot connect to {address}: connection refused")
        self.refuse(f"unix:{self.folder}/none", "there is no such socket")

    def test_no_such_host(self):
        self.refuse("no.such.host.invalid:50051", "cannot connect to no.such.host.invalid:50051: ")

    def test_one_that_says_nothing(self):
        """It accepts and is silent: after --connect-timeout that is enough."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            took = self.refuse(f"127.0.0.1:{silent.getsockname()[1]}", "no answer in time", SERVER,
                               "--connect-timeout", 1)
            self.assertGreater(took, 1)

    def test_one_that_hangs_up(self):
        with socket.socket() as rude:
            rude.bind(("127.0.0.1", 0))
            rude.listen()

            def hang_up():
                while True:
                    try:
                        rude.accept()[0].close()
                    except OSError:
                        return

            thread = threading.Thread(target=hang_up)
            thread.start()
            self.refuse(f"127.0.0.1:{rude.getsockname()[1]}", "cannot connect to", SERVER,
                        "--connect-timeout", 2)
            rude.shutdown(socket.SHUT_RDWR)
            thread.join()

    def test_a_web_server(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        server.RequestHandlerClass.log_message = lambda *_: None
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            self.refuse(f"127.0.0.1:{server.server_port}", "cannot connect to", SERVER,
                        "--connect-timeout", 2)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_a_grpc_server_of_another_kind(self):
        server = grpc.server(futures.ThreadPoolExecutor(2))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            self.refuse(f"127.0.0.1:{port}", "is no Steno server")
        finally:
            server.stop(0).wait()

    def test_interrupted_while_connecting(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            process = subprocess.Popen(
                [STENO, "transcribe", "--server", f"127.0.0.1:{silent.getsockname()[1]}",
                 "--connect-timeout", "600", self.path])
            with silent.accept()[0]:
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(running.PATIENCE), -signal.SIGINT)

    def test_files_of_certificates_and_tokens(self):
        self.fail_with(INPUT, "/nowhere.pem: No such file", "transcribe", "--server",
                       "tls:127.0.0.1:1", "--ca", "/nowhere.pem", self.path)
        self.fail_with(INPUT, "/nowhere", "transcribe", "--server", "127.0.0.1:1", "--token-file",
                       "/nowhere", self.path)
        self.fail_with(USAGE, 'begin with "tls:"', "transcribe", "--server", "127.0.0.1:1", "--ca",
                       "/nowhere.pem", self.path)
        self.fail_with(USAGE, "go together", "transcribe", "--server", "tls:127.0.0.1:1", "--cert",
                       self.path, self.path)
        self.fail_with(USAGE, "for all to read; use tls:", "transcribe", "--server",
                       "example.com:50051", self.path, environment={"STENO_TOKEN": "secret"})


class Tokens(remote.RemoteTest):
    def test_a_token_comes_with_each_call(self):
        seen = []

        def answer(_, context):
            seen.append(dict(context.invocation_metadata()).get("authorization"))
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "not you")

        handler = grpc.method_handlers_generic_handler(
            "steno.v1.Speech", {"GetModel": grpc.unary_unary_rpc_method_handler(answer)})
        server = grpc.server(futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(0).wait())
        where = ["model", "info", "--server", f"127.0.0.1:{port}"]
        token = self.folder / "token"
        token.write_text("from-a-file\n")
        self.fail_with(SERVER, "does not let us in: not you", *where)
        self.fail_with(SERVER, "not you", *where, environment={"STENO_TOKEN": "from-outside"})
        self.fail_with(SERVER, "not you", *where, "--token-file", token,
                       environment={"STENO_TOKEN": "from-outside"})
        self.assertEqual(seen, [None, "Bearer from-outside", "Bearer from-a-file"])
        token.write_text("two words")
        self.fail_with(USAGE, "characters that no token has", *where, "--token-file", token)


    def test_tokens_of_the_daemon(self):
        tokens, mine = self.folder / "tokens", self.folder / "mine"
        mine.write_text(self.succeed("token", "create", tokens, "alice"))
        self.serve("--tokens", tokens)
        path = self.write_noise("talk.wav", 3)
        self.assertEqual(self.there("--token-file", mine, path), self.here(path))
        self.fail_with(SERVER, "does not let us in: a token is needed", "transcribe", "--server",
                       self.address, path)
        self.fail_with(SERVER, "does not let us in: ", "transcribe", "--server", self.address, path,
                       environment={"STENO_TOKEN": "guessed"})


@unittest.skipIf(certificates.UNABLE, certificates.UNABLE)
class Tls(remote.RemoteTest):
    def setUp(self):
        super().setUp()
        self.path = self.write_noise("talk.wav", 3)
        self.authority = certificates.Authority(self.folder)
        certificate, key = self.authority.issue("server")
        program = self.serve("--listen", "tls:127.0.0.1:0", "--tls-cert", certificate, "--tls-key",
                             key)
        self.port = program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]

    def test_the_right_authority(self):
        hosts = ["127.0.0.1"]
        with contextlib.suppress(OSError):  # a bare machine may have no /etc/hosts
            socket.gethostbyname("localhost")
            hosts.append("localhost")
        for host in hosts:
            self.assertEqual(
                self.succeed("transcribe", "--server", f"tls:{host}:{self.port}", "--ca",
                             self.authority.certificate, self.path),
                self.here(self.path))

    def test_authorities_that_do_not_know_it(self):
        other = self.folder / "other"
        other.mkdir()
        where = ["transcribe", "--server", f"tls:127.0.0.1:{self.port}", self.path]
        reason = "not signed by an authority that is trusted"
        self.fail_with(SERVER, reason, *where)
        self.fail_with(SERVER, reason, *where, "--ca", certificates.Authority(other).certificate)

    def test_our_own_certificate(self):
        certificate, key = self.authority.issue("server-of-friends")
        program = self.serve("--listen", "tls:127.0.0.1:0", "--tls-cert", certificate, "--tls-key",
                             key, "--tls-client-ca", self.authority.certificate)
        where = ["transcribe", "--server", "tls:127.0.0.1:"
                 + program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1],
                 "--ca", self.authority.certificate, "--connect-timeout", 60, self.path]
        friend, secret = self.authority.issue("friend", "DNS:friend")
        self.assertEqual(self.succeed(*where, "--cert", friend, "--key", secret),
                         self.here(self.path))
        self.fail_with(SERVER, "cannot connect to tls:127.0.0.1", *where)

    def test_another_name(self):
        self.fail_with(SERVER, "cannot connect to", "transcribe", "--server",
                       f"tls:127.0.0.1:{self.port}", "--ca", self.authority.certificate,
                       "--server-name", "example.com", self.path)

    def test_tls_where_there_is_none_and_none_where_there_is(self):
        self.fail_with(SERVER, "it does not speak TLS", "transcribe", "--server",
                       f"tls:{self.address}", "--ca", self.authority.certificate, self.path)
        self.fail_with(SERVER, "cannot connect to", "transcribe", "--server",
                       f"127.0.0.1:{self.port}", "--connect-timeout", 2, self.path)

    def test_no_pem(self):
        result = remote.steno("transcribe", "--server", f"tls:127.0.0.1:{self.port}", "--ca",
                              self.path, self.path)
        self.assertIn(result.returncode, (USAGE, SERVER))
        self.assertIn("steno: ", result.stderr)


class Leaving(remote.RemoteTest):
    def test_full(self):
        """One place, and somebody has it: waits a while, then says so; and takes it once it is free."""
        self.serve("--max-streams", 1)
        path = self.write_noise("talk.wav", 2)
        feed, call = self.hold_a_stream()
        result = self.fail_with(SERVER, f"{self.address} is full: the server's limit of 1 streams",
                                "transcribe", "--server", self.address, "--connect-timeout", 10, path)
        self.assertEqual(result.stdout, "")
        waiting = subprocess.Popen(
            [STENO, "transcribe", "--server", self.address, "--connect-timeout", "60", path],
            stdout=subprocess.PIPE)
        time.sleep(0.5)
        self.assertIsNone(waiting.poll())
        feed.close()
        list(call)
        said, _ = waiting.communicate(timeout=2 * running.PATIENCE)
        self.assertEqual((waiting.returncode, said.decode()), (0, self.here(path)))

    def test_more_files_than_places(self):
        self.serve("--max-streams", 1)
        paths = [self.write_noise(f"{i}.wav", 2, seed=i) for i in range(4)]
        self.assertEqual(self.there("--jobs", 4, "--connect-timeout", 100, *paths),
                         self.here(*paths))

    def test_killed_in_the_middle(self):
        program = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                              "127.0.0.1:0", "--chunk", 640, "--threads", 1])
        self.address = "127.0.0.1:" + program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]
        live = remote.Live(self, "--server", self.address)
        live.say_until(lambda: live.lines, speaking.noise(60))
        program.tell(signal.SIGKILL)
        program.finish()
        status, complaints = live.finish()
        self.assertEqual(status, SERVER)
        self.assertRegex(complaints, rf"^steno: standard input: the connection to {self.address} "
                                     r"was lost: .*\n$")
        said = "".join(live.lines)
        self.assertTrue(self.here("--raw", "-", data=live.said.tobytes()).startswith(said))

    def test_an_unfinished_file_is_not_written(self):
        program = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                              "127.0.0.1:0", "--threads", 1])
        self.address = "127.0.0.1:" + program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]
        out = self.folder / "out.json"
        live = remote.Live(self, "--server", self.address, "--format", "json", "--output", out)
        live.say(speaking.noise(10))
        program.tell(signal.SIGKILL)
        program.finish()
        self.assertEqual(live.finish()[0], SERVER)
        self.assertFalse(out.exists())
        self.assertEqual([path for path in self.folder.iterdir() if "out" in path.name], [])

    def test_a_server_that_hangs_does_not_keep_us(self):
        """Stopped as it is, it answers nothing: an interrupt ends the wait for it."""
        program = self.serve()
        live = remote.Live(self, "--server", self.address)
        live.say_until(lambda: live.lines, speaking.noise(60))
        program.tell(signal.SIGSTOP)
        self.addCleanup(program.tell, signal.SIGCONT)
        live.process.send_signal(signal.SIGINT)
        status, complaints = live.finish()
        program.tell(signal.SIGCONT)
        self.assertEqual(status, -signal.SIGINT)
        self.assertIn("does not come to an end", complaints)

    def test_a_server_that_drains(self):
        """It lets the stream end, and takes no other."""
        program = self.serve("--drain-seconds", 4 * running.PATIENCE)
        live = remote.Live(self, "--server", self.address)
        live.say_until(lambda: live.lines, speaking.noise(60))
        program.tell()
        self.assertEqual(live.finish(), (0, ""))
        self.assertEqual("".join(live.lines), self.here("--raw", "-", data=live.said.tobytes()))
        program.finish()


class Several(remote.RemoteTest):
    def start_server(self, model, *options):
        program = self.start([speaking.STENOD, "--model", model, "--listen", "127.0.0.1:0",
                              "--threads", 1, *options])
        return program, "127.0.0.1:" + program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]

    def decode(self, name, pause_s):
        """A recording as 16-bit samples, and a pause."""
        if shutil.which("sox") is None:
            self.skipTest("sox is not installed")
        raw = subprocess.run(["sox", str(speaking.SPEECH / name), "-t", "raw", "-r", "16000", "-c",
                              "1", "-e", "signed", "-b", "16", "-"], check=True,
                             capture_output=True).stdout
        return speaking.array.array("h", raw + bytes(2 * 16000 * pause_s))

    def test_one_of_them_is_not_there(self):
        _, there = self.start_server(speaking.MODEL)
        paths = [self.write_noise(f"{i}.wav", 3, seed=i) for i in range(3)]
        for servers in (["127.0.0.1:1", there], [there, "127.0.0.1:1"]):
            where = [word for one in servers for word in ("--server", one)]
            self.assertEqual(self.succeed("transcribe", *where, *paths), self.here(*paths))
        result = self.fail_with(SERVER, "cannot connect to 127.0.0.1:2", "transcribe",
                                "--server", "127.0.0.1:1", "--server", "127.0.0.1:2", paths[0])
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_one_of_them_is_full(self):
        _, one = self.start_server(speaking.MODEL, "--max-streams", 1)
        _, other = self.start_server(speaking.MODEL, "--max-streams", 1)
        paths = [self.write_noise(f"{i}.wav", 3, seed=i) for i in range(2)]
        held = remote.Live(self, "--server", one)
        held.say_until(lambda: held.lines, speaking.noise(60))
        self.assertEqual(
            self.succeed("transcribe", "--jobs", 1, "--server", one, "--server", other, *paths),
            self.here(*paths))
        held.finish()

    @unittest.skipUnless(SHIPPED.exists(), f"{SHIPPED} is not there")
    def test_another_goes_on_where_one_dies(self):
        """The demo recording four times with pauses: the server that has it dies after the first
        finals.  Those stay, and the rest is heard by the other, nothing twice."""
        content = self.decode("demo.flac", 2) * 4
        (one, first), (_, second) = self.start_server(SHIPPED), self.start_server(SHIPPED)
        live = remote.Live(self, "--server", first, "--server", second, "--format", "tsv")
        live.say_until(lambda: len(live.lines) > 20, content)
        one.tell(signal.SIGKILL)
        one.finish()
        before = list(live.lines)
        live.say(content[len(live.said):])
        status, complaints = live.finish()
        self.assertEqual((status, complaints), (0, ""))
        self.assertEqual(live.lines[: len(before)], before)
        rows = [line.split("\t") for line in live.lines[1:]]
        starts = [int(row[0]) for row in rows]
        self.assertEqual(starts, sorted(starts))
        self.assertLess(abs(int(rows[-1][1]) / 1000 - len(content) / 16000), 4)
        alone = self.here("--raw", "--format", "tsv", "-", data=content.tobytes(), model=SHIPPED)
        expected = [int(line.split("\t")[0]) for line in alone.splitlines()[1:]]
        # A new server hears what it gets without what came before, so words may differ, but not how
        # much is said each time.
        time_ms = len(content) / 16 / 4
        for index in range(4):
            counts = [sum(index * time_ms <= start < (index + 1) * time_ms for start in one)
                      for one in (starts, expected)]
            self.assertLess(abs(counts[0] - counts[1]), counts[1] * 0.4, (index, rows))
        self.assertEqual(len(set(starts)), len(starts))

    @unittest.skipUnless(SHIPPED.exists(), f"{SHIPPED} is not there")
    def test_a_long_file_whose_server_is_killed(self):
        """What was final before is as it would have been; the rest is what the audio from there on
        is by itself, at its times: nothing twice and nothing left out."""
        content = self.decode("demo.flac", 2) * 6
        path = self.folder / "long.wav"
        path.write_bytes(speaking.wav_bytes(content))
        options = ["transcribe", "--format", "tsv"]

        def rows_of(text, later_ms=0):
            found = [line.split("\t") for line in text.splitlines()[1:]]
            return [[int(row[0]) + later_ms, int(row[1]) + later_ms, *row[2:]] for row in found]

        (one, first), (other, second) = (
            self.start_server(SHIPPED, "--log-transcripts", "--log-format", "json")
            for _ in range(2))
        process = subprocess.Popen(
            [STENO, *options, "--server", first, "--server", second, str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, LC_ALL="C"))
        self.addCleanup(lambda: (process.kill(), process.stdout.close(), process.stderr.close()))
        said = "".join(process.stdout.readline() for _ in range(5))
        one.tell(signal.SIGKILL)
        one.finish()
        said += process.stdout.read()
        self.assertEqual((process.wait(running.PATIENCE), process.stderr.read()), (0, ""))
        other.tell()
        self.assertEqual(other.finish(), 0)
        rows = rows_of(said)
        # Which words are the second server's, and where it began, its log tells.
        heard = [entry for entry in map(json.loads, filter(None, other.lines))
                 if entry["message"] == "transcript"]
        count = len(" ".join(entry["text"] for entry in heard).split())
        before, after = rows[:-count], rows[-count:]
        self.assertGreaterEqual(len(before), 4)
        begin_ms = after[0][0] - int(heard[0]["begin_ms"])
        self.assertEqual(before, rows_of(self.here(*options[1:], path, model=SHIPPED))[: len(before)])
        path.write_bytes(speaking.wav_bytes(content[begin_ms * 16 :]))
        self.assertEqual(after, rows_of(self.here(*options[1:], path, model=SHIPPED), begin_ms))

    @unittest.skipUnless(SHIPPED.exists(), f"{SHIPPED} is not there")
    def test_channels_apart_go_on_each_from_its_own_place(self):
        """Two voices whose pauses do not meet: what one has said finally is not heard again because
        the other has not."""
        one, other = self.decode("demo.flac", 1) * 3, self.decode("777-126732-0053.flac", 2) * 4
        length = min(len(one), len(other))
        content = speaking.interleave(one[:length], other[:length])
        (first, address), (_, second) = self.start_server(SHIPPED), self.start_server(SHIPPED)
        live = remote.Live(self, "--server", address, "--server", second, "--channels", 2,
                           "--per-channel", "--format", "tsv")
        # More than the server can hold back: when it is taken, it has heard most of the first half.
        live.say(content[: len(content) // 2])
        live.say(content[len(content) // 2 : len(content) * 5 // 8])
        first.tell(signal.SIGKILL)
        first.finish()
        live.say(content[len(live.said):])
        self.assertEqual(live.finish(), (0, ""))
        alone = self.here("--channels", 2, "--per-channel", "--format", "tsv", "-",
                          data=content.tobytes(), model=SHIPPED)

        def starts(text, channel):
            rows = [line.split("\t") for line in text.splitlines()[1:]]
            return [int(row[0]) for row in rows if row[2] == str(channel)]

        for channel in (1, 2):
            found, expected = starts("".join(live.lines), channel), starts(alone, channel)
            self.assertEqual(len(set(found)), len(found))
            self.assertLess(abs(len(found) - len(expected)), len(expected) * 0.3,
                            (channel, live.lines))


if __name__ == "__main__":
    unittest.main()
