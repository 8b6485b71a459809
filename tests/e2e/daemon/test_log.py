"""The log: what it says of calls, in which form, and how little of what clients send."""

import json
import re
import signal
import unittest

import grpc

import running
import speaking
from speaking import GOOGLE, google, noise


class LogTest(speaking.SpeechTest):
    def entries(self, program):
        return [json.loads(line) for line in program.lines if line]

    def entry(self, program, **fields):
        """The entry with these fields, once it is there."""
        found = []

        def is_there():
            found[:] = [entry for entry in self.entries(program)
                        if fields.items() <= entry.items()]
            return found

        self.assertTrue(running.eventually(is_there), (fields, program.text()))
        return found[0]

    def serve(self, *options):
        """As json it says its address in another form."""
        program = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                              "127.0.0.1:0", "--threads", 1, "--chunk", speaking.CHUNK_MS,
                              "--drain-seconds", 2, *options])
        self.addCleanup(self.end, program)
        port = program.wait_for(r"listening on 127.0.0.1:(\d+)")[1]
        self.connection = self.channel(f"127.0.0.1:{port}")
        return program

    def recognize(self, content, **options):
        """The response and the initial metadata."""
        request = google.RecognizeRequest(config=self.config())
        request.audio.content = content
        response, call = self.connection.unary_unary(
            GOOGLE + "Recognize", google.RecognizeRequest.SerializeToString,
            google.RecognizeResponse.FromString
        ).with_call(request, timeout=running.PATIENCE, **options)
        return response, dict(call.initial_metadata())


