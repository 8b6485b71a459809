"""`steno inspect`: what the pictures show is what `steno transcribe` says of the same recording."""

import array
import base64
import html.parser
import json
import re
import struct
import unittest
import wave
import xml.etree.ElementTree as xml
import zlib

import client
from client import AUDIO, INPUT, OUTPUT, SPEECH, USAGE, WAV, noise, steno, write_wav

SHIPPED = client.SOURCE / "models" / "en.safetensors"
DEMO = SPEECH / "demo.flac"
SVG = "{http://www.w3.org/2000/svg}"


class Page(html.parser.HTMLParser):
    """What a test wants to know of a page."""

    VOID = {"meta", "input", "br"}

    def __init__(self, text):
        super().__init__()
        self.words, self.sources, self.scripts = [], [], []
        self.title, self.text, self.open = "", "", []
        self.frames = None
        self.feed(text)
        self.close()
        assert self.open == [], self.open
        self.pictures = [xml.fromstring(one) for one in re.findall("(?s)<svg .*?</svg>", text)]

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "button":
            self.words.append(["", int(values["data-start"]), int(values["data-end"])])
        if values.get("id") == "frames":
            self.frames = values
        self.sources += [values[name] for name in ("src", "href", "srcset") if name in values]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if "button" in self.open:
            self.words[-1][0] += data
        elif self.open[-1:] == ["title"] and len(self.open) == 3:
            self.title += data
        elif self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self.open[-1:] != ["style"]:
            self.text += data

    def samples(self):
        (sound,) = [one for one in self.sources if one.startswith("data:audio/wav;base64,")]
        bytes_ = base64.b64decode(sound.partition(",")[2], validate=True)
        return bytes_


