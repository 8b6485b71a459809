"""`steno --server` with the real daemon: what it prints is what steno prints that recognises itself,
and no model is needed for it."""

import json
import signal
import unittest

import remote
import running
import speaking
from remote import INPUT, USAGE
from speaking import FORMATS, SPEECH, google
from speaking import steno as messages

SHIPPED = running.SOURCE / "models" / "en.safetensors"
RECORDINGS = sorted(SPEECH.glob("*.flac")) + sorted(SPEECH.glob("*.opus"))
KINDS = sorted(path for path in FORMATS.iterdir() if path.suffix != ".md")


class EqualTest(remote.RemoteTest):
    def setUp(self):
        super().setUp()
        self.serve("--listen", f"unix:{self.folder}/socket")

    def assert_equal(self, *arguments, **more):
        expected = self.here(*arguments, **more)
        self.assertEqual(self.there(*arguments, **more), expected)
        return expected

    def test_every_format(self):
        path = self.write_noise("talk.wav", 12)
        for name in ("text", "json", "srt", "vtt", "ctm", "tsv"):
            with self.subTest(format=name):
                self.assertGreater(len(self.assert_equal("--format", name, path)), 20)

    def test_every_kind_of_file(self):
        for path in KINDS:
            with self.subTest(path=path.name):
                self.assert_equal("--format", "json", path)

    def test_rates_and_channels(self):
        for rate, channels in ((8000, 1), (44100, 2), (48000, 3), (22050, 1)):
            path = self.write_noise(f"{rate}-{channels}.wav", 5, rate, channels)
            with self.subTest(rate=rate, channels=channels):
                self.assertIn('"word"', self.assert_equal("--format", "json", path))
                self.assert_equal("--format", "json", "--per-channel", path)

    def test_options(self):
        path = self.write_noise("talk.wav", 15)
        for options in (["--chunk", 160], ["--chunk", 1280], ["--endpoint", 400],
                        ["--no-endpointing"], ["--max-utterance", 5000], ["--alternatives", 4],
                        ["--phrase", "abc=20"], ["--phrase", "abc=0"]):
            with self.subTest(options=options):
                self.assert_equal("--format", "json", *options, path)

    def test_phrases_change_what_is_heard(self):
        path = self.write_noise("talk.wav", 10)
        plain = json.loads(self.there("--format", "json", path))["text"]
        word = plain.split()[0][:2] * 3
        self.assertNotEqual(self.assert_equal("--phrase", f"{word}=20", "--format", "json", path),
                            plain)

    def test_standard_input_and_raw_samples(self):
        path = self.write_noise("talk.wav", 6)
        content = path.read_bytes()
        self.assert_equal("-", data=content)
        self.assert_equal("--raw", "-", data=content[44:])
        self.assert_equal("--encoding", "mulaw", "--rate", 8000, "-", data=content[44:50000])
        self.assert_equal("--encoding", "alaw", "--rate", 8000, "-", data=content[44:50000])
        self.assert_equal("--encoding", "f32", "-", data=content[44:90000])
        # Samples that look like a header are samples all the same.
        self.assert_equal("--raw", "-", data=content)

    def test_nothing_said_and_nothing_at_all(self):
        silence = self.folder / "silence.wav"
        silence.write_bytes(speaking.wav_bytes(speaking.array.array("h", bytes(64000))))
        self.assert_equal("--format", "json", silence)
        self.assert_equal("--raw", "-", data=b"\0\0")

    def test_interim_ends_in_the_same_text(self):
        path = self.write_noise("talk.wav", 8)
        expected = self.here(path).splitlines()
        # Of what comes at once the newest alone is kept, so that now and then there is none.
        for _ in range(10):
            lines = self.there("--interim", path).splitlines()
            finals = [line for line in lines if not line.startswith("~ ")]
            self.assertEqual(finals, expected)
            if len(lines) > len(finals):
                break
        self.assertGreater(len(lines), len(finals))

    def test_several_files_side_by_side(self):
        paths = [self.write_noise(f"{i}.wav", 3 + i, seed=i) for i in range(5)]
        for jobs in (1, 4):
            self.assert_equal("--jobs", jobs, *paths)
        folder = self.folder / "out"
        self.there("--output-dir", folder, "--format", "srt", *paths)
        for path in paths:
            self.assertEqual((folder / f"{path.stem}.srt").read_text(),
                             self.here("--format", "srt", path))

    def test_a_socket(self):
        path = self.write_noise("talk.wav", 4)
        self.assertEqual(self.succeed("transcribe", "--server", f"unix:{self.folder}/socket", path),
                         self.here(path))

    def test_progress(self):
        path = self.write_noise("talk.wav", 30)
        result = remote.steno("transcribe", "--server", self.address, "--progress", "always", path)
        self.assertEqual(result.returncode, 0)
        self.assertIn("100 %", result.stderr)

    def test_a_damaged_file_among_others(self):
        good = self.write_noise("good.wav", 3)
        bad = self.folder / "bad.flac"
        bad.write_bytes((FORMATS / "speech.flac").read_bytes()[:30000])
        there = remote.steno("transcribe", "--server", self.address, bad, good)
        here = remote.steno("transcribe", "--threads", "1", bad, good, model=speaking.MODEL)
        self.assertEqual((there.returncode, there.stdout, there.stderr),
                         (here.returncode, here.stdout, here.stderr))
        self.fail_with(INPUT, "no such file", "transcribe", "--server", self.address, "/nowhere.wav")

    def test_word_error_rate(self):
        path = self.write_noise("talk.wav", 5)
        manifest = self.folder / "manifest.tsv"
        manifest.write_text(f"{path.name}\tsome words\n")
        here = json.loads(self.succeed("wer", "--json", manifest, model=speaking.MODEL))
        there = json.loads(self.succeed("wer", "--json", "--server", self.address, manifest))
        for one in (here, there):
            self.assertGreater(one["total"].pop("real_time_factor"), 0)
        self.assertEqual(there, here)

    def test_model_info(self):
        here = json.loads(self.succeed("model", "info", "--json", speaking.MODEL))
        there = json.loads(self.succeed("model", "info", "--json", "--server", self.address))
        self.assertEqual(there.pop("server"), self.address)
        here.pop("file")
        self.assertEqual(there, here)
        self.assertIn(f"server          {self.address}\n",
                      self.succeed("model", "info", "--server", self.address))

    def test_options_that_do_not_go_together(self):
        for options in (["--model", "x"], ["--precision", "f32"], ["--operators", "reference"],
                        ["--search", "ctc"], ["--beam", 3], ["--lm-weight", 1], ["--threads", 2],
                        ["--attention-weight", 1], ["--token-bonus", 0]):
            self.fail_with(USAGE, f"{options[0]} is the server's to choose", "transcribe",
                           "--server", self.address, *options, "x.wav")
        for options in (["--ca", "x"], ["--cert", "x"], ["--key", "x"], ["--server-name", "x"],
                        ["--token-file", "x"], ["--connect-timeout", 3]):
            self.fail_with(USAGE, f"{options[0]} says how to speak to a --server", "transcribe",
                           *options, "x.wav")
        self.fail_with(USAGE, "which one?", "model", "info", "--server", self.address, "x")
        self.fail_with(USAGE, "is not an address", "transcribe", "--server", "nobody", "x.wav")
        self.fail_with(USAGE, "more than 16", "transcribe",
                       *["--server", self.address] * 17, "x.wav")

    def test_an_interrupt_gives_what_was_said(self):
        live = remote.Live(self, "--server", self.address)
        live.say_until(lambda: live.lines, speaking.noise(60))
        live.process.send_signal(signal.SIGINT)
        self.assertEqual(live.finish(), (-signal.SIGINT, ""))
        said = "".join(live.lines)
        whole = self.here("--raw", "-", data=live.said.tobytes())
        self.assertTrue(whole.startswith(said[: len(said) // 2]), (said, whole))
        self.assertTrue(said.endswith("\n"))


class WireTest(remote.RemoteTest):
    """What steno.v1 has for its clients, as any of them may ask for it."""

    def setUp(self):
        super().setUp()
        self.serve()

    def ask(self, content, options, **config):
        def requests():
            yield messages.StreamingRecognizeRequest(
                streaming_config=messages.StreamingRecognitionConfig(
                    config=google.RecognitionConfig(language_code="en", **config),
                    options=messages.RecognitionOptions(**options)))
            for piece in speaking.pieces(content):
                yield messages.StreamingRecognizeRequest(audio_content=piece)
        return list(self.stream(speaking.STENO_V1 + "StreamingRecognize", requests(),
                                messages.StreamingRecognizeResponse))

    def said(self, responses):
        return [r.results[0].alternatives[0].transcript.strip() for r in responses if r.results]

    def test_any_channel_and_their_mean(self):
        path = self.write_noise("three.wav", 6, channels=3)
        apart = json.loads(self.here("--format", "json", "--per-channel", path))["results"]
        for channel in (1, 2, 3):
            self.assertEqual(self.said(self.ask(path.read_bytes(), {"channel": channel})),
                             [one["text"] for one in apart if one["channel"] == channel])
        self.assertEqual(self.said(self.ask(path.read_bytes(), {"mix_channels": True})),
                         self.here(path).splitlines())

    def test_samples_without_a_header(self):
        content = self.write_noise("talk.wav", 6).read_bytes()[:60000]
        for name, encoding in (("INT16", "s16"), ("ULAW", "mulaw"), ("ALAW", "alaw")):
            responses = self.ask(content, {"sample_encoding": name}, sample_rate_hertz=16000)
            self.assertEqual(self.said(responses), self.here(
                "--encoding", encoding, "-", data=content).splitlines())

    def test_progress_where_nobody_speaks(self):
        silence = bytes(2 * 16000 * 20)
        told = [r.audio_ms for r in self.ask(silence, {"progress_ms": 2000,
                                                       "sample_encoding": "INT16"},
                                             sample_rate_hertz=16000) if not r.results]
        self.assertEqual(told, sorted(told))
        self.assertTrue(told)  # a quick server may be further when it says so first
        self.assertLessEqual(told[-1], 20000)
        for one, other in zip(told, told[1:]):
            self.assertGreaterEqual(other - one, 2000)

    def test_results_say_when_and_why(self):
        content = self.write_noise("talk.wav", 15).read_bytes()
        responses = [r for r in self.ask(content, {"alternative_words": True}, max_alternatives=3)
                     if r.results]
        self.assertGreater(len(responses), 1)
        for response in responses:
            self.assertGreaterEqual(response.audio_ms,
                                    speaking.duration_ms(response.results[0].result_end_time) - 80)
        self.assertGreater(max(len(r.results[0].alternatives) for r in responses), 1)

    def test_refused(self):
        two = self.write_noise("two.wav", 1, channels=2).read_bytes()
        for options, details in (
            ({"channel": 1, "mix_channels": True}, "options.channel: given, but so is mix_channels"),
            ({"channel": 3}, "channel: 3, should be 0 to 2"),
            ({"channel": 9}, "channel"),
            ({"progress_ms": 99}, "options.progress_ms: 99, should be 100 to 60000"),
        ):
            self.refuse(details, lambda chosen=options: self.ask(two, chosen))


@unittest.skipUnless(SHIPPED.exists(), f"{SHIPPED} is not there")
class WordsTest(remote.RemoteTest):
    def test_recordings(self):
        self.serve(model=SHIPPED)
        shared = ["--format", "json", "--output-dir"]
        self.there(*shared, self.folder / "there", "--jobs", 2, *RECORDINGS)
        self.here(*shared, self.folder / "here", "--jobs", 2, *RECORDINGS, model=SHIPPED)
        words = 0
        for path in RECORDINGS:
            name = f"{path.stem}.json"
            here = (self.folder / "here" / name).read_text()
            self.assertEqual((self.folder / "there" / name).read_text(), here, name)
            words += len(json.loads(here)["text"].split())
        self.assertGreater(words, 8 * len(RECORDINGS))


if __name__ == "__main__":
    unittest.main()
