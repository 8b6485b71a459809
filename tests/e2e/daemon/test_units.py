"""The service manager's files: systemd has nothing to say against them, and the settings shipped with
them are those that hold anyway."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

STENOD = os.environ["STENOD"]
SERVICE, SOCKET, SETTINGS = (pathlib.Path(os.environ[name])
                             for name in ("STENOD_SERVICE", "STENOD_SOCKET", "STENOD_CONF"))


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze looks at the units")
class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # The program is not installed yet.
        text = SERVICE.read_text()
        self.assertIn("/stenod\n", text)
        self.service = self.folder / "stenod.service"
        self.service.write_text(re.sub(r"(?m)^(Exec\w+=)\S+/stenod\b", rf"\g<1>{STENOD}", text))
        self.socket = pathlib.Path(shutil.copy(SOCKET, self.folder))

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", "--no-pager", *map(str, arguments)],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_verify(self):
        result = self.analyze("verify", "--man=no", self.service, self.socket)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        # Were there something wrong, it would say so.
        self.service.write_text(self.service.read_text() + "[Service]\nNoSuchSetting=1\n")
        self.assertIn("NoSuchSetting", self.analyze("verify", "--man=no", self.service).stderr)

    def test_programs(self):
        """Nothing that a bare machine lacks."""
        for program in re.findall(r"(?m)^Exec\w+=(\S+)", self.service.read_text()):
            self.assertIn(program, (STENOD, "/bin/sh"))

    def test_security(self):
        # In tenths; a service that is not hardened has 96.
        result = self.analyze("security", "--offline=true", "--threshold=15", self.service)
        if "unrecognized option" in result.stderr:
            self.skipTest("this systemd-analyze does not look at files")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("✗ MemoryDenyWriteExecute=", result.stdout)


class Settings(unittest.TestCase):
    def check(self, path):
        return subprocess.run([STENOD, "--check-config", "--config", str(path)],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_shipped(self):
        self.assertEqual(self.check(SETTINGS).returncode, 0)

    def test_all_that_is_commented_out(self):
        """Each is a setting, under its section; those that have a value may have it."""
        text = re.sub(r"(?m)^#(?=[a-z-]+ =.|\[)", "", SETTINGS.read_text())
        text = re.sub(r"(?m)^((tls-|tokens|listen)\S* =.*)", r"#\1", text)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            result = self.check(file.name)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_has_all(self):
        options = subprocess.run([STENOD, "--help"], capture_output=True, text=True, check=True)
        body = options.stdout.split("On the command line")[0]
        for option in re.findall(r"(?m)^  --([a-z-]+)", body):
            if option != "allow-plaintext-beyond-loopback":
                self.assertRegex(SETTINGS.read_text(), rf"(?m)^#{option} =", option)


if __name__ == "__main__":
    unittest.main()
