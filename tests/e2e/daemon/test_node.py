"""Google's own client for Node, unmodified, on a daemon of ours: in plaintext and over TLS.
Installed by npm into the build folder; skipped where there is no npm or it cannot get the package.
"""

import os
import subprocess
import unittest

import certificates
import node
import running
import speaking

CLIENT = node.Folder(running.SOURCE / "clients" / "node", os.environ["NODE_FOLDER"])
FLAC = speaking.FORMATS / "speech.flac"
MODES = ("stream", "whole", "long")


@unittest.skipIf(CLIENT.unable, CLIENT.unable)
class NodeTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.program = self.serve(*self.options())

    def options(self):
        return ()

    def transcribe(self, *arguments, address=None):
        return CLIENT.run("transcribe.js", "--server", address or self.address, *arguments)

    def assert_fails(self, reason, *arguments, **more):
        result = self.transcribe(*arguments, **more)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn(reason, result.stderr)

    def assert_same_words(self, *arguments, **more):
        expected = [result["text"] for result in speaking.transcribe(FLAC)["results"]]
        self.assertTrue(expected)
        for mode in MODES:
            result = self.transcribe("--mode", mode, *arguments, FLAC, **more)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(result.stdout.splitlines(), expected, mode)


class Plaintext(NodeTest):
    def test_the_same_words(self):
        self.assert_same_words()

    def test_interim_results(self):
        path = self.folder / "noise.wav"
        path.write_bytes(speaking.wav_bytes(speaking.noise(12)))
        # Of what comes at once the newest alone is kept, so that now and then there is none.
        for _ in range(10):
            result = self.transcribe("--interim", path)
            self.assertEqual(result.returncode, 0)
            self.assertTrue(result.stdout)
            if result.stderr:
                break
        self.assertTrue(result.stderr)

    def test_trouble(self):
        for mode in MODES:
            self.assert_fails("encoding: not given", "--mode", mode, running.SOURCE / "README.md")
        self.assert_fails("no such file", self.folder / "none.wav")
        self.assert_fails("should be HOST:PORT", FLAC, address="nowhere")
        self.assert_fails("--token: needs --ca or --tls", "--token", "x", FLAC)
        self.assert_fails("usage", "--mode", "other", FLAC)

    def test_types(self):
        result = subprocess.run(["npm", "run", "--silent", "check"], cwd=CLIENT.folder,
                                capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


@unittest.skipIf(certificates.UNABLE, certificates.UNABLE)
class Tls(NodeTest):
    def options(self):
        self.authority = certificates.Authority(self.folder)
        certificate, key = self.authority.issue("server")
        return ("--listen", "tls:127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key)

    def setUp(self):
        super().setUp()
        port = self.program.wait_for(r"listening on tls:127.0.0.1:(\d+)")[1]
        self.address = f"localhost:{port}"

    def test_the_same_words(self):
        self.assert_same_words("--ca", self.authority.certificate)
        # A token goes with it, which a daemon without tokens does not mind.
        self.assert_same_words("--ca", self.authority.certificate, "--token", "secret")

    def test_other_authorities(self):
        folder = self.folder / "other"
        folder.mkdir()
        for arguments in (("--ca", certificates.Authority(folder).certificate), ("--tls",), ()):
            self.assert_fails("UNAVAILABLE", *arguments, FLAC)


@unittest.skipIf(certificates.UNABLE, certificates.UNABLE)
class Access(Tls):
    """A daemon that lets in those alone that it knows, by certificate and token."""

    def options(self):
        tokens = self.folder / "tokens"
        self.token = subprocess.run(
            [speaking.STENO, "token", "create", tokens, "alice"], capture_output=True, text=True,
            check=True).stdout.strip()
        return super().options() + (
            "--tokens", tokens, "--tls-client-ca", self.authority.certificate)

    def test_the_same_words(self):
        certificate, key = self.authority.issue("bob")
        known = ("--ca", self.authority.certificate, "--cert", certificate, "--key", key)
        self.assert_same_words(*known, "--token", self.token)
        for mode in MODES:
            self.assert_fails("UNAUTHENTICATED", *known, "--mode", mode, FLAC)
        self.assert_fails("UNAUTHENTICATED", *known, "--token", self.token[:-1], FLAC)

    def test_other_authorities(self):
        self.assert_fails("UNAVAILABLE", "--ca", self.authority.certificate, "--token", self.token,
                          FLAC)


del NodeTest

if __name__ == "__main__":
    unittest.main()
