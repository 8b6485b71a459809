"""stenod itself: settings, addresses, health, reflection, TLS, its end by signals."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import unittest

import grpc

import running
from running import PATIENCE, eventually

STENOD = os.environ["STENOD"]
TINY_MODEL = os.environ["STENO_TINY_MODEL"]
STUBS = running.generate_stubs()

from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: E402
from wire.health.v1 import health_pb2  # noqa: E402
from wire.reflection.v1 import reflection_pb2  # noqa: E402
from wire.reflection.v1alpha import reflection_pb2 as reflection_alpha_pb2  # noqa: E402

Status = health_pb2.HealthCheckResponse

SERVICES = [
    "google.cloud.speech.v1.Speech",
    "google.longrunning.Operations",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "nvidia.riva.asr.RivaSpeechRecognition",
    "vosk.stt.v1.SttService",
]


def tearDownModule():
    shutil.rmtree(STUBS)


class DaemonTest(running.ServerTest):
    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("STENOD_")}
        return dict(kept, LC_ALL="C", XDG_RUNTIME_DIR=str(self.folder), **more)

    def stenod(self, *arguments, **environment):
        return self.start([STENOD, "--model", TINY_MODEL, "--threads", "1", *arguments],
                          self.environment(**environment))

    def serve(self, *arguments, **environment):
        """One on a free port: .address, .grpc (a channel)."""
        program = self.stenod("--listen", "127.0.0.1:0", *arguments, **environment)
        port = program.wait_for(r"^stenod: listening on 127.0.0.1:(\d+)$")[1]
        program.address = f"127.0.0.1:{port}"
        program.channel = self.channel(program.address)
        return program

    def run_stenod(self, *arguments, **environment):
        """Runs it to its end."""
        return subprocess.run(
            [STENOD, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
            env=self.environment(**environment), check=False)

    def check(self, channel, service=""):
        return channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            Status.FromString,
        )(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE).status

    def watch(self, channel, service=""):
        return channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health_pb2.HealthCheckRequest.SerializeToString,
            Status.FromString,
        )(health_pb2.HealthCheckRequest(service=service))

    def end(self, program, number=signal.SIGTERM):
        program.tell(number)
        self.assertEqual(program.finish(), 0, program.text())


class Settings(DaemonTest):
    def test_help_and_version(self):
        result = self.run_stenod("--help")
        self.assertEqual(result.returncode, 0)
        for option in ("--listen", "--max-streams", "--check-config", "STENOD_MAX_STREAMS"):
            self.assertIn(option, result.stdout)
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 90)
        # The manual has all of them.
        manual = (running.SOURCE / "daemon" / "stenod.1").read_text().replace("\\-", "-")
        for option in re.findall(r"^  (--[a-z-]+)", result.stdout, re.MULTILINE):
            self.assertIn(option, manual)
        self.assertRegex(self.run_stenod("--version").stdout, r"^stenod \d+\.\d+\.\d+\n$")

    def test_output_that_can_not_be_written(self):
        for option in ("--help", "--version", "--check-config"):
            with open("/dev/full", "wb") as full:
                result = subprocess.run([STENOD, option], stdout=full, stderr=subprocess.PIPE,
                                        text=True, env=self.environment(), check=False)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr, "stenod: standard output: No space left on device\n")

    def test_standard_descriptors_that_are_closed(self):
        """No socket takes their place, which the log would then be written to."""
        place = self.folder / "stenod.sock"
        with subprocess.Popen(
                ["sh", "-c", "exec \"$@\" >&- 2>&-", "sh", STENOD, "--model", TINY_MODEL,
                 "--threads", "1", "--listen", f"unix:{place}"], env=self.environment()) as program:
            try:
                self.assertTrue(eventually(place.exists))
                channel = self.channel(f"unix:{place}")
                # The file is there a moment before it is listened at.
                grpc.channel_ready_future(channel).result(PATIENCE)
                self.assertEqual(self.check(channel), Status.SERVING)
                for number in (1, 2):
                    self.assertEqual(os.readlink(f"/proc/{program.pid}/fd/{number}"), "/dev/null")
            finally:
                program.terminate()
            self.assertEqual(program.wait(PATIENCE), 0)

    def test_check_config(self):
        good = self.folder / "good.conf"
        good.write_text("# comment\nmodel = /m # 1\n\n[server]\nlisten = 127.0.0.1:1, unix:/x\n"
                        "listen = [::1]:2\ndrain-seconds=0\n [limits] \n  max-streams = 3\r\n")
        result = self.run_stenod("--check-config", "--config", good)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for text, message in (
            ("threads = many", "bad.conf:1: many is not a number from 0 to 1024"),
            ("\n\nthread = 1", 'bad.conf:3: there is no setting "thread"'),
            ("[limits]\nthreads = 1", 'bad.conf:2: "threads" belongs under [recognition]'),
            ("[limit]", "bad.conf:1: there is no section [limit]"),
            ("[limits", "bad.conf:1: a section is written [name]"),
            ("threads", "bad.conf:1: a setting is written key = value"),
            ("config = x", 'bad.conf:1: there is no setting "config"'),
            ("model =", "bad.conf:1: the value is missing"),
            ("precision = f64", "bad.conf:1: there is no f64"),
            ("allow-plaintext-beyond-loopback = maybe", "maybe is not yes or no"),
            ("listen = 0.0.0.0:1", "0.0.0.0:1: other machines could reach it"),
            ("listen = x", "x: not an address"),
            ("tls-cert = x", "none is given"),
            ("x" * 5000, "bad.conf:1: the line is too long"),
            ("threads = 1\nchunk = 320\0 and what is behind", "bad.conf:2: a byte of zero"),
        ):
            with self.subTest(text=text[:40]):
                bad = self.folder / "bad.conf"
                bad.write_text(text)
                result = self.run_stenod("--check-config", "--config", bad)
                self.assertEqual(result.returncode, 2)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)
        result = self.run_stenod("--check-config", "--config", "/none.conf")
        self.assertEqual((result.returncode, result.stderr),
                         (2, "stenod: /none.conf: No such file or directory\n"))
        result = self.run_stenod("--check-config", "--config", "/dev/zero")
        self.assertIn("/dev/zero:1: a byte of zero", result.stderr)

    def test_command_line_before_environment_before_file(self):
        file = self.folder / "conf"
        file.write_text("max-streams = 11\nthreads = 1\nmodel = /none\nlisten = x")
        for arguments, environment, streams in (
            ([], {}, 11),
            ([], {"STENOD_MAX_STREAMS": "12"}, 12),
            (["--max-streams=13"], {"STENOD_MAX_STREAMS": "12"}, 13),
        ):
            program = self.serve("--config", str(file), *arguments, **environment)
            program.wait_for(f"^stenod: model {TINY_MODEL}, 1 thread, at most {streams} streams$")
            self.end(program)
        # What is overruled is not checked away.
        result = self.run_stenod("--check-config", "--threads", "1", STENOD_THREADS="x")
        self.assertEqual(result.stderr, "stenod: STENOD_THREADS: x is not a number from 0 to 1024\n")
        # Variables that container platforms make up are none of ours.
        self.assertEqual(self.run_stenod("--check-config", STENOD_PORT="tcp://1").returncode, 0)

    def test_wrong_command_lines(self):
        for arguments, message in (
            (["--no-such"], "--no-such: there is no such option"),
            (["operand"], "operand: there is no such option"),
            (["--threads"], "--threads: the value is missing"),
            (["--max-message-mb", "0"], "--max-message-mb: 0 is not a number from 1 to 1024"),
            (["--listen", "192.168.1.1:1"], "other machines could reach it"),
            (["--listen", "tls:127.0.0.1:1"], "needs --tls-cert and --tls-key"),
        ):
            result = self.run_stenod(*arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(message, result.stderr)

    def test_what_can_not_be_had(self):
        result = self.run_stenod("--model", "/none.safetensors", "--listen", "127.0.0.1:0")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/none.safetensors", result.stderr)
        first = self.serve()
        second = self.stenod("--listen", first.address)
        self.assertEqual(second.finish(), 1)
        self.assertIn(f"stenod: can't listen on {first.address}: somebody already does",
                      second.text())
        self.end(first)

    def test_default_addresses(self):
        # The port may be taken by a daemon of this machine's own; the socket's folder is ours.
        program = self.stenod()
        if program.process.poll() is None and eventually(
                lambda: "stenod.sock" in program.text() or program.process.poll() is not None):
            if program.process.poll() is None:
                socket = self.folder / "stenod.sock"
                self.assertEqual(self.check(self.channel(f"unix:{socket}")), Status.SERVING)
                self.end(program)
                self.assertFalse(socket.exists())
                return
        program.finish()
        self.assertIn("somebody already does", program.text())


class Health(DaemonTest):
    def test_check(self):
        program = self.serve()
        for service in [""] + SERVICES:
            self.assertEqual(self.check(program.channel, service), Status.SERVING, service)
        for service in ("none", "Health", "grpc.health.v1.Health/Check"):
            self.assert_status(grpc.StatusCode.NOT_FOUND, "no such service",
                               lambda: self.check(program.channel, service))
        self.assert_status(
            grpc.StatusCode.INVALID_ARGUMENT, "HealthCheckRequest",
            lambda: running.unary(program.channel, "/grpc.health.v1.Health/Check", b"\xff" * 9))
        self.end(program)

    def test_list(self):
        program = self.serve()
        answer = health_pb2.HealthListResponse.FromString(
            running.unary(program.channel, "/grpc.health.v1.Health/List"))
        self.assertEqual({name: state.status for name, state in answer.statuses.items()},
                         {name: Status.SERVING for name in self.listed(program)})
        self.end(program)

    def listed(self, program):
        """The services that reflection lists, and the server as a whole."""
        (answer,) = ask(program.channel, [{"list_services": "*"}])
        return [""] + [service.name for service in answer.list_services_response.service]

    def test_watch_through_a_drain(self):
        program = self.serve("--drain-seconds", "3600")
        watches = [self.watch(program.channel, service) for service in ("", SERVICES[0], "none")]
        states = [Status.SERVING, Status.SERVING, Status.SERVICE_UNKNOWN]
        self.assertEqual([next(watch).status for watch in watches], states)
        # A stream keeps it draining: one that has told nothing yet.
        stream = program.channel.stream_stream(
            "/google.cloud.speech.v1.Speech/StreamingRecognize")(iter(threading.Event().wait, None))
        # Answered after the stream has been taken: both came by one connection.
        self.check(program.channel)
        program.tell()
        self.assertEqual([next(watch).status for watch in watches[:2]], [Status.NOT_SERVING] * 2)
        self.assertEqual(self.check(program.channel), Status.NOT_SERVING)
        self.assert_status(
            grpc.StatusCode.UNAVAILABLE, "shutting down",
            lambda: list(program.channel.stream_stream("/vosk.stt.v1.SttService/StreamingRecognize")(
                iter([]), timeout=PATIENCE)))
        stream.cancel()
        for watch in watches:
            self.assert_status(grpc.StatusCode.UNAVAILABLE, "shutting down", lambda: next(watch))
        self.assertEqual(program.finish(), 0, program.text())

    def test_fifty_watches_cancelled(self):
        program = self.serve()
        watches = [self.watch(program.channel) for _ in range(50)]
        self.assertEqual([next(watch).status for watch in watches], [Status.SERVING] * 50)
        for watch in watches:
            watch.cancel()
        self.assertEqual(self.check(program.channel), Status.SERVING)
        self.end(program)

    def test_client_killed(self):
        program = self.serve()
        client = subprocess.Popen(
            [sys.executable, "-c",
             "import grpc, sys\n"
             "call = grpc.insecure_channel(sys.argv[1]).unary_stream("
             "'/grpc.health.v1.Health/Watch')(b'')\n"
             "next(call)\n"
             "print('watching', flush=True)\n"
             "next(call)\n",
             program.address], stdout=subprocess.PIPE)
        self.addCleanup(client.stdout.close)
        self.assertEqual(client.stdout.readline(), b"watching\n")
        client.kill()
        client.wait()
        self.assertEqual(self.check(program.channel), Status.SERVING)
        self.end(program)


def ask(channel, questions, module=reflection_pb2):
    """Answers of server reflection; questions are the fields of requests."""
    package = module.DESCRIPTOR.package
    return list(channel.stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        module.ServerReflectionRequest.SerializeToString,
        module.ServerReflectionResponse.FromString,
    )((module.ServerReflectionRequest(host="h", **question) for question in questions),
      timeout=PATIENCE))


class Reflection(DaemonTest):
    def files(self, answer):
        return [descriptor_pb2.FileDescriptorProto.FromString(data)
                for data in answer.file_descriptor_response.file_descriptor_proto]

    def test_lists_and_describes_all_services(self):
        program = self.serve()
        for module in (reflection_pb2, reflection_alpha_pb2):
            (answer,) = ask(program.channel, [{"list_services": "*"}], module)
            self.assertEqual((answer.valid_host, answer.original_request.list_services), ("h", "*"))
            names = [service.name for service in answer.list_services_response.service]
            self.assertEqual(names, sorted(names))
            self.assertLessEqual(set(SERVICES), set(names))
            answers = ask(program.channel,
                          [{"file_containing_symbol": name} for name in names], module)
            for name, answer in zip(names, answers, strict=True):
                # The file first, and with it all that a pool needs.
                files = self.files(answer)
                self.assertIn(name.split(".")[-1], [service.name for service in files[0].service])
                pool = descriptor_pool.DescriptorPool()
                waiting = files
                while waiting:
                    known = [f for f in waiting if not set(f.dependency) & {w.name for w in waiting}]
                    self.assertTrue(known, "an import is missing or goes round")
                    for file in known:
                        pool.Add(file)
                    waiting = [f for f in waiting if f not in known]
                self.assertTrue(pool.FindServiceByName(name).methods)
        self.end(program)

    def test_questions(self):
        program = self.serve()
        found = (
            ({"file_by_filename": "grpc/health/v1/health.proto"}, "grpc/health/v1/health.proto"),
            ({"file_containing_symbol": "grpc.health.v1.Health.Check"},
             "grpc/health/v1/health.proto"),
            ({"file_containing_symbol": "grpc.health.v1.HealthCheckResponse.ServingStatus"},
             "grpc/health/v1/health.proto"),
            ({"file_containing_symbol": "grpc.health.v1.HealthCheckResponse.SERVING"},
             "grpc/health/v1/health.proto"),
            ({"file_containing_symbol": "grpc.health.v1.HealthCheckRequest.service"},
             "grpc/health/v1/health.proto"),
            ({"file_containing_symbol": "google.protobuf.Duration"},
             "google/protobuf/duration.proto"),
        )
        answers = ask(program.channel, [question for question, _ in found])
        self.assertEqual([self.files(answer)[0].name for answer in answers],
                         [name for _, name in found])
        extension = reflection_pb2.ExtensionRequest
        missing = (
            ({"file_by_filename": "none.proto"}, "no such file"),
            ({"file_containing_symbol": "grpc.health.v1"}, "no such symbol"),
            ({"file_containing_symbol": "grpc.health.v1.Health.None"}, "no such symbol"),
            ({"file_containing_symbol": "grpc.health.v1.Healt"}, "no such symbol"),
            ({"file_containing_symbol": ""}, "no such symbol"),
            ({"file_containing_extension": extension(containing_type="x", extension_number=1)},
             "no such extension"),
            ({"all_extension_numbers_of_type": "none"}, "no such message"),
        )
        answers = ask(program.channel, [question for question, _ in missing])
        for answer, (_, message) in zip(answers, missing, strict=True):
            self.assertEqual(answer.error_response.error_code,
                             grpc.StatusCode.NOT_FOUND.value[0])
            self.assertIn(message, answer.error_response.error_message)
        numbers, nothing = ask(program.channel, [
            {"all_extension_numbers_of_type": "grpc.health.v1.HealthCheckRequest"}, {}])
        self.assertEqual(numbers.all_extension_numbers_response.base_type_name,
                         "grpc.health.v1.HealthCheckRequest")
        self.assertEqual(list(numbers.all_extension_numbers_response.extension_number), [])
        self.assertEqual(nothing.error_response.error_code,
                         grpc.StatusCode.INVALID_ARGUMENT.value[0])
        self.end(program)

    def test_many_questions_at_once(self):
        program = self.serve()
        answers = ask(program.channel, [{"file_containing_symbol": SERVICES[0]}] * 500)
        self.assertEqual(len(answers), 500)
        self.assertEqual(len({answer.SerializeToString() for answer in answers}), 1)
        self.assert_status(
            grpc.StatusCode.INVALID_ARGUMENT, "not a grpc.reflection",
            lambda: list(program.channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(
                    iter([b"\xff\xff"]), timeout=PATIENCE)))
        self.end(program)


class Signals(DaemonTest):
    def test_ends_when_idle_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            program = self.serve("--drain-seconds", "3600")
            self.assertEqual(self.check(program.channel), Status.SERVING)
            self.end(program, number)

    def test_second_signal_ends_at_once(self):
        program = self.serve("--drain-seconds", "3600")
        stream = program.channel.stream_stream(
            "/google.cloud.speech.v1.Speech/StreamingRecognize")(iter(threading.Event().wait, None))
        # Answered after the stream has been taken: both came by one connection.
        self.check(program.channel)
        program.tell()
        program.wait_for("told to end, ending when the streams have, after 3600 s at most")
        program.tell()
        self.assert_status(grpc.StatusCode.UNAVAILABLE, "", lambda: next(stream))
        self.assertEqual(program.finish(), 0)


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
class Tls(DaemonTest):
    def certificate(self, name):
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True)
        return key, certificate

    def test_serves(self):
        key, certificate = self.certificate("own")
        program = self.serve("--listen", "tls:127.0.0.1:0", "--tls-cert", str(certificate),
                             "--tls-key", str(key))
        port = program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            self.assertEqual(self.check(channel), Status.SERVING)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            self.assert_status(grpc.StatusCode.UNAVAILABLE, "", lambda: self.check(channel))
        self.assertEqual(self.check(program.channel), Status.SERVING)
        self.end(program)

    def test_bad_certificates(self):
        key, certificate = self.certificate("own")
        other, _ = self.certificate("other")
        nonsense = self.folder / "nonsense"
        nonsense.write_text("nonsense")
        for pair, message in (
            ((certificate, self.folder / "none"), "No such file"),
            ((nonsense, key), "nonsense: holds no certificate in PEM"),
            ((certificate, nonsense), "nonsense: holds no private key in PEM"),
            ((certificate, other), "do not belong together"),
        ):
            program = self.stenod("--listen", "tls:127.0.0.1:0", "--tls-cert", str(pair[0]),
                                  "--tls-key", str(pair[1]))
            self.assertEqual(program.finish(), 1)
            self.assertIn(message, program.text())


if __name__ == "__main__":
    unittest.main()
