"""What clients written for Google, Riva and vosk-server rely on, by the fields' numbers: messages are
made and read without this project's .proto files (fields.py)."""

import array
import audioop
import math
import threading
import unittest
import wave

import fields
import running
import speaking
from fields import Message, message
from speaking import FORMATS, GOOGLE, OPERATIONS, RIVA, VOSK, noise, pieces, texts, transcribe

LINEAR16, FLAC, MULAW, OGG_OPUS, MP3 = 1, 2, 3, 6, 8
RIVA_PCM, RIVA_FLAC, RIVA_MULAW, RIVA_OPUS, RIVA_ALAW = 1, 2, 3, 4, 20
# A field that no version of any of these messages has.
UNKNOWN = (1999, message((1, "from another age"), (2, 7)))


def milliseconds(duration):
    return duration.one(1) * 1000 + duration.one(2) // 1000000


class ContractTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.serve()
        self.samples = noise(12)
        self.content = self.samples.tobytes()
        self.path = self.folder / "noise.wav"
        self.path.write_bytes(speaking.wav_bytes(self.samples))
        self.expected = transcribe(self.path)
        self.texts = texts(self.expected)

    def unary(self, path, *request):
        return Message(running.unary(self.connection, path, message(*request)))

    def answers(self, path, requests, heard=None):
        """heard: an event, set with the first of them."""
        found = []
        for answer in self.connection.stream_stream(path)(iter(requests), timeout=running.PATIENCE):
            found.append(Message(answer))
            if heard:
                heard.set()
        return found

    def words(self, path, *options):
        return texts(transcribe(path, *options))


