"""A page of captions whose captures hear what a test says: captions_server.c, which the environment
names as CAPTIONS_SERVER."""

import os
import re
import subprocess

SERVER = os.environ["CAPTIONS_SERVER"]
PATIENCE = 120


class Server:
    """captions_server: say() tells it a line and waits until it has obeyed."""

    def __init__(self, names=("desk",), history=1000, readers=50, tokens="", port=0):
        self.process = subprocess.Popen(
            [SERVER, str(history), str(readers), str(tokens), str(port), *names], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.port = int(re.fullmatch(r"captions on (\d+)\n", self.process.stderr.readline())[1])

    def say(self, *fields):
        self.process.stdin.write("\t".join(str(field) for field in fields) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer[:1] == ["ok"], (fields, answer)
        return [int(number) for number in answer[1:]]

    def end(self):
        """Ends it; what it said at last."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
