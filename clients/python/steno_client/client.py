"""Speech to text by a Steno daemon.

    with Client("127.0.0.1:50051") as client:
        for result in client.recognize(Path("talk.flac").read_bytes()):
            print(result.text)

        for result in client.stream(microphone(), Settings(rate=16000), interim=True):
            print(result.text, "(final)" if result.is_final else "...")
"""

import dataclasses
import re
import threading
from typing import Any, Iterable, Iterator, List, Optional, Tuple, Union

import grpc

from .messages import message

_SERVICE = "/steno.v1.Speech/"
_GOOGLE = "google.cloud.speech.v1."
# Servers that nobody between can listen to.
_LOCAL = re.compile(r"unix:|localhost:|127\.[0-9.]+:|\[::1\]:")


class StenoError(Exception):
    """A call that failed: `code` is gRPC's name for it ("INVALID_ARGUMENT"), the text says why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


@dataclasses.dataclass(frozen=True)
class Word:
    """start and end are seconds since the audio began, confidence is from 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


@dataclasses.dataclass(frozen=True)
class Result:
    """A stretch of speech.

    Final results never change; joined by spaces they are the transcript.  An interim result is the
    best guess at all that was said after the last final, and takes the place of the one before;
    `stability` is the share of its words that will not change.
    """

    text: str
    is_final: bool
    end: float  # seconds since the audio began
    words: Tuple[Word, ...]  # empty unless asked for
    confidence: float  # 0 to 1; of finals
    stability: float  # 0 to 1; of interims
    channel: int  # from 1 on, or 0: not recognised apart


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the audio is and what is wanted.

    rate: samples a second of headerless 16-bit little-endian audio; None for WAV, FLAC, Ogg Opus and
    MP3, which say themselves what they are.
    """

    rate: Optional[int] = None
    channels: int = 1  # of headerless audio
    per_channel: bool = False  # each channel recognised apart, instead of the first alone
    language: str = "en"
    words: bool = False  # words with their times and confidences
    phrases: Tuple[str, ...] = ()  # that are likely to be said
    boost: float = 0.0  # how likely, up to 20; 0 is the daemon's default
    chunk_ms: int = 0  # 160, 320, 640 or 1280: latency against accuracy; 0: the daemon's default
    endpoint_ms: int = 0  # the pause that ends an utterance, 400 to 10000; 0: the daemon's default


class Flush:
    """Given in place of audio: what was said so far becomes final at once."""


Audio = Iterable[Union[bytes, Flush]]


class Client:
    """A connection to a daemon, made when it is first needed; any thread may use it.

    ca: PEM text of the authority that vouches for the server, for TLS; tls without it: one of the
    usual authorities does.  certificate and key: PEM texts by which the server knows the client.
    token: sent with each call; beyond this machine only over TLS.
    """

    def __init__(self, server: str = "127.0.0.1:50051", *, ca: Optional[bytes] = None,
                 tls: bool = False, certificate: Optional[bytes] = None,
                 key: Optional[bytes] = None, token: Optional[str] = None) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._metadata = [("authorization", f"Bearer {token}")] if token is not None else None
        if ca is not None or tls:
            self._channel = grpc.secure_channel(
                server, grpc.ssl_channel_credentials(ca, key, certificate), options)
        elif certificate is not None:
            raise ValueError("a certificate is of use for TLS only")
        elif token is not None and not _LOCAL.match(server):
            raise ValueError("a token needs TLS, so that nobody else reads it")
        else:
            self._channel = grpc.insecure_channel(server, options)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends all calls under way."""
        self._channel.close()

    def recognize(self, content: bytes, settings: Settings = Settings(),
                  timeout: Optional[float] = None) -> List[Result]:
        """All results of a whole recording.  Raises StenoError."""
        request = message("steno.v1.RecognizeRequest")()
        _fill(request, settings)
        request.audio.content = content
        call = self._channel.unary_unary(
            _SERVICE + "Recognize", type(request).SerializeToString,
            message(_GOOGLE + "RecognizeResponse").FromString)
        try:
            response = call(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _told(error) from None
        return [_result(result, True) for result in response.results]

    def stream(self, audio: Audio, settings: Settings = Settings(), *, interim: bool = False,
               timeout: Optional[float] = None) -> Iterator[Result]:
        """Results as they come, while `audio` is read on a thread of its own: pieces of any size,
        cut anywhere.  After its end the last results follow.  Who stops iterating ends the call.
        Raises StenoError, or what `audio` raises."""
        source = _Source(audio, settings, interim)
        call = self._channel.stream_stream(
            _SERVICE + "StreamingRecognize",
            message("steno.v1.StreamingRecognizeRequest").SerializeToString,
            message(_GOOGLE + "StreamingRecognizeResponse").FromString,
        )(iter(source), timeout=timeout, metadata=self._metadata)
        try:
            for response in call:
                for result in response.results:
                    yield _result(result, result.is_final)
        except grpc.RpcError as error:
            raise source.failure or _told(error) from None
        finally:
            source.stop()
            call.cancel()


class _Source:
    """The requests of a stream; keeps the exception with which its audio ended, if it did."""

    def __init__(self, audio: Audio, settings: Settings, interim: bool) -> None:
        self.failure: Optional[Exception] = None
        self._audio = audio
        self._stopped = threading.Event()
        self._first = message("steno.v1.StreamingRecognizeRequest")()
        _fill(self._first.streaming_config, settings)
        self._first.streaming_config.interim_results = interim
        self._first.streaming_config.options.interim_word_times = settings.words

    def stop(self) -> None:
        self._stopped.set()

    def __iter__(self) -> Iterator[Any]:
        request = type(self._first)
        yield self._first
        try:
            for piece in self._audio:
                if self._stopped.is_set():
                    return
                if isinstance(piece, Flush):
                    yield request(flush={})
                elif piece:
                    yield request(audio_content=piece)
        except Exception as error:
            self.failure = error
            raise


def _fill(request: Any, settings: Settings) -> None:
    """The fields that all requests have."""
    config = request.config
    config.language_code = settings.language
    config.enable_word_time_offsets = settings.words
    config.enable_word_confidence = settings.words
    config.enable_separate_recognition_per_channel = settings.per_channel
    if settings.rate is not None:
        config.encoding = config.LINEAR16
        config.sample_rate_hertz = settings.rate
        config.audio_channel_count = settings.channels
    if settings.phrases:
        config.speech_contexts.add(phrases=settings.phrases, boost=settings.boost)
    request.options.chunk_ms = settings.chunk_ms
    request.options.endpoint_ms = settings.endpoint_ms


def _seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos / 1e9)


def _result(result: Any, is_final: bool) -> Result:
    best = result.alternatives[0]
    words = tuple(Word(word.word, _seconds(word.start_time), _seconds(word.end_time),
                       word.confidence) for word in best.words)
    return Result(best.transcript.strip(), is_final, _seconds(result.result_end_time), words,
                  best.confidence, getattr(result, "stability", 0.0), result.channel_tag)


def _told(error: Any) -> StenoError:
    return StenoError(error.code().name, error.details())
