"""Numbers in figures as English words."""

import re

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONEY = {"$": "dollars", "\u00a3": "pounds"}
NUMBER = re.compile(r"([$\u00a3]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(st|nd|rd|th|d\b)?", re.I)


def cardinal(n):
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (f" {ONES[n % 10]}" if n % 10 else "")
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            rest = f" {'and ' if size == 100 else ''}{cardinal(n % size)}" if n % size else ""
            return f"{cardinal(n // size)} {name}{rest}"
    raise ValueError(n)


def year(n):
    if n % 100 == 0:
        return f"{cardinal(n // 100)} hundred"
    return f"{cardinal(n // 100)} {'oh ' if n % 100 < 10 else ''}{cardinal(n % 100)}"


def ordinal(n):
    words = cardinal(n).split()
    last = words[-1]
    words[-1] = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join(words)


def _spell(match):
    money, figures, decimals, suffix = match.groups()
    n = int(figures.replace(",", ""))
    if n >= 10**12 or len(figures) > 1 and figures[0] == "0":
        words = " ".join(ONES[int(d)] for d in figures if d != ",")
    elif suffix:
        words = ordinal(n)
    elif not money and "," not in figures and 1100 <= n < 2000:
        words = year(n)
    else:
        words = cardinal(n)
    if decimals:
        words += " point " + " ".join(ONES[int(d)] for d in decimals)
    return f" {words} {MONEY.get(money, '')} "


def spell_numbers(text):
    """All figures in the text as words; 1100 to 1999 as years."""
    return NUMBER.sub(_spell, text)
