"""The daemon listens to a microphone by itself, and those who watch get what is said to it."""

import difflib
import os
import pathlib
import signal
import sys
import time

import sound
from sound import PATIENCE, recording, until, words_of

sys.path.append(str(pathlib.Path(__file__).parents[1] / "daemon"))

import running  # noqa: E402
from captures import CapturesTest, Status  # noqa: E402
from speaking import transcribe  # noqa: E402


class MicrophoneTest(CapturesTest):
    is_killed = False

    def end(self, program):
        if not self.is_killed:
            super().end(program)

    def setUp(self):
        super().setUp()
        self.sound = sound.Sound(self.folder)
        self.addCleanup(self.sound.stop)
        self.sound.start()

    def start(self, command, environment=None):
        return super().start(command, self.sound.environment)

    def children(self, program):
        """The processes that hear its microphones."""
        return sound.children(program.process.pid)

    def hear(self, watcher, name):
        """Plays a recording; the words that are heard of it."""
        before = len(watcher.of("final"))
        self.sound.await_listener()
        self.sound.play(recording(name))
        watcher.wait_for_finals(before + 1)
        # More than one final, as the recording may have pauses: until all is quiet for a while.
        count = 0
        while count < len(watcher.of("final")):
            count = len(watcher.of("final"))
            time.sleep(3)
        return words_of(" ".join(final.text for final in watcher.of("final")[before:]))

    def assert_like(self, heard, name):
        """As many words of `steno transcribe` as test_listen.py expects where chunks begin at other
        places."""
        said = transcribe(sound.SPEECH / name, model=running.SOURCE / "models/en.safetensors")
        same = difflib.SequenceMatcher(None, heard, words_of(said["text"]), autojunk=False)
        self.assertGreater(same.ratio(), 0.35, (heard, said["text"]))

    def test_a_microphone_that_goes_and_comes_back(self):
        daemon = self.captures({"name": "hall", "device": "speech", "rate": sound.RATE},
                               {"name": "other", "device": "マイク"})
        hall = self.watch("hall", interim_results=True)
        other = self.watch("other")
        listening = hall.wait_for_state(Status.LISTENING)
        self.assertEqual((listening.device, listening.reason), ("speech", ""))
        other.wait_for_state(Status.LISTENING)
        self.assertEqual(len(self.children(daemon)), 2)
        self.assert_like(self.hear(hall, "777-126732-0053.flac"), "777-126732-0053.flac")
        other.wait_for_finals(1)
        self.assertGreater(len(hall.of("interim")), 1)

        self.sound.unplug()
        waiting = hall.wait_for_state(Status.WAITING)
        self.assertTrue(waiting.reason)
        self.assertGreater(waiting.heard_ms, 4000)
        finals = len(hall.of("final"))
        self.sound.plug()
        hall.wait_for_state(Status.LISTENING)
        other.wait_for_state(Status.LISTENING)
        self.assert_like(self.hear(hall, "5694-64025-0001.flac"), "5694-64025-0001.flac")
        self.assertGreater(len(hall.of("final")), finals)
        self.check_order(hall)
        starts = [word.start_ms for final in hall.of("final") for word in final.words]
        self.assertEqual(starts, sorted(starts))

        # One of the processes ends: another takes its place, and the other capture never notices.
        noticed = len(other.waits())
        for child in self.children(daemon):
            if "speech" in pathlib.Path(f"/proc/{child}/cmdline").read_text().split("\0"):
                os.kill(child, signal.SIGKILL)
        hall.wait_for(lambda self: any("has ended" in status.reason for status in self.of("status")))
        hall.wait_for_state(Status.LISTENING)
        self.assertEqual(len(other.waits()), noticed)
        daemon.tell()
        self.assertEqual(daemon.finish(), 0)

    def test_a_microphone_that_is_not_there(self):
        self.captures({"name": "hall", "device": "trumpet"})
        waiting = self.watch("hall").wait_for_state(Status.WAITING)
        self.assertIn("trumpet", waiting.reason)

    def test_a_sound_system_that_does_not_answer(self):
        """Neither the watchers nor the end wait for it."""
        daemon = self.captures({"name": "hall", "device": "speech"})
        watcher = self.watch("hall")
        watcher.wait_for_state(Status.LISTENING)
        self.sound.await_listener()
        self.sound.server.send_signal(signal.SIGSTOP)
        watcher.wait_for_state(Status.WAITING)
        watcher.wait_for(lambda self: any("does not answer" in status.reason
                                          for status in self.of("status")))
        # The next one that is asked hangs, too.
        until(lambda: self.children(daemon), "it is tried again")
        began = time.monotonic()
        daemon.tell()
        self.assertEqual(daemon.finish(), 0)
        self.assertLess(time.monotonic() - began, 2 + running.PATIENCE / 2)
        self.assertIn("shutting down", watcher.error.details())

    def test_a_process_that_hangs(self):
        """As the sound system would have it hang; the next one does not."""
        daemon = self.captures({"name": "hall", "device": "speech", "rate": sound.RATE})
        watcher = self.watch("hall")
        watcher.wait_for_state(Status.LISTENING)
        first = self.children(daemon)
        os.kill(first[0], signal.SIGSTOP)
        watcher.wait_for(lambda self: any("does not answer" in status.reason
                                          for status in self.of("status")))
        watcher.wait_for_state(Status.LISTENING)
        second = self.children(daemon)
        self.assertEqual((len(first), len(second)), (1, 1))  # nor is the first one a zombie
        self.assertNotEqual(first, second)
        self.hear(watcher, "777-126732-0053.flac")
        daemon.tell()
        self.assertEqual(daemon.finish(), 0)

    def test_a_daemon_that_is_killed_takes_its_processes_along(self):
        daemon = self.captures({"name": "hall", "device": "speech"})
        self.watch("hall").wait_for_state(Status.LISTENING)
        children = self.children(daemon)
        self.assertEqual(len(children), 1)
        self.is_killed = True
        daemon.process.kill()
        daemon.finish()
        until(lambda: not os.path.exists(f"/proc/{children[0]}/fd") or
              pathlib.Path(f"/proc/{children[0]}/stat").read_text().split()[2] in "ZX",
              "the process ends", PATIENCE)


if __name__ == "__main__":
    sound.main()
