"""A file in pieces that are small enough to travel, and whole again.

    python3 pieces.py cut FILE FOLDER [--mib 60]
    python3 pieces.py join FOLDER FILE

FOLDER/pieces.tsv names the pieces with size and SHA-256 of each, and last of the whole; a file that is
not what was cut is never left behind.
"""

import argparse
import hashlib
import os
import sys

_STEP = 1 << 20


def cut(path, folder, size):
    os.makedirs(folder, exist_ok=True)
    whole, lines = hashlib.sha256(), []
    with open(path, "rb") as f:
        while True:
            piece = f.read(size)
            if not piece and lines:
                break
            name = f"{len(lines):03}.piece"
            with open(os.path.join(folder, name), "wb") as out:
                out.write(piece)
            whole.update(piece)
            lines.append(f"{name}\t{len(piece)}\t{hashlib.sha256(piece).hexdigest()}\n")
    lines.append(f"whole\t{os.path.getsize(path)}\t{whole.hexdigest()}\n")
    with open(os.path.join(folder, "pieces.tsv"), "w", encoding="ascii") as f:
        f.writelines(lines)
    return len(lines) - 1


def join(folder, path):
    """ValueError names the piece that is missing or damaged."""
    with open(os.path.join(folder, "pieces.tsv"), encoding="ascii") as f:
        rows = [line.split() for line in f]
    partial, whole = path + ".part", hashlib.sha256()
    try:
        with open(partial, "wb") as out:
            for name, size, digest in rows[:-1]:
                piece_path, seen = os.path.join(folder, name), hashlib.sha256()
                if not os.path.exists(piece_path):
                    raise ValueError(f"{name} is missing")
                with open(piece_path, "rb") as f:
                    while step := f.read(_STEP):
                        seen.update(step)
                        whole.update(step)
                        out.write(step)
                if seen.hexdigest() != digest:
                    raise ValueError(f"{name} is not what was cut ({size} bytes)")
        if rows[-1][0] != "whole" or rows[-1][2] != whole.hexdigest():
            raise ValueError("the list of pieces is not complete")
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    cutting = commands.add_parser("cut")
    cutting.add_argument("file")
    cutting.add_argument("folder")
    cutting.add_argument("--mib", type=float, default=60, help="of a piece, at most")
    joining = commands.add_parser("join")
    joining.add_argument("folder")
    joining.add_argument("file")
    arguments = parser.parse_args()
    if arguments.command == "cut":
        print(f"{cut(arguments.file, arguments.folder, int(arguments.mib * (1 << 20)))} pieces")
        return
    try:
        join(arguments.folder, arguments.file)
    except ValueError as error:
        sys.exit(f"pieces: {error}")


if __name__ == "__main__":
    main()
