"""Recognition through the daemon: the same words as `steno transcribe`, whatever the protocol."""

import array
import math
import unittest

import grpc

import running
import speaking
from speaking import (GOOGLE, OPERATIONS, RIVA, STENO_V1, VOSK, duration_ms,
                      duration_pb2, empty_pb2, google, interleave, noise, operations, pieces, riva,
                      steno, texts, transcribe, vosk, wav_bytes)

Event = google.StreamingRecognizeResponse


class StreamingTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.serve()
        self.samples = noise(12)
        self.path = self.folder / "noise.wav"
        self.path.write_bytes(wav_bytes(self.samples))
        self.expected = transcribe(self.path)
        self.assertGreater(len(self.expected["results"]), 1)

    def test_streaming_equals_transcribe(self):
        for size in (3200, 1001, 100000):
            responses = self.google_stream(self.samples.tobytes(), size=size)
            self.assertEqual(self.finals(responses), texts(self.expected))
        self.assertEqual("".join(self.finals(responses)), self.expected["text"])
        self.assertEqual(duration_ms(responses[-1].total_billed_time), 12000)
        self.assertEqual({r.request_id for r in responses}, {responses[0].request_id})
        self.assertNotEqual(responses[0].request_id, 0)

    def test_words(self):
        config = self.config(enable_word_time_offsets=True, enable_word_confidence=True)
        responses = self.google_stream(self.samples.tobytes(), config)
        for response, expected in zip(responses, self.expected["results"]):
            (result,) = response.results
            best = result.alternatives[0]
            self.assertEqual(duration_ms(result.result_end_time), expected["end_ms"])
            self.assertAlmostEqual(best.confidence, expected["confidence"], 2)
            self.assertEqual(
                [(w.word, duration_ms(w.start_time), duration_ms(w.end_time)) for w in best.words],
                [(w["word"], w["start_ms"], w["end_ms"]) for w in expected["words"]])
            for word, right in zip(best.words, expected["words"]):
                self.assertAlmostEqual(word.confidence, right["confidence"], 2)
            self.assertEqual(result.language_code, "en-us")
            self.assertEqual(result.stability, 0)

    def test_interim_results(self):
        feed = running.Feed()
        self.addCleanup(feed.close)
        answers = self.stream(GOOGLE + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        first, *requests = self.google_requests(self.samples.tobytes(), interim_results=True)
        feed.put(first)
        # Of what came at once the newest alone is kept, so that on a busy machine there may be none
        # but for the pause before the end of the first utterance.
        spoken = self.expected["results"][0]["end_ms"] // 100
        for request in requests[:spoken]:
            feed.put(request)
        responses = [next(answers)]
        self.assertFalse(responses[0].results[0].is_final)
        for request in requests[spoken:]:
            feed.put(request)
        feed.close()
        responses += answers
        self.assertEqual(self.finals(responses), texts(self.expected))
        interim = [r for response in responses for r in response.results if not r.is_final]
        for result in interim:
            self.assertGreater(result.stability, 0)
            self.assertEqual(result.alternatives[0].confidence, 0)
            self.assertEqual(len(result.alternatives[0].words), 0)
        after = [i for i, r in enumerate(responses) if r.results[0].is_final][0] + 1
        for response in responses[after:]:
            self.assertTrue(response.results[0].alternatives[0].transcript.startswith(" "))

    def test_alternatives(self):
        responses = self.google_stream(self.samples.tobytes(), self.config(max_alternatives=30))
        self.assertEqual(self.finals(responses), texts(self.expected))
        counts = [len(response.results[0].alternatives) for response in responses]
        self.assertGreater(max(counts), 1)
        self.assertLessEqual(max(counts), 10)
        for response in responses:
            for alternative in response.results[0].alternatives[1:]:
                self.assertEqual(alternative.confidence, 0)

    def test_single_utterance(self):
        responses = self.google_stream(self.samples.tobytes(), single_utterance=True)
        first, second = responses
        self.assertEqual(first.speech_event_type, Event.END_OF_SINGLE_UTTERANCE)
        self.assertEqual(self.finals(responses), texts(self.expected)[:1])
        self.assertTrue(second.results[0].is_final)

    def test_activity_events(self):
        responses = self.google_stream(self.samples.tobytes(), enable_voice_activity_events=True)
        events = [r.speech_event_type for r in responses if r.speech_event_type]
        self.assertTrue(events)
        for i, event in enumerate(events):
            self.assertEqual(
                event, (Event.SPEECH_ACTIVITY_BEGIN, Event.SPEECH_ACTIVITY_END)[i % 2])
        self.assertEqual(events[-1], Event.SPEECH_ACTIVITY_END)
        self.assertTrue(responses[0].speech_event_type)
        self.assertEqual(self.finals(responses), texts(self.expected))
        times = [duration_ms(r.speech_event_time) for r in responses if r.speech_event_type]
        self.assertEqual(times, sorted(times))

    def test_per_channel(self):
        other = noise(12, seed=2)
        both = interleave(self.samples, other)
        path = self.folder / "both.wav"
        path.write_bytes(wav_bytes(both, channels=2))
        expected = transcribe(path, "--per-channel")
        config = self.config(audio_channel_count=2, enable_separate_recognition_per_channel=True)
        responses = self.google_stream(both.tobytes(), config)
        for channel in (1, 2):
            self.assertEqual(self.finals(responses, channel), texts(expected, channel))
        unary = self.recognize(both.tobytes(), config)
        for channel in (1, 2):
            self.assertEqual(self.finals_of(unary, channel), texts(expected, channel))
        # Without it the first channel is recognised.
        config.enable_separate_recognition_per_channel = False
        responses = self.google_stream(both.tobytes(), config)
        self.assertEqual(self.finals(responses), texts(expected, 1))

    def finals_of(self, response, channel=0):
        return [r.alternatives[0].transcript for r in response.results if r.channel_tag == channel]

    def test_unary(self):
        response = self.recognize(self.samples.tobytes())
        self.assertEqual(self.finals_of(response), texts(self.expected))
        self.assertEqual(duration_ms(response.total_billed_time), 12000)
        self.assertNotEqual(response.request_id, 0)

    def test_files_by_their_header(self):
        for name in ("speech.wav", "speech.flac", "speech-mulaw.wav"):
            path = speaking.FORMATS / name
            expected = texts(transcribe(path))
            content = path.read_bytes()
            config = google.RecognitionConfig(language_code="en")
            self.assertEqual(self.finals_of(self.recognize(content, config)), expected, name)
            responses = self.google_stream(content, config, size=777)
            self.assertEqual(self.finals(responses), expected, name)

    def test_recordings_of_speech(self):
        path = speaking.SPEECH / "2277-149874-0007.flac"
        expected = transcribe(path)
        responses = self.google_stream(
            path.read_bytes(), self.config(encoding=google.RecognitionConfig.FLAC))
        self.assertEqual(self.finals(responses), texts(expected))

    def test_phrases_are_taken(self):
        config = self.config()
        config.speech_contexts.add(phrases=["steno daemon", "$OOV_CLASS_DIGIT_SEQUENCE"], boost=10)
        config.speech_contexts.add(phrases=["never said"], boost=-1)
        self.assertTrue(self.google_stream(self.samples.tobytes(), config))

    def test_long_running(self):
        request = google.LongRunningRecognizeRequest(config=self.config())
        request.audio.content = self.samples.tobytes()
        operation = self.call(GOOGLE + "LongRunningRecognize", request, operations.Operation)
        self.assertRegex(operation.name, "^operations/[0-9a-f]{32}$")
        self.assertFalse(operation.done)
        done = self.call(OPERATIONS + "WaitOperation",
                         operations.WaitOperationRequest(name=operation.name),
                         operations.Operation)
        self.assertTrue(done.done)
        response = google.LongRunningRecognizeResponse()
        self.assertTrue(done.response.Unpack(response))
        self.assertEqual(self.finals_of(response), texts(self.expected))
        self.assertEqual(duration_ms(response.total_billed_time), 12000)
        metadata = google.LongRunningRecognizeMetadata()
        self.assertTrue(done.metadata.Unpack(metadata))
        self.assertEqual(metadata.progress_percent, 100)
        get = operations.GetOperationRequest(name=operation.name)
        self.assertEqual(self.call(OPERATIONS + "GetOperation", get, operations.Operation), done)
        listed = self.call(OPERATIONS + "ListOperations", operations.ListOperationsRequest(),
                           operations.ListOperationsResponse)
        self.assertEqual(list(listed.operations), [done])
        self.call(OPERATIONS + "DeleteOperation",
                  operations.DeleteOperationRequest(name=operation.name), empty_pb2.Empty)
        self.refuse(operation.name, lambda: self.call(OPERATIONS + "GetOperation", get,
                                                      operations.Operation),
                    grpc.StatusCode.NOT_FOUND)

    def start_long(self, seconds, config=None):
        request = google.LongRunningRecognizeRequest(config=config or self.config())
        request.audio.content = self.samples[: 10 * 16000].tobytes() * (seconds // 10)
        return self.call(GOOGLE + "LongRunningRecognize", request, operations.Operation).name

    def wait(self, name, **timeout):
        request = operations.WaitOperationRequest(name=name)
        if timeout:
            request.timeout.CopyFrom(duration_pb2.Duration(**timeout))
        return self.call(OPERATIONS + "WaitOperation", request, operations.Operation)

    def test_operations_end_early(self):
        names = [self.start_long(600) for _ in range(3)]
        self.assertFalse(self.wait(names[2], nanos=1000000).done)
        for name in reversed(names):
            self.call(OPERATIONS + "CancelOperation",
                      operations.CancelOperationRequest(name=name), empty_pb2.Empty)
        for name in names:
            done = self.wait(name)
            self.assertEqual(done.error.code, grpc.StatusCode.CANCELLED.value[0])
        pages, token = [], ""
        while True:
            page = self.call(OPERATIONS + "ListOperations",
                             operations.ListOperationsRequest(page_size=2, page_token=token),
                             operations.ListOperationsResponse)
            pages.append([o.name for o in page.operations])
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(pages, [names[:2], names[2:]])

    def test_an_operation_that_fails(self):
        config = google.RecognitionConfig(language_code="en")
        done = self.wait(self.start_long(10, config))
        self.assertEqual(done.error.code, grpc.StatusCode.INVALID_ARGUMENT.value[0])
        self.assertIn("encoding", done.error.message)

    def test_riva(self):
        config = riva.RecognitionConfig(encoding=1, sample_rate_hertz=16000, language_code="en-US",
                                        enable_word_time_offsets=True)
        content = self.samples.tobytes()

        def requests():
            request = riva.StreamingRecognizeRequest(
                streaming_config=riva.StreamingRecognitionConfig(config=config,
                                                                 interim_results=True))
            request.id.value = "mine"
            yield request
            for piece in pieces(content):
                yield riva.StreamingRecognizeRequest(audio_content=piece)

        responses = list(self.stream(RIVA + "StreamingRecognize", requests(),
                                     riva.StreamingRecognizeResponse))
        self.assertEqual({r.id.value for r in responses}, {"mine"})
        finals = [r.results[0] for r in responses if r.results[0].is_final]
        self.assertEqual([f.alternatives[0].transcript for f in finals], texts(self.expected))
        for final, expected in zip(finals, self.expected["results"]):
            self.assertEqual([(w.word, w.start_time, w.end_time)
                              for w in final.alternatives[0].words],
                             [(w["word"], w["start_ms"], w["end_ms"]) for w in expected["words"]])
            self.assertAlmostEqual(math.exp(final.alternatives[0].confidence),
                                   expected["confidence"], 2)
            self.assertGreater(final.audio_processed, 0)
        whole = self.call(RIVA + "Recognize", riva.RecognizeRequest(config=config, audio=content),
                          riva.RecognizeResponse)
        self.assertEqual([r.alternatives[0].transcript for r in whole.results],
                         texts(self.expected))
        models = self.call(RIVA + "GetRivaSpeechRecognitionConfig",
                           riva.RivaSpeechRecognitionConfigRequest(),
                           riva.RivaSpeechRecognitionConfigResponse)
        self.assertEqual([m.parameters["type"] for m in models.model_config],
                         ["online", "offline"])
        self.assertEqual(models.model_config[0].model_name, "tiny")

    def vosk_stream(self, content, **fields):
        spec = vosk.RecognitionSpec(sample_rate_hertz=16000, **fields)

        def requests():
            yield vosk.StreamingRecognitionRequest(
                config=vosk.RecognitionConfig(specification=spec))
            for piece in pieces(content, 8000):
                yield vosk.StreamingRecognitionRequest(audio_content=piece)

        responses = list(self.stream(VOSK + "SttService/StreamingRecognize", requests(),
                                     vosk.StreamingRecognitionResponse))
        return [r.chunks[0] for r in responses]

    def test_vosk(self):
        expected = [text.strip() for text in texts(self.expected)]
        content = self.samples.tobytes()
        chunks = self.vosk_stream(content, enable_word_time_offsets=True)
        self.assertEqual([c.alternatives[0].text for c in chunks if c.alternatives[0].text],
                         expected)
        self.assertTrue(all(c.final and c.end_of_utterance for c in chunks))
        self.assertEqual(duration_ms(chunks[0].alternatives[0].words[0].start_time),
                         self.expected["results"][0]["words"][0]["start_ms"])
        chunks = self.vosk_stream(content, partial_results=True)
        self.assertEqual([c.alternatives[0].text for c in chunks
                          if c.final and c.alternatives[0].text], expected)
        self.assertGreaterEqual(len(chunks), len(pieces(content, 8000)) + 1)
        self.assertTrue(chunks[-1].final)
        stats = self.call(VOSK + "StatsService/GetStats", empty_pb2.Empty(), vosk.StatsResponse)
        self.assertEqual((stats.n_streams, stats.n_total_streams), (0, 2))
        self.assertGreater(stats.max_stream_rtf, 0)

    def test_vosk_answers_each_message(self):
        """A client that waits for each answer before it sends on."""
        feed, count = pieces(self.samples.tobytes(), 8000), 0
        feed_in = running.Feed()
        self.addCleanup(feed_in.close)
        spec = vosk.RecognitionSpec(sample_rate_hertz=16000, partial_results=True)
        feed_in.put(vosk.StreamingRecognitionRequest(
            config=vosk.RecognitionConfig(specification=spec)))
        answers = self.stream(VOSK + "SttService/StreamingRecognize", feed_in,
                              vosk.StreamingRecognitionResponse)
        for piece in feed:
            feed_in.put(vosk.StreamingRecognitionRequest(audio_content=piece))
            next(answers)
            count += 1
        feed_in.close()
        self.assertTrue(list(answers)[-1].chunks[0].final)
        self.assertEqual(count, len(feed))


class QuietTest(speaking.SpeechTest):
    """With a model that hears no words."""

    def setUp(self):
        super().setUp()
        self.serve(model=speaking.quiet_model(self.folder / "quiet.safetensors"))
        self.content = noise(8).tobytes()

    def test_nothing_said_nothing_sent(self):
        for content in (self.content, b""):
            self.assertEqual(self.google_stream(content, interim_results=True), [])
            self.assertEqual(
                self.google_stream(content, enable_voice_activity_events=True), [])
        response = self.recognize(self.content)
        self.assertEqual((len(response.results), response.total_billed_time.seconds), (0, 8))

    def test_speech_start_timeout(self):
        timeout = google.StreamingRecognitionConfig.VoiceActivityTimeout(
            speech_start_timeout=duration_pb2.Duration(seconds=2))
        for size in (3200, len(self.content)):
            responses = self.google_stream(self.content, size=size,
                                           enable_voice_activity_events=True,
                                           voice_activity_timeout=timeout)
            self.assertEqual([r.speech_event_type for r in responses],
                             [Event.SPEECH_ACTIVITY_TIMEOUT])
            self.assertEqual(duration_ms(responses[0].speech_event_time), 2000)

    def test_a_timeout_comes_without_more_audio(self):
        feed = running.Feed()
        self.addCleanup(feed.close)
        timeout = google.StreamingRecognitionConfig.VoiceActivityTimeout(
            speech_start_timeout=duration_pb2.Duration(seconds=2))
        for request in self.google_requests(self.content, enable_voice_activity_events=True,
                                            voice_activity_timeout=timeout):
            feed.put(request)
        answers = self.stream(GOOGLE + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        self.assertEqual(next(answers).speech_event_type, Event.SPEECH_ACTIVITY_TIMEOUT)
        # What comes later is dropped.
        feed.put(google.StreamingRecognizeRequest(audio_content=self.content))
        feed.close()
        self.assertEqual(list(answers), [])

    def test_vosk_ends_with_a_final(self):
        spec = vosk.RecognitionSpec(sample_rate_hertz=16000)
        requests = [
            vosk.StreamingRecognitionRequest(config=vosk.RecognitionConfig(specification=spec)),
            vosk.StreamingRecognitionRequest(audio_content=self.content)]
        (last,) = self.stream(VOSK + "SttService/StreamingRecognize", requests,
                              vosk.StreamingRecognitionResponse)
        (chunk,) = last.chunks
        self.assertEqual((chunk.final, chunk.alternatives[0].text), (True, ""))


class OwnServiceTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.serve()
        self.samples = noise(10)
        self.path = self.folder / "noise.wav"
        self.path.write_bytes(wav_bytes(self.samples))

    def requests(self, parts, config=None, interim=False, **options):
        """parts: bytes of audio, or None for a flush."""
        yield steno.StreamingRecognizeRequest(
            streaming_config=steno.StreamingRecognitionConfig(
                config=config or self.config(), interim_results=interim,
                options=steno.RecognitionOptions(**options)))
        for part in parts:
            if part is None:
                yield steno.StreamingRecognizeRequest(flush=steno.Flush())
            else:
                yield steno.StreamingRecognizeRequest(audio_content=part)

    def run_stream(self, parts, config=None, **options):
        return list(self.stream(STENO_V1 + "StreamingRecognize",
                                self.requests(parts, config, **options),
                                google.StreamingRecognizeResponse))

    def test_chunk_size(self):
        for chunk_ms in (160, 320, 1280):
            expected = transcribe(self.path, "--chunk", str(chunk_ms))
            responses = self.run_stream([self.samples.tobytes()], chunk_ms=chunk_ms)
            self.assertEqual(self.finals(responses), texts(expected))

    def test_endpointing_off_gives_the_same_words(self):
        expected = transcribe(self.path)
        responses = self.run_stream([self.samples.tobytes()], disable_endpointing=True)
        self.assertEqual("".join(self.finals(responses)), expected["text"])
        self.assertEqual(len(responses), 1)

    def test_other_samples(self):
        expected = transcribe(self.path)
        floats = array.array("f", [sample / 32768 for sample in self.samples])
        config = self.config(encoding=None)
        responses = self.run_stream([floats.tobytes()], config,
                                    sample_encoding=steno.RecognitionOptions.FLOAT32)
        self.assertEqual(self.finals(responses), texts(expected))

    def test_interim_words(self):
        """Until there is a pause, or the end, all that comes is interim."""
        feed = running.Feed()
        self.addCleanup(feed.close)
        for request in self.requests([self.samples.tobytes()], interim=True,
                                     interim_word_times=True, disable_endpointing=True):
            feed.put(request)
        answers = self.stream(STENO_V1 + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        result = next(answers).results[0]
        self.assertFalse(result.is_final)
        best = result.alternatives[0]
        self.assertEqual(" ".join(w.word for w in best.words), best.transcript)
        self.assertGreater(duration_ms(best.words[-1].end_time), 0)
        feed.close()
        self.assertTrue(list(answers)[-1].results[0].is_final)

    def test_flush_gives_a_final_at_once(self):
        feed = running.Feed()
        self.addCleanup(feed.close)
        content = self.samples.tobytes()
        for request in self.requests([content[:160000], None], disable_endpointing=True):
            feed.put(request)
        answers = self.stream(STENO_V1 + "StreamingRecognize", feed,
                              google.StreamingRecognizeResponse)
        first = next(answers).results[0]
        self.assertTrue(first.is_final)
        self.assertLessEqual(duration_ms(first.result_end_time), 5000)
        feed.put(steno.StreamingRecognizeRequest(audio_content=content[160000:]))
        feed.close()
        rest = self.finals(list(answers))
        self.assertTrue(rest)
        self.assertTrue(rest[0].startswith(" "))

    def test_flush_is_not_for_others(self):
        def requests():
            yield from self.requests([])
            yield steno.StreamingRecognizeRequest(flush=steno.Flush())

        self.refuse("streaming_request", lambda: list(self.stream(
            GOOGLE + "StreamingRecognize", requests(), google.StreamingRecognizeResponse)))

    def test_model(self):
        model = self.call(STENO_V1 + "GetModel", steno.GetModelRequest(), steno.Model)
        self.assertEqual((model.name, model.language, model.sample_rate_hertz),
                         ("tiny", "en", 16000))
        self.assertIn(model.precision, ("f32", "bf16", "int8"))

    def test_long_running_and_unary(self):
        expected = texts(transcribe(self.path, "--chunk", "320"))
        options = steno.RecognitionOptions(chunk_ms=320)
        request = steno.RecognizeRequest(config=self.config(), options=options)
        request.audio.content = self.samples.tobytes()
        response = self.call(STENO_V1 + "Recognize", request, google.RecognizeResponse)
        self.assertEqual([r.alternatives[0].transcript for r in response.results], expected)
        request = steno.LongRunningRecognizeRequest(config=self.config(), options=options)
        request.audio.content = self.samples.tobytes()
        name = self.call(STENO_V1 + "LongRunningRecognize", request, operations.Operation).name
        done = self.call(OPERATIONS + "WaitOperation", operations.WaitOperationRequest(name=name),
                         operations.Operation)
        response = google.LongRunningRecognizeResponse()
        done.response.Unpack(response)
        self.assertEqual([r.alternatives[0].transcript for r in response.results], expected)


if __name__ == "__main__":
    unittest.main()
