"""Who is let in: certificates of clients, tokens, limits by name; and all of them changed while the
daemon runs."""

import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

import grpc

import certificates
import running
import speaking
from speaking import GOOGLE, STENO, google, noise

Code = grpc.StatusCode
CHECK = "/grpc.health.v1.Health/Check"


def token(*arguments, status=0):
    """Runs steno token; its output."""
    result = subprocess.run([STENO, "token", *map(str, arguments)], capture_output=True, text=True,
                            timeout=running.PATIENCE, check=False)
    assert result.returncode == status, (result.returncode, result.stderr)
    return result.stdout if status == 0 else result.stderr


class SecurityTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.content = noise(1).tobytes()

    def recognize(self, channel=None, secret=None, scheme="Bearer"):
        request = google.RecognizeRequest(config=self.config())
        request.audio.content = self.content
        headers = [("authorization", f"{scheme} {secret}")] if secret is not None else None
        return (channel or self.connection).unary_unary(
            GOOGLE + "Recognize", google.RecognizeRequest.SerializeToString,
            google.RecognizeResponse.FromString)(request, timeout=running.PATIENCE,
                                                 metadata=headers)

    def refuse_token(self, secret, details="not valid", **more):
        self.refuse(details, lambda: self.recognize(secret=secret, **more), Code.UNAUTHENTICATED)

    def hold(self, channel, secret=None):
        """A stream that stays open."""
        headers = [("authorization", f"Bearer {secret}")] if secret else None
        running.unary(channel, CHECK)
        call = channel.stream_stream(GOOGLE + "StreamingRecognize")(
            iter(running.Feed()), timeout=4 * running.PATIENCE, metadata=headers)
        self.addCleanup(call.cancel)
        running.unary(channel, CHECK)
        return call

    def reload(self, program):
        seen = len(program.lines)
        program.tell(signal.SIGHUP)
        self.assertTrue(running.eventually(
            lambda: any("reloaded" in line for line in program.lines[seen:])))
        return "\n".join(program.lines[seen:])