class Google(ContractTest):
    def config(self, *more, encoding=LINEAR16, rate=16000):
        return message((1, encoding), (2, rate), (3, "en-US"), *more)

    def recognize(self, config, content):
        answer = self.unary(GOOGLE + "Recognize", (1, config), (2, message((1, content))))
        return answer, [r.all(1)[0].text(1) for r in answer.all(2)]

    def stream(self, config, content, *streaming):
        def requests():
            yield message((1, message((1, config), *streaming)))
            for piece in pieces(content):
                yield message((2, piece))

        answers = self.answers(GOOGLE + "StreamingRecognize", requests())
        return answers, [r.all(1)[0].text(1) for a in answers for r in a.all(2) if r.one(2)]

    def test_everything_that_has_no_effect(self):
        """All fields of the configuration that are accepted, and some that do not exist."""
        diarization = message((1, True), (2, 1), (3, 3), (5, 1), UNKNOWN)
        metadata = message((1, 2), (3, 5), (9, "a talk"), UNKNOWN)
        normalization = message((1, message((1, "search"), (2, "replace"), (3, True))))
        config = self.config(
            (4, 1), (5, True), (7, 1), (9, metadata), (11, True), (13, "latest_long"), (14, True),
            (18, "en-GB"), (19, diarization), (22, message((1, True))), (23, message((1, False))),
            (24, normalization), UNKNOWN)
        self.assertEqual(self.recognize(config, self.content)[1], self.texts)
        self.assertEqual(self.stream(config, self.content, UNKNOWN)[1], self.texts)

    def test_unknown_fields_of_requests(self):
        answer = self.unary(GOOGLE + "Recognize", UNKNOWN, (1, self.config()), UNKNOWN,
                            (2, message((1, self.content), UNKNOWN)))
        self.assertEqual([r.all(1)[0].text(1) for r in answer.all(2)], self.texts)
        requests = [message((1, message((1, self.config()))), UNKNOWN),
                    message(UNKNOWN, (2, self.content))]
        answers = self.answers(GOOGLE + "StreamingRecognize", requests)
        self.assertEqual([r.all(1)[0].text(1) for a in answers for r in a.all(2)], self.texts)

    def test_results(self):
        answers, found = self.stream(self.config((4, 5), (8, True), (15, True)), self.content,
                                     (3, True))
        self.assertEqual(found, self.texts)
        last_ms = 0
        for answer in answers:
            # error, results or speech_event_type; then total_billed_time at the end, request_id.
            self.assertLessEqual(set(answer), {2, 5, 10})
            for result in answer.all(2):
                alternatives = result.all(1)
                if result.one(2):
                    self.assertEqual(result.one(3, 0.0), 0.0)
                    self.assertGreater(alternatives[0].one(2, 0.0), 0)
                    self.assertTrue(alternatives[0].all(3))
                    last_ms, before = milliseconds(result.of(4)), last_ms
                    self.assertGreater(last_ms, before)
                    self.check_words(alternatives[0], last_ms)
                else:
                    self.assertGreater(result.one(3, 0.0), 0)
                    self.assertEqual(alternatives[0].one(2, 0.0), 0.0)
                for other in alternatives[1:]:
                    self.assertEqual(other.get(3, []), [])
                    self.assertEqual(other.one(2, 0.0), 0.0)
                self.assertEqual(result.text(6), "en-us")
                self.assertNotIn(5, result)
        self.assertEqual([5 in answer for answer in answers], [False] * (len(answers) - 1) + [True])
        self.assertEqual(milliseconds(answers[-1].of(5)), 12000)

    def check_words(self, alternative, end_ms):
        words = alternative.all(3)
        self.assertEqual(" ".join(w.text(3) for w in words), alternative.text(1).strip())
        times = [t for w in words for t in (self.time(w, 1), self.time(w, 2))]
        self.assertEqual(times, sorted(times))
        self.assertLessEqual(times[-1], end_ms)
        self.assertTrue(all(0 < w.one(4, 0.0) <= 1 for w in words))

    def time(self, word, number):
        return milliseconds(word.of(number)) if number in word else 0

    def test_formats(self):
        for name, encoding, rate in (
            ("speech.wav", LINEAR16, 16000), ("speech.wav", 0, 0), ("speech.wav", LINEAR16, 0),
            ("speech-mulaw.wav", MULAW, 16000), ("speech-mulaw.wav", 0, 0),
            ("speech.flac", FLAC, 0), ("speech.flac", FLAC, 16000), ("speech.opus", OGG_OPUS, 16000),
            ("speech.opus", OGG_OPUS, 48000), ("speech.opus", 0, 0), ("speech.mp3", MP3, 16000),
            ("speech.mp3", 0, 0),
        ):
            content, expected = (FORMATS / name).read_bytes(), self.words(FORMATS / name)
            self.assertTrue(expected, name)
            config = self.config(encoding=encoding, rate=rate)
            self.assertEqual(self.recognize(config, content)[1], expected, (name, rate))
            self.assertEqual(self.stream(config, content)[1], expected, (name, rate))

    def test_rates(self):
        for rate in (8000, 11025, 44100, 48000):
            samples = noise(6, rate)
            path = self.folder / f"{rate}.wav"
            path.write_bytes(speaking.wav_bytes(samples, rate))
            config = self.config(rate=rate)
            self.assertEqual(self.stream(config, samples.tobytes())[1], self.words(path), rate)

    def test_single_utterance_ends_by_itself(self):
        """The event and the final come while the client still sends, which it then stops."""
        feed = running.Feed()
        self.addCleanup(feed.close)
        feed.put(message((1, message((1, self.config()), (2, True)))))
        for piece in pieces(self.content):
            feed.put(message((2, piece)))
        call = self.connection.stream_stream(GOOGLE + "StreamingRecognize")(
            iter(feed), timeout=running.PATIENCE)
        event, final = Message(next(call)), Message(next(call))
        self.assertEqual((event.one(4), 2 in event), (1, False))
        self.assertEqual([r.all(1)[0].text(1) for r in final.all(2)], self.texts[:1])
        feed.put(message((2, self.content)))
        feed.close()
        self.assertEqual(list(call), [])

    def test_adaptation_counts_before_contexts(self):
        """More contexts than are allowed do not matter where there is an adaptation."""
        contexts = (6, message(*((1, f"number {i}") for i in range(501)), (4, 5.0)))
        sets = (1, message((1, "mine"), (2, message((1, "steno daemon"), (2, 7.5))), (4, 3.0)))
        classes = (3, message((1, "c"), (2, "id"), (3, message((1, "item")))))
        config = self.config(contexts, (20, message(sets, classes)))
        self.assertTrue(self.recognize(config, self.content)[1])
        self.refuse("speech_contexts", lambda: self.recognize(self.config(contexts), self.content))

    def test_long_running(self):
        operation = self.unary(GOOGLE + "LongRunningRecognize", (1, self.config()),
                               (2, message((1, self.content))))
        name = operation.text(1)
        progress = []
        while not operation.one(3):
            metadata = operation.of(2).of(2)
            progress.append(metadata.one(1))
            operation = self.unary(OPERATIONS + "GetOperation", (1, name))
        self.assertEqual(operation.text(1), name)
        kind, data = operation.of(2), operation.of(5)
        self.assertEqual(kind.text(1), "type.googleapis.com/"
                         "google.cloud.speech.v1.LongRunningRecognizeMetadata")
        self.assertEqual(data.text(1), "type.googleapis.com/"
                         "google.cloud.speech.v1.LongRunningRecognizeResponse")
        metadata = kind.of(2)
        progress.append(metadata.one(1))
        self.assertEqual((progress, progress[-1]), (sorted(progress), 100))
        self.assertLessEqual(milliseconds(metadata.of(2)), milliseconds(metadata.of(3)))
        response = data.of(2)
        self.assertEqual([r.all(1)[0].text(1) for r in response.all(2)], self.texts)
        self.assertEqual(milliseconds(response.of(3)), 12000)
        self.assertNotEqual(response.one(9), 0)

    def test_large_messages(self):
        content = self.content * 60
        self.assertGreater(len(content), 20 << 20)
        _, found = self.recognize(self.config(), content)
        self.assertEqual(found[0], self.texts[0])