class Log(LogTest):
    def test_json(self):
        program = self.serve("--log-format", "json")
        response, headers = self.recognize(noise(2).tobytes())
        entry = self.entry(program, message="call ended", method=GOOGLE + "Recognize")
        self.assertRegex(entry.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(entry.pop("duration_ms"), r"^\d+$")
        self.assertRegex(entry.pop("peer"), r"^ipv4:127\.0\.0\.1:\d+$")
        self.assertRegex(headers["x-request-id"], "^[0-9a-f]{16}$")
        self.assertEqual(entry, {
            "level": "info", "message": "call ended", "method": GOOGLE + "Recognize",
            "status": "OK", "client": "ipv4:127.0.0.1", "request_id": headers["x-request-id"]})
        # Neither words nor audio.
        text = response.results[0].alternatives[0].transcript
        self.assertTrue(text)
        self.assertNotIn(text, program.text())

    def test_request_ids(self):
        program = self.serve("--log-format", "json")
        ids = ["a", "Trace-1.2_3", "x" * 64]
        for wanted in ids:
            _, headers = self.recognize(b"\0" * 3200, metadata=[("x-request-id", wanted)])
            self.assertEqual(headers["x-request-id"], wanted)
            self.entry(program, request_id=wanted, status="OK")
        made = set()
        for wanted in ("", "x" * 65, "a b", "a/b", 'a"b', "a=b"):
            _, headers = self.recognize(b"\0" * 3200, metadata=[("x-request-id", wanted)])
            self.assertRegex(headers["x-request-id"], "^[0-9a-f]{16}$")
            made.add(headers["x-request-id"])
        self.assertEqual(len(made), 6)
        # Also where there is no answer but the status.
        with self.assertRaises(grpc.RpcError) as caught:
            self.recognize(b"", metadata=[("x-request-id", "refused")])
        self.assertEqual(dict(caught.exception.initial_metadata())["x-request-id"], "refused")

    def test_how_calls_end(self):
        program = self.serve("--log-format", "json", "--max-streams", "1")
        _, stream = self.hold_a_stream()
        self.refuse("limit of 1", lambda: self.recognize(b"\0\0"),
                    grpc.StatusCode.RESOURCE_EXHAUSTED)
        entry = self.entry(program, message="call refused", status="RESOURCE_EXHAUSTED")
        self.assertEqual(entry["level"], "warning")
        self.assertIn("limit of 1 streams", entry["reason"])
        stream.cancel()
        self.entry(program, message="call ended", status="CANCELLED",
                   method=GOOGLE + "StreamingRecognize", reason="the client has gone")
        late = self.stream(GOOGLE + "StreamingRecognize", running.Feed(),
                           google.StreamingRecognizeResponse, timeout=0.5)
        self.refuse("", lambda: list(late), grpc.StatusCode.DEADLINE_EXCEEDED)
        # Whose clock says so first, the client's or the server's, is open.
        self.assertTrue(running.eventually(lambda: any(
            e.get("status") in ("CANCELLED", "DEADLINE_EXCEEDED") and e["message"] == "call ended"
            and e["request_id"] == dict(late.initial_metadata() or ()).get(
                "x-request-id", e["request_id"]) for e in self.entries(program))))
        with self.assertRaises(grpc.RpcError):
            running.unary(self.connection, "/none.Such/Method")
        entry = self.entry(program, message="call refused", status="UNIMPLEMENTED")
        self.assertNotIn("method", entry)
        # Health is asked for every few seconds, by machines.
        self.assertNotIn("Health", program.text())

    def test_what_clients_write_stays_a_field(self):
        program = self.serve("--log-format", "json")
        evil = '/x.Y/Z" level=error\\'
        with self.assertRaises(grpc.RpcError):
            running.unary(self.connection, evil)
        entry = self.entry(program, status="UNIMPLEMENTED")
        self.assertIn(evil, entry["reason"])
        self.assertEqual(entry["level"], "info")

    def test_text(self):
        program = self.serve()
        self.recognize(noise(1).tobytes(), metadata=[("x-request-id", "mine")])
        line = program.wait_for("call ended")[0]
        line = next(line for line in program.lines if "call ended" in line)
        self.assertRegex(line, r"^stenod: call ended method=\S+/Recognize status=OK "
                               r"duration_ms=\d+ client=ipv4:127\.0\.0\.1 peer=\S+ request_id=mine$")
        with self.assertRaises(grpc.RpcError):
            running.unary(self.connection, '/a "b"')
        self.assertIn(r'reason="the server has no method /a \"b\""',
                      program.wait_for(".*call refused.*")[0])

    def test_levels(self):
        program = self.serve("--log-level", "debug")
        self.health()
        program.wait_for(r"call ended method=/grpc.health.v1.Health/Check status=OK")
        quiet = self.start([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                            f"unix:{self.folder}/s", "--log-level", "warning"])
        channel = self.channel(f"unix:{self.folder}/s")
        self.assertTrue(running.eventually(lambda: (self.folder / "s").exists()))
        running.unary(channel, "/grpc.health.v1.Health/Check", wait_for_ready=True)
        quiet.tell()
        self.assertEqual((quiet.finish(), quiet.text()), (0, ""))


SHIPPED = running.SOURCE / "models" / "en.safetensors"
SPOKEN = speaking.SPEECH / "777-126732-0053.flac"


@unittest.skipUnless(SHIPPED.exists(), f"{SHIPPED} is not there")
class Transcripts(LogTest):
    """What was said comes into the log if that is asked for, and otherwise not a word of it."""

    def serve(self, *options):
        return super().serve("--model", SHIPPED, "--log-level", "debug", *options)

    def say_everywhere(self, content):
        """The same recording by each kind of call, interim results and all: the texts by request."""
        config = google.RecognitionConfig(language_code="en-US")
        request = google.RecognizeRequest(config=config)
        request.audio.content = content
        whole, _ = self.connection.unary_unary(
            GOOGLE + "Recognize", google.RecognizeRequest.SerializeToString,
            google.RecognizeResponse.FromString).with_call(
                request, timeout=running.PATIENCE, metadata=[("x-request-id", "whole")])
        texts = {"whole": [r.alternatives[0].transcript.strip() for r in whole.results]}
        requests = self.google_requests(content, config, interim_results=True)
        responses = self.connection.stream_stream(
            GOOGLE + "StreamingRecognize", google.StreamingRecognizeRequest.SerializeToString,
            google.StreamingRecognizeResponse.FromString)(
                requests, timeout=running.PATIENCE, metadata=[("x-request-id", "stream")])
        texts["stream"] = [text.strip() for text in self.finals(list(responses))]
        long = google.LongRunningRecognizeRequest(config=config)
        long.audio.content = content
        name = self.connection.unary_unary(
            GOOGLE + "LongRunningRecognize", google.LongRunningRecognizeRequest.SerializeToString,
            speaking.operations.Operation.FromString)(
                long, timeout=running.PATIENCE, metadata=[("x-request-id", "long")]).name
        done = self.call(speaking.OPERATIONS + "WaitOperation",
                         speaking.operations.WaitOperationRequest(name=name),
                         speaking.operations.Operation)
        self.assertTrue(done.done)
        answer = google.LongRunningRecognizeResponse()
        done.response.Unpack(answer)
        texts["long"] = [r.alternatives[0].transcript.strip() for r in answer.results]
        return texts

    def test_not_a_word_unless_asked_for(self):
        for form in ("text", "json"):
            program = self.serve("--log-format", form)
            self.say_everywhere(speaking.wav_bytes(speaking.array.array("h", bytes(64000))))
            # The log's own words, of which some may also be said.
            usual = set(re.findall("[a-z]+", program.text().lower()))
            seen = len(program.lines)
            texts = self.say_everywhere(SPOKEN.read_bytes())
            self.await_the_log(program)
            said = {word for text in sum(texts.values(), []) for word in text.split()} - usual
            self.assertGreater(len(said), 3, texts)
            # Whole words: an id's digits and letters are none.
            logged = set(re.findall(r"(?<!\w)[a-z']+(?!\w)",
                                    "\n".join(program.lines[seen:]).lower()))
            self.assertEqual(said & logged, set())
            self.assertNotIn("log-transcripts", program.text())

    def await_the_log(self, program):
        """Of one more call, behind that of all before it."""
        self.health(metadata=[("x-request-id", "last")])
        program.wait_for("last")

    def test_with_the_request_when_asked_for(self):
        program = self.serve("--log-format", "json", "--log-transcripts")
        program.wait_for("log-transcripts: what clients say is written here")
        everything = self.say_everywhere(SPOKEN.read_bytes())
        self.await_the_log(program)
        for request_id, texts in everything.items():
            self.assertTrue(texts)
            found = [e for e in self.entries(program)
                     if e["message"] == "transcript" and e["request_id"] == request_id]
            self.assertEqual(" ".join(e["text"] for e in found), " ".join(texts))
            for entry in found:
                self.assertEqual(entry["level"], "info")
                self.assertLess(int(entry["begin_ms"]), int(entry["end_ms"]))

    def test_a_reload_ends_it_for_streams_under_way(self):
        file = self.folder / "stenod.conf"
        file.write_text("log-transcripts = yes")
        program = self.serve("--config", file, "--log-format", "json")
        feed = running.Feed()
        call = self.stream(GOOGLE + "StreamingRecognize", feed, google.StreamingRecognizeResponse)
        feed.put(google.StreamingRecognizeRequest(
            streaming_config=google.StreamingRecognitionConfig(
                config=google.RecognitionConfig(language_code="en-US"))))
        feed.wait_until_sent()
        self.health()
        file.write_text("log-transcripts = no")
        program.tell(signal.SIGHUP)
        program.wait_for('"reloaded"')
        for piece in speaking.pieces(SPOKEN.read_bytes()):
            feed.put(google.StreamingRecognizeRequest(audio_content=piece))
        feed.close()
        self.assertTrue(self.finals(list(call)))
        self.assertEqual([e for e in self.entries(program) if e["message"] == "transcript"], [])


if __name__ == "__main__":
    unittest.main()
