# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-Sent Events, read as a browser would."""
import http.client
import json
import socket
import time


class Stream:
    """One event stream: JSON events as (name, id, data)."""

    def __init__(self, client, path, last_id=None, timeout=30, plain=None):
        headers = {"Accept": "text/event-stream", "Cookie": client.cookie}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        if plain:
            self.conn = http.client.HTTPConnection("127.0.0.1", plain,
                                                   timeout=timeout)
        else:
            self.conn = http.client.HTTPSConnection(
                "127.0.0.1", client.port, context=client.tls,
                timeout=timeout)
        self.conn.request("GET", path, headers=headers)
        self.answer = self.conn.getresponse()
        self.status = self.answer.status

    def close(self):
        self.conn.close()

    def events(self, seconds=60):
        """Until the server ends the stream, or the time is over."""
        end = time.monotonic() + seconds
        event = {}
        while time.monotonic() < end:
            try:
                line = self.answer.readline()
            except (socket.timeout, TimeoutError):
                raise AssertionError("the stream fell silent") from None
            if not line:
                return
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                event[name] = value
            elif "data" in event:
                yield (event.get("event", "message"), event.get("id"),
                       event["data"])
                event = {}
            else:
                event = {}
        raise AssertionError(f"no end of the stream after {seconds} s")

    def job(self, seconds=60):
        """A job's events up to job.finished; closes the stream."""
        seen = []
        for name, ident, data in self.events(seconds):
            seen.append((name, ident, json.loads(data)))
            if name == "job.finished":
                break
        self.close()
        return seen


def lines(events):
    return [data for name, _, data in events if name == "log.stream"]
