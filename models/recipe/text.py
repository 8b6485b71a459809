"""Transcript normalisation: one spelling for training, evaluation and units.

The target alphabet is a-z, the apostrophe and the space.  A transcript that
can't be spelled in it (digits, other scripts) gives None and is left out.
"""

import re
import unicodedata

_ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
}
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'"})


def normalise(transcript):
    """Returns the transcript in the target alphabet, or None."""
    text = transcript.translate(_QUOTES).lower().replace("&", " and ")
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    if re.search(r"\d", text):
        return None
    text = re.sub(r"[^a-z' ]+", " ", text)
    words = []
    for word in text.split():
        word = word.strip("'") if word.strip("'") not in ("em", "tis", "twas") else word
        if word:
            words.append(_ABBREVIATIONS.get(word, word))
    return " ".join(words) or None
