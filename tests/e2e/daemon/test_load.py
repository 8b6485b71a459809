"""Many streams at once, of all kinds: those that end well say what the same audio says alone, and
those that don't hurt nobody.

STENO_LOAD is how many are under way at once (16): `STENO_LOAD=64 meson test -C build-tsan daemon_load`
is the load that a build with a sanitizer is looked at with.
"""

import os
import random
import threading
import time
import traceback
import unittest

import grpc

import running
import speaking
import strangers
from speaking import (GOOGLE, OPERATIONS, RIVA, STENO_V1, VOSK, Recording, google, operations,
                      pieces, riva, steno, vosk)

AT_ONCE = int(os.environ.get("STENO_LOAD", "16"))
# Of each stream; several of each kind in turn.
SECONDS = 4
RECORDINGS = 5
PATIENCE = 20 * running.PATIENCE
Code = grpc.StatusCode


class Client:
    """One connection, and a call of each kind on it; `check` is called with what must be equal."""

    def __init__(self, address, recording, generator, check):
        self.channel = grpc.insecure_channel(
            address, [("grpc.use_local_subchannel_pool", 1),
                      ("grpc.max_receive_message_length", -1)])
        self.address = address
        self.recording = recording
        self.random = generator
        self.check = check

    def pieces(self, unit=1):
        """The audio, cut anywhere (or every so many bytes), some of it with pauses as if it were
        live."""
        content, slow = self.recording.content, self.random.random() < 0.3
        while content:
            size = self.random.randrange(1, 20000 // unit) * unit
            yield content[:size]
            content = content[size:]
            if slow:
                time.sleep(self.random.random() / 20)

    def stream(self, path, requests, answer, timeout=PATIENCE):
        return self.channel.stream_stream(
            path, lambda message: message.SerializeToString(), answer.FromString)(
                iter(requests), timeout=timeout)

    def call(self, path, request, answer):
        return self.channel.unary_unary(
            path, lambda message: message.SerializeToString(), answer.FromString)(
                request, timeout=PATIENCE)

    def config(self):
        return google.RecognitionConfig(encoding=speaking.LINEAR16, sample_rate_hertz=16000)

    # Those that end well.

    def google_requests(self, unit=1, **fields):
        yield google.StreamingRecognizeRequest(
            streaming_config=google.StreamingRecognitionConfig(config=self.config(), **fields))
        for piece in self.pieces(unit):
            yield google.StreamingRecognizeRequest(audio_content=piece)

    def run_google(self):
        answers = list(self.stream(
            GOOGLE + "StreamingRecognize",
            self.google_requests(interim_results=self.random.random() < 0.5),
            google.StreamingRecognizeResponse))
        self.check([r.alternatives[0].transcript for a in answers for r in a.results
                    if r.is_final], self.recording.texts)

    def run_steno(self):
        def requests():
            yield steno.StreamingRecognizeRequest(
                streaming_config=steno.StreamingRecognitionConfig(
                    config=self.config(), interim_results=True,
                    options=steno.RecognitionOptions(interim_word_times=True)))
            for piece in self.pieces():
                yield steno.StreamingRecognizeRequest(audio_content=piece)

        answers = list(self.stream(STENO_V1 + "StreamingRecognize", requests(),
                                   google.StreamingRecognizeResponse))
        self.check([r.alternatives[0].transcript for a in answers for r in a.results
                    if r.is_final], self.recording.texts)

    def run_riva(self):
        def requests():
            yield riva.StreamingRecognizeRequest(
                streaming_config=riva.StreamingRecognitionConfig(
                    config=riva.RecognitionConfig(encoding=1, sample_rate_hertz=16000),
                    interim_results=True))
            for piece in self.pieces():
                yield riva.StreamingRecognizeRequest(audio_content=piece)

        answers = list(self.stream(RIVA + "StreamingRecognize", requests(),
                                   riva.StreamingRecognizeResponse))
        self.check([r.alternatives[0].transcript for a in answers for r in a.results
                    if r.is_final], self.recording.texts)

    def run_vosk(self):
        def requests():
            yield vosk.StreamingRecognitionRequest(config=vosk.RecognitionConfig(
                specification=vosk.RecognitionSpec(sample_rate_hertz=16000,
                                                   partial_results=True)))
            for piece in self.pieces():
                yield vosk.StreamingRecognitionRequest(audio_content=piece)

        answers = list(self.stream(VOSK + "SttService/StreamingRecognize", requests(),
                                   vosk.StreamingRecognitionResponse))
        found = [c.alternatives[0].text for a in answers for c in a.chunks if c.final]
        self.check([text for text in found if text],
                   [text.strip() for text in self.recording.texts])

    def run_unary(self):
        request = google.RecognizeRequest(config=self.config())
        request.audio.content = self.recording.content
        answer = self.call(GOOGLE + "Recognize", request, google.RecognizeResponse)
        self.check([r.alternatives[0].transcript for r in answer.results], self.recording.texts)

    def run_long(self):
        request = google.LongRunningRecognizeRequest(config=self.config())
        request.audio.content = self.recording.content
        name = self.call(GOOGLE + "LongRunningRecognize", request, operations.Operation).name
        done = self.call(OPERATIONS + "WaitOperation", operations.WaitOperationRequest(name=name),
                         operations.Operation)
        response = google.LongRunningRecognizeResponse()
        self.check(done.response.Unpack(response), True)
        self.check([r.alternatives[0].transcript for r in response.results], self.recording.texts)

    # Those that don't.

    def fails(self, codes, run):
        try:
            run()
        except grpc.RpcError as error:
            self.check(error.code() in codes, True)
        else:
            self.check("ended well", codes)

    def run_cancelled(self):
        answers = self.stream(GOOGLE + "StreamingRecognize",
                              self.google_requests(interim_results=True),
                              google.StreamingRecognizeResponse)
        timer = threading.Timer(self.random.random() / 2, answers.cancel)
        timer.start()
        try:
            for _ in answers:
                pass
        except grpc.RpcError as error:
            self.check(error.code(), Code.CANCELLED)
        timer.join()

    def run_out_of_time(self):
        def requests():
            yield from self.google_requests()
            threading.Event().wait(2)

        self.fails([Code.DEADLINE_EXCEEDED], lambda: list(self.stream(
            GOOGLE + "StreamingRecognize", requests(), google.StreamingRecognizeResponse,
            timeout=self.random.random())))

    def run_closed_early(self):
        """Half closed after a part."""
        def requests():
            for number, request in enumerate(self.google_requests(unit=2)):
                if number == 3:
                    return
                yield request

        answers = self.stream(GOOGLE + "StreamingRecognize", requests(),
                              google.StreamingRecognizeResponse)
        for _ in answers:
            pass
        self.check(answers.code(), Code.OK)

    def run_without_configuration(self):
        self.fails([Code.INVALID_ARGUMENT], lambda: list(self.stream(
            GOOGLE + "StreamingRecognize", [], google.StreamingRecognizeResponse)))

    def run_garbage(self):
        self.fails([Code.INVALID_ARGUMENT], lambda: list(self.channel.stream_stream(
            RIVA + "StreamingRecognize")(iter([self.random.randbytes(500)]), timeout=PATIENCE)))

    def run_abandoned(self):
        """A socket that goes away in the middle of a call, without a word."""
        message = next(iter(self.google_requests())).SerializeToString()
        with strangers.Stranger(self.address) as stranger:
            stranger.send(
                strangers.frame(strangers.HEADERS, strangers.END_HEADERS, 1,
                                strangers.request_headers(
                                    GOOGLE.encode() + b"StreamingRecognize")) +
                strangers.frame(strangers.DATA, 0, 1,
                                b"\0" + len(message).to_bytes(4, "big") + message))
            for piece in pieces(self.recording.content, 8000)[:4]:
                body = google.StreamingRecognizeRequest(audio_content=piece).SerializeToString()
                stranger.send(strangers.frame(strangers.DATA, 0, 1,
                                              b"\0" + len(body).to_bytes(4, "big") + body))
            time.sleep(self.random.random() / 5)

    def run_channel_closed(self):
        """A connection that ends with its calls under way."""
        answers = self.stream(GOOGLE + "StreamingRecognize",
                              self.google_requests(interim_results=True),
                              google.StreamingRecognizeResponse)
        time.sleep(self.random.random() / 5)
        self.channel.close()
        try:
            list(answers)
        except grpc.RpcError as error:
            self.check(error.code(), Code.CANCELLED)


WELL = ("google", "steno", "riva", "vosk", "unary", "long")
BADLY = ("cancelled", "out_of_time", "closed_early", "without_configuration", "garbage",
         "abandoned", "channel_closed")


class LoadTest(speaking.SpeechTest):
    def setUp(self):
        super().setUp()
        self.program = self.serve("--max-streams", 2 * AT_ONCE, "--threads", 2,
                                  "--handshake-seconds", 3600)
        self.recordings = [Recording(self.folder, seed, SECONDS) for seed in range(1, RECORDINGS + 1)]
        self.troubles = []

    def check_of(self, kind):
        def check(found, expected):
            if found != expected:
                self.troubles.append(f"{kind}: {found!r} instead of {expected!r}")
        return check

    def run_one(self, number):
        """Three calls of one kind, then of the others, on a connection each."""
        generator = random.Random(number)
        kinds = WELL + (BADLY if number % 2 else ())
        for turn in range(3):
            kind = kinds[(number // 2 + turn) % len(kinds)]
            client = Client(self.address, generator.choice(self.recordings), generator,
                            self.check_of(kind))
            try:
                getattr(client, "run_" + kind)()
            except Exception:  # pylint: disable=broad-except
                self.troubles.append(f"{kind}: {traceback.format_exc()}")
            client.channel.close()

    def test_all_kinds_at_once(self):
        # Enough for every kind to come, well and badly, at whatever size.
        threads = [threading.Thread(target=self.run_one, args=(number,))
                   for number in range(max(AT_ONCE, 2 * len(WELL + BADLY)))]
        waiting = list(threads)
        while waiting or any(thread.is_alive() for thread in threads):
            under_way = sum(thread.is_alive() for thread in threads)
            while waiting and under_way < AT_ONCE:
                waiting.pop().start()
                under_way += 1
            time.sleep(0.02)
        self.assertEqual(self.troubles, [])
        # Of those that went away nothing is left, and it ends at once.
        stats = lambda: self.call(VOSK + "StatsService/GetStats", speaking.empty_pb2.Empty(),
                                  vosk.StatsResponse)
        self.assertTrue(running.eventually(lambda: stats().n_streams == 0))
        self.assertGreater(stats().n_total_streams, AT_ONCE)
        self.program.tell()
        self.assertEqual(self.program.finish(), 0, self.program.text())
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, self.program.text())


if __name__ == "__main__":
    unittest.main()
