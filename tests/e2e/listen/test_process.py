"""`steno listen` and the process that reads its microphone: whatever happens to that one, and at
whatever moment, steno goes on or ends, and leaves no process behind.

The process is made to hang by SIGSTOP, which to the other side looks as if the sound system did.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import sound
from sound import RATE, STENO, children, recording, until


def state_of(process):
    """A letter as in ps; None: there is no such process."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_pending(process, number):
    """Whether a signal has been sent to it and not been taken."""
    text = pathlib.Path(f"/proc/{process}/status").read_text()
    return bool(int(re.search(r"ShdPnd:\s*(\w+)", text)[1], 16) >> (number - 1) & 1)


def microphone_processes(sound_system):
    """All processes, whoever their parent is, that this test's steno has begun to hear with."""
    found = []
    home = f"XDG_RUNTIME_DIR={sound_system.folder}".encode()
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if home in variables and any(one.startswith(b"STENO_MICROPHONE=") for one in variables):
            found.append(int(folder.name))
    return found


class ProcessTest(sound.SoundTest):
    def child(self, listening):
        """The process that hears for it."""
        return until(lambda: children(listening.process.pid), "there is one")[0]

    def assert_nothing_is_left(self):
        until(lambda: not microphone_processes(self.sound), "no process is left", 30)

    def words(self, name):
        speech = recording(name)
        self.sound.play(speech)
        return len(speech)

    def finals(self, listening):
        return [line for line in listening.text("stdout").splitlines() if line]


class Lost(ProcessTest):
    """It no longer hears: another one does, and nothing that was said before is lost."""

    def check_another_takes_its_place(self, number, message):
        listening = self.listen_ready("--rate", RATE)
        first = self.child(listening)
        self.sound.play(recording("777-126732-0053.flac"))
        # Heard, but still not final.
        os.kill(first, number)
        listening.says(message)
        until(lambda: self.finals(listening), "the words before are final")
        listening.says("speech: listening again" if "speech" in message else "listening again")
        second = self.child(listening)
        self.assertNotEqual(first, second)
        self.assertIsNone(state_of(first)) # neither there nor a zombie
        self.assertEqual(children(listening.process.pid), [second])
        before = len(self.finals(listening))
        self.sound.await_listener()
        self.sound.play(recording("5694-64025-0001.flac"))
        status, text, errors = listening.end()
        self.assertEqual(status, 0, errors)
        self.assertGreater(len(text.splitlines()), before)
        self.assertEqual(len(errors.splitlines()), 2, errors)
        self.assert_nothing_is_left()

    def test_it_hangs(self):
        self.check_another_takes_its_place(
            signal.SIGSTOP, "the sound system does not answer; waiting for it to come back")

    def test_it_is_killed(self):
        self.check_another_takes_its_place(
            signal.SIGKILL, "the process that hears it has ended; waiting for it to come back")

    def test_it_hangs_while_the_microphone_is_away(self):
        """The one that tries whether it is there again."""
        listening = self.listen_ready("--rate", RATE)
        self.sound.unplug()
        listening.says("waiting for it")
        self.sound.server.send_signal(signal.SIGSTOP)
        # One that asks a sound server that does not answer lasts.
        seen = self.child(listening)
        until(lambda: children(listening.process.pid) not in ([], [seen]), "another one tries")
        self.sound.server.send_signal(signal.SIGCONT)
        self.sound.plug()
        listening.says("listening again")
        status, _, errors = listening.end()
        self.assertEqual(status, 0, errors)
        self.assert_nothing_is_left()


