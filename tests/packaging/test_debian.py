"""The Debian packages, without building them: that they have the version and the build dependencies of
the source, and that files they want are made by it."""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
CONTROL = (SOURCE / "debian" / "control").read_text()


class Debian(unittest.TestCase):
    def test_version(self):
        meson = re.search(r"version: '([0-9.]+)'", (SOURCE / "meson.build").read_text())[1]
        changelog = (SOURCE / "debian" / "changelog").read_text()
        self.assertEqual(re.match(r"steno \(([0-9.]+)\) ", changelog)[1], meson)

    def test_build_dependencies(self):
        """What ./dev installs to build; but for what every Debian build has or debhelper brings."""
        wanted = re.search(r"build_packages=\(([^)]*)\)", (SOURCE / "dev").read_text())[1].split()
        depends = re.search(r"(?ms)^Build-Depends: (.*?)^\S", CONTROL)[1]
        have = set(re.findall(r"(?:^|,)\s*([a-z0-9.+-]+)", depends))
        self.assertGreater(len(have), 10)
        self.assertLessEqual(set(wanted) - {"gcc", "libc6-dev", "ninja-build"}, have)

    def test_files(self):
        packages = set(re.findall(r"(?m)^Package: (\S+)$", CONTROL))
        files = list((SOURCE / "debian").glob("*.install"))
        self.assertEqual({file.stem for file in files}, packages)
        for name in ("docs", "examples"):
            for file in (SOURCE / "debian").glob(f"*.{name}"):
                for line in file.read_text().split():
                    self.assertTrue((SOURCE / line).exists(), f"{file.name}: {line}")


if __name__ == "__main__":
    unittest.main()
