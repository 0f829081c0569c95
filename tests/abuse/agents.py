# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents over gRPC: an honest one whose acknowledgements are timed, and one
that sends log lines as fast as it can."""
import contextlib
import pathlib
import queue
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system")]
import foreign  # noqa: E402

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LINES, LINE = 200, b"x" * 200   # of one event, below its 64 KiB
UNACKED = 1 << 20               # what an agent may have on the way


def ulid():
    n = time.time_ns() // 1000000 << 80 | time.monotonic_ns() % (1 << 80)
    text = ""
    for _ in range(26):
        text, n = ALPHABET[n % 32] + text, n // 32
    return text


class Writer(foreign.ForeignAgent):
    """One job of its own schedule; events are sent as they are put."""

    def __init__(self, port, folder, metadata=None):
        super().__init__(port, folder)
        self.metadata = metadata
        self.job, self.line, self.seq = None, 1, 0
        self.outgoing = queue.Queue()
        self.changed = threading.Condition()
        self.call = None

    def send(self, **body):
        self.seq += 1
        self.outgoing.put(self.pb.AgentMessage(event=self.pb.Event(
            seq=self.seq, at_ms=foreign.now(), **body)))
        return self.seq

    def begin(self):
        hello = self.hello()
        self.job = ulid()
        self.outgoing.put(self.pb.AgentMessage(hello=hello))
        self.call = self.stub.Session(iter(self.outgoing.get, None),
                                      metadata=self.metadata)
        threading.Thread(target=self._read, daemon=True).start()
        return self.wait(self.send(job_started=self.pb.JobStarted(
            job_id=self.job, kind="backup", started_at_ms=foreign.now())))

    def _read(self):
        with contextlib.suppress(Exception):
            for m in self.call:
                if m.WhichOneof("body") == "ack":
                    with self.changed:
                        self.acked = m.ack.seq
                        self.changed.notify_all()
        with self.changed:
            self.call = None
            self.changed.notify_all()

    def wait(self, seq, seconds=20):
        """Until the event with that number is on the controller's disk."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.acked >= seq or self.call is None, seconds)
            assert self.acked >= seq, "the session ended, or no answer came"

    def log(self, lines):
        pb = self.pb
        first, self.line = self.line, self.line + lines
        return self.send(log=pb.LogChunk(
            job_id=self.job, first_line=first, lines=[
                pb.LogLine(ts_ms=foreign.now(), payload=LINE,
                           stream=pb.LOG_STREAM_STDOUT)] * lines))

    def one_line(self):
        """An honest agent's line, until it is acknowledged."""
        self.wait(self.log(1))

    def end(self):
        self.outgoing.put(None)
        if self.call:
            self.call.cancel()
        self.close()


def bomb(port, folder, bearer, goes_on):
    """Lines without end, a megabyte on the way; the bytes it sent."""
    agent = Writer(port, folder, (("authorization", bearer),))
    agent.begin()
    size, sent = LINES * (len(LINE) + 16), 0
    with contextlib.suppress(AssertionError):
        while goes_on():
            seq = agent.log(LINES)
            sent += size
            agent.wait(seq - UNACKED // size)
    agent.end()
    return sent


def flood(port, folder, bearer, goes_on):
    """The same without ever waiting for an acknowledgement; turned away, it
    comes again.  The bytes it put on the way."""
    agent = Writer(port, folder, (("authorization", bearer),))
    size, sent = LINES * (len(LINE) + 16), 0
    while goes_on():
        agent.outgoing = queue.Queue()
        with contextlib.suppress(AssertionError):
            agent.begin()
            while goes_on() and agent.call:
                if agent.outgoing.qsize() > 100:
                    time.sleep(0.001)
                    continue
                agent.log(LINES)
                sent += size
        time.sleep(0.02)
    agent.end()
    return sent