class Ending(ProcessTest):
    def test_ctrl_c_while_it_hangs(self):
        """What was heard until then is still recognised."""
        listening = self.listen_ready("--rate", RATE, "-f", "json")
        self.sound.play(recording("777-126732-0053.flac"))
        os.kill(self.child(listening), signal.SIGSTOP)
        status, text, errors = listening.end()
        self.assertEqual((status, errors), (0, ""))
        self.assertGreater(len(json.loads(text)["text"]), 10)
        self.assert_nothing_is_left()

    def test_a_second_ctrl_c_while_it_hangs(self):
        listening = self.listen_ready()
        os.kill(self.child(listening), signal.SIGSTOP)
        listening.process.send_signal(signal.SIGINT)
        until(lambda: not is_pending(listening.process.pid, signal.SIGINT), "the first is taken")
        status, _, errors = listening.end()
        self.assertEqual((status, errors), (-signal.SIGINT, ""))
        self.assert_nothing_is_left()

    def test_ctrl_c_while_it_opens(self):
        self.sound.server.send_signal(signal.SIGSTOP)
        audio = self.folder / "audio.wav"
        listening = self.listen("-f", "json", "--save-audio", audio)
        self.child(listening)
        status, text, errors = listening.end()
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(json.loads(text)["results"], [])
        self.assertFalse(audio.exists())
        self.assert_nothing_is_left()

    def test_a_sound_system_that_never_answers(self):
        self.sound.server.send_signal(signal.SIGSTOP)
        result = sound.steno(self.sound, "listen")
        self.assertEqual((result.returncode, result.stdout), (4, ""))
        self.assertEqual(
            result.stderr, "steno: the microphone: the sound system does not answer\n")
        self.assert_nothing_is_left()

    def test_devices_of_a_sound_system_that_never_answers(self):
        self.sound.server.send_signal(signal.SIGSTOP)
        result = sound.steno(self.sound, "devices")
        self.assertEqual((result.returncode, result.stdout), (4, ""))
        self.assertEqual(result.stderr, "steno: the sound system does not answer\n")

    def test_steno_is_killed(self):
        listening = self.listen_ready()
        child = self.child(listening)
        os.kill(child, signal.SIGSTOP) # it can't even notice
        listening.process.kill()
        listening.process.wait()
        self.assert_nothing_is_left()

    def test_a_process_without_a_parent(self):
        """Run by hand it does nothing, and ends."""
        result = subprocess.run([STENO, "listen"], env={"STENO_MICROPHONE": "0 0 0"},
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (1, b"", b""))


class Groups(ProcessTest):
    """A terminal sends its signals to all processes of the foreground."""

    def listen_in_a_group(self, *arguments):
        listening = sound.Listening(self.sound, *arguments, process_group=True)
        self.addCleanup(listening.close)
        self.sound.await_listener()
        self.assertEqual(os.getpgid(self.child(listening)), listening.process.pid)
        return listening

    def check_the_last_words(self, number, status):
        """The signal comes while someone speaks: all that was heard until then is recognised."""
        audio = self.folder / "audio.wav"
        listening = self.listen_in_a_group("--rate", RATE, "--save-audio", audio, "-f", "json",
                                           "-o", self.folder / "text.json")
        player = self.sound.play_on(recording("demo.flac"))
        self.await_speech(audio, 3)
        os.killpg(listening.process.pid, number)
        self.assertEqual(listening.wait(), (status, "", ""))
        player.kill()
        player.wait()
        heard = json.loads((self.folder / "text.json").read_text())
        self.assertEqual(heard["text"], self.transcribe(audio)["text"])
        self.assertGreater(heard["duration_ms"], 1000)
        self.assertGreater(heard["results"][-1]["words"][-1]["end_ms"],
                           heard["duration_ms"] - 2000)
        self.assert_nothing_is_left()

    def test_ctrl_c(self):
        self.check_the_last_words(signal.SIGINT, 0)

    def test_hanging_up(self):
        self.check_the_last_words(signal.SIGHUP, -signal.SIGHUP)

    def test_terminating_all(self):
        self.check_the_last_words(signal.SIGTERM, -signal.SIGTERM)

    def test_ctrl_z(self):
        """Both stop, and that is not taken for a fault, however long it lasts."""
        listening = self.listen_in_a_group("--rate", RATE)
        child = self.child(listening)
        os.killpg(listening.process.pid, signal.SIGTSTP)
        until(lambda: state_of(listening.process.pid) == state_of(child) == "T", "both stop")
        time.sleep(12)
        os.killpg(listening.process.pid, signal.SIGCONT)
        time.sleep(1)
        self.sound.play(recording("777-126732-0053.flac"))
        after = children(listening.process.pid)
        status, text, errors = listening.end()
        self.assertEqual(status, 0, errors)
        self.assertEqual(after, [child], errors)
        self.assertNotIn("waiting for it", errors)
        self.assertNotEqual(text, "")

    def test_stopped_alone(self):
        """The process goes on hearing; what there is no room for is counted, and told."""
        listening = self.listen_in_a_group("--rate", 48000, "--channels", 2)
        listening.process.send_signal(signal.SIGSTOP)
        time.sleep(12)
        listening.process.send_signal(signal.SIGCONT)
        listening.says("of audio were lost")
        lost = float(re.search(r"([\d.]+) s of audio were lost", listening.text("stderr"))[1])
        self.assertGreater(lost, 1)
        self.assertLess(lost, 12)
        self.sound.play(recording("777-126732-0053.flac"))
        status, text, errors = listening.end()
        self.assertEqual(status, 0, errors)
        self.assertNotEqual(text, "")


if __name__ == "__main__":
    sound.main()