class Riva(ContractTest):
    def config(self, *more, encoding=RIVA_PCM, rate=16000):
        return message((1, encoding), (2, rate), (3, "en-US"), *more)

    def recognize(self, config, content, *more):
        answer = self.unary(RIVA + "Recognize", (1, config), (2, content), *more)
        return answer, [r.all(1)[0].text(1) for r in answer.all(1)]

    def stream(self, config, content, *streaming, pause_ms=None):
        """After pause_ms of the audio the rest waits for an answer."""
        heard = threading.Event()
        self.addCleanup(heard.set)

        def requests():
            yield message((1, message((1, config), *streaming)), (100, message((1, "mine"))))
            for number, piece in enumerate(pieces(content)):
                if pause_ms is not None and number == pause_ms // 100:
                    heard.wait(running.PATIENCE)
                yield message((2, piece))

        answers = self.answers(RIVA + "StreamingRecognize", requests(), heard)
        for answer in answers:
            self.assertEqual(answer.of(100).text(1), "mine")
        return answers, [r.all(1)[0].text(1) for a in answers for r in a.all(1) if r.one(2)]

    def test_everything_that_has_no_effect(self):
        custom = tuple((24, message((1, key), (2, "1"))) for key in ("a", "b"))
        endpointing = message((1, 300), (2, 0.5), (4, 0.9), (5, 300), (6, 0.9))
        config = self.config((4, 1), (5, True), (11, True), (13, "any"), (14, True),
                             (19, message((1, True), (2, 8))), *custom, (25, endpointing), UNKNOWN)
        self.assertEqual(self.recognize(config, self.content)[1], self.texts)
        self.assertEqual(self.stream(config, self.content, UNKNOWN)[1], self.texts)

    def test_results(self):
        # Of interim results at once the newest alone is kept: before the first final there is one.
        answers, found = self.stream(self.config((4, 5), (8, True)), self.content, (2, True),
                                     pause_ms=self.expected["results"][0]["end_ms"])
        self.assertEqual(found, self.texts)
        results = [r for a in answers for r in a.all(1)]
        self.assertTrue([r for r in results if not r.one(2)], "interim results are field 2 here")
        heard = [r.one(6, 0.0) for r in results]
        self.assertEqual(heard, sorted(heard))
        for result in results:
            best = result.all(1)[0]
            if result.one(2):
                self.assertLessEqual(best.one(2, 0.0), 0, "a logarithm")
                times = [t for w in best.all(3) for t in (w.one(1), w.one(2))]
                self.assertEqual(times, sorted(times))
                self.assertEqual(" ".join(w.text(3) for w in best.all(3)), best.text(1).strip())
            else:
                self.assertGreater(result.one(3, 0.0), 0)

    def test_the_request_comes_back(self):
        answer, _ = self.recognize(self.config(), self.content, (100, message((1, "that one"))))
        self.assertEqual(answer.of(100).text(1), "that one")

    def test_formats(self):
        with wave.open(str(FORMATS / "speech.wav")) as recording:
            pcm = recording.readframes(recording.getnframes())
        for encoding, code in ((RIVA_ALAW, audioop.lin2alaw), (RIVA_MULAW, audioop.lin2ulaw)):
            content = code(pcm, 2)
            back = audioop.alaw2lin if encoding == RIVA_ALAW else audioop.ulaw2lin
            path = self.folder / f"{encoding}.wav"
            path.write_bytes(speaking.wav_bytes(array.array("h", back(content, 2))))
            self.assertEqual(self.stream(self.config(encoding=encoding), content)[1],
                             self.words(path))
        for name, encoding in (("speech.flac", RIVA_FLAC), ("speech.opus", RIVA_OPUS)):
            content, expected = (FORMATS / name).read_bytes(), self.words(FORMATS / name)
            self.assertEqual(self.recognize(self.config(encoding=encoding), content)[1], expected)
            self.assertEqual(self.stream(self.config(encoding=encoding), content)[1], expected)

    def test_the_pause_that_ends_an_utterance(self):
        few = self.words(self.path, "--endpoint", "4000")
        self.assertLess(len(few), len(self.texts))
        config = self.config((25, message((3, 4000))))
        self.assertEqual(self.stream(config, self.content)[1], few)
        # Riva's clients ask for less than is possible here.
        config = self.config((25, message((3, 100))))
        self.assertEqual(self.stream(config, self.content)[1],
                         self.words(self.path, "--endpoint", "400"))

    def test_channels(self):
        other = noise(12, seed=2)
        both = speaking.interleave(self.samples, other).tobytes()
        _, found = self.recognize(self.config((7, 2)), both)
        self.assertEqual(found, self.texts, "the first channel alone")
        answer, _ = self.recognize(self.config((7, 2), (12, True)), both)
        for channel in (1, 2):
            self.assertTrue([r for r in answer.all(1) if r.one(2) == channel])
        self.assertEqual([r.all(1)[0].text(1) for r in answer.all(1) if r.one(2) == 1], self.texts)

    def test_models(self):
        answer = self.unary(RIVA + "GetRivaSpeechRecognitionConfig")
        models = [{p.text(1): p.text(2) for p in m.all(2)} for m in answer.all(1)]
        self.assertIn("online", [m["type"] for m in models])
        self.assertTrue(all(m["language_code"].startswith("en") for m in models))

    def test_confidence_is_a_logarithm(self):
        _, found = self.stream(self.config(), self.content)
        answer, _ = self.recognize(self.config(), self.content)
        self.assertEqual(len(found), len(self.expected["results"]))
        for result, expected in zip(answer.all(1), self.expected["results"]):
            self.assertAlmostEqual(math.exp(result.all(1)[0].one(2, 0.0)), expected["confidence"],
                                   2)


