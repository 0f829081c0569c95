# SPDX-License-Identifier: GPL-3.0-or-later
"""Honest clients, measured: what each kind of request takes, in turns."""
import http.client
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/bench")]
from attacks import SOURCE  # noqa: E402
from measure import percentile  # noqa: E402

PAUSE_S = 0.01


def real_time_all():
    """Every thread of this process, those of gRPC too: builds and attackers
    get what honest clients and server leave."""
    make_real_time(os.getpid())


def no_real_time_all():
    subprocess.run(["chrt", "-a", "-o", "-p", "0", str(os.getpid())],
                   check=False, capture_output=True)


def no_real_time():
    """What is started from here does not inherit it."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def make_real_time(pid):
    subprocess.run(["chrt", "-a", "-r", "-p", "10", str(pid)], check=False,
                   capture_output=True)


class Kept:
    """One connection, kept open: what a browser or a script has."""

    def __init__(self, port, cookie=None):
        self.headers = {"Cookie": cookie} if cookie else {}
        self.port = port
        self.conn = None

    def get(self, path):
        self.conn = self.conn or http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=TLS, timeout=20)
        try:
            self.conn.request("GET", path, headers=self.headers)
            answer = self.conn.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        assert answer.status in (200, 204), (path, answer.status)

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None


def _context():
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    return tls


TLS = _context()


def fresh(port, path, source=None):
    """A connection, its handshake, one request."""
    raw = socket.create_connection(("127.0.0.1", port), 20,
                                   source_address=(source, 0) if source
                                   else None)
    with TLS.wrap_socket(raw) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
                     .encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 2")


class Samples:
    """What each kind of request took, in seconds, and how many failed."""

    def __init__(self):
        self.took, self.failed = {}, {}

    def one(self, name, ask):
        took = self.took.setdefault(name, [])
        self.failed.setdefault(name, 0)
        began = time.perf_counter()
        try:
            ask()
            took.append(time.perf_counter() - began)
        except Exception:  # pylint: disable=broad-except
            self.failed[name] += 1

    def times(self):
        """{name: (p50, p99, failures)} in milliseconds."""
        return {name: (*(1000 * percentile(took, p) if took else 0.0
                         for p in (50, 99)), self.failed[name])
                for name, took in self.took.items()}


def quietest(windows):
    """{name: (p50, p99, failures)}: times of the quietest window, failures of
    all."""
    times = [one.times() for one in windows]
    return {name: (min(one[name][0] for one in times),
                   min(one[name][1] for one in times),
                   sum(one[name][2] for one in times))
            for name in times[0]}


class Honest:
    """asks: {name: function}; each is called in turn and timed."""

    def __init__(self, asks):
        self.asks = asks

    def sample(self, seconds):
        """Samples of so many seconds."""
        samples, end = Samples(), time.monotonic() + seconds
        while time.monotonic() < end:
            for name, ask in self.asks.items():
                samples.one(name, ask)
            time.sleep(PAUSE_S)
        return samples


__all__ = ["Honest", "Kept", "SOURCE", "Samples", "fresh", "make_real_time",
           "no_real_time", "no_real_time_all", "quietest", "real_time_all"]
