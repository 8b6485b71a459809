"""Calls on the daemon's server: reading, writing, flow control, limits, ends of every kind."""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import grpc

import running
from running import PATIENCE, eventually, unary

CALL_SERVER = os.environ["CALL_SERVER"]


class CallTest(running.ServerTest):
    def serve(self, streams=8, per_client=0, calls=200, drain_ms=10000, addresses=None):
        program = self.start([CALL_SERVER, streams, per_client, calls, drain_ms]
                             + (addresses or ["127.0.0.1:0"]))
        port = program.wait_for(r"listening on 127.0.0.1:\d+ port (\d+)")[1] if not addresses else 0
        program.address = f"127.0.0.1:{port}"
        return program

    def end(self, program):
        """Ends it; nothing may be left over."""
        program.tell()
        self.assertEqual(program.finish(), 0, program.text())
        program.wait_for("^streams 0 ")
        program.wait_for("^blocks left 0$")

    def echo(self, channel):
        """A stream under way: (feed, answers)."""
        feed = running.Feed()
        self.addCleanup(feed.close)
        answers = channel.stream_stream("/test.Calls/Echo")(iter(feed))
        feed.put(b"hello")
        self.assertEqual(next(answers), b"hello")
        return feed, answers


class Messages(CallTest):
    def test_come_back_in_order_whatever_their_size(self):
        program = self.serve()
        messages = [b"", b"a", b"b" * 1000, b"c" * (1 << 20), b""] + [b"%d" % i for i in range(300)]
        channel = self.channel(program.address, [("grpc.max_receive_message_length", -1)])
        answers = channel.stream_stream("/test.Calls/Echo")(iter(messages), timeout=PATIENCE)
        self.assertEqual(list(answers), messages)
        self.assertEqual(answers.code(), grpc.StatusCode.OK)
        self.end(program)

    def test_too_large(self):
        program = self.serve()
        channel = self.channel(program.address)
        for path in ("Echo", "Flood"):
            self.assert_status(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max",
                lambda: list(channel.stream_stream("/test.Calls/" + path)(
                    iter([b"x" * ((1 << 20) + 1)]), timeout=PATIENCE)))
        # Of others on the same connection nothing is lost.
        self.echo(channel)
        self.end(program)

    def test_missing_where_there_must_be_one(self):
        program = self.serve()
        call = self.channel(program.address).stream_unary("/test.Calls/About")
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, "message is missing",
                           lambda: call(iter([]), timeout=PATIENCE))
        self.end(program)

    def test_compressed_are_refused(self):
        # A few kilobytes that would become hundreds of megabytes.
        program = self.serve()
        channel = self.channel(program.address, [("grpc.max_send_message_length", -1)])
        self.assert_status(
            grpc.StatusCode.UNIMPLEMENTED, "gzip",
            lambda: unary(channel, "/test.Calls/About", b"\0" * (64 << 20),
                          compression=grpc.Compression.Gzip))
        self.end(program)

    def test_flood_waits_for_the_client(self):
        program = self.serve()
        channel = self.channel(program.address)
        answers = channel.unary_stream("/test.Calls/Flood")(b"100000 300", timeout=PATIENCE)
        first = next(answers)
        time.sleep(0.2)
        self.assertEqual([len(first)] + [len(answer) for answer in answers], [100000] * 300)
        # One that does not heed call_can_write is ended with what it could write.
        answers = channel.unary_stream("/test.Calls/Careless")(b"100000 300", timeout=PATIENCE)
        received = []
        self.assert_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "does not fetch",
                           lambda: received.extend(answers))
        self.assertLess(len(received), 100)
        self.end(program)


class Wakes(CallTest):
    def test_reach_the_call_from_another_thread(self):
        program = self.serve()
        channel = self.channel(program.address)
        calls = [channel.unary_unary("/test.Calls/Wake").future(b"5000", timeout=PATIENCE)
                 for _ in range(8)]
        self.assertEqual([call.result() for call in calls], [b"5000"] * 8)
        self.end(program)

    def test_end_with_the_call(self):
        program = self.serve()
        channel = self.channel(program.address)
        for _ in range(30):
            call = channel.unary_unary("/test.Calls/Wake").future(b"100000000", timeout=PATIENCE)
            time.sleep(0.01)
            call.cancel()
        self.assertIn(b"none", unary(channel, "/test.Calls/About"))
        self.end(program)

    def test_come_at_the_time_asked_for(self):
        program = self.serve()
        channel = self.channel(program.address)
        began = time.monotonic()
        calls = [channel.unary_unary("/test.Calls/Alarm").future(b"%d" % ms, timeout=PATIENCE)
                 for ms in (300, 0, 100, 200, 100, 50)]
        self.assertEqual([call.result() for call in calls], [b"rung"] * 6)
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.end(program)


