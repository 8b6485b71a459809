"""Server-sent events, as their readers take them."""

import http.client
import json

PATIENCE = 120


class Reader:
    """A reader of an event stream: next() gives (event, id, data)."""

    def __init__(self, port, path, headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.request("GET", path, headers=headers or {})
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.retry = None

    def next(self):
        """None: the end."""
        fields = {}
        while True:
            line = self.response.readline().decode()
            if line == "":
                return None
            line = line.rstrip("\n")
            if line == "" and "event" in fields:
                return fields["event"], fields.get("id"), json.loads(fields["data"])
            if line.startswith("retry: "):
                self.retry = int(line[7:])
            elif line:
                assert ": " in line, (line, fields)
                name, value = line.split(": ", 1)
                assert name not in fields, fields
                fields[name] = value

    def all_until(self, event, times=1):
        """Events up to the last of so many of this kind."""
        found = []
        while times > 0:
            found.append(self.next())
            assert found[-1] is not None, found
            times -= found[-1][0] == event
        return found

    def finals(self, count):
        return [data["text"] for event, _, data in self.all_until("final", count)
                if event == "final"]

    def close(self):
        self.response.close()
        self.connection.close()
