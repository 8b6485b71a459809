#!/usr/bin/env python3
"""assemble.py NAME OUTPUT PAGE.html FILE...: a page as C, for pages.h: `const page_text NAME`.

The page has a line <!-- style: FILE... --> and may have one <!-- script: FILE -->, in whose places
the files come.  The policy lets a browser use these, by their hashes, and nothing else but what is
asked for from the daemon itself."""

import base64
import hashlib
import pathlib
import re
import sys

name, target, page, *others = sys.argv[1:]
files = {pathlib.Path(path).name: pathlib.Path(path).read_text(encoding="utf-8") for path in others}
hashes = {"style": [], "script": []}


def insert(match):
    kind, names = match.group(1), match.group(2).split()
    content = "\n" + "".join(files[one] for one in names)
    # Neither may end early, nor be filled in.
    assert f"</{kind}" not in content and "{{" not in content, names
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    hashes[kind].append(f"'sha256-{base64.b64encode(digest).decode('ascii')}'")
    return f"<{kind}>{content}</{kind}>"


html = re.sub(r"<!-- (style|script): ([\w. ]+?) -->", insert,
              pathlib.Path(page).read_text(encoding="utf-8"))
policy = "; ".join(
    ["default-src 'none'"]
    + [f"{kind}-src {' '.join(found)}" for kind, found in hashes.items() if found]
    + ["connect-src 'self'", "img-src data:", "form-action 'self'", "base-uri 'none'",
       "frame-ancestors 'none'"])


def array(text):
    """Characters one by one: strings as long as this are beyond what C promises."""
    characters = [f"'\\{byte:03o}'," for byte in text.encode("utf-8") + b"\0"]
    return "\n".join("    " + " ".join(characters[i : i + 14]) for i in range(0, len(characters), 14))


pathlib.Path(target).write_text(
    '/* Generated. */\n#include "page/pages.h"\n\n'
    f"static const char html[] = {{\n{array(html)}\n}};\n"
    f'const page_text {name} = {{html, "{policy}"}};\n', encoding="ascii")
