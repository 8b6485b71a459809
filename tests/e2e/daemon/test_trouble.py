"""Requests that are wrong, clients that go away: a clear status for them, nothing for the others."""

import random
import threading
import time
import unittest

import grpc

import running
import speaking
from speaking import (GOOGLE, OPERATIONS, RIVA, STENO_V1, VOSK, duration_pb2, google, noise,
                      operations, riva, steno, texts, transcribe, vosk, wav_bytes)

Encoding = google.RecognitionConfig
Code = grpc.StatusCode


class TroubleTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.program = self.serve("--drain-seconds", 5)
        self.samples = noise(6)
        self.content = self.samples.tobytes()

    def refuse_config(self, details, config, content=None, **streaming):
        """Refused as a stream and, where it is not about streams, as a whole recording."""
        content = self.content if content is None else content
        self.refuse(details, lambda: self.google_stream(content, config, **streaming))
        if not streaming and content:
            self.refuse(details, lambda: self.recognize(content, config))

    def still_serves(self):
        response = self.recognize(self.content)
        self.assertTrue(response.results)

    # Configurations.

    def test_encodings(self):
        for name in ("AMR", "AMR_WB", "SPEEX_WITH_HEADER_BYTE", "WEBM_OPUS"):
            self.refuse_config(name, self.config(encoding=Encoding.AudioEncoding.Value(name)))
        self.refuse_config("encoding: 99", self.config(encoding=99))
        self.refuse_config("encoding", google.RecognitionConfig(language_code="en"))
        self.refuse_config("sample_rate_hertz", self.config(sample_rate_hertz=None))

    def test_rates(self):
        for rate in (7999, 48001, -1, 2**31 - 1):
            self.refuse_config(f"sample_rate_hertz: {rate}", self.config(sample_rate_hertz=rate))
        self.refuse_config("sample_rate_hertz: 11025", self.config(
            encoding=Encoding.OGG_OPUS, sample_rate_hertz=11025))

    def test_channels(self):
        for count in (-1, 9):
            self.refuse_config("audio_channel_count", self.config(audio_channel_count=count))
        self.refuse_config("audio_channel_count: 2", self.config(
            encoding=Encoding.MULAW, audio_channel_count=2))

    def test_languages(self):
        for code in ("de-DE", "english", "e", "en\n", "en-" + "x" * 100):
            self.refuse_config("language_code", self.config(language_code=code))
        self.refuse_config("alternative_language_codes",
                           self.config(alternative_language_codes=["en-GB", "fr-FR"]))
        for code in ("", "en", "EN-us", "en_GB"):
            self.assertTrue(self.recognize(self.content, self.config(language_code=code)).results)

    def test_alternatives(self):
        for count in (-1, 31):
            self.refuse_config("max_alternatives", self.config(max_alternatives=count))

    def test_phrases(self):
        config = self.config()
        config.speech_contexts.add(phrases=[f"number {i}" for i in range(501)])
        self.refuse_config("speech_contexts", config)
        config = self.config()
        config.speech_contexts.add(phrases=["word"], boost=float("nan"))
        self.refuse_config("speech_contexts", config)
        config = self.config()
        config.adaptation.phrase_set_references.append("projects/x/phraseSets/y")
        self.refuse_config("adaptation.phrase_set_references", config)
        config = self.config()
        config.adaptation.abnf_grammar.abnf_strings.append("$x = a;")
        self.refuse_config("adaptation.abnf_grammar", config)

    def test_headers_that_contradict(self):
        wav = wav_bytes(self.samples)
        self.refuse_config("sample_rate_hertz: 8000", self.config(sample_rate_hertz=8000), wav)
        self.refuse_config("audio_channel_count: 2", self.config(audio_channel_count=2), wav)
        self.refuse_config("audio", self.config(encoding=Encoding.FLAC), wav)
        flac = (speaking.FORMATS / "speech.flac").read_bytes()
        self.refuse_config("sample_rate_hertz: 44100", self.config(
            encoding=Encoding.FLAC, sample_rate_hertz=44100), flac)
        mulaw = (speaking.FORMATS / "speech-mulaw.wav").read_bytes()
        self.refuse_config("encoding: not that", self.config(), mulaw)
        self.refuse_config("encoding: not that", self.config(encoding=Encoding.MULAW), wav)
        self.assertTrue(self.recognize(mulaw, self.config(encoding=Encoding.MULAW)).results)
        # In agreement, or silent, they are fine.
        for config in (self.config(), google.RecognitionConfig(),
                       self.config(sample_rate_hertz=None, audio_channel_count=1)):
            self.assertTrue(self.recognize(wav, config).results)

    def test_timeouts(self):
        def timeout(**length):
            return google.StreamingRecognitionConfig.VoiceActivityTimeout(
                speech_end_timeout=duration_pb2.Duration(**length))

        self.refuse_config("enable_voice_activity_events", self.config(),
                           voice_activity_timeout=timeout(seconds=1))
        for length in ({"seconds": -1}, {"nanos": -1}, {"nanos": 10**9}):
            self.refuse_config("voice_activity_timeout.speech_end_timeout", self.config(),
                               enable_voice_activity_events=True,
                               voice_activity_timeout=timeout(**length))

    def test_audio_that_is_elsewhere(self):
        for call, request in (
            ("Recognize", google.RecognizeRequest(config=self.config())),
            ("LongRunningRecognize", google.LongRunningRecognizeRequest(config=self.config())),
        ):
            self.refuse("audio", lambda: self.call(GOOGLE + call, request, google.RecognizeResponse))
            request.audio.uri = "file:///etc/passwd"
            self.refuse("audio.uri", lambda: self.call(GOOGLE + call, request,
                                                       google.RecognizeResponse))
        request = google.LongRunningRecognizeRequest(config=self.config())
        request.audio.content = self.content
        request.output_config.gcs_uri = "gs://x/y"
        self.refuse("output_config", lambda: self.call(GOOGLE + "LongRunningRecognize", request,
                                                       operations.Operation))

    def test_own_options(self):
        for name, value in (("chunk_ms", 100), ("chunk_ms", 200), ("endpoint_ms", 399),
                            ("max_utterance_ms", 60001), ("sample_encoding", 7)):
            request = steno.RecognizeRequest(
                config=self.config(encoding=None) if name == "sample_encoding" else self.config(),
                options=steno.RecognitionOptions(**{name: value}))
            request.audio.content = self.content
            self.refuse(name, lambda: self.call(STENO_V1 + "Recognize", request,
                                                google.RecognizeResponse))
        # Google's service does not know them.
        request = steno.RecognizeRequest(config=self.config(),
                                         options=steno.RecognitionOptions(chunk_ms=100))
        request.audio.content = self.content
        self.assertTrue(self.call(GOOGLE + "Recognize", request, google.RecognizeResponse).results)

    def test_riva_and_vosk(self):
        def riva_call(**fields):
            fields = {"encoding": 1, "sample_rate_hertz": 16000, **fields}
            request = riva.RecognizeRequest(
                config=riva.RecognitionConfig(**fields), audio=self.content)
            return self.call(RIVA + "Recognize", request, riva.RecognizeResponse)

        self.refuse("encoding: 19", lambda: riva_call(encoding=19))
        self.refuse("sample_rate_hertz: 1", lambda: riva_call(sample_rate_hertz=1))
        self.refuse("language_code", lambda: riva_call(language_code="xx"))
        self.refuse("max_alternatives", lambda: riva_call(max_alternatives=99))
        self.refuse("audio: empty", lambda: self.call(
            RIVA + "Recognize", riva.RecognizeRequest(config=riva.RecognitionConfig(encoding=2)),
            riva.RecognizeResponse))
        self.refuse("model_name", lambda: self.call(
            RIVA + "GetRivaSpeechRecognitionConfig",
            riva.RivaSpeechRecognitionConfigRequest(model_name="other"),
            riva.RivaSpeechRecognitionConfigResponse), Code.NOT_FOUND)

        def vosk_call(**fields):
            config = vosk.RecognitionConfig(specification=vosk.RecognitionSpec(**fields))
            return list(self.stream(VOSK + "SttService/StreamingRecognize",
                                    [vosk.StreamingRecognitionRequest(config=config)],
                                    vosk.StreamingRecognitionResponse))

        self.refuse("specification.sample_rate_hertz", vosk_call)
        self.refuse("specification.sample_rate_hertz",
                    lambda: vosk_call(sample_rate_hertz=2**40))
        self.refuse("specification.audio_encoding",
                    lambda: vosk_call(sample_rate_hertz=8000, audio_encoding=2))

    # Order.

    def stream_of(self, *requests):
        return list(self.stream(GOOGLE + "StreamingRecognize", requests,
                                google.StreamingRecognizeResponse))

    def test_order(self):
        config = google.StreamingRecognizeRequest(
            streaming_config=google.StreamingRecognitionConfig(config=self.config()))
        audio = google.StreamingRecognizeRequest(audio_content=self.content)
        nothing = google.StreamingRecognizeRequest()
        for details, requests in (
            ("first message", [audio]),
            ("first message", [nothing]),
            ("first message only", [config, config]),
            ("first message only", [config, audio, config]),
            ("without audio", [config, nothing]),
            ("before its configuration", []),
            ("config", [google.StreamingRecognizeRequest(
                streaming_config=google.StreamingRecognitionConfig())]),
        ):
            self.refuse(details, lambda: self.stream_of(*requests))
        self.assertEqual(self.stream_of(config), [])

    # Bytes.

    def test_garbage_for_messages(self):
        generator = random.Random(5)
        paths = [GOOGLE + "Recognize", GOOGLE + "LongRunningRecognize", STENO_V1 + "Recognize",
                 STENO_V1 + "GetModel", RIVA + "Recognize",
                 RIVA + "GetRivaSpeechRecognitionConfig", OPERATIONS + "WaitOperation",
                 OPERATIONS + "GetOperation", OPERATIONS + "ListOperations"]
        streams = [GOOGLE, STENO_V1, RIVA, VOSK + "SttService/"]
        for size in (1, 10, 1000):
            message = bytes(generator.randrange(128, 256) for _ in range(size))
            for path in paths:
                with self.assertRaises(grpc.RpcError) as caught:
                    running.unary(self.connection, path, message)
                self.assertEqual(caught.exception.code(), Code.INVALID_ARGUMENT, path)
            for service in streams:
                with self.assertRaises(grpc.RpcError) as caught:
                    list(self.connection.stream_stream(service + "StreamingRecognize")(
                        iter([message]), timeout=running.PATIENCE))
                self.assertEqual(caught.exception.code(), Code.INVALID_ARGUMENT, service)
        self.still_serves()

    def test_garbage_for_audio(self):
        content = bytes(random.Random(6).randrange(256) for _ in range(50000))
        for name in ("FLAC", "OGG_OPUS", "MP3", "ENCODING_UNSPECIFIED"):
            config = google.RecognitionConfig(encoding=Encoding.AudioEncoding.Value(name))
            self.refuse_config("", config, content)
        # Any bytes are samples.
        self.google_stream(content)
        self.google_stream(content, self.config(encoding=Encoding.MULAW))
        self.refuse("inside a sample", lambda: self.google_stream(content[:1]))

    def test_damage_in_the_middle(self):
        """What was heard before is given, then the reason."""
        flac = bytearray((speaking.SPEECH / "demo.flac").read_bytes())
        half = flac[: len(flac) // 2]
        responses = self.stream(GOOGLE + "StreamingRecognize",
                                self.google_requests(bytes(half), google.RecognitionConfig()),
                                google.StreamingRecognizeResponse)
        heard = []
        with self.assertRaises(grpc.RpcError) as caught:
            for response in responses:
                heard.append(response)
        self.assertEqual(caught.exception.code(), Code.INVALID_ARGUMENT)
        self.assertIn("audio", caught.exception.details())
        self.assertTrue(self.finals(heard))

    # Clients.

    def test_neighbours_hear_the_same(self):
        """While others cancel, time out, send garbage or vanish, a stream's words don't change."""
        path = self.folder / "noise.wav"
        path.write_bytes(wav_bytes(self.samples))
        expected = texts(transcribe(path))
        outcome, stop = [], threading.Event()

        def listen():
            while not stop.is_set():
                outcome.append(self.finals(self.google_stream(self.content)))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            for round in range(4):
                self.cancel_in_the_middle()
                self.vanish()
                with self.assertRaises(grpc.RpcError) as caught:
                    self.hang(timeout=0.2)
                self.assertEqual(caught.exception.code(), Code.DEADLINE_EXCEEDED)
                self.refuse("damaged", lambda: list(self.connection.stream_stream(
                    GOOGLE + "StreamingRecognize")(iter([b"\xff" * 99]), timeout=60)))
        finally:
            stop.set()
            listener.join()
        self.assertTrue(outcome)
        for finals in outcome:
            self.assertEqual(finals, expected)
        self.program.tell()
        self.assertEqual(self.program.finish(), 0, self.program.text())

    def cancel_in_the_middle(self):
        feed = running.Feed()
        for request in self.google_requests(self.content, interim_results=True):
            feed.put(request)
        answers = self.stream(GOOGLE + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        next(answers)
        answers.cancel()
        with self.assertRaises(grpc.RpcError) as caught:
            list(answers)
        self.assertEqual(caught.exception.code(), Code.CANCELLED)
        feed.close()

    def vanish(self):
        """A connection that is gone while its stream is under way."""
        channel = grpc.insecure_channel(self.address, [("grpc.use_local_subchannel_pool", 1)])
        feed = running.Feed()
        for request in self.google_requests(self.content):
            feed.put(request.SerializeToString())
        answers = channel.stream_stream(GOOGLE + "StreamingRecognize")(iter(feed))
        time.sleep(0.05)
        channel.close()
        feed.close()
        self.assertRaises(grpc.RpcError, lambda: list(answers))

    def hang(self, timeout):
        """A client that sends a little and then nothing."""
        feed = running.Feed()
        for request in self.google_requests(self.content[:6400]):
            feed.put(request)
        try:
            list(self.stream(GOOGLE + "StreamingRecognize", feed,
                             google.StreamingRecognizeResponse, timeout))
        finally:
            feed.close()

    def test_a_whole_recording_cancelled(self):
        request = google.RecognizeRequest(config=self.config())
        request.audio.content = self.content * 60
        with self.assertRaises(grpc.RpcError) as caught:
            self.connection.unary_unary(
                GOOGLE + "Recognize", google.RecognizeRequest.SerializeToString)(
                    request, timeout=0.2)
        self.assertEqual(caught.exception.code(), Code.DEADLINE_EXCEEDED)
        self.still_serves()

    def test_more_audio_than_may_wait(self):
        """A client that sends as fast as it can is held back, and loses nothing."""
        content = self.content * 20
        path = self.folder / "long.wav"
        path.write_bytes(wav_bytes(self.samples * 20))
        responses = self.google_stream(content, size=100000)
        self.assertEqual(self.finals(responses), texts(transcribe(path)))

    def test_operations_go_with_the_daemon(self):
        request = google.LongRunningRecognizeRequest(config=self.config())
        request.audio.content = self.content * 60
        for _ in range(2):
            self.call(GOOGLE + "LongRunningRecognize", request, operations.Operation)
        self.program.tell()
        self.assertEqual(self.program.finish(), 0, self.program.text())

    def test_operations_that_are_none(self):
        for name in ("", "operations/1", "x" * 1000, "caf\u00e9\n"):
            for method in ("Get", "Cancel", "Delete", "Wait"):
                request = operations.GetOperationRequest(name=name)
                self.refuse("name", lambda: self.call(OPERATIONS + method + "Operation", request,
                                                      operations.Operation), Code.NOT_FOUND)
        self.refuse("page_token", lambda: self.call(
            OPERATIONS + "ListOperations", operations.ListOperationsRequest(page_token="x"),
            operations.ListOperationsResponse))
        self.refuse("filter", lambda: self.call(
            OPERATIONS + "ListOperations", operations.ListOperationsRequest(filter="x"),
            operations.ListOperationsResponse))


if __name__ == "__main__":
    unittest.main()
