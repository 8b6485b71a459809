"""A sound system of the tests' own: a PulseAudio server in a folder of its own, with microphones
that hear what is played to them (null sinks and their monitors), and ALSA's pulse plugin, which
PortAudio finds, configured in a private file.  Nothing of the machine's own sound is touched.

The environment says where things are: STENO (the program), STENO_SOURCE (the source tree).
"""

import array
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import wave

STENO = os.environ["STENO"]
SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
SPEECH = SOURCE / "tests" / "data" / "speech"
RATE = 16000

# A busy machine is slow; nothing here is measured.
PATIENCE = 120

# What steno says where the machine was too busy to take the audio in time.
BUSY = re.compile(r"steno: [^\n]*(?:the device has lost audio|s of audio were lost)[^\n]*\n")

# The program ends by itself when all is said; MESON counts this as skipped.
SKIPPED = 77


def main():
    """Runs the script's tests, or says why they can't be."""
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            print(f"skipped: {program} is not installed")
            sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="steno-sound-") as folder:
        sound = Sound(folder)
        try:
            sound.start()
            found = json.loads(steno(sound, "devices", "--json").stdout)["devices"]
        finally:
            sound.stop()
        if not found:
            print("skipped: ALSA's pulse plugin (libasound2-plugins) or PortAudio is missing")
            sys.exit(SKIPPED)
    unittest.main()


