#!/usr/bin/env python3
"""Whether a daemon that listens for long stays as it is: no growth, no lost audio, no reader with
anything else than the others.

    captures_soak.py STENO STENOD SOURCE [OPTION]... [-- OPTION OF STENOD]...

A daemon hears, in real time, a named pipe into which exactly so many samples are written, and, where
PulseAudio is there, a microphone that hears the same speech from a null sink.  `steno watch` follows
each several times, one of them stopped for most of the time.  Each minute a line says how much was
heard, how many utterances were published, and what is in memory; at the end it is said what was lost.
Exit status 1 if audio was, if readers differ, or if memory grew by more than a twentieth after the
first fifth of the time.
"""

import argparse
import array
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

RATE = 16000
BLOCK = RATE // 20
PAUSE_S = 2


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steno", help="the program")
    parser.add_argument("stenod", help="the daemon")
    parser.add_argument("source", help="the source tree")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--watchers", type=int, default=3, help="of each capture")
    parser.add_argument("--every", type=float, default=60, metavar="SECONDS", help="between lines")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:cut])
    options.options = words[cut + 1 :]
    return options


def speech(source):
    """All recordings of tests/data/speech, a pause after each, as 16-bit samples."""
    samples = array.array("h")
    for path in sorted(pathlib.Path(source, "tests/data/speech").glob("*.flac")):
        raw = subprocess.run(["sox", "-D", path, "-t", "raw", "-e", "signed", "-b", "16", "-"],
                             check=True, capture_output=True).stdout
        samples.frombytes(raw)
        samples.extend([0] * (PAUSE_S * RATE))
    return samples


class Speaker(threading.Thread):
    """Writes the speech again and again, as fast as it was spoken, to several streams."""

    def __init__(self, samples, streams):
        super().__init__(daemon=True)
        self.samples, self.streams = samples, streams
        self.written, self.ending = 0, False

    def run(self):
        began = time.monotonic()
        while not self.ending:
            at = self.written % len(self.samples)
            block = self.samples[at : at + BLOCK]
            for stream in self.streams:
                stream.write(block.tobytes())
                stream.flush()
            self.written += len(block)
            time.sleep(max(0, began + self.written / RATE - time.monotonic()))


class Watcher:
    """A `steno watch` that writes into a file."""

    def __init__(self, steno, folder, address, name, number):
        self.path = folder / f"{name}-{number}"
        with open(self.path, "wb") as output:
            self.process = subprocess.Popen(
                [steno, "watch", name, "--server", address, "--recent", "0"], stdout=output)

    def lines(self):
        return self.path.read_text().splitlines()


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def listed(steno, address):
    result = subprocess.run([steno, "watch", "--json", "--server", address], check=True,
                            capture_output=True, timeout=60)
    return json.loads(result.stdout)["captures"]