class Vosk(ContractTest):
    def stream(self, spec, content, size=8000):
        def requests():
            yield message((1, message((1, message(*spec)))))
            for piece in pieces(content, size):
                yield message((2, piece))

        answers = self.answers(VOSK + "SttService/StreamingRecognize", requests())
        return [chunk for answer in answers for chunk in answer.all(1)]

    def finals(self, chunks):
        found = [c.all(1)[0].text(1) for c in chunks if c.one(2)]
        return [text for text in found if text]

    def test_everything_that_has_no_effect(self):
        chunks = self.stream([(1, 1), (2, 16000), (3, "ru-RU"), (4, True), (5, "small"), (8, True),
                              (10, True), UNKNOWN], self.content)
        self.assertEqual(self.finals(chunks), [text.strip() for text in self.texts])

    def test_results(self):
        chunks = self.stream([(2, 16000), (7, True), (11, 5), (12, True)], self.content)
        self.assertEqual(self.finals(chunks), [text.strip() for text in self.texts])
        self.assertTrue(chunks[-1].one(2))
        self.assertGreater(max(len(c.all(1)) for c in chunks), 1)
        for chunk in chunks:
            # The end of an utterance and a final result are the same here.
            self.assertEqual(chunk.one(2), chunk.one(3))
            words = chunk.all(1)[0].all(3)
            if chunk.one(2) and words:
                self.assertEqual(" ".join(w.text(3) for w in words), chunk.all(1)[0].text(1))

    def test_rates(self):
        for rate in (8000, 48000):
            samples = noise(6, rate)
            path = self.folder / f"{rate}.wav"
            path.write_bytes(speaking.wav_bytes(samples, rate))
            self.assertEqual(self.finals(self.stream([(2, rate)], samples.tobytes())),
                             [text.strip() for text in self.words(path)])

    def test_statistics(self):
        before = self.unary(VOSK + "StatsService/GetStats")
        self.stream([(2, 16000)], self.content)
        after = self.unary(VOSK + "StatsService/GetStats")
        self.assertEqual((before.one(2), after.one(1), after.one(2)), (0, 0, 1))
        self.assertGreater(after.one(4, 0.0), 0)
        self.assertGreater(after.one(6, 0.0), 0)


class Fields(unittest.TestCase):
    """That the hand which writes and reads is right."""

    def test_what_is_written_is_read(self):
        data = message((1, 150), (2, "text"), (3, message((1, True))), (3, message((1, -1))),
                       (2000, 0.5))
        self.assertEqual(data[:3], b"\x08\x96\x01")
        found = Message(data)
        self.assertEqual((found.one(1), found.text(2), found.one(2000)), (150, "text", 0.5))
        self.assertEqual([m.one(1) for m in found.all(3)], [1, 2**64 - 1])
        self.assertEqual((found.one(9), fields.Message(b"")), (0, {}))


if __name__ == "__main__":
    unittest.main()
