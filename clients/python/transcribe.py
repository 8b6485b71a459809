#!/usr/bin/env python3
"""Transcribes a recording, or sound as it comes, with a Steno daemon: a line per final result.

FILE is a WAV, FLAC, Ogg Opus or MP3 file, whose header says what it is, or with --raw headerless
16-bit samples.  "-" is standard input, which may be live:

    arecord -q -t raw -f S16_LE -r 16000 | ./transcribe.py --raw 16000 --interim -
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys
from typing import BinaryIO, Iterator, List, Optional

from steno_client import Client, Result, Settings, StenoError


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """What there is, as soon as it is there."""
    while True:
        piece = os.read(file.fileno(), 8000)
        if not piece:
            return
        yield piece


def show(result: Result, words: bool) -> None:
    if not result.is_final:
        print(result.text, file=sys.stderr, flush=True)
        return
    channel = f"{result.channel}\t" if result.channel else ""
    if not words:
        print(channel + result.text, flush=True)
    for word in result.words:
        print(f"{channel}{word.start:.2f}\t{word.end:.2f}\t{word.text}", flush=True)


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--server", default="127.0.0.1:50051", metavar="ADDRESS",
                        help="HOST:PORT or unix:PATH (%(default)s)")
    parser.add_argument("--whole", action="store_true", help="send the file in one message")
    parser.add_argument("--interim", action="store_true",
                        help="also the guesses before each result, on standard error")
    parser.add_argument("--words", action="store_true",
                        help="a line per word: beginning, end (seconds) and the word")
    parser.add_argument("--raw", type=int, metavar="RATE",
                        help="headerless 16-bit little-endian samples, so many a second")
    parser.add_argument("--channels", type=int, default=1, metavar="N", help="of --raw")
    parser.add_argument("--per-channel", action="store_true",
                        help="recognise each channel apart; its number begins the lines")
    parser.add_argument("--phrase", action="append", default=[], metavar="TEXT",
                        help="likely to be said; may be repeated")
    parser.add_argument("--ca", type=pathlib.Path, metavar="FILE",
                        help="TLS, with a server that this authority (PEM) vouches for")
    parser.add_argument("--tls", action="store_true",
                        help="TLS, with a server that one of the usual authorities vouches for")
    parser.add_argument("--cert", type=pathlib.Path, metavar="FILE",
                        help="certificate (PEM) by which the server knows the client")
    parser.add_argument("--key", type=pathlib.Path, metavar="FILE", help="its private key")
    parser.add_argument("--token", metavar="TEXT",
                        help="sent with each call; beyond this machine it needs TLS")
    return parser.parse_args(arguments)


def content_of(path: Optional[pathlib.Path]) -> Optional[bytes]:
    return path.read_bytes() if path else None


def transcribe(options: argparse.Namespace) -> None:
    settings = Settings(rate=options.raw, channels=options.channels,
                        per_channel=options.per_channel, words=options.words,
                        phrases=tuple(options.phrase))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(
            Client(options.server, ca=content_of(options.ca), tls=options.tls,
                   certificate=content_of(options.cert), key=content_of(options.key),
                   token=options.token))
        file: BinaryIO = sys.stdin.buffer
        if options.file != "-":
            file = stack.enter_context(open(options.file, "rb"))
        if options.whole:
            for result in client.recognize(file.read(), settings):
                show(result, options.words)
        else:
            for result in client.stream(pieces(file), settings, interim=options.interim):
                show(result, options.words)


def main() -> int:
    # Ctrl-C ends it like other programs.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        transcribe(parse(sys.argv[1:]))
    except (StenoError, OSError, ValueError, ImportError) as error:
        print(f"transcribe.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
