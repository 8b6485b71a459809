#!/usr/bin/env python3
"""How long after a word was said `steno listen` shows it: with a real sound server in between, in
real time.

    listen_latency.py STENO SOURCE [OPTION]... [-- OPTION OF LISTEN]...

Speech from tests/data is handed to PulseAudio in pieces of 10 ms as time goes by; its null sink's
monitor is the microphone.  Zero is when the last sample of a word (by the transcript's own times) is
handed over; what the sound server, PortAudio and the terminal's side take is in the figures.
Measured are the first time that a word is shown as it stays, and, for the last word of
each line, when that is final.  A table
with a line per chunk size; milliseconds.
"""

import argparse
import array
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

RATE = 16000
BLOCK_MS = 10
SILENCE_MS = 1000
AFTER_MS = 4000


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steno", help="the program")
    parser.add_argument("source", help="the source tree")
    parser.add_argument("--recording", default="demo.flac", help="of tests/data/speech")
    parser.add_argument("--chunks", type=int, nargs="+", default=[160, 320, 640, 1280])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("options", nargs="*", help="handed to steno listen and transcribe, after --")
    return parser.parse_args()


def play(environment, samples):
    """Hands samples over in real time: when the first one was."""
    player = subprocess.Popen(
        ["pacat", "--playback", "--device=speech", "--raw", "--format=s16le", f"--rate={RATE}",
         "--channels=1", "--latency-msec=40"], env=environment, stdin=subprocess.PIPE)
    block = RATE * BLOCK_MS // 1000
    start = time.monotonic()
    for at in range(0, len(samples), block):
        due = start + at / RATE
        time.sleep(max(0, due - time.monotonic()))
        player.stdin.write(samples[at : at + block].tobytes())
        player.stdin.flush()
    player.stdin.close()
    player.wait()
    return start


def read_lines(stream, lines):
    """Gathers (time, line) until the stream ends."""
    for line in stream:
        lines.append((time.monotonic(), line.decode().rstrip("\n")))


def shown_times(lines, words):
    """For each word of the transcript: when it was first shown as it stays; and for those that end
    a line, when that was final."""
    first, final = [None] * len(words), [None] * len(words)
    fixed = []
    for when, line in lines:
        forming = line.startswith("~ ")
        shown = fixed + line.removeprefix("~ ").split()
        for index, word in enumerate(shown[: len(words)]):
            if word == words[index]:
                first[index] = first[index] or when
            else:
                first[index] = None
        if not forming:
            if 0 < len(shown) <= len(words):
                final[len(shown) - 1] = when
            fixed = shown
    return first, final


def share(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def measure(sound, tests, chunk_ms, options):
    """Milliseconds from a word's end to its first showing, and to its line being final."""
    speech = tests.recording(options.recording)
    audio = sound.folder / "audio.wav"
    audio.unlink(missing_ok=True)
    listen = subprocess.Popen(
        [tests.STENO, "listen", "--interim", "--rate", str(RATE), "--chunk", str(chunk_ms),
         "--save-audio", audio, *options.options],
        env=sound.environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    lines = []
    reader = threading.Thread(target=read_lines, args=(listen.stdout, lines))
    reader.start()
    sound.await_listener()
    padded = (array.array("h", bytes(2 * RATE * SILENCE_MS // 1000)) + speech
              + array.array("h", bytes(2 * RATE * AFTER_MS // 1000)))
    start = play(sound.environment, padded)
    listen.send_signal(tests.signal.SIGINT)
    listen.wait(60)
    reader.join()
    offset = tests.position_of(speech, tests.read_wav(audio))
    if offset < 0:
        return None
    said = tests.steno(sound, "transcribe", "-f", "json", "--chunk", chunk_ms, *options.options,
                       audio)
    words = [word for result in tests.json.loads(said.stdout)["results"]
             for word in result["words"]]
    first, final = shown_times(lines, [word["word"] for word in words])
    spoken = start + SILENCE_MS / 1000 - offset / RATE
    ends = [spoken + word["end_ms"] / 1000 for word in words]
    return [[1000 * (when - end) for when, end in zip(times, ends) if when is not None]
            for times in (first, final)]


def main():
    options = arguments()
    source = pathlib.Path(options.source).resolve()
    os.environ["STENO"] = str(pathlib.Path(options.steno).resolve())
    os.environ["STENO_SOURCE"] = str(source)
    sys.path.insert(0, str(source / "tests" / "e2e" / "listen"))
    import sound as tests

    with tempfile.TemporaryDirectory(prefix="steno-latency-") as folder:
        sound = tests.Sound(folder)
        try:
            sound.start()
            print("chunk  words  shown p50   p95  final p50   p95")
            for chunk_ms in options.chunks:
                first, final = [], []
                for _ in range(options.rounds):
                    measured = measure(sound, tests, chunk_ms, options)
                    if measured is None:
                        print("audio was lost on the way: this machine is busy", file=sys.stderr)
                        continue
                    first += measured[0]
                    final += measured[1]
                if first:
                    print(f"{chunk_ms:5}  {len(first):5}  {share(first, 0.5):9.0f} "
                          f"{share(first, 0.95):5.0f}  {share(final, 0.5):9.0f} "
                          f"{share(final, 0.95):5.0f}", flush=True)
        finally:
            sound.stop()


if __name__ == "__main__":
    main()