@contextlib.contextmanager
def sound_server(options, folder):
    """PulseAudio with a microphone, as tests/e2e/listen has it; None where it is missing."""
    os.environ["STENO"], os.environ["STENO_SOURCE"] = options.steno, options.source
    sys.path.insert(0, str(pathlib.Path(options.source, "tests/e2e/listen")))
    import sound
    if any(subprocess.run(["sh", "-c", f"command -v {program}"], capture_output=True).returncode
           for program in ("pulseaudio", "pactl", "pacat")):
        yield None
        return
    server = sound.Sound(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def write_settings(folder, has_device):
    text = f"[capture pipe]\nfifo = {folder}/pipe\nrate = {RATE}\n"
    if has_device:
        text += f"[capture microphone]\ndevice = speech\nrate = {RATE}\n"
    (folder / "stenod.conf").write_text(text)
    os.mkfifo(folder / "pipe")
    return folder / "stenod.conf"


def report(minute, captures, daemon, out=sys.stdout):
    cells = "".join(
        f"  {c['name']}: {c['heard_ms'] / 1000:8.1f} s {c['finals']:5} said {c['lost_ms']:4} ms lost"
        f" {c['device_overruns']:2} overruns" for c in captures)
    memory = resident_kb(daemon.pid)
    print(f"{minute:5.1f} min {memory / 1024:7.1f} MiB{cells}", file=out, flush=True)
    return memory


def judge(options, folder, speaker, captures, memory, names):
    """What is wrong, in lines."""
    for capture in captures:
        if capture["lost_ms"] or capture["gaps"] or capture["device_overruns"]:
            yield f"{capture['name']}: audio was lost: {capture}"
        if capture["name"] == "pipe" and abs(capture["heard_ms"] - speaker.written / RATE * 1000) > 1:
            yield f"pipe: {speaker.written} samples were written, {capture['heard_ms']} ms heard"
    settled = memory[len(memory) // 5]
    if memory[-1] > settled * 1.05:
        yield f"memory grew from {settled} to {memory[-1]} KiB"
    for name, count in names.items():
        texts = [(folder / f"{name}-{i}").read_text().splitlines() for i in range(count)]
        if any(text != texts[0] for text in texts) or not texts[0]:
            yield f"{name}: readers differ: {[len(text) for text in texts]} lines"


def soak(options, folder, server):
    environment = server.environment if server else dict(os.environ)
    settings = write_settings(folder, server is not None)
    address = f"unix:{folder}/stenod.sock"
    daemon = subprocess.Popen([options.stenod, "--config", settings, "--listen", address,
                               "--threads", "1", *options.options], env=environment)
    # Waits until it listens to the pipe, which is after it listens to us.
    streams, watchers, player = [open(folder / "pipe", "wb")], [], None
    try:
        names = {c["name"]: options.watchers for c in listed(options.steno, address)}
        watchers = [Watcher(options.steno, folder, address, name, i)
                    for name, count in names.items() for i in range(count)]
        if server:
            server.await_listener()
            player = subprocess.Popen(
                ["pacat", "--playback", "--device=speech", "--raw", "--format=s16le",
                 f"--rate={RATE}", "--channels=1"], env=environment, stdin=subprocess.PIPE)
            streams.append(player.stdin)
        time.sleep(1)
        speaker = Speaker(speech(options.source), streams)
        speaker.start()
        memory = follow(options, address, daemon, watchers)
        speaker.ending = True
        speaker.join()
        time.sleep(10)
        captures = listed(options.steno, address)
        memory.append(report(options.minutes, captures, daemon))
    finally:
        for watcher in watchers:
            watcher.process.send_signal(signal.SIGCONT)
            watcher.process.terminate()
            watcher.process.wait()
        streams[0].close()
        if player:
            player.kill()
            player.wait()
        daemon.terminate()
        daemon.wait()
    wrong = list(judge(options, folder, speaker, captures, memory, names))
    print(f"written {speaker.written} samples; memory {memory[len(memory) // 5] / 1024:.1f} MiB after"
          f" a fifth of the time, {memory[-1] / 1024:.1f} MiB at the end")
    print("\n".join(wrong) if wrong else "nothing was lost, readers agree, memory stayed")
    return 1 if wrong else 0


def follow(options, address, daemon, watchers):
    """Waits for the time to pass: what was in memory."""
    began, memory, line = time.monotonic(), [], 0
    slow = watchers[-1].process
    while time.monotonic() - began < options.minutes * 60:
        if time.monotonic() - began >= line * options.every:
            captures = listed(options.steno, address)
            memory.append(report((time.monotonic() - began) / 60, captures, daemon))
            line += 1
        # One that is stopped for nine seconds of ten.
        phase = (time.monotonic() - began) % 10
        slow.send_signal(signal.SIGCONT if phase >= 9 else signal.SIGSTOP)
        time.sleep(0.5)
    slow.send_signal(signal.SIGCONT)
    return memory


def main():
    options = arguments()
    options.steno, options.stenod, options.source = (
        os.path.abspath(path) for path in (options.steno, options.stenod, options.source))
    with tempfile.TemporaryDirectory(prefix="steno-soak-") as name:
        folder = pathlib.Path(name)
        with sound_server(options, folder) as server:
            return soak(options, folder, server)


if __name__ == "__main__":
    sys.exit(main())
