#!/usr/bin/env python3
"""embed.py INPUT OUTPUT HEADER NAME: the bytes of a file as C: const uint8_t NAME[] and const size_t
NAME_size, which HEADER declares."""

import sys

_, path, target, header, name = sys.argv
with open(path, "rb") as source:
    content = source.read()
with open(target, "w", encoding="ascii") as output:
    output.write(f"/* Generated. */\n#include \"{header}\"\n\n")
    output.write(f"const uint8_t {name}[] = {{\n")
    for start in range(0, len(content), 16):
        output.write("    " + " ".join(f"{byte}," for byte in content[start:start + 16]) + "\n")
    output.write("};\n")
    output.write(f"const size_t {name}_size = sizeof({name});\n")
