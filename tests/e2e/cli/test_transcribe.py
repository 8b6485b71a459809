"""What `steno transcribe` gives for sound recordings: formats, places, order, channels."""

import json
import re
import subprocess
import unittest

import client
from client import FORMATS, SPEECH, USAGE, WAV, noise, read_wav, steno, write_wav


def words_of(document):
    return [word["word"] for result in document["results"] for word in result["words"]]


class Inputs(client.ClientTest):
    def setUp(self):
        super().setUp()
        self.expected = self.succeed("transcribe", WAV)
        self.assertRegex(self.expected, r"^[a-z ]+\n$")

    def test_lossless_formats_are_alike(self):
        for name in ("speech.flac", "speech.aiff"):
            self.assertEqual(self.succeed("transcribe", FORMATS / name), self.expected)

    def test_every_format_is_read_whole(self):
        """Lossy ones differ in samples, and random weights answer each difference with other words;
        that the words are (nearly) the same is tested with the shipped model.  The length is not
        random: encoders add up to 0.1 s."""
        length = len(read_wav(WAV)) / 16
        for name in "speech-mulaw.wav speech.ogg speech.opus speech.mp3".split():
            document = json.loads(self.succeed("transcribe", "-fjson", FORMATS / name))
            self.assertGreater(len(words_of(document)), 0, name)
            self.assertAlmostEqual(document["duration_ms"], length, delta=100, msg=name)

    def test_raw(self):
        samples = read_wav(WAV)
        raw = self.folder / "speech"
        raw.write_bytes(samples.tobytes())
        for options in (
            ["--raw"],
            ["--encoding", "s16"],
            ["--rate", "16000"],
            ["--channels", "1"],
            ["--raw", "--rate=16000", "--channels=1", "--encoding=s16"],
        ):
            self.assertEqual(self.succeed("transcribe", raw, *options), self.expected)
        import array

        floats = array.array("f", (sample / 32768 for sample in samples)).tobytes()
        self.assertEqual(
            self.succeed("transcribe", "--encoding", "f32", "-", data=floats), self.expected
        )

    def test_raw_mulaw_equals_the_wav_file(self):
        data = (FORMATS / "speech-mulaw.wav").read_bytes()
        start = data.index(b"data") + 8
        samples = data[start : start + len(read_wav(WAV))]
        self.assertEqual(
            self.succeed("transcribe", "--encoding", "mulaw", "-", data=samples),
            self.succeed("transcribe", FORMATS / "speech-mulaw.wav"),
        )

    def test_standard_input(self):
        for name in ("speech.wav", "speech.flac"):
            data = (FORMATS / name).read_bytes()
            self.assertEqual(self.succeed("transcribe", "-", data=data), self.expected)
            with open(FORMATS / name, "rb") as file:  # can seek
                self.assertEqual(self.succeed("transcribe", "-", stdin=file), self.expected)
        document = json.loads(self.succeed("transcribe", "-fjson", "-", data=WAV.read_bytes()))
        self.assertEqual(document["file"], "stdin")

    def test_name_says_nothing(self):
        path = self.folder / "talk.mp3"
        path.write_bytes(WAV.read_bytes())
        self.assertEqual(self.succeed("transcribe", path), self.expected)
        odd = self.folder / "-o 'x'\t.wav"
        odd.write_bytes(WAV.read_bytes())
        self.assertEqual(self.succeed("transcribe", "--", odd), self.expected)
        self.assertEqual(self.succeed("transcribe", "--", odd.name, cwd=self.folder), self.expected)

    def test_rates_and_channels(self):
        sound = noise(1)
        for rate in (8000, 11025, 44100, 192000):
            path = write_wav(self.folder / "rate.wav", [noise(1, rate)], rate)
            document = json.loads(self.succeed("transcribe", "-fjson", path))
            self.assertAlmostEqual(document["duration_ms"], 1000, delta=1)
        mono = write_wav(self.folder / "mono.wav", [sound])
        eight = write_wav(self.folder / "eight.wav", [sound] * 8)
        self.assertEqual(self.succeed("transcribe", eight), self.succeed("transcribe", mono))