class Tokens(SecurityTest):
    def setUp(self):
        super().setUp()
        self.tokens = self.folder / "tokens"
        self.alice = token("create", self.tokens, "alice").strip()
        self.bob = token("create", self.tokens, "bob", "--streams", 1).strip()

    def test_right_wrong_missing_revoked(self):
        program = self.serve("--tokens", self.tokens)
        self.assertTrue(self.recognize(secret=self.alice))
        self.assertTrue(self.recognize(secret=self.bob, scheme="bearer"))
        program.wait_for("call ended .*client=token:alice ")
        self.refuse_token(None, "a token is needed")
        self.refuse_token(self.alice, "a token is needed", scheme="Basic")
        for wrong in ("", "x", self.alice[:-1], self.alice + "x", self.alice.upper(),
                      self.alice + " ", "steno_" + "A" * 43, "x" * 5000):
            self.refuse_token(wrong)
        # Nothing but health is open to everybody.
        self.assertEqual(running.unary(self.connection, CHECK), b"\x08\x01")
        for path in ("/steno.v1.Speech/GetModel", "/google.longrunning.Operations/ListOperations",
                     "/vosk.stt.v1.StatsService/GetStats"):
            self.refuse("a token is needed", lambda: running.unary(self.connection, path),
                        Code.UNAUTHENTICATED)
        self.refuse("a token is needed", lambda: list(self.stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            [google.RecognizeRequest()], google.RecognizeResponse)), Code.UNAUTHENTICATED)
        # Revoked it is as good as any other text, from the reload on.
        token("revoke", self.tokens, "alice")
        self.assertTrue(self.recognize(secret=self.alice))
        self.reload(program)
        self.refuse_token(self.alice)
        self.assertTrue(self.recognize(secret=self.bob))
        carol = token("create", self.tokens, "carol").strip()
        self.refuse_token(carol)
        self.reload(program)
        self.assertTrue(self.recognize(secret=carol))
        # The log knows names, not tokens.
        for secret in (self.alice, self.bob, carol):
            self.assertNotIn(secret[6:], program.text())

    def test_a_damaged_file_changes_nothing(self):
        program = self.serve("--tokens", self.tokens)
        good = self.tokens.read_text()
        line = good.splitlines()[1]
        for text, message in (
            (good + "x", "tokens:4: after the name comes sha256"),
            (good + "a/b " + line.split(" ", 1)[1], "tokens:4: a name has"),
            (good + "d " + line.split(" ", 1)[1].replace("sha256 ", "sha256 z"), "is damaged"),
            (good + line, "tokens:4: the name stands there twice"),
            (good + line.replace("alice", "d").replace(" created", " stream=1 created"),
             "tokens:4: after the hash may come"),
            (good + "x" * 600, "the line is too long"),
        ):
            with self.subTest(message=message):
                self.tokens.write_text(text)
                said = self.reload(program)
                self.assertIn("not reloaded, all is as before", said)
                self.assertIn(message, said)
                self.assertTrue(self.recognize(secret=self.alice))
        self.tokens.write_text(good)
        self.tokens.chmod(0o666)
        self.assertIn("anybody may write it", self.reload(program))
        self.tokens.unlink()
        self.assertIn("No such file", self.reload(program))
        self.assertTrue(self.recognize(secret=self.alice))
        self.refuse_token(None, "a token is needed")

    def test_limits_by_name(self):
        program = self.serve("--tokens", self.tokens, "--max-streams-per-client", 2,
                             "--client-limit", "carol=3")
        carol = token("create", self.tokens, "carol").strip()
        self.reload(program)
        for secret, limit in ((self.alice, 2), (self.bob, 1), (carol, 3)):
            held = [self.hold(self.connection, secret) for _ in range(limit)]
            self.refuse(f"limit of {limit} streams at once of one client",
                        lambda: self.recognize(secret=secret), Code.RESOURCE_EXHAUSTED)
            # The others have theirs, although the address is the same.
            del held
        for arguments in (["x"], ["=1"], ["a="], ["a=b"], ["a=100000"]):
            program = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                                  "127.0.0.1:0", "--client-limit", *arguments])
            self.assertEqual(program.finish(), 1)
            self.assertIn("client-limit: ", program.text())

    def test_others_operations(self):
        self.serve("--tokens", self.tokens)
        request = google.LongRunningRecognizeRequest(config=self.config())
        request.audio.content = self.content

        def call(path, message, secret):
            return self.connection.unary_unary(
                path, lambda m: m.SerializeToString(), lambda b: b)(
                    message, timeout=running.PATIENCE,
                    metadata=[("authorization", f"Bearer {secret}")])

        made = speaking.operations.Operation.FromString(
            call(GOOGLE + "LongRunningRecognize", request, self.alice))
        everything = speaking.operations.ListOperationsRequest()
        self.assertIn(made.name.encode(), call(
            speaking.OPERATIONS + "ListOperations", everything, self.alice))
        self.assertEqual(call(speaking.OPERATIONS + "ListOperations", everything, self.bob), b"")

    def test_beginning_with_them(self):
        """Tokens may also come and go with a reload."""
        path = self.folder / "conf"
        path.write_text("")
        program = self.serve("--config", path)
        self.assertTrue(self.recognize())
        path.write_text(f"tokens = {self.tokens}")
        self.reload(program)
        self.refuse_token(None, "a token is needed")
        self.assertTrue(self.recognize(secret=self.alice))

    def test_without_the_file(self):
        program = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen", "127.0.0.1:0",
                              "--tokens", self.folder / "none"])
        self.assertEqual(program.finish(), 1)
        self.assertIn("none: No such file", program.text())


