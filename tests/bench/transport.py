#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lib/net costs: one line a figure.

    tests/bench/transport.py build/release/tests/net_echo_server [agents]

The server is tests/net/echo_server.c over TLS 1.3 with P-256 keys; agents
are hand-made HTTP/2 with one open gRPC stream each.  CPU is the server's
alone, from its schedstat; memory is its PSS less that of the warmed server.
"""
import pathlib
import resource
import socket
import ssl
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "net"))
import conftest
from h2raw import (ACK, DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS,
                   WINDOW, frame, request)

WARM, HANDSHAKES, TALKERS, ROUNDS, DISPATCHES = 100, 2000, 200, 100, 2000
HEAD = request("/echo.Echo/Never", "POST", [
    ("content-type", "application/grpc"), ("te", "trailers"),
    ("user-agent", "bench"), ("authorization", "Bearer " + "x" * 43)])
BEAT = frame(DATA, 0, 1, b"\0\0\0\0\x1e" + b"x" * 30)


WIDE = struct.pack(">I", 1 << 30)
OPENING = (PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW, 0, 0, WIDE) +
           frame(HEADERS, END_HEADERS, 1, HEAD) + frame(WINDOW, 0, 1, WIDE) +
           BEAT)


def figure(name, value, unit, good, excellent):
    print(f"{name}: {value:.2f} {unit} (good {good}, excellent {excellent})",
          flush=True)


class Bench:
    def __init__(self, exe, folder):
        conftest.EXE = exe
        cert, key = conftest.make_cert(pathlib.Path(folder), "bench")
        self.server = conftest.Server(
            cert, key, "per_address=1000000", "idle_ms=3600000",
            "ping_ms=3600000")
        self.ctx = ssl.create_default_context(cafile=cert)
        self.ctx.set_alpn_protocols(["h2"])
        self.ctx.set_ecdh_curve("prime256v1")
        self.proc = pathlib.Path(f"/proc/{self.server.proc.pid}")

    def pss_kib(self):
        for line in (self.proc / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
        raise RuntimeError("no Pss in smaps_rollup")

    def cpu_us(self):
        return int((self.proc / "schedstat").read_text().split()[0]) / 1000

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.server.tls), 20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.ctx.wrap_socket(raw, server_hostname="localhost")

    def agent(self):
        sock = self.connect()
        sock.sendall(OPENING)
        got = b""
        while b"x" * 30 not in got:
            got += sock.recv(65536)
        sock.sendall(frame(SETTINGS, ACK, 0))
        return sock

    def memory(self, agents):
        held = [self.agent() for _ in range(WARM)]
        before = self.pss_kib()
        held += [self.agent() for _ in range(agents)]
        figure(f"PSS per idle agent, {agents} of them",
               (self.pss_kib() - before) / agents, "KiB", 30, 16)
        return held

    def handshakes(self):
        before = self.cpu_us()
        for _ in range(HANDSHAKES):
            self.connect().close()
        spent = (self.cpu_us() - before) / HANDSHAKES
        figure("full P-256 handshakes per second and core", 1e6 / spent, "/s",
               2000, 3800)

    def heartbeats(self, held):
        """Paced at 5,000/s, as the target says."""
        talkers, count = held[:TALKERS], 0
        before, began = self.cpu_us(), time.monotonic()
        for _ in range(ROUNDS):
            for sock in talkers:
                sock.sendall(BEAT)
                sock.recv(65536)
                count += 1
                ahead = began + count / 5000 - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
        figure("CPU per heartbeat and reply",
               (self.cpu_us() - before) / count, "us", 20, 13)
        print(f"  at {count / (time.monotonic() - began):.0f}/s")

    def round_trips(self, sock):
        took = []
        for _ in range(DISPATCHES):
            began = time.perf_counter()
            sock.sendall(BEAT)
            sock.recv(65536)
            took.append((time.perf_counter() - began) * 1e6)
        took.sort()
        figure("round trip p50", took[len(took) // 2], "us", 200, 90)
        figure("round trip p99", took[len(took) * 99 // 100], "us", 2000, 500)


def main():
    agents = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    wanted = agents + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(sys.argv[1], folder)
        held = bench.memory(agents)
        bench.heartbeats(held)
        bench.round_trips(held[0])
        bench.handshakes()
        for sock in held:
            sock.close()
        bench.server.finish()


main()