class Limits(CallTest):
    def test_streams(self):
        program = self.serve(streams=2)
        channel = self.channel(program.address)
        feed, answers = self.echo(channel)
        other, _ = self.echo(channel)
        refused = lambda: list(channel.stream_stream("/test.Calls/Echo")(iter([]), timeout=PATIENCE))
        self.assert_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "limit of 2 streams", refused)
        # Other methods go on, and so do streams once there is room.
        unary(channel, "/test.Calls/About")
        feed.close()
        self.assertEqual(list(answers), [])
        self.assertEqual(refused(), [])
        other.close()
        self.end(program)
        program.wait_for("^streams 0 total 3$")

    def test_streams_of_a_client(self):
        program = self.serve(per_client=1)
        feed, _ = kept = self.echo(
            self.channel(program.address, [("grpc.use_local_subchannel_pool", 1)]))
        self.assert_status(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "limit of 1 streams at once of one client",
            lambda: list(self.channel(program.address, [("grpc.use_local_subchannel_pool", 1)])
                         .stream_stream("/test.Calls/Echo")(iter([]), timeout=PATIENCE)))
        feed.close()
        del kept
        self.end(program)

    def test_calls(self):
        program = self.serve(streams=20, calls=3)
        channel = self.channel(program.address)
        streams = [self.echo(channel) for _ in range(3)]
        self.assert_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "limit of 3 calls",
                           lambda: unary(channel, "/test.Calls/About"))
        # A flood over several connections: nobody waits, nobody is taken.
        channels = [self.channel(program.address, [("grpc.use_local_subchannel_pool", 1)])
                    for _ in range(8)]
        calls = [channels[i % 8].unary_unary("/test.Calls/About").future(b"", timeout=PATIENCE)
                 for i in range(400)]
        self.assertEqual({call.code() for call in calls}, {grpc.StatusCode.RESOURCE_EXHAUSTED})
        for feed, _ in streams:
            feed.close()
        self.end(program)

    def test_metadata(self):
        program = self.serve()
        channel = self.channel(program.address)
        answer = unary(channel, "/test.Calls/About", metadata=[("x-test", "v" * 4000)])
        self.assertEqual(answer.split(b"\n")[1], b"v" * 4000)
        # gRPC closes the sender's connection; others go on.
        feed, answers = self.echo(
            self.channel(program.address, [("grpc.use_local_subchannel_pool", 1)]))
        self.assert_status(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "metadata size exceeds limit",
            lambda: unary(channel, "/test.Calls/About", metadata=[("x-test", "v" * 12000)]))
        feed.put(b"more")
        self.assertEqual(next(answers), b"more")
        feed.close()
        self.end(program)

    def test_unknown_method(self):
        program = self.serve()
        channel = self.channel(program.address)
        for path in ("/test.Calls/None", "/nothing.Here/Echo", "/x", "/" + "y" * 3000):
            self.assert_status(grpc.StatusCode.UNIMPLEMENTED, f"no method {path[:100]}",
                               lambda: unary(channel, path))
        self.end(program)


