"""Clones and files of text, for the scripts that read them."""

import os
import subprocess


def clone(folder, name, files):
    """A repository below the folder with these files (path: text), named as the scripts look for it."""
    place = os.path.join(folder, name.replace("/", "+"))
    for path, content in files.items():
        os.makedirs(os.path.dirname(os.path.join(place, path)) or ".", exist_ok=True)
        with open(os.path.join(place, path), "w", encoding="utf-8") as f:
            f.write(content)
    git = ["git", "-C", place, "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)


def write(folder, name, lines):
    """Returns the path."""
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in lines)
    return os.path.join(folder, name)
