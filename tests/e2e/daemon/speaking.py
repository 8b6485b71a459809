"""What the tests of the speech services share: the daemon with a small model, its messages, what
`steno transcribe` makes of the same audio."""

import array
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import wave

import grpc

import running

STENO = os.environ["STENO"]
STENOD = os.environ["STENOD"]
MODEL = os.environ["STENO_TINY_MODEL"]
SPEECH = running.SOURCE / "tests" / "data" / "speech"
FORMATS = running.SOURCE / "tests" / "data" / "formats"
CHUNK_MS = 640


def _generate():
    folder = tempfile.mkdtemp()
    root = running.SOURCE / "proto"
    files = [str(path) for package in ("google", "steno", "nvidia", "vosk")
             for path in (root / package).rglob("*.proto")]
    subprocess.run([os.environ["PROTOC"], "-I", str(root), "--python_out", folder] + files,
                   check=True)
    sys.path.insert(0, folder)


_generate()

from google.cloud.speech.v1 import cloud_speech_pb2 as google  # noqa: E402
from google.longrunning import operations_pb2 as operations  # noqa: E402
from google.protobuf import duration_pb2, empty_pb2  # noqa: E402
from nvidia.riva import riva_asr_pb2 as riva  # noqa: E402
from steno.v1 import speech_pb2 as steno  # noqa: E402
from vosk.stt.v1 import stt_service_pb2 as vosk  # noqa: E402

GOOGLE = "/google.cloud.speech.v1.Speech/"
STENO_V1 = "/steno.v1.Speech/"
RIVA = "/nvidia.riva.asr.RivaSpeechRecognition/"
VOSK = "/vosk.stt.v1."
OPERATIONS = "/google.longrunning.Operations/"
LINEAR16 = google.RecognitionConfig.LINEAR16


