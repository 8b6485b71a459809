"""Programs for Node with packages of npm's: installed into the build folder, run from there."""

import pathlib
import shutil
import subprocess

import running


class Folder:
    """The files of `source` (package.json among them) and what they need, in `folder`; `unable` is
    why that can't be had, or None."""

    def __init__(self, source, folder):
        self.folder = pathlib.Path(folder)
        self.unable = self._install(source)

    def _install(self, source):
        if shutil.which("node") is None or shutil.which("npm") is None:
            return "node and npm are not there"
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self.folder / "installed.json"
        for path in source.iterdir():
            if path.suffix in (".js", ".json"):
                shutil.copy(path, self.folder / path.name)
        wanted = (self.folder / "package.json").read_text()
        if done.exists() and done.read_text() == wanted:
            return None
        try:
            subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries", "1",
                 "--fetch-timeout", "20000"],
                cwd=self.folder, check=True, capture_output=True, timeout=240)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return "npm can't get the packages of " + str(source.relative_to(running.SOURCE))
        done.write_text(wanted)
        return None

    def run(self, *command):
        return subprocess.run(["node", *map(str, command)], cwd=self.folder, capture_output=True,
                              text=True, timeout=running.PATIENCE, check=False)

    def start(self, *command):
        return subprocess.Popen(["node", *map(str, command)], cwd=self.folder, text=True,
                                stdout=subprocess.PIPE)
