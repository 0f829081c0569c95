# SPDX-License-Identifier: GPL-3.0-or-later
"""The echo server as a fixture, and certificates for it."""
import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import pytest

EXE = os.environ.get("NET_ECHO_SERVER", "build/dev/tests/net_echo_server")


def make_cert(folder, name, *, days=30, cn="localhost"):
    """A self-signed P-256 certificate; returns (certificate, key)."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
         "-out", cert, "-days", str(days), "-subj", f"/CN={cn}",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)
    return cert, key


class Server:
    def __init__(self, cert, key, *limits, nofile=None):
        self.cert, self.key = pathlib.Path(cert), pathlib.Path(key)
        self.told = False

        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        self.proc = subprocess.Popen(
            [EXE, cert, key, *limits], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=lower if nofile else None)
        ports = json.loads(self.proc.stdout.readline())
        self.tls, self.plain = ports["tls"], ports["plain"]

    def stats(self):
        self.proc.send_signal(signal.SIGUSR1)
        return json.loads(self.proc.stdout.readline())

    def settles(self, key, value, seconds=5):
        """Waits until a figure has that value."""
        end = time.monotonic() + seconds
        while self.stats()[key] != value:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def reload(self):
        self.proc.send_signal(signal.SIGHUP)
        assert self.proc.stdout.readline() == "reloaded\n"

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.proc.pid}/stat").read_text()
        user, system = fields.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.proc.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def terminate(self):
        if self.proc.poll() is None and not self.told:
            self.told = True
            self.proc.send_signal(signal.SIGTERM)

    def finish(self):
        """Ends it in order; fails on a crash or a sanitizer's report."""
        if self.proc.stdout.closed:
            return ""
        self.terminate()
        _, err = self.proc.communicate(timeout=20)
        assert self.proc.returncode == 0, err
        assert "ERROR: " not in err and "runtime error" not in err, err
        return err


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    return {"folder": folder, "one": make_cert(folder, "one"),
            "two": make_cert(folder, "two")}


@pytest.fixture
def start(certs):
    """start("limit=value", ...) gives a running server."""
    servers = []

    def run(*limits, cert=None, nofile=None):
        server = Server(*(cert or certs["one"]), *limits, nofile=nofile)
        servers.append(server)
        return server

    yield run
    for server in servers:
        server.finish()


@pytest.fixture
def server(start):
    return start()
