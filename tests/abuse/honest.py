# SPDX-License-Identifier: GPL-3.0-or-later
"""Honest clients, measured: what each kind of request takes, in turns."""
import contextlib
import http.client
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/bench")]
from attacks import SOURCE  # noqa: E402
from measure import percentile  # noqa: E402

PAUSE_S = 0.01


def real_time():
    """Builds and attackers get what honest clients and server leave."""
    with contextlib.suppress(PermissionError, OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))


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


class Honest:
    """asks: {name: function}; each is called in turn and timed."""

    def __init__(self, asks):
        self.asks = asks

    def measure(self, seconds):
        """{name: (p50, p99, failures)} in milliseconds."""
        took = {name: [] for name in self.asks}
        failed = dict.fromkeys(self.asks, 0)
        end = time.monotonic() + seconds

        def run():
            real_time()
            while time.monotonic() < end:
                for name, ask in self.asks.items():
                    began = time.perf_counter()
                    try:
                        ask()
                        took[name].append(time.perf_counter() - began)
                    except Exception:  # pylint: disable=broad-except
                        failed[name] += 1
                time.sleep(PAUSE_S)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return {name: (1000 * percentile(times, 50) if times else 0.0,
                       1000 * percentile(times, 99) if times else 0.0,
                       failed[name])
                for name, times in took.items()}


__all__ = ["Honest", "Kept", "SOURCE", "fresh", "make_real_time"]
