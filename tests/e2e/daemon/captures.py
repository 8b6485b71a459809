"""What the tests of captures share: a daemon with captures, and its watchers."""

import threading
import unittest

import grpc

import running
import speaking
from speaking import transcribe

from steno.v1 import captions_pb2 as captions  # noqa: E402

MODEL = running.SOURCE / "models" / "en.safetensors"
CAPTIONS = "/steno.v1.Captions/"
Status = captions.CaptureStatus


class Watcher(threading.Thread):
    """A call of Watch, read on a thread of its own unless it is to be slow."""

    def __init__(self, channel, request, metadata=None, reads=True):
        super().__init__()
        self.call = channel.unary_stream(
            CAPTIONS + "Watch", captions.WatchRequest.SerializeToString,
            captions.CaptionEvent.FromString)(request, metadata=metadata)
        self.events, self.error = [], None
        self._changed = threading.Condition()
        if reads:
            self.start()

    def run(self):
        try:
            for event in self.call:
                with self._changed:
                    self.events.append(event)
                    self._changed.notify_all()
        except grpc.RpcError as error:
            self.error = error
        with self._changed:
            self._changed.notify_all()

    def of(self, kind):
        """The events of a kind, as what they hold."""
        return [getattr(event, kind) for event in list(self.events)
                if event.WhichOneof("event") == kind]

    def wait_for(self, condition, patience=running.PATIENCE):
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self) or self.error, patience):
                raise AssertionError(f"never came to it: {self.events[-3:]}")
            if not condition(self):
                raise AssertionError(f"ended before: {self.error}")
        return self

    def wait_for_finals(self, count):
        return self.wait_for(lambda self: len(self.of("final")) >= count)

    def wait_for_state(self, state):
        """The newest status is this one, with what it says."""
        self.wait_for(lambda self: self.of("status") and self.of("status")[-1].state == state)
        return self.of("status")[-1]

    def waits(self):
        """The statuses of a device that is not to be had."""
        return [status for status in self.of("status") if status.state == Status.WAITING]

    def cancel(self):
        self.call.cancel()
        if self.is_alive():
            self.join(running.PATIENCE)


@unittest.skipUnless(MODEL.exists(), f"{MODEL} is not there")
class CapturesTest(speaking.SpeechTest):
    def captures(self, *sections, **options):
        """A daemon with these sections, each a dictionary with "name"."""
        text = ""
        for section in sections:
            text += f"[capture {section['name']}]\n"
            text += "".join(f"{key.rstrip('_')} = {value}\n" for key, value in section.items()
                            if key != "name")
        (self.folder / "stenod.conf").write_text(text)
        arguments = []
        for key, value in options.items():
            arguments += ["--" + key.replace("_", "-"), *([] if value is True else [value])]
        return self.serve("--config", self.folder / "stenod.conf", *arguments, model=MODEL)

    def watch(self, name, channel=None, metadata=None, reads=True, **fields):
        watcher = Watcher(channel or self.connection,
                          captions.WatchRequest(capture=name, **fields), metadata, reads)
        self.addCleanup(watcher.cancel)
        return watcher

    def list(self, **options):
        return self.connection.unary_unary(
            CAPTIONS + "ListCaptures", captions.ListCapturesRequest.SerializeToString,
            captions.ListCapturesResponse.FromString,
        )(captions.ListCapturesRequest(), timeout=running.PATIENCE, **options).captures

    def transcript(self, path):
        """What `steno transcribe` says, as (text, start, end) of each final."""
        results = transcribe(path, model=MODEL)["results"]
        self.assertTrue(results)
        return [r["text"] for r in results]

    def check_order(self, watcher):
        """Ids grow, finals follow each other, interims are of the next one."""
        ids = [event.id for event in watcher.events]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertLess(ids[-1], 2**53)
        sequence = 0
        for event in watcher.events:
            if event.HasField("final"):
                if sequence:
                    self.assertEqual(event.final.sequence, sequence + 1)
                sequence = event.final.sequence
            elif event.HasField("interim") and sequence:
                self.assertEqual(event.interim.sequence, sequence + 1)
