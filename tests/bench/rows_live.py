# SPDX-License-Identifier: GPL-3.0-or-later
"""How long until an open page shows what an agent reported: over the wire,
into the store, synced, drawn by the renderer and sent as a live row."""
import queue
import threading
import time

import measure
from measure import Figure, Measurement
from rows_pages import OURS, console
from stream import Stream

AGENTS = 5      # a row is sent at most once a second
PAUSE_S = 0.3
LIMIT_S = 10


class Reporter:
    """An agent with an open Session that reports one size after another."""

    def __init__(self, ours, number, folder):
        import foreign  # gRPC is not there yet when keys are listed
        self.ended = foreign.grpc.RpcError
        self.agent = foreign.ForeignAgent(ours.port, folder)
        name = f"reporter-{number}"
        self.agent.enrol(ours.mint(name, "/nonexistent"))
        self.host = self.agent.host_id
        self.outgoing, self.ready = queue.Queue(), threading.Event()
        self.acked, self.acks = 0, threading.Condition()
        self.outgoing.put(self.agent.pb.AgentMessage(
            hello=self.agent.hello()))
        self.call = self.agent.stub.Session(
            iter(self.outgoing.get, None), metadata=self.agent.metadata)
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.ready.wait(LIMIT_S), "no answer to hello"

    def _listen(self):
        try:
            for message in self.call:
                if message.HasField("ack"):
                    with self.acks:
                        self.acked = message.ack.seq
                        self.acks.notify_all()
                self.ready.set()
        except self.ended:
            pass  # ended by close()

    def report(self, size):
        """Sends it; returns when it went and when it was acknowledged."""
        pb = self.agent.pb
        self.agent.put(repo_stats=pb.RepoStats(total_size_bytes=size))
        event = self.agent.events[-1]
        began = time.monotonic()
        self.outgoing.put(pb.AgentMessage(event=event))
        with self.acks:
            assert self.acks.wait_for(lambda: self.acked >= event.seq,
                                      LIMIT_S), "no acknowledgement"
        return began, time.monotonic()

    def close(self):
        self.outgoing.put(None)
        self.call.cancel()
        self.agent.close()


class Page:
    """The browser: when each row came last."""

    def __init__(self, ours, hosts):
        self.stream = Stream(ours.client, "/events?page=dashboard&rows="
                             + ",".join(hosts), timeout=60)
        self.seen = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self.stream.answer:
                if b'id="host-' in line:
                    self.seen.put((line.split(b'id="host-')[1][:26].decode(),
                                   time.monotonic()))
        except (OSError, ValueError, AttributeError):
            pass  # closed

    def when(self, host, after):
        """When the next row of the host came."""
        while True:
            name, at = self.seen.get(timeout=LIMIT_S)
            if name == host and at >= after:
                return at


def live(b):
    ours = console(b, "--hosts", 200 if b.quick else 1000)
    reporters = [Reporter(ours, n, b.folder) for n in range(AGENTS)]
    for one in reporters:
        b.close(one.close)
    page = Page(ours, [one.host for one in reporters])
    b.close(page.stream.close)
    time.sleep(1.5)  # what the beginning made it draw is over
    acked, shown = [], []
    for number in range(20 if b.quick else 60):
        one = reporters[number % AGENTS]
        began, ack = one.report((number + 1) << 30)
        acked.append((ack - began) * 1000)
        shown.append((page.when(one.host, began) - began) * 1000)
        time.sleep(PAUSE_S)
    return {"acked": measure.percentile(acked, 50),
            "p50": measure.percentile(shown, 50),
            "p99": measure.percentile(shown, 99)}


MEASUREMENTS = (
    Measurement("event-to-page", (
        Figure("p50", "agent's event to the row of an open dashboard, p50",
               "ms"),
        Figure("p99", "the same, p99", "ms"),
        Figure("acked", "the same event synced and acknowledged, p50", "ms")),
        {OURS: live}, rounds=1),
)
