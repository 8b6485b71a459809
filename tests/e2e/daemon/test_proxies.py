"""Two daemons behind a proxy, under load, upgraded one after the other: no stream is lost, and no
final is lost or said twice.  The proxies are nginx and HAProxy with the settings that come with the
daemon (daemon/deploy), but for addresses and files; each is skipped where it is not installed."""

import os
import shutil
import socket
import threading
import time
import unittest
import urllib.request

import grpc

import certificates
import running
import speaking
from running import PATIENCE
from speaking import GOOGLE, MODEL, STENOD, Recording, google, pieces

DEPLOY = running.SOURCE / "daemon" / "deploy"
SPEAKERS = 6
SECONDS = 3
NOTICE = 10


def find_program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Member:
    """One of the daemons, whose addresses stay when another takes its place."""

    def __init__(self, test):
        self.test = test
        self.port, self.http = free_ports(2)
        self.program = None
        self.start()

    def start(self):
        self.program = self.test.start(
            [STENOD, "--model", MODEL, "--chunk", speaking.CHUNK_MS, "--threads", 1, "--listen",
             f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}", "--notice-seconds",
             NOTICE, "--drain-seconds", 600])
        self.program.wait_for("metrics on")

    def streams(self):
        """How many it has taken since it began."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics",
                                    timeout=PATIENCE) as answer:
            return next(int(line.split()[1]) for line in answer.read().decode().splitlines()
                        if line.startswith("steno_streams_total "))

    def end(self):
        self.test.assertEqual(self.program.finish(), 0, self.program.text())
        self.test.assertNotIn("call refused", self.program.text())


class Speaker:
    """Says its recording again and again over one connection to the proxy, about as fast as it was
    spoken, until told that it is enough; `wrong` is what went wrong."""

    def __init__(self, channel, recording):
        self.stream = channel.stream_stream(
            GOOGLE + "StreamingRecognize", google.StreamingRecognizeRequest.SerializeToString,
            google.StreamingRecognizeResponse.FromString)
        self.recording = recording
        self.wrong = []
        self.count = 0
        self.is_enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def requests(self):
        yield google.StreamingRecognizeRequest(
            streaming_config=google.StreamingRecognitionConfig(
                config=google.RecognitionConfig(encoding=speaking.LINEAR16,
                                                sample_rate_hertz=16000),
                interim_results=True))
        for piece in pieces(self.recording.content, 9600):
            yield google.StreamingRecognizeRequest(audio_content=piece)
            time.sleep(0.1)

    def _run(self):
        while not self.is_enough.is_set() and not self.wrong:
            try:
                answers = list(self.stream(self.requests(), timeout=20 * PATIENCE))
            except grpc.RpcError as error:
                self.wrong.append((self.count, error.code(), error.details()))
                return
            said = [result.alternatives[0].transcript for answer in answers
                    for result in answer.results if result.is_final]
            if said != self.recording.texts:
                self.wrong.append((self.count, said, self.recording.texts))
            self.count += 1

    def finish(self):
        self.is_enough.set()
        self._thread.join()
        return self.wrong


@unittest.skipIf(certificates.UNABLE, certificates.UNABLE)
@unittest.skipUnless(os.environ.get("HAS_HTTP") == "1", "built without libmicrohttpd")
class ProxyTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        if find_program(self.PROGRAM) is None:
            self.skipTest(f"{self.PROGRAM} is not installed")
        self.authority = certificates.Authority(self.folder)
        self.certificate, self.key = self.authority.issue("proxy")
        self.members = [Member(self), Member(self)]
        (self.port,) = free_ports(1)
        self.settings = (DEPLOY / self.FILE).read_text()
        self.replace(":50050" if ":50050" in self.settings else "50050", f"127.0.0.1:{self.port}")
        for number, member in zip((11, 12), self.members):
            self.replace(f"192.0.2.{number}:50051", f"127.0.0.1:{member.port}")

    def replace(self, old, new):
        self.assertIn(old, self.settings)
        self.settings = self.settings.replace(old, new)

    def connect(self):
        """A connection of its own."""
        credentials = grpc.ssl_channel_credentials(self.authority.certificate.read_bytes())
        channel = grpc.secure_channel(f"127.0.0.1:{self.port}", credentials,
                                      [("grpc.use_local_subchannel_pool", 1)])
        self.addCleanup(channel.close)
        grpc.channel_ready_future(channel).result(PATIENCE)
        return channel

    def upgrade(self, leaving, staying, slow):
        """Has another daemon take the place of one, with streams under way."""
        self.take_out(leaving)
        taken = staying.streams()
        leaving.program.tell()
        leaving.program.wait_for("told to end")
        # New streams go to the other one.
        self.assertTrue(running.eventually(lambda: staying.streams() > taken + SPEAKERS))
        self.assertIsNone(leaving.program.process.poll())
        # Those that it has stay, and end there as well as ever.
        for feed, call, recording in slow:
            for piece in pieces(recording.content[9600:]):
                feed.put(google.StreamingRecognizeRequest(audio_content=piece))
            feed.close()
            self.assertEqual(self.finals(list(call)), recording.texts)
        leaving.end()
        leaving.start()
        self.put_back(leaving)
        self.assertTrue(running.eventually(lambda: leaving.streams() > SPEAKERS))

    def begin_slowly(self, channel, recording):
        """A stream that has begun and waits for more."""
        feed = running.Feed()
        call = channel.stream_stream(
            GOOGLE + "StreamingRecognize", google.StreamingRecognizeRequest.SerializeToString,
            google.StreamingRecognizeResponse.FromString)(iter(feed), timeout=20 * PATIENCE)
        feed.put(google.StreamingRecognizeRequest(
            streaming_config=google.StreamingRecognitionConfig(config=self.config())))
        feed.put(google.StreamingRecognizeRequest(audio_content=recording.content[:9600]))
        self.addCleanup(feed.close)
        return feed, call, recording

    def run_upgrades(self):
        recordings = [Recording(self.folder, seed, SECONDS) for seed in range(3)]
        speakers = [Speaker(self.connect(), recordings[i % 3]) for i in range(SPEAKERS)]
        self.addCleanup(lambda: [speaker.finish() for speaker in speakers])
        # Spread over both.
        self.assertTrue(running.eventually(lambda: all(m.streams() > 2 for m in self.members)))
        one, other = self.members
        for leaving, staying in ((one, other), (other, one)):
            before = leaving.streams()
            slow = []
            while leaving.streams() == before or len(slow) < 4:
                slow.append(self.begin_slowly(self.connect(), recordings[len(slow) % 3]))
                time.sleep(0.2)
            self.upgrade(leaving, staying, slow)
        self.assertEqual([speaker.finish() for speaker in speakers], [[]] * SPEAKERS)
        for member in self.members:
            member.program.tell()
            member.end()


class Haproxy(ProxyTest):
    PROGRAM, FILE = "haproxy", "haproxy.cfg"

    def test_upgrades(self):
        bundle = self.folder / "bundle.pem"
        bundle.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        self.replace("/etc/haproxy/stenod.pem", str(bundle))
        # A check that this machine is too busy for is not a daemon that goes.
        self.replace("inter 1s fall 1 rise 2", "inter 1s fall 3 rise 2")
        for member in self.members:
            line = f"127.0.0.1:{member.port} proto h2 port "
            self.replace(line + "9464", line + str(member.http))
        file = self.folder / "haproxy.cfg"
        file.write_text(self.settings)
        self.start([find_program(self.PROGRAM), "-db", "-f", file])
        self.run_upgrades()

    # It asks for their health itself.
    def take_out(self, member):
        pass

    def put_back(self, member):
        pass


class Nginx(ProxyTest):
    PROGRAM, FILE = "nginx", "nginx.conf"

    # What Debian's nginx.conf has around conf.d, with files in a folder of ours.
    FRAME = """daemon off;
worker_processes 2;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/conf.d/*.conf;
}}
"""

    def test_upgrades(self):
        self.replace("/etc/nginx/stenod.crt", str(self.certificate))
        self.replace("/etc/nginx/stenod.key", str(self.key))
        (self.folder / "conf.d").mkdir()
        self.place = self.folder / "conf.d" / "stenod.conf"
        self.place.write_text(self.settings)
        frame = self.folder / "nginx.conf"
        frame.write_text(self.FRAME.format(folder=self.folder))
        self.proxy = self.start([find_program(self.PROGRAM), "-p", self.folder, "-c", frame])
        self.addCleanup(lambda: self.proxy.tell() or self.proxy.finish())
        self.run_upgrades()

    def load(self, settings):
        """As the page for operators has it: the settings, then `nginx -s reload`."""
        self.place.write_text(settings)
        self.proxy.tell(running.signal.SIGHUP)

    def take_out(self, member):
        address = f"127.0.0.1:{member.port} "
        self.assertIn(address, self.settings)
        self.load(self.settings.replace(address, address + "down "))

    def put_back(self, member):
        self.load(self.settings)


if __name__ == "__main__":
    unittest.main()
