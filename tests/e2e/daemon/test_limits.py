"""Limits: connections too many, strangers that know no manners, headers without end.  A stream that
is under way all the while ends with the words it would have had alone, and memory stays bounded."""

import contextlib
import os
import queue
import random
import resource
import shutil
import ssl
import subprocess
import time
import unittest

import grpc

import running
import speaking
import strangers
from running import eventually
from speaking import GOOGLE, google, noise, texts, transcribe, wav_bytes
from strangers import Stranger, frame

HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
# A sanitizer keeps what was freed, and is slow.
MEASURES_MEMORY = os.environ["STENO_SANITIZED"] == "none"
# Until a connection must have begun to speak.
HANDSHAKE_S = 3 if MEASURES_MEMORY else 20


class LimitsTest(speaking.SpeechTest):
    def serve(self, *options, **more):
        program = super().serve("--listen", f"unix:{self.folder}/socket",
                                "--handshake-seconds", HANDSHAKE_S, *options, **more)
        program.wait_for("^stenod: model")
        # Over the Unix socket, which strangers here don't reach.
        self.neighbour = self.channel(f"unix:{self.folder}/socket")
        return program

    @contextlib.contextmanager
    def neighbour_unharmed(self, program, growth_mib=64):
        """A stream begins before and ends after, with the right words; what the daemon holds more
        than before is bounded."""
        samples = noise(6)
        path = self.folder / "noise.wav"
        path.write_bytes(wav_bytes(samples))
        expected = texts(transcribe(path))
        self.assertTrue(expected)
        requests = list(self.google_requests(samples.tobytes()))
        feed, half = running.Feed(), len(requests) // 2
        self.addCleanup(feed.close)
        answers = self.neighbour.stream_stream(
            GOOGLE + "StreamingRecognize", google.StreamingRecognizeRequest.SerializeToString,
            google.StreamingRecognizeResponse.FromString)(iter(feed), timeout=5 * running.PATIENCE)
        for request in requests[:half]:
            feed.put(request)
        self.check(self.neighbour)
        before = strangers.resident_kib(program.process.pid)
        yield
        if MEASURES_MEMORY:
            self.assertLess(strangers.resident_kib(program.process.pid) - before,
                            growth_mib << 10)
        for request in requests[half:]:
            feed.put(request)
        feed.close()
        self.assertEqual(self.finals(list(answers)), expected)

    def check(self, channel):
        self.assertEqual(running.unary(channel, HEALTH), SERVING)

    def serves_new_clients(self):
        with grpc.insecure_channel(
                self.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                return running.unary(channel, HEALTH) == SERVING
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                return False


class Connections(LimitsTest):
    def polite(self, count):
        """Connections that have greeted; [(stranger, whether it was let in)]."""
        all_of_them = [Stranger(self.address) for _ in range(count)]
        for one in all_of_them:
            self.addCleanup(one.close)
        return [(one, one.wait_for(strangers.SETTINGS) is not None) for one in all_of_them]

    def test_too_many(self):
        program = self.serve("--max-connections", 50)
        with self.neighbour_unharmed(program):
            found = self.polite(300)
            taken = [one for one, let_in in found if let_in]
            # One more is the neighbour's.
            self.assertEqual(len(taken), 49)
            self.assertTrue(all(let_in for _, let_in in found[:49]), "the first ones are in")
            self.assertFalse(self.serves_new_clients())
            for one in taken[:10]:
                one.close()
            self.assertTrue(eventually(self.serves_new_clients))
            for one in taken:
                one.close()
        self.assertTrue(eventually(self.twenty_are_let_in))

    def twenty_are_let_in(self):
        found = self.polite(20)
        for one, _ in found:
            one.close()
        return all(let_in for _, let_in in found)

    def test_many_idle(self):
        program = self.serve("--max-connections", 600)
        with self.neighbour_unharmed(program):
            found = self.polite(500)
            self.assertTrue(all(let_in for _, let_in in found))
            self.assertTrue(eventually(self.serves_new_clients))

    def test_no_files_left(self):
        """What would end gRPC's listening for good, were it told."""
        program = self.serve()
        with self.neighbour_unharmed(program):
            open_now = len(os.listdir(f"/proc/{program.process.pid}/fd"))
            _, hard = resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (open_now + 20, hard))
            found = self.polite(100)
            taken = [one for one, let_in in found if let_in]
            self.assertIn(len(taken), range(1, 21))
            for one in taken:
                one.close()
            self.assertTrue(eventually(self.serves_new_clients))

    def test_more_than_files_allow(self):
        program = self.start(["sh", "-c", 'ulimit -n 300; exec "$@"', "sh", speaking.STENOD,
                              "--model", speaking.MODEL, "--listen", "127.0.0.1:0",
                              "--max-connections", 500])
        self.assertEqual(program.finish(), 1)
        self.assertIn("500 connections need 628 open files, and this process may have 300",
                      program.text())
        # Without a number it takes as many as it may have.
        program = self.start(["sh", "-c", 'ulimit -n 300; exec "$@"', "sh", speaking.STENOD,
                              "--model", speaking.MODEL, "--listen", "127.0.0.1:0"])
        self.address = "127.0.0.1:" + program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]
        self.assertEqual(len([1 for _, let_in in self.polite(250) if let_in]), 172)

    def test_idle_ones_go(self):
        # A call that arrives just when the time is over fails, so none may come near that.
        idle_s = 3 if MEASURES_MEMORY else 5
        self.serve("--idle-seconds", idle_s)
        with Stranger(self.address) as idle:
            self.assertIsNotNone(idle.wait_for(strangers.GOAWAY))
            idle.close()
        # Clients don't notice.
        states = queue.Queue()
        self.connection.subscribe(states.put)
        self.addCleanup(self.connection.unsubscribe, states.put)
        for _ in range(3):
            self.check(self.connection)
            for awaited in (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE):
                while states.get(timeout=running.PATIENCE) is not awaited:
                    pass
        # A call keeps its connection, however little happens.
        feed = running.Feed()
        self.addCleanup(feed.close)
        answers = self.stream(GOOGLE + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        requests = list(self.google_requests(noise(6).tobytes()))
        feed.put(requests[0])
        time.sleep(3 * idle_s)
        for request in requests[1:]:
            feed.put(request)
        feed.close()
        self.assertTrue(self.finals(list(answers)))

    def test_calls_of_one(self):
        self.serve("--max-calls-per-connection", 1)
        with Stranger(self.address) as stranger:
            told = strangers.settings_of(stranger.wait_for(strangers.SETTINGS)[3])
        self.assertEqual(told[strangers.MAX_CONCURRENT_STREAMS], 1)
        feed = running.Feed()
        answers = self.stream(GOOGLE + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        requests = list(self.google_requests(noise(6).tobytes(), interim_results=True))
        for request in requests:
            feed.put(request)
        next(answers)
        waiting = self.connection.unary_unary(HEALTH).future(b"", timeout=running.PATIENCE)
        time.sleep(0.3)
        self.assertFalse(waiting.done())
        feed.close()
        self.assertTrue(self.finals(list(answers)))
        self.assertEqual(waiting.result(), SERVING)


class Strangers(LimitsTest):
    def test_that_say_nothing_or_half(self):
        """They are closed when their time to begin is over."""
        program = self.serve()
        with self.neighbour_unharmed(program):
            all_of_them = [Stranger(self.address, speaks=False) for _ in range(100)]
            for number, one in enumerate(all_of_them):
                one.send(strangers.PREFACE[: number % len(strangers.PREFACE)])
            longest = max(one.wait_for_close() for one in all_of_them)
            self.assertLess(longest, HANDSHAKE_S + running.PATIENCE)
            for one in all_of_them:
                one.close()
        self.assertTrue(eventually(self.serves_new_clients))

    def test_that_speak_otherwise(self):
        generator = random.Random(7)
        program = self.serve()
        with self.neighbour_unharmed(program):
            for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"POST /grpc.health.v1.Health/Check HTTP/1.1\r\n" + b"a" * 100000,
                         b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + generator.randbytes(400),
                         generator.randbytes(1 << 20),
                         strangers.PREFACE + frame(strangers.SETTINGS) + generator.randbytes(65536),
                         strangers.PREFACE + frame(strangers.SETTINGS, payload=b"odd"),
                         strangers.PREFACE + frame(strangers.DATA, stream=1, payload=b"x" * 16000),
                         strangers.PREFACE + b"\xff\xff\xff" + bytes(6)):
                with Stranger(self.address, speaks=False) as one:
                    one.send(data)
                    self.assertLess(one.wait_for_close(), HANDSHAKE_S + running.PATIENCE)
            # Fifty of each kind at once, who leave while they talk.
            for _ in range(50):
                with Stranger(self.address) as one:
                    one.send(generator.randbytes(generator.randrange(20000)))
        self.assertTrue(eventually(self.serves_new_clients))

    def test_that_never_stop_asking(self):
        program = self.serve()
        with self.neighbour_unharmed(program, growth_mib=128):
            for ask in (frame(strangers.PING, payload=b"12345678"), frame(strangers.SETTINGS)):
                with Stranger(self.address) as one:
                    for _ in range(2000):
                        if not one.send(ask * 100):
                            break
                    if ask[3] == strangers.PING:
                        self.assertLess(one.wait_for_close(), running.PATIENCE)

    def test_that_begin_calls_and_drop_them(self):
        """A flood of calls that are reset as soon as they are begun."""
        program = self.serve()
        with self.neighbour_unharmed(program):
            for _ in range(4):
                with Stranger(self.address) as one:
                    for number in range(5000):
                        stream = 2 * number + 1
                        if not one.send(frame(strangers.HEADERS, strangers.END_HEADERS, stream,
                                              strangers.request_headers()) +
                                        frame(strangers.RESET, 0, stream, b"\0\0\0\x08")):
                            break
            self.assertTrue(eventually(self.serves_new_clients))

    def test_that_send_headers_without_end(self):
        """The core keeps them while they go on: these are thrown out."""
        program = self.serve()
        more = strangers.literal(b"x-more", b"v" * 120) * 100
        with self.neighbour_unharmed(program, growth_mib=600):
            for _ in range(3):
                with Stranger(self.address) as one:
                    one.send(frame(strangers.HEADERS, 0, 1, strangers.request_headers()))
                    while one.send(frame(strangers.CONTINUATION, 0, 1, more)):
                        pass
            # Several at once, none of them for long.  A sanitizer takes minutes to free much.
            several = [Stranger(self.address) for _ in range(20 if MEASURES_MEMORY else 2)]
            for one in several:
                self.addCleanup(one.close)
                one.send(frame(strangers.HEADERS, 0, 1, strangers.request_headers()))
            end = time.monotonic() + running.PATIENCE
            while all([one.send(frame(strangers.CONTINUATION, 0, 1, more)) for one in several]):
                self.assertLess(time.monotonic(), end)
            # Too much for one call, by a client that has manners otherwise.
            channel = self.channel(self.address, [("grpc.use_local_subchannel_pool", 1)])
            self.assert_status(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "metadata size",
                lambda: running.unary(channel, HEALTH, metadata=[("x-large", "v" * 20000)]))
            self.assertTrue(eventually(self.serves_new_clients))

    def test_slow_ones_are_none(self):
        """Whole recordings that come for a while are not taken for floods, streams neither."""
        program = self.serve("--max-streams", 20)
        samples = noise(10)
        path = self.folder / "slow.wav"
        path.write_bytes(wav_bytes(samples))
        expected = texts(transcribe(path))
        # 30 MiB in one message: silence without end, after the words.
        content = samples.tobytes() + bytes(30 << 20)
        request = google.RecognizeRequest(config=self.config())
        request.audio.content = content
        with self.neighbour_unharmed(program, growth_mib=512):
            with Stranger(self.address) as one:
                one.send(frame(strangers.HEADERS, strangers.END_HEADERS, 1,
                               strangers.request_headers(
                                   b"/google.cloud.speech.v1.Speech/Recognize")))
                time.sleep(3)
                self.assertTrue(one.send(frame(strangers.PING, payload=b"12345678")))
                self.assertIsNotNone(one.wait_for(strangers.PING))
            calls = [self.channel(self.address, [("grpc.use_local_subchannel_pool", 1),
                                                 ("grpc.max_send_message_length", -1)])
                     .unary_unary(GOOGLE + "Recognize",
                                  google.RecognizeRequest.SerializeToString,
                                  google.RecognizeResponse.FromString)
                     .future(request, timeout=10 * running.PATIENCE) for _ in range(2)]
            for call in calls:
                found = [r.alternatives[0].transcript for r in call.result().results]
                self.assertEqual(found[:len(expected) - 1], expected[:-1])

    def test_that_begin_large_messages(self):
        """Of messages that never end little is kept: flow control stops them."""
        program = self.serve()
        head = b"\0" + (30 << 20).to_bytes(4, "big")
        with self.neighbour_unharmed(program, growth_mib=200):
            all_of_them = []
            for _ in range(16):
                one = Stranger(self.address)
                self.addCleanup(one.close)
                all_of_them.append(one)
                # A server that reads no more, or is slow, is waited for no longer.
                one.socket.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    for stream in range(1, 40, 2):
                        one.send(frame(strangers.HEADERS, strangers.END_HEADERS, stream,
                                       strangers.request_headers(
                                           b"/google.cloud.speech.v1.Speech/Recognize")) +
                                 frame(strangers.DATA, 0, stream, head + bytes(16000)))
                    for number in range(1000):
                        one.send(frame(strangers.DATA, 0, 2 * (number % 20) + 1, bytes(16000)))


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
class TlsStrangers(LimitsTest):
    def setUp(self):
        super().setUp()
        key, certificate = self.folder / "key", self.folder / "certificate"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True)
        self.program = self.serve("--listen", "tls:127.0.0.1:0", "--tls-cert", certificate,
                                  "--tls-key", key)
        port = self.program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]
        self.address = f"127.0.0.1:{port}"
        self.certificate = certificate.read_bytes()

    def hello(self):
        """The first bytes that a client of TLS sends."""
        outgoing = ssl.MemoryBIO()
        context = ssl.create_default_context()
        tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        return outgoing.read()

    def test_half_a_handshake(self):
        hello = self.hello()
        with self.neighbour_unharmed(self.program):
            all_of_them = []
            for size in (0, 1, 5, 50, len(hello) - 1, len(hello)) * 20:
                one = Stranger(self.address, speaks=False)
                one.send(hello[:size])
                all_of_them.append(one)
            for one in all_of_them:
                self.assertLess(one.wait_for_close(), HANDSHAKE_S + running.PATIENCE)
                one.close()
        credentials = grpc.ssl_channel_credentials(self.certificate)
        with grpc.secure_channel(self.address, credentials) as channel:
            self.check(channel)

    def test_no_handshake(self):
        with self.neighbour_unharmed(self.program):
            for data in (strangers.PREFACE + frame(strangers.SETTINGS), b"GET / HTTP/1.1\r\n\r\n",
                         os.urandom(100000), self.hello() + os.urandom(100000)):
                with Stranger(self.address, speaks=False) as one:
                    one.send(data)
                    self.assertLess(one.wait_for_close(), HANDSHAKE_S + running.PATIENCE)


if __name__ == "__main__":
    unittest.main()