class Ends(CallTest):
    def test_cancelled_and_timed_out(self):
        program = self.serve(streams=100, drain_ms=3600000)
        channel = self.channel(program.address)
        calls = [self.echo(channel) for _ in range(20)]
        for _, answers in calls:
            answers.cancel()
        answers = channel.stream_stream("/test.Calls/Mute")(iter(running.Feed()), timeout=0.2)
        self.assert_status(grpc.StatusCode.DEADLINE_EXCEEDED, "", lambda: next(answers))
        self.end(program)

    def test_connection_lost(self):
        program = self.serve(drain_ms=3600000)
        client = subprocess.Popen(
            [sys.executable, "-c",
             "import grpc, sys, threading\n"
             "def feed():\n"
             "    yield b'x'\n"
             "    threading.Event().wait()\n"
             "call = grpc.insecure_channel(sys.argv[1]).stream_stream('/test.Calls/Echo')(feed())\n"
             "next(call)\n"
             "print('under way', flush=True)\n"
             "next(call)\n",
             program.address], stdout=subprocess.PIPE)
        self.addCleanup(client.stdout.close)
        self.assertEqual(client.stdout.readline(), b"under way\n")
        client.kill()
        client.wait()
        # Its stream must have ended, or the drain would wait for it.
        self.end(program)

    def test_strangers_hurt_nobody(self):
        program = self.serve()
        channel = self.channel(program.address)
        feed, answers = self.echo(channel)
        host, port = program.address.split(":")
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        for data in (b"\0" * 1000, b"\xff" * 100000, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", preface,
                     preface + b"\xff" * 100, preface + b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x40\x01\x05",
                     os.urandom(4096), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with socket.create_connection((host, int(port))) as stranger:
                try:
                    stranger.sendall(data)
                    stranger.shutdown(socket.SHUT_WR)
                    stranger.settimeout(PATIENCE)
                    while stranger.recv(65536):
                        pass
                except TimeoutError:
                    raise
                except OSError:
                    pass  # thrown out before all was said
        feed.put(b"still")
        self.assertEqual(next(answers), b"still")
        feed.close()
        self.end(program)


class Shutdown(CallTest):
    def test_waits_for_streams(self):
        program = self.serve(drain_ms=3600000)
        channel = self.channel(program.address)
        feed, answers = self.echo(channel)
        program.tell()
        self.assertTrue(eventually(lambda: self.is_refused(channel)))
        feed.put(b"more")
        self.assertEqual(next(answers), b"more")
        feed.close()
        self.assertEqual(list(answers), [])
        self.assertEqual(answers.code(), grpc.StatusCode.OK)
        self.assertEqual(program.finish(), 0)
        program.wait_for("^blocks left 0$")

    def is_refused(self, channel):
        try:
            list(channel.stream_stream("/test.Calls/Echo")(iter([]), timeout=PATIENCE))
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn("shutting down", error.details())
            return True
        return False

    def test_waits_no_longer_than_told(self):
        program = self.serve(drain_ms=300)
        _, answers = self.echo(self.channel(program.address))
        program.tell()
        self.assert_status(grpc.StatusCode.UNAVAILABLE, "", lambda: next(answers))
        self.assertEqual(program.finish(), 0)
        program.wait_for("^blocks left 0$")

    def test_at_once_on_the_second_signal(self):
        program = self.serve(drain_ms=3600000)
        channel = self.channel(program.address)
        _, answers = self.echo(channel)
        program.tell()
        self.assertTrue(eventually(lambda: self.is_refused(channel)))
        program.tell()
        self.assert_status(grpc.StatusCode.UNAVAILABLE, "", lambda: next(answers))
        self.assertEqual(program.finish(), 0)
        program.wait_for("^blocks left 0$")

    def test_answers_under_way_go_out(self):
        program = self.serve(drain_ms=3600000)
        channel = self.channel(program.address)
        feed, answers = self.echo(channel)
        program.tell()
        for i in range(200):
            feed.put(b"%d" % i * 100)
        feed.close()
        self.assertEqual(list(answers), [b"%d" % i * 100 for i in range(200)])
        self.assertEqual(program.finish(), 0)


class Addresses(CallTest):
    def test_unix_socket(self):
        path = self.folder / "socket"
        program = self.serve(addresses=[f"unix:{path}"])
        program.wait_for("listening on unix:.* port 0")
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        peer, _ = unary(self.channel(f"unix:{path}"), "/test.Calls/About").split(b"\n")
        self.assertTrue(peer.startswith(b"unix:"), peer)
        second = self.start([CALL_SERVER, 1, 0, 1, 0, f"unix:{path}"])
        self.assertEqual(second.finish(), 1)
        self.assertIn(f"can't listen on unix:{path}: somebody already does", second.text())
        # The first is none the worse.
        unary(self.channel(f"unix:{path}"), "/test.Calls/About")
        self.end(program)
        self.assertFalse(path.exists())

    def test_unix_socket_of_the_dead(self):
        path = self.folder / "socket"
        program = self.serve(addresses=[f"unix:{path}"])
        program.wait_for("listening on")
        program.tell(signal.SIGKILL)
        program.finish()
        self.assertTrue(path.exists())
        program = self.serve(addresses=[f"unix:{path}"])
        program.wait_for("listening on")
        unary(self.channel(f"unix:{path}"), "/test.Calls/About")
        self.end(program)

    def test_that_can_not_be(self):
        taken = self.serve()
        file = self.folder / "file"
        file.write_text("not a socket")
        long = "/" + "x" * 200
        for address, message in (
            (taken.address, f"can't listen on {taken.address}: somebody already does"),
            (f"unix:{file}", "the file is there and is not a socket"),
            (f"unix:{self.folder}/none/socket", "No such file or directory"),
            (f"unix:{long}", "has at most 107 characters"),
            ("192.0.2.1:0", "can't listen on 192.0.2.1:0: "),
            ("no.such.host.invalid:1", "can't listen on no.such.host.invalid:1: "),
            ("nonsense", "nonsense: not an address to listen on"),
            ("tls:127.0.0.1:0", "TLS needs a certificate"),
        ):
            with self.subTest(address=address):
                program = self.start([CALL_SERVER, 1, 0, 1, 0, "127.0.0.1:0", address])
                self.assertEqual(program.finish(), 1)
                self.assertIn(message, program.text())
                self.assertIn("blocks left 0", program.text())
        self.assertEqual(file.read_text(), "not a socket")
        self.end(taken)

    def test_several(self):
        path = self.folder / "socket"
        program = self.start([CALL_SERVER, 1, 0, 9, 0, "127.0.0.1:0", f"unix:{path}", "[::1]:0"]
                             if socket.has_ipv6 and self.has_ipv6() else
                             [CALL_SERVER, 1, 0, 9, 0, "127.0.0.1:0", f"unix:{path}"])
        port = program.wait_for(r"listening on 127.0.0.1:0 port (\d+)")[1]
        for address, start in ((f"127.0.0.1:{port}", b"ipv4:127.0.0.1:"), (f"unix:{path}", b"unix:")):
            self.assertTrue(unary(self.channel(address), "/test.Calls/About").startswith(start))
        self.end(program)

    def has_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
                return True
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
