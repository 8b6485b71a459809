"""A folder of training data as one small file, and back: to train on another machine.

    python3 pack.py pack --data DATA --speech SPEECH --dictionary cmudict.dict.xz --out DATA.pack
    python3 pack.py unpack --pack DATA.pack --out DATA      (there; python3, NumPy, nothing else)

The sound is kept as Opus: recordings that are in SPEECH's zip files as they stand there, so that they
come back as prepare.py read them; all others coded anew, at --bits per second.  About 8 MB an hour.
The file is a zip file with the index of each split, its packets, alignments, units, the dictionary as
dictionary.xz, and libopus, which decodes it on the other side.  --with adds files of DATA (lm.npz).
pieces.py cuts the file where only small ones travel.

SPLIT.opus holds for each line of SPLIT.tsv, little endian: samples (u32), samples to skip (u16),
packets (u16), the size of each (u16), the packets.
"""

import argparse
import ctypes.util
import lzma
import multiprocessing
import os
import re
import struct
import subprocess
import zipfile

import numpy as np

from opus import Opus, from_ogg

SPLITS = ("train", "dev", "noise")
FILES = ("align.tsv", "units.model", "tokens.json")
LIBRARY = "libopus.so.0"
_state = {}


def read_rows(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f]


def library_path():
    """Where the dynamic linker finds libopus."""
    name = ctypes.util.find_library("opus")
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    found = re.search(rf"{re.escape(name or LIBRARY)} .*=> (\S+)", cache)
    if not found:
        raise FileNotFoundError("libopus is not installed")
    return os.path.realpath(found.group(1))


def zip_members(speech):
    """{recording: zip file that holds it as Opus}."""
    members = {}
    for name in sorted(os.listdir(speech)) if speech else []:
        if name.endswith(".zip"):
            path = os.path.join(speech, name)
            with zipfile.ZipFile(path) as archive:
                names = (os.path.splitext(member) for member in archive.namelist())
                members.update((stem, path) for stem, kind in names if kind == ".opus")
    return members


def block(count, skip, packets):
    head = struct.pack("<IHH", count, skip, len(packets))
    return head + struct.pack(f"<{len(packets)}H", *map(len, packets)) + b"".join(packets)


def blocks(content):
    """(count, skip, packets) of each recording of SPLIT.opus's bytes."""
    place = 0
    while place < len(content):
        count, skip, number = struct.unpack_from("<IHH", content, place)
        sizes = struct.unpack_from(f"<{number}H", content, place + 8)
        place += 8 + 2 * number
        packets = []
        for size in sizes:
            packets.append(content[place : place + size])
            place += size
        yield count, skip, packets


def _encode(job):
    pcm_path, first, count, zip_path, name, bits = job
    if zip_path:
        if zip_path not in _state:
            _state[zip_path] = zipfile.ZipFile(zip_path)
        packets, skip = from_ogg(_state[zip_path].read(name + ".opus"))
        return block(count, skip, packets)
    opus = _state.setdefault("opus", Opus())
    samples = np.fromfile(pcm_path, "<i2", count, offset=2 * first).astype(np.float32) / 32768.0
    packets, skip = opus.encode(samples, bits)
    return block(count, skip, packets)


def pack(arguments):
    members = zip_members(arguments.speech)
    with multiprocessing.Pool(arguments.jobs) as pool, zipfile.ZipFile(arguments.out, "w") as archive:
        for split in SPLITS:
            rows = read_rows(os.path.join(arguments.data, split + ".tsv"))
            pcm = os.path.join(arguments.data, split + ".pcm")
            jobs = [(pcm, int(r[1]), int(r[2]), members.get(r[0]), r[0], arguments.bits) for r in rows]
            with archive.open(split + ".opus", "w", force_zip64=True) as out:
                for content in pool.imap(_encode, jobs, chunksize=8):
                    out.write(content)
            index = "".join("\t".join(r[:1] + r[2:]) + "\n" for r in rows)
            archive.writestr(split + ".tsv", index, zipfile.ZIP_DEFLATED)
            print(f"{split}: {len(rows)} recordings, {sum(j[3] is None for j in jobs)} of them coded anew")
        for name in (*FILES, *arguments.extra):
            archive.write(os.path.join(arguments.data, name), name, zipfile.ZIP_DEFLATED)
        opener = lzma.open if arguments.dictionary.endswith(".xz") else open
        with opener(arguments.dictionary, "rb") as f:
            archive.writestr("dictionary.xz", lzma.compress(f.read()))
        archive.write(library_path(), LIBRARY, zipfile.ZIP_DEFLATED)


def _decode(job):
    library, (count, skip, packets) = job
    opus = _state.setdefault("opus", Opus(library))
    samples = opus.decode(packets, skip, count)
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()


def unpack(arguments):
    os.makedirs(arguments.out, exist_ok=True)
    with zipfile.ZipFile(arguments.pack) as archive:
        for name in archive.namelist():
            if not name.startswith(SPLITS):
                archive.extract(name, arguments.out)
        library = os.path.join(os.path.abspath(arguments.out), LIBRARY)
        with multiprocessing.Pool(arguments.jobs) as pool:
            for split in SPLITS:
                rows = archive.read(split + ".tsv").decode().splitlines()
                jobs = ((library, each) for each in blocks(archive.read(split + ".opus")))
                first = 0
                with open(os.path.join(arguments.out, split + ".pcm"), "wb") as pcm, open(
                    os.path.join(arguments.out, split + ".tsv"), "w", encoding="utf-8"
                ) as index:
                    for row, content in zip(rows, pool.imap(_decode, jobs, chunksize=16)):
                        name, rest = row.split("\t", 1)
                        index.write(f"{name}\t{first}\t{rest}\n")
                        pcm.write(content)
                        first += len(content) // 2
                print(f"{split}: {len(rows)} recordings, {first / 16000 / 3600:.2f} h", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("--data", required=True)
    packing.add_argument("--speech", help="folder with the zip files that prepare.py read")
    packing.add_argument("--dictionary", required=True)
    packing.add_argument("--bits", type=int, default=24000, help="a second, of what is coded anew")
    packing.add_argument("--with", nargs="*", default=[], dest="extra", help="further files of DATA")
    packing.add_argument("--out", required=True)
    unpacking = commands.add_parser("unpack")
    unpacking.add_argument("--pack", required=True)
    unpacking.add_argument("--out", required=True)
    arguments = parser.parse_args()
    pack(arguments) if arguments.command == "pack" else unpack(arguments)


if __name__ == "__main__":
    main()