class Channels(client.ClientTest):
    def setUp(self):
        super().setUp()
        self.sounds = [noise(4, seed=2), noise(4, seed=3)]
        self.stereo = write_wav(self.folder / "stereo.wav", self.sounds)

    def test_apart(self):
        document = json.loads(self.succeed("transcribe", "--per-channel", "-fjson", self.stereo))
        starts = [result["start_ms"] for result in document["results"]]
        self.assertEqual(starts, sorted(starts))
        for channel, sound in enumerate(self.sounds, 1):
            alone = write_wav(self.folder / "alone.wav", [sound])
            expected = json.loads(self.succeed("transcribe", "-fjson", alone))["results"]
            results = [r for r in document["results"] if r["channel"] == channel]
            self.assertGreater(len(results), 0)
            for result, other in zip(results, expected, strict=True):
                self.assertEqual(result["words"], other["words"])

    def test_one_channel_apart_is_the_mix(self):
        apart = self.succeed("transcribe", "--per-channel", WAV)
        self.assertEqual(apart.removeprefix("[1] "), self.succeed("transcribe", WAV))

    def test_mixed_by_default(self):
        mix = [(a + b) // 2 for a, b in zip(*self.sounds)]
        mixed = json.loads(self.succeed("transcribe", "-fjson", self.stereo))
        self.assertEqual({result["channel"] for result in mixed["results"]}, {0})
        alone = write_wav(self.folder / "mix.wav", [mix])
        # Half a step of 16 bits between the two: the same length, and nearly the same sound.
        expected = json.loads(self.succeed("transcribe", "-fjson", alone))
        self.assertEqual(mixed["duration_ms"], expected["duration_ms"])


class Outputs(client.ClientTest):
    def setUp(self):
        super().setUp()
        self.text = self.succeed("transcribe", WAV)

    def output(self, format_name):
        return self.succeed("transcribe", "--format", format_name, WAV)

    def test_json(self):
        document = json.loads(self.output("json"))
        self.assertEqual(document["file"], str(WAV))
        self.assertEqual(document["text"], " ".join(self.text.split()))
        self.assertEqual(words_of(document), self.text.split())
        for result in document["results"]:
            for word in result["words"]:
                self.assertLessEqual(word["start_ms"], word["end_ms"])
                self.assertTrue(0 <= word["confidence"] <= 1)

    def test_ctm(self):
        lines = [line.split() for line in self.output("ctm").splitlines()]
        self.assertEqual([line[4] for line in lines], self.text.split())
        for line in lines:
            self.assertEqual(len(line), 6)
            self.assertTrue(0 <= float(line[5]) <= 1)

    def test_tsv(self):
        header, *lines = [line.split("\t") for line in self.output("tsv").splitlines()]
        self.assertEqual((header[:2], header[-1]), (["start_ms", "end_ms"], "word"))
        self.assertEqual([line[-1] for line in lines], self.text.split())
        for line in lines:
            self.assertLessEqual(int(line[0]), int(line[1]))

    def test_subtitles(self):
        self.assertRegex(
            self.output("srt"), r"^1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n[a-z ]+\n"
        )
        self.assertRegex(self.output("vtt"), r"^WEBVTT\n\n(1\n)?\d\d:\d\d:\d\d\.\d{3} --> ")

    def test_one_file(self):
        path = self.folder / "result"
        path.write_text("before")
        self.assertEqual(self.succeed("transcribe", WAV, "-o", path), "")
        self.assertEqual(path.read_text(), self.text)
        self.assertEqual(self.files(), ["result"])
        self.assertEqual(self.succeed("transcribe", WAV, "-o", "-"), self.text)
        self.assertEqual(self.succeed("transcribe", WAV, "-o", "/dev/stdout"), self.text)

    def test_folder(self):
        place = self.folder / "new"
        for name in "text json srt vtt ctm tsv".split():
            extension = "txt" if name == "text" else name
            arguments = ["transcribe", "-f", name, "-d", place, WAV, SPEECH / "demo.flac"]
            self.assertEqual(self.succeed(*arguments), "")
            self.assertEqual((place / f"speech.{extension}").read_text(), self.output(name))
            self.assertGreater((place / f"demo.{extension}").stat().st_size, 0)
        self.assertEqual(len(list(place.iterdir())), 12)
        self.succeed("transcribe", "-d", place, "-", data=WAV.read_bytes())
        self.assertEqual((place / "stdin.txt").read_text(), self.text)

    def test_same_name_twice(self):
        place = self.folder / "new"
        self.fail_with(
            USAGE, "would both be written", "transcribe", "-d", place, WAV, FORMATS / "speech.mp3"
        )
        self.assertFalse(place.exists())

    def test_recording_is_not_overwritten(self):
        path = self.folder / "talk.txt"
        path.write_bytes(WAV.read_bytes())
        self.fail_with(USAGE, "overwritten", "transcribe", "-d", self.folder, path)
        self.assertEqual(path.read_bytes(), WAV.read_bytes())


class Several(client.ClientTest):
    def setUp(self):
        super().setUp()
        # The first takes longest, so that those after it are ready before their turn.
        self.paths = [
            write_wav(self.folder / f"{index}.wav", [noise(seconds, seed=index)])
            for index, seconds in enumerate((30, 1, 5, 2, 0.5, 3))
        ]

    def test_headers_and_order(self):
        texts = [self.succeed("transcribe", path) for path in self.paths]
        expected = "\n".join(
            f"==> {path} <==\n{text}" for path, text in zip(self.paths, texts)
        )
        for jobs in (1, 2, 6):
            self.assertEqual(self.succeed("transcribe", f"-j{jobs}", *self.paths), expected)

    def test_json_one_after_the_other(self):
        decoder = json.JSONDecoder()
        text = self.succeed("transcribe", "-fjson", "-j3", *self.paths)
        names = []
        while text.strip():
            document, end = decoder.raw_decode(text.lstrip())
            names.append(document["file"])
            text = text.lstrip()[end:]
        self.assertEqual(names, [str(path) for path in self.paths])

    def test_one_document_formats_need_files(self):
        for name in ("srt", "vtt", "tsv"):
            self.fail_with(USAGE, "--output-dir", "transcribe", "-f", name, *self.paths)
        self.assertEqual(len(self.succeed("transcribe", "-fctm", *self.paths[:2]).split()) % 6, 0)


class Recognition(client.ClientTest):
    def setUp(self):
        super().setUp()
        self.path = write_wav(self.folder / "long.wav", [noise(25, seed=9)])

    def words(self, *options):
        return self.succeed("transcribe", self.path, *options).split()

    def test_endpointing_keeps_the_words(self):
        expected = self.words()
        self.assertGreater(len(expected), 10)
        for options in (["--no-endpointing"], ["--endpoint=400"], ["--max-utterance=5000"]):
            self.assertEqual(self.words(*options), expected)
        many = self.succeed("transcribe", self.path, "--max-utterance=5000").count("\n")
        few = self.succeed("transcribe", self.path, "--no-endpointing").count("\n")
        self.assertGreater(many, few)

    def test_threads_and_jobs_keep_the_words(self):
        self.assertEqual(self.words("--threads=1"), self.words("--threads=3", "--jobs=2"))

    def test_choices(self):
        for options in (
            ["--chunk=160"],
            ["--chunk=1280"],
            ["--search=ctc"],
            ["--beam=1"],
            ["--precision=f32"],
            ["--precision=int8"],
            ["--operators=reference"],
        ):
            self.assertGreater(len(self.words(*options)), 0, options)

    def test_phrases(self):
        plain = self.words()
        self.assertEqual(self.words("--phrase", "zebra=0"), plain)
        listed = self.folder / "phrases"
        listed.write_text("# the tiny model's own letters\nbc=20\n")
        self.assertNotEqual(self.words("--phrase=bc=20"), plain)
        self.assertEqual(self.words("--phrases", listed), self.words("--phrase=bc=20"))

    def test_phrases_refused(self):
        for reason, status, options in (
            ("a boost is a number from 0 to 20", 2, ["--phrase=bc=21"]),
            ("phrase 1: longer than 100 characters", 2, ["--phrase=" + "b" * 101]),
            ("nowhere: No such file", 4, ["--phrases=nowhere"]),
        ):
            self.fail_with(status, reason, "transcribe", self.path, *options)

    def test_alternatives(self):
        text = self.succeed("transcribe", "-fjson", "--alternatives=3", self.path)
        self.assertIn('"alternatives"', text)
        self.assertNotIn('"alternatives"', self.succeed("transcribe", "-fjson", self.path))


class Interim(client.ClientTest):
    def setUp(self):
        super().setUp()
        self.path = write_wav(self.folder / "long.wav", [noise(40, seed=9)])
        self.final = self.succeed("transcribe", self.path)

    def test_in_a_pipe(self):
        lines = self.succeed("transcribe", "--interim", self.path).splitlines()
        interim = [line for line in lines if line.startswith("~ ")]
        self.assertGreater(len(interim), 0)
        self.assertEqual([line for line in lines if line not in interim], self.final.splitlines())

    def test_with_several_files(self):
        text = self.succeed("transcribe", "--interim", "-j2", self.path, WAV)
        plain = re.sub(r"(?m)^~ .*\n", "", text)
        self.assertEqual(plain, self.succeed("transcribe", self.path, WAV))

    def test_on_a_terminal(self):
        import os
        import pty

        try:
            main, side = pty.openpty()
        except OSError:
            self.skipTest("no pseudo terminals here")
        process = subprocess.Popen(
            [client.STENO, "transcribe", "--interim", str(self.path)],
            stdin=subprocess.DEVNULL,
            stdout=side,
            stderr=side,
            env=client.environment() | {"TERM": "xterm"},
        )
        os.close(side)
        shown = b""
        try:
            while piece := os.read(main, 65536):
                shown += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(main)
        self.assertEqual(process.wait(), 0)
        text = shown.decode().replace("\r\n", "\n")
        self.assertGreater(text.count("\r\x1b[K"), 1)
        self.assertNotIn("x real time", text)
        for line in text.split("\r\x1b[K"):
            self.assertLess(len(line.splitlines()[0]) if line else 0, 80)
        # What is left on the screen when each erased line is taken away.
        left = re.sub(r"[^\n]*\r\x1b\[K", "", text)
        self.assertEqual(left, self.final)


class Progress(client.ClientTest):
    def test_never_and_always(self):
        for options in ([], ["--progress=never"], ["--progress=always", "--quiet"]):
            self.assertEqual(steno("transcribe", *options, WAV).stderr, "")
        long = write_wav(self.folder / "long.wav", [noise(60)])
        for command in (["transcribe", long, WAV], ["transcribe", "--search=ctc", long]):
            result = steno(*command, "--progress=always", "--operators=reference")
            self.assertRegex(result.stderr, r"\[=*>? *\] +\d+ %  [\d.]+ x real time  [\d:-]+ left")
            self.assertTrue(result.stderr.endswith("\r\x1b[K"))
        result = steno("transcribe", "--progress=always", "-", data=long.read_bytes())
        self.assertRegex(result.stderr, r"[\d:]+ of audio  [\d.]+ x real time")


if __name__ == "__main__":
    unittest.main()