def noise(seconds, rate=16000, seed=1):
    """Bursts of noise, to which the small model answers with words, as 16-bit samples."""
    generator = random.Random(seed)
    samples = array.array("h")
    while len(samples) < seconds * rate:
        level = generator.choice((0, 200, 2000, 6000))
        samples.extend(generator.randint(-level, level) for _ in range(rate // 5))
    return samples[: int(seconds * rate)]


def quiet_model(path):
    """Writes the small model with a bias towards saying nothing: it never does."""
    with open(MODEL, "rb") as file:
        content = bytearray(file.read())
    (size,) = struct.unpack_from("<Q", content)
    bias = json.loads(content[8 : 8 + size])["ctc.bias"]
    assert bias["dtype"] == "F32"
    struct.pack_into("<f", content, 8 + size + bias["data_offsets"][0], 1000.0)
    path.write_bytes(content)
    return path


def interleave(*channels):
    samples = array.array("h", bytes(2 * len(channels) * len(channels[0])))
    for index, channel in enumerate(channels):
        samples[index :: len(channels)] = channel
    return samples


def wav_bytes(samples, rate=16000, channels=1):
    with tempfile.TemporaryFile() as file:
        with wave.open(file, "wb") as out:
            out.setnchannels(channels)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(samples.tobytes())
        file.seek(0)
        return file.read()


def duration_ms(duration):
    return duration.seconds * 1000 + duration.nanos // 1000000


def pieces(content, size=3200):
    return [content[i : i + size] for i in range(0, len(content), size)]


def transcribe(path, *options, model=MODEL):
    """What `steno transcribe` makes of a recording: its JSON results."""
    result = subprocess.run(
        [STENO, "transcribe", "--format", "json", "--chunk", str(CHUNK_MS), "--model", str(model),
         "--threads", "1", *options, str(path)],
        capture_output=True, check=True, timeout=running.PATIENCE)
    return json.loads(result.stdout)


def texts(results, channel=0):
    """The finals' texts, in the way of the wire: later ones begin with a space."""
    found = [r["text"] for r in results["results"] if r["channel"] == channel]
    return [(" " if i else "") + text for i, text in enumerate(found)]


class Recording:
    """Noise, and what is heard in it."""

    def __init__(self, folder, seed, seconds):
        samples = noise(seconds, seed=seed)
        path = folder / f"{seed}.wav"
        path.write_bytes(wav_bytes(samples))
        self.content = samples.tobytes()
        self.texts = texts(transcribe(path))
        assert self.texts


class SpeechTest(running.ServerTest):
    maxDiff = None

    def serve(self, *options, model=MODEL):
        program = self.start([STENOD, "--model", model, "--listen", "127.0.0.1:0",
                              "--chunk", CHUNK_MS, "--threads", 1, "--drain-seconds", 2,
                              *options])
        self.addCleanup(self.end, program)
        port = program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]
        self.address = f"127.0.0.1:{port}"
        self.connection = self.channel(self.address, [("grpc.max_receive_message_length", -1),
                                                      ("grpc.max_send_message_length", -1)])
        return program

    def end(self, program):
        """Whatever has happened to it, it ends as it should."""
        if program.process.poll() is None:
            program.tell()
        self.assertEqual(program.finish(), 0, program.text())

    def call(self, path, request, answer):
        return self.connection.unary_unary(
            path, lambda message: message.SerializeToString(), answer.FromString
        )(request, timeout=running.PATIENCE)

    def stream(self, path, requests, answer, timeout=running.PATIENCE):
        return self.connection.stream_stream(
            path, lambda message: message.SerializeToString(), answer.FromString
        )(iter(requests), timeout=timeout)

    def health(self, **options):
        """The answer's bytes."""
        return running.unary(self.connection, "/grpc.health.v1.Health/Check", **options)

    # Google.

    def config(self, **fields):
        fields = {"encoding": LINEAR16, "sample_rate_hertz": 16000, "language_code": "en-US",
                  **fields}
        return google.RecognitionConfig(**{k: v for k, v in fields.items() if v is not None})

    def google_requests(self, content, config=None, size=3200, **fields):
        yield google.StreamingRecognizeRequest(
            streaming_config=google.StreamingRecognitionConfig(
                config=config or self.config(), **fields))
        for piece in pieces(content, size):
            yield google.StreamingRecognizeRequest(audio_content=piece)

    def google_stream(self, content, config=None, size=3200, **fields):
        """All responses to a stream of these bytes."""
        requests = self.google_requests(content, config, size, **fields)
        return list(self.stream(GOOGLE + "StreamingRecognize", requests,
                                google.StreamingRecognizeResponse))

    def hold_a_stream(self):
        """A stream whose configuration the daemon has: its requests and its call.  Closing the feed
        lets it go."""
        # What is asked for before there is a connection may be sent in any order.
        self.health()
        feed = running.Feed()
        self.addCleanup(feed.close)
        call = self.stream(GOOGLE + "StreamingRecognize", feed, google.StreamingRecognizeResponse,
                           timeout=4 * running.PATIENCE)
        feed.put(next(self.google_requests(b"")))
        # Answered after the stream has been taken: both came by one connection.
        feed.wait_until_sent()
        self.health()
        return feed, call

    def recognize(self, content, config=None):
        request = google.RecognizeRequest(config=config or self.config())
        request.audio.content = content
        return self.call(GOOGLE + "Recognize", request, google.RecognizeResponse)

    def refuse(self, details, call, code=grpc.StatusCode.INVALID_ARGUMENT):
        self.assert_status(code, details, call)

    def finals(self, responses, channel=0):
        """The final transcripts; checks on the way that each response is one thing."""
        found = []
        for response in responses:
            kinds = [response.HasField("error"), bool(response.results),
                     bool(response.speech_event_type)]
            self.assertEqual(sum(kinds), 1, response)
            for result in response.results:
                if result.is_final and result.channel_tag == channel:
                    found.append(result.alternatives[0].transcript)
        return found
