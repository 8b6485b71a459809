"""Real words through the daemon: with the shipped model, where it is."""

import array
import unittest
import wave

import running
import speaking
from speaking import GOOGLE, duration_ms, duration_pb2, google, texts, transcribe, wav_bytes

MODEL = running.SOURCE / "models" / "en.safetensors"
DEMO = speaking.SPEECH / "demo.flac"
OTHER = speaking.SPEECH / "2277-149874-0007.flac"
Event = google.StreamingRecognizeResponse


@unittest.skipUnless(MODEL.exists(), f"{MODEL} is not there")
class WordsTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.serve(model=MODEL)
        self.flac = google.RecognitionConfig(language_code="en")
        self.silence = array.array("h", bytes(2 * 16000 * 8))

    def expected(self, path, *options):
        return transcribe(path, *options, model=MODEL)

    def speech(self):
        """A recording as 16-bit samples."""
        with wave.open(str(speaking.FORMATS / "speech.wav")) as recording:
            return array.array("h", recording.readframes(recording.getnframes()))

    def test_streaming_equals_transcribe(self):
        for path in (DEMO, OTHER):
            expected = texts(self.expected(path))
            self.assertGreater(len("".join(expected).split()), 8)
            responses = self.google_stream(path.read_bytes(), self.flac, size=5000)
            self.assertEqual(self.finals(responses), expected)
            unary = self.recognize(path.read_bytes(), self.flac)
            self.assertEqual([r.alternatives[0].transcript for r in unary.results], expected)

    def test_words_in_pauses_of_silence(self):
        """Silence says nothing, and speech around it is heard."""
        self.assertEqual(self.google_stream(self.silence.tobytes()), [])
        content = (self.silence + self.speech() + self.silence).tobytes()
        responses = self.google_stream(content, enable_voice_activity_events=True)
        events = [r for r in responses if r.speech_event_type]
        self.assertEqual([e.speech_event_type for e in events],
                         [Event.SPEECH_ACTIVITY_BEGIN, Event.SPEECH_ACTIVITY_END]
                         * (len(events) // 2))
        self.assertAlmostEqual(duration_ms(events[0].speech_event_time), 8200, delta=1000)
        self.assertGreater(len("".join(self.finals(responses)).split()), 4)

    def test_speech_end_timeout(self):
        timeout = google.StreamingRecognitionConfig.VoiceActivityTimeout(
            speech_end_timeout=duration_pb2.Duration(seconds=3))
        content = (self.speech() + self.silence + self.speech()).tobytes()
        once = self.finals(self.google_stream((self.speech() + self.silence).tobytes()))
        for size in (3200, len(content)):
            responses = self.google_stream(content, size=size, enable_voice_activity_events=True,
                                           voice_activity_timeout=timeout)
            events = [r.speech_event_type for r in responses if r.speech_event_type]
            self.assertEqual(events[-2:],
                             [Event.SPEECH_ACTIVITY_END, Event.SPEECH_ACTIVITY_TIMEOUT])
            self.assertEqual(self.finals(responses), once)

    def test_single_utterance(self):
        content = (self.speech() + self.silence + self.speech()).tobytes()
        responses = self.google_stream(content, single_utterance=True)
        self.assertEqual(responses[0].speech_event_type, Event.END_OF_SINGLE_UTTERANCE)
        self.assertEqual(len(self.finals(responses)), 1)
        self.assertEqual(len(responses), 2)

    def test_a_stream_slower_than_its_reader(self):
        """Interim results come while speech goes on, and only grow surer."""
        feed = running.Feed()
        self.addCleanup(feed.close)
        content = self.speech().tobytes()
        for request in self.google_requests(content, interim_results=True):
            feed.put(request)
        answers = self.stream(GOOGLE + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        first = next(answers).results[0]
        self.assertTrue(first.alternatives[0].transcript)
        feed.close()
        whole = "".join(self.finals(list(answers)))
        path = self.folder / "speech.wav"
        path.write_bytes(wav_bytes(self.speech()))
        self.assertTrue(self.expected(path)["text"].endswith(whole.strip()))


if __name__ == "__main__":
    unittest.main()
