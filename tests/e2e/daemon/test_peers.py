"""Health and reflection, asked by clients of others: npm's packages (skipped where npm can't get
them), gRPC's own for Python (grpcio-health-checking and grpcio-reflection; skipped where they are
not installed) and the health checking that is inside gRPC's C core."""

import importlib.util
import json
import os
import subprocess
import unittest

import grpc
from google.protobuf import descriptor_pool, message_factory

import certificates
import node
import running
import speaking
from speaking import texts, transcribe

PEERS = node.Folder(running.SOURCE / "tests" / "e2e" / "daemon" / "peers",
                    os.environ["PEERS_FOLDER"])
SPEECH = "google.cloud.speech.v1.Speech"
SERVICES = sorted([
    SPEECH, "google.longrunning.Operations", "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    "nvidia.riva.asr.RivaSpeechRecognition", "steno.v1.Captions", "steno.v1.Speech",
    "vosk.stt.v1.SttService", "vosk.stt.v1.StatsService"])


class PeerTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.program = self.serve("--drain-seconds", 60)

    def run_peer(self, script, command, *arguments):
        result = PEERS.run(script, command, self.address, *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout


@unittest.skipIf(PEERS.unable, PEERS.unable)
class Health(PeerTest):
    def test_check(self):
        lines = self.run_peer("health.js", "check", "", *SERVICES, "none").splitlines()
        self.assertEqual(lines, ["SERVING"] * (1 + len(SERVICES)) + ["NOT_FOUND"])

    def test_list(self):
        lines = self.run_peer("health.js", "list").splitlines()
        self.assertEqual(lines, [" SERVING"] + [f"{name} SERVING" for name in SERVICES])

    def test_watch_until_the_end(self):
        watches = {name: PEERS.start("health.js", "watch", self.address, name)
                   for name in ("", SPEECH, "none")}
        for watch in watches.values():
            self.addCleanup(watch.stdout.close)
            self.addCleanup(watch.kill)
        first = {name: watch.stdout.readline() for name, watch in watches.items()}
        self.assertEqual(first, {"": "SERVING\n", SPEECH: "SERVING\n", "none": "SERVICE_UNKNOWN\n"})
        feed, answers = self.hold_a_stream()
        self.program.tell()
        for name in ("", SPEECH):
            self.assertEqual(watches[name].stdout.readline(), "NOT_SERVING\n")
        feed.close()
        self.assertEqual(list(answers), [])
        for watch in watches.values():
            self.assertEqual(watch.stdout.read(), "UNAVAILABLE\n")
            self.assertEqual(watch.wait(running.PATIENCE), 0)


class CoreHealth(PeerTest):
    """The C core's own, in Python's gRPC."""

    def watching(self, service):
        config = {"loadBalancingConfig": [{"round_robin": {}}],
                  "healthCheckConfig": {"serviceName": service}}
        return self.channel(self.address, [("grpc.service_config", json.dumps(config)),
                                           ("grpc.use_local_subchannel_pool", 1)])

    def test_channels_that_watch(self):
        channel = self.watching(SPEECH)
        check = "/grpc.health.v1.Health/Check"
        self.assertEqual(running.unary(channel, check), b"\x08\x01")
        self.assert_status(grpc.StatusCode.UNAVAILABLE, "",
                           lambda: running.unary(self.watching("none"), check))
        feed, answers = self.hold_a_stream()
        self.program.tell()

        def is_avoided():
            try:
                running.unary(channel, check)
            except grpc.RpcError as error:
                return error.code() == grpc.StatusCode.UNAVAILABLE
            return False

        self.assertTrue(running.eventually(is_avoided))
        feed.close()
        self.assertEqual(list(answers), [])


@unittest.skipIf(PEERS.unable, PEERS.unable)
class Reflection(PeerTest):
    def test_list(self):
        found = json.loads(self.run_peer("reflection.js", "list"))
        self.assertEqual(found, {"v1": SERVICES, "v1alpha": SERVICES, "other": SERVICES})

    def test_methods(self):
        found = json.loads(self.run_peer("reflection.js", "methods"))
        self.assertEqual(found["v1"], found["v1alpha"])
        self.assertEqual(sorted(found["v1"]), SERVICES)
        self.assertEqual(found["v1"][SPEECH], [
            "LongRunningRecognize", "Recognize", "StreamingRecognize"])
        self.assertEqual(found["other"], ["LongRunningRecognize", "Recognize", "StreamingRecognize"])
        for service, methods in found["v1"].items():
            self.assertTrue(methods, service)

    def test_a_call_by_what_it_told(self):
        path = speaking.FORMATS / "speech.flac"
        expected = [text.strip() for text in texts(transcribe(path))]
        self.assertTrue(expected)
        self.assertEqual(self.run_peer("reflection.js", "call", path).splitlines(), expected)


@unittest.skipUnless(importlib.util.find_spec("grpc_health") and
                     importlib.util.find_spec("grpc_reflection"),
                     "grpcio-health-checking and grpcio-reflection are not installed")
class PythonPackages(speaking.SpeechTest):
    """All of it on each connection: in the clear, and with TLS and a token."""

    def connections(self):
        self.serve()
        yield self.connection
        if certificates.UNABLE:
            return
        authority = certificates.Authority(self.folder)
        certificate, key = authority.issue("server")
        tokens = self.folder / "tokens"
        token = subprocess.run([speaking.STENO, "token", "create", tokens, "alice"],
                               capture_output=True, text=True, check=True).stdout.strip()
        program = self.serve("--listen", "tls:127.0.0.1:0", "--tls-cert", certificate,
                             "--tls-key", key, "--tokens", tokens)
        port = program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]
        channel = grpc.secure_channel(f"127.0.0.1:{port}", grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(authority.certificate.read_bytes()),
            grpc.access_token_call_credentials(token)))
        self.addCleanup(channel.close)
        yield channel

    def test_health(self):
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        status = health_pb2.HealthCheckResponse
        for channel in self.connections():
            health = health_pb2_grpc.HealthStub(channel)
            ask = lambda call, name: call(health_pb2.HealthCheckRequest(service=name),
                                          timeout=running.PATIENCE)
            for name in ("", *SERVICES):
                self.assertEqual(ask(health.Check, name).status, status.SERVING)
            self.assert_status(grpc.StatusCode.NOT_FOUND, "", lambda: ask(health.Check, "none"))
            for name, first in ((SPEECH, status.SERVING), ("none", status.SERVICE_UNKNOWN)):
                watch = ask(health.Watch, name)
                self.assertEqual(next(watch).status, first)
                watch.cancel()

    def test_reflection(self):
        from grpc_reflection.v1alpha import proto_reflection_descriptor_database as reflection
        path = speaking.FORMATS / "speech.flac"
        expected = texts(transcribe(path))
        for channel in self.connections():
            database = reflection.ProtoReflectionDescriptorDatabase(channel)
            self.assertEqual(sorted(database.get_services()), SERVICES)
            pool = descriptor_pool.DescriptorPool(database)
            messages = {}
            for name in SERVICES:
                methods = pool.FindServiceByName(name).methods
                self.assertTrue(methods, name)
                for method in methods:
                    self.gather(method.input_type, messages)
                    self.gather(method.output_type, messages)
            # Each is found by a client that knows nothing yet.
            for name in messages:
                again = descriptor_pool.DescriptorPool(
                    reflection.ProtoReflectionDescriptorDatabase(channel))
                self.assertEqual([f.name for f in again.FindMessageTypeByName(name).fields],
                                 messages[name])
            for name in (SPEECH + "None", "none"):
                with self.assertRaises(KeyError):
                    database.FindFileContainingSymbol(name)
            self.assertEqual(self.recognise(channel, pool, path), expected)

    def gather(self, message, found):
        """The names of its fields, and so on for all messages that it is made of."""
        if message.full_name in found:
            return
        found[message.full_name] = [field.name for field in message.fields]
        for field in message.fields:
            if field.message_type is not None:
                self.gather(field.message_type, found)

    def recognise(self, channel, pool, path):
        """By messages that are made of what reflection told."""
        method = pool.FindServiceByName(SPEECH).FindMethodByName("Recognize")
        make = getattr(message_factory, "GetMessageClass", None) or (
            lambda descriptor: message_factory.MessageFactory(pool).GetPrototype(descriptor))
        request = make(method.input_type)()
        request.config.language_code = "en"
        request.audio.content = path.read_bytes()
        answer = channel.unary_unary(f"/{SPEECH}/Recognize",
                                     lambda message: message.SerializeToString(),
                                     make(method.output_type).FromString)(
                                         request, timeout=running.PATIENCE)
        return [result.alternatives[0].transcript for result in answer.results]


if __name__ == "__main__":
    unittest.main()
