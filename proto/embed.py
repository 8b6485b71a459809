#!/usr/bin/env python3
"""embed.py INPUT OUTPUT: the bytes of a file as C, declared by daemon/descriptor_set.h."""

import sys

with open(sys.argv[1], "rb") as source:
    content = source.read()
with open(sys.argv[2], "w", encoding="ascii") as output:
    output.write("/* Generated. */\n#include \"daemon/descriptor_set.h\"\n\n")
    output.write("const uint8_t descriptor_set[] = {\n")
    for start in range(0, len(content), 16):
        output.write("    " + " ".join(f"{byte}," for byte in content[start:start + 16]) + "\n")
    output.write("};\n")
    output.write("const size_t descriptor_set_size = sizeof(descriptor_set);\n")