class Command(unittest.TestCase):
    """steno token itself."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tokens = self.folder / "tokens"

    def test_create_list_revoke(self):
        secrets = [token("create", self.tokens, name, *more).strip()
                   for name, more in (("a", ()), ("b.c-D_9", ("--streams", "0")), ("x" * 64, ()))]
        for secret in secrets:
            self.assertRegex(secret, r"^steno_[A-Za-z0-9_-]{43}$")
            self.assertNotIn(secret, self.tokens.read_text())
        self.assertEqual(len(set(secrets)), 3)
        self.assertEqual(stat.S_IMODE(self.tokens.stat().st_mode), 0o640)
        rows = [line.split("\t") for line in token("list", self.tokens).splitlines()]
        self.assertEqual([row[:2] for row in rows], [["a", "-"], ["b.c-D_9", "0"], ["x" * 64, "-"]])
        self.assertRegex(rows[0][2], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        token("revoke", self.tokens, "b.c-D_9")
        self.assertEqual(len(token("list", self.tokens).splitlines()), 2)
        self.assertEqual(os.listdir(self.folder), ["tokens"])

    def test_what_else_stands_there_stays(self):
        token("create", self.tokens, "a")
        self.tokens.write_text("# mine\n\n" + self.tokens.read_text())
        self.tokens.chmod(0o600)
        before = self.tokens.read_text()
        token("create", self.tokens, "b")
        token("revoke", self.tokens, "b")
        self.assertEqual(self.tokens.read_text(), before)
        self.assertEqual(stat.S_IMODE(self.tokens.stat().st_mode), 0o600)

    def test_trouble(self):
        token("create", self.tokens, "a")
        before = self.tokens.read_text()
        for arguments, status, message in (
            ((), 2, "create FILE NAME, list FILE or revoke FILE NAME"),
            (("create", self.tokens), 2, "is wanted"),
            (("list", self.tokens, "x"), 2, "is wanted"),
            (("list", self.tokens, "--streams", "1"), 2, "--streams is for create"),
            (("make", self.tokens, "b"), 2, "is wanted"),
            (("create", self.tokens, "a b"), 2, "'a b' is no name"),
            (("create", self.tokens, ""), 2, "is no name"),
            (("create", self.tokens, "x" * 65), 2, "is no name"),
            (("create", self.tokens, "a"), 2, "a has a token already"),
            (("create", self.tokens, "b", "--streams", "-1"), 2, "not a whole number"),
            (("revoke", self.tokens, "b"), 4, "there is no token of b"),
            (("list", self.folder / "none"), 4, "No such file"),
            (("create", self.folder / "no" / "tokens", "b"), 4, "No such file"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(message, token(*arguments, status=status))
        self.assertEqual(self.tokens.read_text(), before)
        self.assertEqual(os.listdir(self.folder), ["tokens"])
        # Two at once: the second is told so, and leaves the first alone.
        (self.folder / "tokens.new").write_text("")
        self.assertIn("somebody is changing", token("create", self.tokens, "b", status=5))
        self.assertTrue((self.folder / "tokens.new").exists())
        (self.folder / "tokens.new").unlink()
        # Nobody could see the token: it must not be valid.
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([STENO, "token", "create", self.tokens, "b"], stdout=full,
                                    stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 5)
        self.assertEqual(self.tokens.read_text(), before)

    def test_what_the_file_is(self):
        """A pipe or a device is not replaced, a link stays one."""
        os.mkfifo(self.tokens)
        for arguments in (("create", self.tokens, "a"), ("revoke", self.tokens, "a")):
            self.assertIn("not a regular file", token(*arguments, status=5))
        self.assertTrue(self.tokens.is_fifo())
        self.tokens.unlink()
        place = self.folder / "place"
        place.write_text("")
        self.tokens.symlink_to("place")
        token("create", self.tokens, "a")
        self.assertTrue(self.tokens.is_symlink())
        self.assertTrue(place.read_text().startswith("a sha256 "))
        token("revoke", self.tokens, "a")
        self.assertEqual((self.tokens.is_symlink(), place.read_text()), (True, ""))
        self.assertEqual(sorted(os.listdir(self.folder)), ["place", "tokens"])


@unittest.skipIf(certificates.UNABLE, certificates.UNABLE)
class Certificates(SecurityTest):
    def setUp(self):
        super().setUp()
        self.authority = certificates.Authority(self.folder)
        own, key = self.authority.issue("server")
        self.cert, self.key = self.folder / "tls.crt", self.folder / "tls.key"
        self.install(own, key)

    def install(self, certificate, key):
        shutil.copy(certificate, self.cert)
        shutil.copy(key, self.key)

    def serve_tls(self, *options):
        program = self.serve("--listen", "tls:127.0.0.1:0", "--tls-cert", self.cert,
                             "--tls-key", self.key, *options)
        self.port = program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]
        return program

    def secure(self, pair=None, authority=None):
        """A channel; sessions of other tests are not resumed."""
        credentials = grpc.ssl_channel_credentials(
            (authority or self.authority).certificate.read_bytes(),
            *(path.read_bytes() for path in reversed(pair)) if pair else ())
        channel = grpc.secure_channel(f"127.0.0.1:{self.port}", credentials,
                                      [("grpc.use_local_subchannel_pool", 1)])
        self.addCleanup(channel.close)
        return channel

    def other_authority(self, name="other"):
        folder = self.folder / name
        folder.mkdir()
        return certificates.Authority(folder)

    def assert_served(self, channel, **more):
        self.assertTrue(self.recognize(channel, **more))

    def assert_cut(self, channel):
        self.refuse("", lambda: self.recognize(channel), Code.UNAVAILABLE)

    def test_certificates_of_clients(self):
        alice = self.authority.issue("alice", None)
        bob = self.authority.issue("bob", "DNS:bob.example,DNS:second.example")
        late = self.authority.issue("late", None, days=-1)
        strange = self.other_authority().issue("alice", None)
        program = self.serve_tls("--tls-client-ca", self.authority.certificate)
        self.assert_served(self.secure(alice))
        program.wait_for("call ended .*client=certificate:alice ")
        self.assert_served(self.secure(bob))
        program.wait_for("call ended .*client=certificate:bob.example ")
        for pair in (None, late, strange):
            self.assert_cut(self.secure(pair))
        # Plaintext to a port of TLS, and the daemon goes on.
        self.assert_cut(self.channel(f"127.0.0.1:{self.port}"))
        self.assert_served(self.secure(alice))

    def test_limits_by_certificate(self):
        pairs = [self.authority.issue(name, None) for name in ("alice", "bob")]
        self.serve_tls("--tls-client-ca", self.authority.certificate, "--max-streams-per-client",
                       "1", "--client-limit", "bob=2")
        for pair, limit in zip(pairs, (1, 2)):
            channel = self.secure(pair)
            for _ in range(limit):
                self.hold(channel)
            self.refuse(f"limit of {limit} streams at once of one client",
                        lambda: self.recognize(channel), Code.RESOURCE_EXHAUSTED)

    def test_with_tokens(self):
        tokens = self.folder / "tokens"
        secret = token("create", tokens, "carol").strip()
        alice = self.authority.issue("alice", None)
        program = self.serve_tls("--tls-client-ca", self.authority.certificate, "--tokens", tokens)
        channel = self.secure(alice)
        self.refuse("a token is needed", lambda: self.recognize(channel), Code.UNAUTHENTICATED)
        program.wait_for("call refused .*client=certificate:alice |call refused")
        self.assert_served(channel, secret=secret)
        program.wait_for("call ended .*client=token:carol ")

    def test_reload(self):
        program = self.serve_tls()
        old = self.secure()
        self.assert_served(old)
        # The same, renewed by another authority.
        other = self.other_authority()
        self.install(*other.issue("server"))
        self.assert_served(self.secure())
        self.assertIn("stenod: reloaded", self.reload(program))
        self.assert_served(self.secure(authority=other))
        self.assert_cut(self.secure())
        # What was open stays open.
        self.assert_served(old)
        # What does not fit changes nothing.
        shutil.copy(self.authority.issue("third")[1], self.key)
        said = self.reload(program)
        self.assertIn("not reloaded, all is as before", said)
        self.assertIn("do not belong together", said)
        self.assert_served(self.secure(authority=other))
        self.install(*other.issue("late", days=-1))
        self.assertIn("warning: the certificate for TLS has expired on", self.reload(program))

    def test_reload_of_client_authorities(self):
        trusted = self.folder / "trusted.crt"
        shutil.copy(self.authority.certificate, trusted)
        other = self.other_authority()
        alice, bob = self.authority.issue("alice", None), other.issue("bob", None)
        path = self.folder / "conf"
        path.write_text(f"tls-client-ca = {trusted}")
        program = self.serve_tls("--config", path)
        self.assert_served(self.secure(alice))
        self.assert_cut(self.secure(bob))
        trusted.write_bytes(other.certificate.read_bytes())
        self.reload(program)
        self.assert_cut(self.secure(alice))
        self.assert_served(self.secure(bob))
        trusted.write_text("nonsense")
        self.assertIn("trusted.crt: holds no certificate", self.reload(program))
        path.write_text("")
        self.assertIn("takes a restart", self.reload(program))
        self.assert_cut(self.secure(alice))

    def test_what_can_not_be(self):
        encrypted = self.folder / "encrypted.key"
        subprocess.run(["openssl", "ec", "-in", self.key, "-aes128", "-passout", "pass:x", "-out",
                        encrypted], check=True, capture_output=True)
        damaged = self.folder / "damaged.crt"
        damaged.write_bytes(self.cert.read_bytes() + self.cert.read_bytes()[:-60])
        for cert, key, message in ((self.cert, encrypted, "without a passphrase"),
                                   (damaged, self.key, "or a damaged one"),
                                   (self.folder, self.key, "Is a directory")):
            program = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                                  "tls:127.0.0.1:0", "--tls-cert", cert, "--tls-key", key])
            self.assertEqual(program.finish(), 1)
            self.assertIn(message, program.text())


del SecurityTest

if __name__ == "__main__":
    unittest.main()
