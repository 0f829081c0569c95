# SPDX-License-Identifier: GPL-3.0-or-later
"""gRPC C++ and nginx, with a P-256 certificate as ours has one."""
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import time

import measure
import nginx_base

START_S = 20

# For nginx(b, STATIC, root=folder): files of a folder, over h2 and HTTP/1.1.
STATIC = """
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_ecdh_curve prime256v1;
    keepalive_requests 1000000;
    default_type text/html;
    location / {{ root {root}; }}
  }}
"""

# For nginx(b, GRPC_PASS, upstream=port of grpc_server(b, plain=True)).
GRPC_PASS = """
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_ecdh_curve prime256v1;
    grpc_read_timeout 1h;
    grpc_send_timeout 1h;
    client_body_timeout 1h;
    client_max_body_size 0;
    keepalive_requests 1000000;
    location / {{ grpc_pass grpc://127.0.0.1:{upstream}; }}
  }}
"""


def certificate(b):
    """(certificate, key, pin): a self-signed P-256 one, made once a round;
    pin is the SHA-256 of the public key in hex."""
    cert, key = b.folder / "rival-cert.pem", b.folder / "rival-key.pem"
    if not cert.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", key, "-out", cert], check=True, capture_output=True)
    spki = subprocess.run(["openssl", "pkey", "-in", key, "-pubout",
                           "-outform", "DER"], check=True,
                          capture_output=True).stdout
    return cert, key, hashlib.sha256(spki).hexdigest()


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A program that runs until stop()."""

    def __init__(self, b, name, argv, **kw):
        self.log = b.folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stderr=log,
                **{"stdout": log, **kw})
        self.name, self.port, self.pin = name, None, None
        b.close(self.stop)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def pids(self):
        return [self.pid, *measure.children(self.pid)]

    def stop(self):
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def wait_listening(self, ready=None):
        """ready(port) says whether it is; without, an open port will do."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if (ready or is_open)(self.port):
                return self
            if self.popen.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not start: "
                           + self.log.read_text(errors="replace")[-1000:])


def grpc_server(b, plain=False, under=()):
    """Session on gRPC C++ over TLS; plain: also without TLS, on plain_port.
    under: a program and its options that it runs under."""
    program = b.build / "tests/bench_grpc_server"
    if not program.exists():
        raise measure.Absent("it was not built (tools/install-deps bench)")
    cert, key, pin = certificate(b)
    server = Server(b, "grpc",
                    [*under, program, cert, key, *(["plain"] * plain)],
                    stdout=subprocess.PIPE, text=True)
    server.pin = pin
    ports = {}
    for _ in range(2 if plain else 1):
        words = server.popen.stdout.readline().split()
        if len(words) != 2:
            raise RuntimeError("gRPC C++ did not start: "
                               + server.log.read_text()[-1000:])
        ports[words[0]] = int(words[1])
    server.port, server.plain_port = ports["tls"], ports.get("plain")
    return server


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def nginx(b, conf, **names):
    """nginx with one worker; conf is what stands in http{}, with {port},
    {cert}, {key} and the names given filled in."""
    program = b.tools / "nginx/usr/sbin/nginx"
    if not program.exists():
        raise measure.Absent("nginx is missing (tools/get-test-tools bench)")
    cert, key, pin = certificate(b)
    port = free_port()
    folder = pathlib.Path(b.folder) / f"nginx-{port}"
    folder.mkdir()
    (folder / "nginx.conf").write_text(nginx_base.conf(
        folder, conf.format(port=port, cert=cert, key=key, **names),
        os.sysconf("SC_OPEN_MAX")))
    server = Server(b, folder.name, [
        program, "-p", folder, "-c", folder / "nginx.conf"])
    server.port, server.pin = port, pin
    return server.wait_listening(nginx_base.serves)