def until(condition, what, patience=PATIENCE):
    """Waits until the condition holds, and gives what it gave."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"{what}: not after {patience} s")


class Sound:
    """The server and its microphones."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "home").mkdir(exist_ok=True)
        self.server = None
        self.environment = dict(
            os.environ,
            HOME=str(self.folder / "home"),
            XDG_RUNTIME_DIR=str(self.folder),
            PULSE_RUNTIME_PATH=str(self.folder),
            PULSE_SERVER=f"unix:{self.folder}/native",
            ALSA_CONFIG_PATH=str(self.folder / "asound.conf"),
            LC_ALL="C",
        )
        for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "NO_COLOR", "STENO_MODEL"):
            self.environment.pop(name, None)
        self.configure()

    def configure(self, names=("speech", "マイク")):
        """ALSA's devices: each is the monitor of the sink called speech; the first is the
        default as well."""
        device = '{{ type pulse; server "unix:{}/native"; device "speech.monitor" }}'
        device = device.format(self.folder)
        lines = [f"pcm.!default {device}"]
        lines += [f'pcm."{name}" {device}' for name in names]
        (self.folder / "asound.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        log = open(self.folder / "pulseaudio.log", "ab")
        self.server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes",
             "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self.folder}/native"],
            env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        until(lambda: self.control("info").returncode == 0, "the sound server answers")
        self.plug()

    def stop(self):
        if self.server is not None:
            self.server.send_signal(signal.SIGCONT)
            self.server.kill()
            self.server.wait()
            self.server = None

    def control(self, *arguments):
        return subprocess.run(["pactl", *arguments], env=self.environment, capture_output=True)

    def plug(self, rate=RATE, channels=1):
        """Plugs the microphone in."""
        result = self.control("load-module", "module-null-sink", "sink_name=speech",
                              f"rate={rate}", f"channels={channels}")
        assert result.returncode == 0, result.stderr

    def unplug(self):
        assert self.control("unload-module", "module-null-sink").returncode == 0

    def listeners(self):
        """How many take audio from a microphone (a stream that only exists does not yet)."""
        return self.control("list", "source-outputs").stdout.count(b"Corked: no")

    def await_listener(self):
        until(lambda: self.listeners() > 0, "someone listens")
        # PortAudio may not survive losing a device that has given nothing yet.
        time.sleep(0.5)

    def play_on(self, samples):
        """Begins to play 16-bit samples at 16 kHz: the process that does."""
        path = self.folder / "played.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            # The first milliseconds after a microphone was opened may be lost.
            file.writeframes(bytes(2 * RATE // 2) + samples.tobytes())
        return subprocess.Popen(["paplay", "--device=speech", str(path)], env=self.environment)

    def play(self, samples):
        """Plays them to their end."""
        assert self.play_on(samples).wait(PATIENCE + len(samples) / RATE) == 0


def steno(sound, *arguments, model=None):
    """Runs steno to its end; .returncode, .stdout, .stderr (texts)."""
    result = subprocess.run([STENO, *map(str, arguments)], env=sound.environment,
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
    return result


def read_wav(path):
    with wave.open(str(path)) as file:
        assert (file.getsampwidth(), file.getnchannels(), file.getframerate()) == (2, 1, RATE)
        samples = array.array("h")
        samples.frombytes(file.readframes(file.getnframes()))
        return samples


def recording(name):
    """The samples of a recording of tests/data/speech, 16 bits at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "speech.wav"
        subprocess.run(["sox", "-D", SPEECH / name, "-b", "16", path], check=True)
        return read_wav(path)


def position_of(part, whole):
    """Where the samples of `part` stand in `whole`, exactly, or -1."""
    needle, hay = part.tobytes(), whole.tobytes()
    at = hay.find(needle)
    while at > 0 and at % 2 == 1:
        at = hay.find(needle, at + 1)
    return at // 2 if at >= 0 else -1


def children(process):
    """Those of a process, by number, that were begun by any of its threads."""
    found = []
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass # the thread has ended meanwhile
    return found


def but_busy(errors):
    """What steno said, but for what this machine has lost."""
    return BUSY.sub("", errors)


class Listening:
    """A running `steno listen`."""

    def __init__(self, sound, *arguments, process_group=False):
        self.sound = sound
        self.output = open(sound.folder / "stdout", "w+b")
        self.errors = open(sound.folder / "stderr", "w+b")
        self.process = subprocess.Popen([STENO, "listen", *map(str, arguments)],
                                        env=sound.environment, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.errors,
                                        preexec_fn=os.setpgrp if process_group else None)

    def text(self, name):
        return (self.sound.folder / name).read_text()

    def says(self, words, patience=PATIENCE):
        """Waits for these words on standard error."""
        def said():
            ended = self.process.poll() is not None
            if words in self.text("stderr"):
                return True
            assert not ended, f"ended: {self.text('stderr')}"
            return False
        until(said, f"steno says '{words}'", patience)

    def end(self, number=signal.SIGINT, patience=PATIENCE):
        """Ends it by a signal: status, standard output, standard error but for what was lost."""
        self.process.send_signal(number)
        return self.wait(patience)

    def wait(self, patience=PATIENCE):
        status = self.process.wait(patience)
        return status, self.text("stdout"), but_busy(self.text("stderr"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()
        self.errors.close()


class SoundTest(unittest.TestCase):
    """A test with a sound system of its own."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="steno-sound-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.sound = Sound(self.folder)
        self.addCleanup(self.sound.stop)
        self.sound.start()

    def listen(self, *arguments):
        listening = Listening(self.sound, *arguments)
        self.addCleanup(listening.close)
        return listening

    def listen_ready(self, *arguments):
        """Listening, and the server knows."""
        listening = self.listen(*arguments)
        self.sound.await_listener()
        return listening

    def await_speech(self, audio, seconds):
        """Until so much has been heard, from the first sound on; audio: a WAV file being saved."""
        def heard():
            data = audio.read_bytes()[44:] if audio.exists() else b""
            samples = array.array("h", data[: len(data) // 2 * 2])
            first = next((i for i, sample in enumerate(samples) if sample), len(samples))
            return len(samples) - first > seconds * RATE
        until(heard, "someone speaks")

    def transcribe(self, path, *options):
        """The JSON of `steno transcribe`."""
        result = steno(self.sound, "transcribe", "-f", "json", *options, path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)


def words_of(text):
    return re.findall(r"\S+", text)