def read_png(path):
    """Width, height and rows of palette indices, by the format's own description."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, data, header = 8, b"", None
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        (check,) = struct.unpack(">I", content[place + 8 + size : place + 12 + size])
        assert zlib.crc32(kind + body) == check
        header = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else header
        data += body if kind == b"IDAT" else b""
        place += 12 + size
    width, height = header[:2]
    assert header[2:] == (8, 3, 0, 0, 0)
    raw = zlib.decompress(data)
    rows, before = [], bytes(width)
    for y in range(height):
        kind, line = raw[y * (width + 1)], bytearray(raw[y * (width + 1) + 1 : (y + 1) * (width + 1)])
        for x in range(width):
            left, up = line[x - 1] if x else 0, before[x]
            corner = before[x - 1] if x else 0
            guess = left + up - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
            line[x] = (line[x] + (0, left, up, (left + up) // 2, paeth[2])[kind]) % 256
        rows.append(before := bytes(line))
    return width, height, rows


def said(result):
    return [
        [word["word"], word["start_ms"], word["end_ms"]]
        for one in json.loads(result)["results"]
        for word in one["words"]
    ]


class Pictures(client.ClientTest):
    def inspect(self, recording, *options, model=client.TINY_MODEL):
        path = self.folder / "page.html"
        self.succeed("inspect", recording, "--html", path, *options, model=model)
        return Page(path.read_text())

    def drawn(self, page, name):
        return [one for picture in page.pictures for one in picture.iter() if one.get("class") == name]

    def check_words(self, recording, *options, model=client.TINY_MODEL):
        expected = said(self.succeed("transcribe", "-f", "json", recording, *options, model=model))
        page = self.inspect(recording, *options, model=model)
        self.assertTrue(expected)
        self.assertEqual(page.words, expected)
        words = [
            [one.find(SVG + "text").text, int(one.get("data-start")), int(one.get("data-end"))]
            for one in self.drawn(page, "word")
        ]
        self.assertEqual(words, expected)
        return page

    def test_words_and_times(self):
        path = write_wav(self.folder / "noise.wav", [noise(13)])
        self.check_words(path)
        self.check_words(path, "--search", "ctc", "--chunk", "160")
        self.check_words(WAV, "--no-endpointing")

    @unittest.skipUnless(SHIPPED.exists(), "the shipped model is not there")
    def test_real_recordings(self):
        for name in ("demo.flac", "777-126732-0053.flac", "common_voice_en_37221354.opus"):
            self.check_words(SPEECH / name, model=SHIPPED)

    def test_self_contained(self):
        page = self.inspect(WAV)
        self.assertIn("WAV, 16000 Hz, 1 channel", page.text)
        self.assertEqual([one[:15] for one in page.sources], ["data:audio/wav;"])
        self.assertNotIn("http", "".join(page.scripts))
        style = (self.folder / "page.html").read_text().partition("<style>")[2].partition("</style>")[0]
        self.assertNotIn("url(", style)
        self.assertNotIn("@import", style)

    def test_the_sound_is_the_recording(self):
        page = self.inspect(WAV)
        path = self.folder / "heard.wav"
        path.write_bytes(page.samples())
        with wave.open(str(path)) as file:
            self.assertEqual(
                (file.getframerate(), file.getnchannels(), file.getsampwidth()), (16000, 1, 2))
        heard, given = client.read_wav(path), client.read_wav(WAV)
        self.assertGreaterEqual(len(heard), len(given))
        self.assertLess(len(heard) - len(given), 16000 * 0.5)
        self.assertLessEqual(max(abs(a - b) for a, b in zip(heard, given)), 1)
        self.assertEqual(set(heard[len(given) :]) - {0}, set())
        # And so is the spectrum: a hundred frames a second.
        levels = base64.b64decode([one for one in page.scripts if len(one) > 1000][0], validate=True)
        frames = len(levels) / int(page.frames["data-bins"])
        self.assertAlmostEqual(frames / 100, len(heard) / 16000, places=2)

    def test_part(self):
        path = write_wav(self.folder / "noise.wav", [noise(20)])
        words = said(self.succeed("transcribe", "-f", "json", path))
        page = self.inspect(path, "--from", "4.8", "--to", "12")
        expected = [word for word in words if 4800 <= word[1] < 12000]
        self.assertTrue(expected and len(expected) < len(words))
        self.assertEqual(page.words, expected)
        spans = [(int(p.get("data-from")), int(p.get("data-to"))) for p in page.pictures]
        self.assertEqual((spans[0][0], spans[-1][1]), (4800, 12000))
        for before, after in zip(spans, spans[1:]):
            self.assertEqual(before[1], after[0])
        self.assertTrue(all(0 < to - from_ <= 6400 for from_, to in spans))
        self.assertEqual(len(page.samples()), 44 + 2 * 16000 * 72 // 10)

    def test_long_recordings(self):
        path = write_wav(self.folder / "long.wav", [noise(330)])
        out = self.folder / "page.html"
        result = steno("inspect", path, "--html", out)
        self.assertEqual(result.returncode, 0)
        self.assertIn("shown is 0 s to 300 s", result.stderr)
        self.assertLess(out.stat().st_size, 40e6)
        page = Page(out.read_text())
        words = said(self.succeed("transcribe", "-f", "json", path))
        self.assertEqual(page.words, [word for word in words if word[1] < 300000])
        page = self.inspect(path, "--from", "300", "--to", "400")
        self.assertEqual(page.words, [word for word in words if word[1] >= 300000])

    def test_alignment(self):
        path = write_wav(self.folder / "noise.wav", [noise(9)])
        svg, png = self.folder / "a.svg", self.folder / "a.png"
        self.succeed("inspect", path, "--svg", svg)
        root = xml.parse(svg).getroot()
        group = {one.get("class"): one for one in root.iter(SVG + "g")}
        tokens = ["".join(one.itertext()) for one in group["tokens"]]
        words = "".join(self.succeed("transcribe", path).split())
        self.assertEqual("".join(tokens).replace("\u2581", ""), words)
        rows = {float(one.get("y")) for one in group["cells"]}
        self.assertLessEqual(len(rows), len(tokens))
        self.assertEqual(len(group["rows"]), len(tokens))
        for one in group["cells"]:
            self.assertTrue(0 < float(one.get("fill-opacity")) <= 1)

        result = steno("inspect", path, "--png", png)
        if "without libpng" in result.stderr:
            self.assertEqual(result.returncode, USAGE)
            self.skipTest("this build has no PNG")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        width, height, pixels = read_png(png)
        self.assertEqual((width % 8, height), (0, 8 * len(tokens)))
        # All of the recording, and the silence behind it where a token was heard in that.
        self.assertIn(width // 8 * 80, range(9000, 9500))
        for row in range(len(tokens)):
            line = pixels[8 * row + 4]
            self.assertGreater(max(line), 40, "it looked somewhere")
            self.assertEqual(pixels[8 * row].count(255), 8, "one trigger")

    @unittest.skipUnless(SHIPPED.exists(), "the shipped model is not there")
    def test_attention_goes_along_with_speech(self):
        svg = self.folder / "a.svg"
        self.succeed("inspect", DEMO, "--svg", svg, model=SHIPPED)
        sums = {}
        for group in xml.parse(svg).getroot().iter(SVG + "g"):
            for cell in group if group.get("class") == "cells" else []:
                weight = float(cell.get("fill-opacity")) ** 2
                total = sums.setdefault(float(cell.get("y")), [0, 0])
                total[0] += weight
                total[1] += weight * float(cell.get("x"))
        means = [total[1] / total[0] for _, total in sorted(sums.items())]
        self.assertGreater(len(means), 20)
        forward = sum(a < b for a, b in zip(means, means[1:]))
        self.assertGreater(forward, 0.75 * len(means))

    def test_ctc_alone_has_no_attention(self):
        page = self.inspect(WAV, "--search", "ctc")
        self.assertEqual(self.drawn(page, "cells"), [])
        self.assertTrue(self.drawn(page, "spikes"))
        out = self.folder / "x.svg"
        for option in (("--search", "ctc"), ("--attention-weight", "0")):
            self.fail_with(USAGE, "without the attention", "inspect", WAV, "--svg", out, *option)

    @unittest.skipUnless(SHIPPED.exists(), "the shipped model is not there")
    def test_silence(self):
        path = write_wav(self.folder / "silence.wav", [[0] * 32000])
        page = self.inspect(path, "--svg", self.folder / "a.svg", model=SHIPPED)
        self.assertEqual(page.words, [])
        self.assertIn("Nothing was said", page.text)
        xml.parse(self.folder / "a.svg")

    def test_names_are_no_markup(self):
        name = "<script>alert(1)</script>&\"'\u00e9 .wav"
        path = self.folder / name.replace("/", "")
        path.write_bytes(WAV.read_bytes())
        page = self.inspect(path, "--svg", self.folder / "a.svg")
        self.assertTrue(page.title.startswith(path.name))
        self.assertEqual(len(page.scripts), 2)
        self.assertIn(path.name, xml.parse(self.folder / "a.svg").getroot().find(SVG + "title").text)

    def test_standard_input_and_raw(self):
        raw = array.array("h", client.read_wav(WAV)).tobytes()
        out = self.folder / "page.html"
        self.succeed("inspect", "--raw", "-", "--html", out, data=raw)
        page = Page(out.read_text())
        self.assertEqual(page.words, self.inspect(WAV).words)
        self.assertIn("standard input", page.title)

    def test_wrong_command_lines(self):
        out = self.folder / "x.html"
        for reason, *arguments in (
            ("no file given", "--html", out),
            ("one file", WAV, WAV, "--html", out),
            ("no picture wanted", WAV),
            ("later than", WAV, "--html", out, "--from", "3", "--to", "3"),
            ("300 seconds", WAV, "--html", out, "--to", "301"),
            ("--from: '-1'", WAV, "--html", out, "--from", "-1"),
            ("standard output", WAV, "--html", "-"),
            ("both be written", WAV, "--html", out, "--svg", out),
            ("overwritten", WAV, "--html", WAV),
            ("--per-channel", WAV, "--html", out, "--per-channel"),
        ):
            self.fail_with(USAGE, reason, "inspect", *arguments)
        self.fail_with(USAGE, "nothing there", "inspect", WAV, "--html", out, "--from", "100", "--to", "200")
        self.assertEqual(self.files(), [])

    def test_trouble(self):
        out = self.folder / "x.html"
        self.fail_with(INPUT, "none.wav", "inspect", "/none.wav", "--html", out)
        self.fail_with(OUTPUT, "/none/x", "inspect", WAV, "--html", "/none/x")
        (self.folder / "bad.wav").write_text("bad")
        out.write_text("before")
        self.fail_with(AUDIO, "bad.wav", "inspect", self.folder / "bad.wav", "--html", out)
        self.assertEqual(out.read_text(), "before")
        # Of a truncated recording all that is there is shown.
        cut = self.folder / "cut.wav"
        cut.write_bytes(WAV.read_bytes()[:60000])
        self.fail_with(AUDIO, "truncated", "inspect", cut, "--html", out)
        page = Page(out.read_text())
        self.assertEqual(page.words, said(steno("transcribe", "-f", "json", cut).stdout))
        self.assertEqual(self.files(), ["bad.wav", "cut.wav", "x.html"])


if __name__ == "__main__":
    unittest.main()
