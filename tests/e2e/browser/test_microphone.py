"""Words spoken into a microphone (a null sink of PulseAudio's) come onto the page of captions."""

import difflib
import os
import re
import subprocess
import sys

import browsing
from browsing import MODEL, PATIENCE, SOURCE, STENO

sys.path.append(str(SOURCE / "tests" / "e2e" / "listen"))
import sound  # noqa: E402

RECORDING = "777-126732-0053.flac"
STENOD = os.environ["STENOD"]


class Microphone(browsing.SceneTest):
    def setUp(self):
        super().setUp()
        self.sound = sound.Sound(self.folder)
        self.addCleanup(self.sound.stop)
        self.sound.start()

    def obey(self, words):
        if words == ["speak"]:
            self.sound.await_listener()
            self.sound.play(sound.recording(RECORDING))
        elif words == ["unplug"]:
            self.sound.unplug()
        else:
            self.sound.plug()

    def test_speech(self):
        settings = os.path.join(self.folder, "stenod.conf")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"[capture hall]\ndevice = speech\nrate = {sound.RATE}\n")
        daemon = subprocess.Popen(
            [STENOD, "--config", settings, "--model", MODEL, "--threads", "1",
             "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--captions-page"],
            stderr=subprocess.PIPE, text=True, env=self.sound.environment)
        self.addCleanup(daemon.communicate)
        self.addCleanup(daemon.terminate)
        port = next(found[1] for line in daemon.stderr
                    if (found := re.search(r"captions on http://127.0.0.1:(\d+)/captions$", line)))
        seen = self.play("microphone", port)
        said = subprocess.run(
            [STENO, "transcribe", "--model", MODEL, "--threads", "1", sound.SPEECH / RECORDING],
            check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
        heard = sound.words_of(" ".join(seen["lines"]))
        # Chunks begin at other places than in the file, and a busy machine loses audio.
        same = difflib.SequenceMatcher(None, heard, sound.words_of(said), autojunk=False)
        self.assertGreater(same.ratio(), 0.35, (heard, said))


if __name__ == "__main__":
    unable = browsing.install("captions.js")
    if os.environ.get("HAS_HTTP") != "1":
        unable = "built without libmicrohttpd"
    elif not MODEL.exists():
        unable = "the shipped model is not there"
    if unable:
        browsing.main(unable)
    sound.main()
