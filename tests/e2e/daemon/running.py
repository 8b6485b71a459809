"""What the tests of the daemon share: starting a program that serves, and calling it.

The environment says where things are: CALL_SERVER (call_server.c), STENOD (the daemon, where it is
built), STENO_TINY_MODEL (a small random model), STENO_SOURCE (the source tree), PROTOC.
"""

import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc

SOURCE = pathlib.Path(os.environ["STENO_SOURCE"])
# A sanitizer takes its time, and a machine that others use does.
PATIENCE = 180


def generate_stubs():
    """Compiles our .proto files to a folder on the path; the modules follow their packages."""
    folder = tempfile.mkdtemp()
    files = [
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    ]
    # The package named grpc is taken, so the files move to one of another name.
    for name in files:
        target = pathlib.Path(folder, "wire", *name.split("/")[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / "proto" / name, target)
    subprocess.run(
        [os.environ["PROTOC"], "-I", folder, "--python_out", folder]
        + [str(path) for path in pathlib.Path(folder).rglob("*.proto")],
        check=True,
    )
    sys.path.insert(0, folder)
    return folder


class Program:
    """A program that serves: its lines on standard error as they come, its addresses."""

    def __init__(self, command, environment=None, pass_fds=()):
        self.lines = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=pass_fds,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.lines.append(None)
            self._changed.notify_all()

    def wait_for(self, pattern):
        """The first line that the pattern is found in, as a match."""
        with self._changed:
            end = time.monotonic() + PATIENCE
            seen = 0
            while True:
                for line in self.lines[seen:]:
                    seen += 1
                    match = line is not None and re.search(pattern, line)
                    if match:
                        return match
                if None in self.lines or not self._changed.wait(end - time.monotonic()):
                    raise AssertionError(f"no line with {pattern!r}: {self.text()}")

    def text(self):
        return "\n".join(line for line in self.lines if line is not None)

    def tell(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def finish(self):
        """Waits for the end; the exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.process.stderr.close()
        return status

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.finish()


class Feed:
    """Requests that the test gives one by one; iterating waits for them."""

    def __init__(self):
        self._queue = queue.Queue()
        self._changed = threading.Condition()
        self._put = self._sent = 0

    def __iter__(self):
        while (message := self._queue.get()) is not None:
            yield message
            # gRPC asks for the next one when this one has gone out.
            with self._changed:
                self._sent += 1
                self._changed.notify_all()

    def put(self, message):
        self._put += 1
        self._queue.put(message)

    def wait_until_sent(self):
        """What is sent after this by the same connection arrives after all that was put."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._sent == self._put, PATIENCE):
                raise AssertionError("a request does not go out")

    def close(self):
        self._queue.put(None)


class ServerTest(unittest.TestCase):
    """A folder for files, and programs that are stopped at the end."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, command, environment=None):
        program = Program(command, environment)
        self.addCleanup(program.stop)
        return program

    def channel(self, address, options=()):
        channel = grpc.insecure_channel(address, options)
        self.addCleanup(channel.close)
        return channel

    def assert_status(self, code, details, call):
        """Calls; that must fail with this status and a message that holds `details`."""
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual((caught.exception.code(), caught.exception.details()),
                         (code, caught.exception.details()))
        self.assertIn(details, caught.exception.details())


def unary(channel, path, message=b"", **options):
    return channel.unary_unary(path)(message, timeout=PATIENCE, **options)


def eventually(condition):
    """Whether it becomes true while one would wait for it."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
