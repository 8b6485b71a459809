"""`meson dist`: what it packs is whole, and configures without a repository around it.  That it
builds and works takes long, and is by hand before a release (CONTRIBUTING.md)."""

import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
BUILD = pathlib.Path(os.environ["STENO_BUILD"])


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)


@unittest.skipUnless(shutil.which("git") and shutil.which("meson")
                     and run("git", "-C", SOURCE, "rev-parse", "HEAD").returncode == 0,
                     "the source is not in a git repository here")
class Dist(unittest.TestCase):
    def test_what_is_inside(self):
        for old in (BUILD / "meson-dist").glob("steno-*.tar.gz"):
            old.unlink()
        packed = run("meson", "dist", "-C", BUILD, "--no-tests", "--allow-dirty", "--formats",
                     "gztar")
        self.assertEqual(packed.returncode, 0, packed.stdout + packed.stderr)
        (path,) = (BUILD / "meson-dist").glob("steno-*.tar.gz")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with tarfile.open(path) as archive:
            archive.extractall(folder.name)
        root = pathlib.Path(folder.name, path.name.removesuffix(".tar.gz"))
        listed = run("git", "-C", SOURCE, "ls-tree", "-r", "--name-only", "-z", "HEAD").stdout
        names = list(filter(None, listed.split("\0")))
        self.assertIn("models/en.safetensors", names)
        self.assertIn("tests/golden/en.safetensors", names)
        for name in names:
            self.assertTrue((root / name).is_file() or (root / name).is_symlink(), name)
        # The model itself, no pointer to where it might be had.
        self.assertGreater((root / "models" / "en.safetensors").stat().st_size, 1 << 20)
        configured = run("meson", "setup", pathlib.Path(folder.name, "build"), root,
                         "-Dtests=disabled")
        self.assertEqual(configured.returncode, 0, configured.stdout + configured.stderr)


if __name__ == "__main__":
    unittest.main()
