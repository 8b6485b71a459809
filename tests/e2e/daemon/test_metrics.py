"""Metrics and states over HTTP: what they say, that Prometheus likes them, and that the dashboard, the
alerts and the documentation name what there is."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import unittest

import grpc

import running
import speaking
from speaking import GOOGLE, google, noise, pieces

MONITORING = running.SOURCE / "daemon" / "monitoring"
NAME = re.compile(r"\bsteno_[a-z_]+\b")


def parse(text):
    """Series -> value, each as it is written."""
    series = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in series, name
            series[name] = float(value)
    return series


class MetricsTest(speaking.SpeechTest):
    def serve(self, *options):
        program = super().serve("--http", "127.0.0.1:0", *options)
        self.port = int(program.wait_for(r"metrics on http://127.0.0.1:(\d+)/metrics$")[1])
        return program

    def ask(self, path, method="GET", body=None):
        """(status, headers, text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=running.PATIENCE)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()

    def metrics(self):
        status, headers, text = self.ask("/metrics")
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8"))
        return parse(text)

    def becomes(self, series, value):
        self.assertTrue(running.eventually(lambda: self.metrics().get(series) == value),
                        (series, value, self.metrics().get(series)))


@unittest.skipUnless(os.environ.get("HAS_HTTP") == "1", "built without libmicrohttpd")
class Metrics(MetricsTest):
    def test_numbers(self):
        program = self.serve("--max-streams", 2)
        first = self.metrics()
        self.assertEqual([first[name] for name in (
            "steno_streams_open", "steno_streams_limit", "steno_streams_total",
            "steno_audio_seconds_total", "steno_ready", "steno_threads", "steno_queue_streams",
            "steno_final_latency_seconds_count", "steno_operations_pending")],
            [0, 2, 0, 0, 1, 1, 0, 0, 0])
        self.assertGreater(first["steno_memory_resident_bytes"], 1e6)
        self.assertGreater(first["steno_cpu_seconds_total"], 0)
        # Two streams of three seconds, and one that finds no room.
        content = noise(3).tobytes()
        feeds, calls = zip(*(self.hold_a_stream() for _ in range(2)))
        self.becomes("steno_streams_open", 2)
        self.refuse("limit of 2", lambda: self.recognize(content),
                    grpc.StatusCode.RESOURCE_EXHAUSTED)
        for feed, call in zip(feeds, calls):
            for piece in pieces(content):
                feed.put(google.StreamingRecognizeRequest(audio_content=piece))
            feed.close()
            list(call)
        self.becomes("steno_streams_open", 0)
        streaming = f'method="{GOOGLE}StreamingRecognize"'
        self.becomes(f'steno_calls_total{{{streaming},status="OK"}}', 2)
        last = self.metrics()
        self.assertEqual([last[name] for name in (
            "steno_streams_total", 'steno_streams_refused_total{reason="streams"}',
            f'steno_calls_total{{{streaming},status="OK"}}',
            f'steno_calls_total{{method="{GOOGLE}Recognize",status="RESOURCE_EXHAUSTED"}}',
            "steno_final_latency_seconds_count")], [2, 1, 2, 1, 2])
        self.assertAlmostEqual(last["steno_audio_seconds_total"], 6, delta=0.7)
        turns = last["steno_chunk_latency_seconds_count"]
        self.assertGreaterEqual(turns, 2)
        self.assertEqual(last["steno_batch_streams_sum"], turns)
        self.assertLessEqual(last["steno_batch_streams_count"], turns)
        self.assertGreater(last["steno_real_time_factor"], 0)
        # A histogram's buckets only rise, up to the count.
        for name in ("steno_chunk_latency_seconds", "steno_final_latency_seconds",
                     "steno_batch_streams"):
            counts = [value for series, value in last.items() if series.startswith(name + "_bucket")]
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(counts[-1], last[name + "_count"])
            self.assertGreater(last[name + "_sum"], 0)
        del program

    def test_model_and_reloads(self):
        quiet = speaking.quiet_model(self.folder / "quiet.safetensors")
        path = self.folder / "conf"
        model = self.folder / "model.safetensors"
        shutil.copy(speaking.MODEL, model)
        program = self.serve("--config", path) if path.write_text("max-streams = 3") else None
        identity = self.identity()
        self.assertRegex(identity["id"], "^[0-9a-f]{16}$")
        self.assertEqual(identity["operators"] in ("onednn", "reference"), True)
        path.write_text("max-streams = x")
        program.tell(signal.SIGHUP)
        self.becomes('steno_reloads_total{result="failed"}', 1)
        path.write_text("max-streams = 4")
        program.tell(signal.SIGHUP)
        self.becomes('steno_reloads_total{result="ok"}', 1)
        self.assertEqual(self.metrics()["steno_streams_limit"], 4)
        self.assertEqual(self.identity(), identity)
        self.assertGreater(self.metrics()["steno_last_reload_time_seconds"], 1.7e9)
        program = self.start([speaking.STENOD, "--model", quiet, "--listen", "127.0.0.1:0",
                              "--http", "127.0.0.1:0"])
        self.port = int(program.wait_for(r"metrics on http://127.0.0.1:(\d+)/metrics$")[1])
        self.assertNotEqual(self.identity()["id"], identity["id"])
        program.tell()
        self.assertEqual(program.finish(), 0)

    def identity(self):
        (series,) = [name for name in self.metrics() if name.startswith("steno_model_info")]
        return dict(re.findall(r'(\w+)="([^"]*)"', series))

    def test_states(self):
        program = self.serve("--drain-seconds", 600)
        for path in ("/healthz", "/readyz"):
            status, _, text = self.ask(path)
            self.assertEqual((status, text), (200, "ok\n"))
        _, call = self.hold_a_stream()
        program.tell()
        self.assertTrue(running.eventually(lambda: self.ask("/readyz")[0] == 503))
        self.assertEqual(self.ask("/healthz")[0], 200)
        self.assertEqual(self.metrics()["steno_ready"], 0)
        call.cancel()

    def test_requests(self):
        self.serve()
        self.assertEqual(self.ask("/metrics", "HEAD")[2], "")
        self.assertEqual(self.ask("/")[0], 404)
        self.assertEqual(self.ask("/metrics/../../etc/passwd")[0], 404)
        for method in ("POST", "PUT", "DELETE"):
            status, headers, _ = self.ask("/metrics", method, "x" * 100000)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        # Whatever the answer is, nobody keeps it, and no other site's page gets it.
        for path in ("/metrics", "/healthz", "/"):
            headers = self.ask(path)[1]
            for name, value in (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                                ("Cross-Origin-Resource-Policy", "same-origin"),
                                ("Referrer-Policy", "no-referrer")):
                self.assertEqual(headers.get(name), value, path)
        # Nonsense, and somebody who only sits there.
        for bytes_sent in (b"\0" * 1000, b"GET " + b"x" * 100000, b"GET /met"):
            with socket.create_connection(("127.0.0.1", self.port)) as other:
                other.sendall(bytes_sent)
        sitting = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(5)]
        self.assertEqual(self.ask("/healthz")[0], 200)
        for one in sitting:
            one.close()

    def test_many_at_once_while_working(self):
        self.serve()
        content = noise(2).tobytes()
        failures = []

        def scrape():
            for _ in range(20):
                try:
                    self.metrics()
                except Exception as failure:  # pylint: disable=broad-except
                    failures.append(failure)

        threads = [threading.Thread(target=scrape) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            self.assertTrue(self.recognize(content).results)
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    @unittest.skipUnless(shutil.which("promtool"), "promtool checks metrics")
    def test_promtool(self):
        self.serve()
        self.recognize(noise(1).tobytes())
        result = subprocess.run(["promtool", "check", "metrics"], input=self.ask("/metrics")[2],
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        result = subprocess.run(["promtool", "check", "rules", MONITORING / "alerts.yml"],
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def captures(self, **setting):
        """A configuration file with a capture named hall."""
        path = self.folder / "stenod.conf"
        path.write_text("[capture hall]\n" + "".join(f"{k} = {v}\n" for k, v in setting.items()))
        return path

    def test_captures(self):
        self.serve("--config", self.captures(file=speaking.FORMATS / "speech.wav"))
        hall = '{capture="hall"}'
        # Over in a moment: until then it listens.
        self.becomes("steno_capture_audio_seconds_total" + hall, 3.435)
        self.becomes("steno_capture_listening" + hall, 0)
        series = self.metrics()
        self.assertEqual(series["steno_capture_lost_seconds_total" + hall], 0)
        self.assertEqual(series["steno_capture_overruns_total" + hall], 0)
        self.assertEqual(series["steno_capture_readers" + hall], 0)
        self.assertEqual(series["steno_capture_waiting" + hall], 0)

    def test_captures_that_wait(self):
        pipe = self.folder / "pipe"
        self.serve("--config", self.captures(fifo=pipe, rate=16000))
        hall = '{capture="hall"}'
        self.becomes("steno_capture_waiting" + hall, 1)
        self.assertEqual(self.metrics()["steno_capture_listening" + hall], 0)
        os.mkfifo(pipe)
        with open(pipe, "wb") as audio:
            audio.write(bytes(16000))
            audio.flush()
            self.becomes("steno_capture_listening" + hall, 1)
            self.assertEqual(self.metrics()["steno_capture_waiting" + hall], 0)
        self.becomes("steno_capture_waiting" + hall, 1)

    def test_names(self):
        """What people are shown exists, and what exists is documented."""
        self.serve("--config", self.captures(file=speaking.FORMATS / "speech.wav"))
        self.recognize(noise(1).tobytes())
        text = self.ask("/metrics")[2]
        # One that is only there with TLS.
        known = set(re.findall(r"(?m)^# TYPE (\S+)", text)) | {
            "steno_certificate_expiry_time_seconds"}
        for name in list(known):
            if f"# TYPE {name} histogram" in text:
                known |= {name + end for end in ("_bucket", "_sum", "_count")}
        dashboard = json.loads((MONITORING / "grafana.json").read_text())
        unused = known - set(NAME.findall(json.dumps(dashboard)))
        self.assertEqual({name for name in unused if name.startswith("steno_capture_")}, set())
        expressions = [target["expr"] for panel in dashboard["panels"]
                       for target in panel["targets"]]
        self.assertGreater(len(expressions), 15)
        for expression in expressions:
            self.assertTrue(NAME.findall(expression), expression)
            self.assertLessEqual(set(NAME.findall(expression)), known, expression)
        for variable in dashboard["templating"]["list"][1:]:
            self.assertLessEqual(set(NAME.findall(variable["query"])), known)
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        self.assertEqual(len({(p["x"], p["y"]) for p in places}), len(places))
        self.assertLessEqual(set(NAME.findall((MONITORING / "alerts.yml").read_text())), known)
        documented = set(re.findall(r"(?m)^\| `(steno_[a-z_]+)",
                                    (running.SOURCE / "docs" / "operations.md").read_text()))
        self.assertEqual({name for name in known
                          if not re.search(r"_(bucket|sum|count)$", name)}, documented)


class Settings(MetricsTest):
    def refused(self, address):
        result = subprocess.run([speaking.STENOD, "--model", speaking.MODEL, "--listen",
                                 "127.0.0.1:0", "--http", address],
                                capture_output=True, text=True, timeout=60, check=False)
        return result.returncode, result.stderr

    def test_addresses(self):
        for address in ("x", "tls:127.0.0.1:1", "unix:/x"):
            self.assertEqual(self.refused(address),
                             (2, f"stenod: http: {address} is not HOST:PORT\n"))
        code, said = self.refused("0.0.0.0:0")
        self.assertEqual(code, 2)
        self.assertIn("other machines could reach it", said)
        if os.environ.get("HAS_HTTP") != "1":
            self.assertIn("built without libmicrohttpd", self.refused("127.0.0.1:0")[1])
            return
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, said = self.refused(f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(code, 1)
        self.assertIn("somebody already does", said)


del MetricsTest

if __name__ == "__main__":
    unittest.main()
