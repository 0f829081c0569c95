# SPDX-License-Identifier: GPL-3.0-or-later
"""One controller for all points, over TLS and on its plain listener."""
import pathlib
import socket
import ssl
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE / "h2", HERE / "h1", HERE / "client",
               HERE.parent / "net", HERE.parent / "system"):
    sys.path.insert(0, str(folder))

import lab as lab_module  # noqa: E402
from peer import Peer  # noqa: E402

POINT = pytest.StashKey()


def pytest_configure(config):
    config.point_key = POINT


@pytest.fixture(scope="session", name="lab")
def fixture_lab():
    with lab_module.Lab() as lab:
        yield lab
        for program in lab.programs:
            for word in ("Sanitizer", "runtime error:", "broken invariant"):
                assert word not in program.text()


def context(alpn):
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    tls.set_alpn_protocols([alpn])
    return tls


@pytest.fixture(scope="session", name="make")
def fixture_make(lab):
    """make(name) starts a controller with both listeners."""
    def run(name):
        plain = lab_module.free_port()
        controller = lab.controller(name=name,
                                    RM_LISTEN_PLAIN=f"127.0.0.1:{plain}")
        controller.plain = plain
        return controller.start()

    return run


@pytest.fixture(scope="session", name="console")
def fixture_console(make):
    controller = make("controller")
    controller.bootstrap()
    return controller


@pytest.fixture(scope="session")
def target(console):
    """Where a Peer connects: (port, TLS or None), by kind."""
    Peer.cookie = console.client.cookie
    return {"tls": (console.port, context("h2")),
            "plain": (console.plain, None)}


@pytest.fixture(scope="session")
def h1(console):
    """h1(port, bytes) gives all that HTTP/1.1 is answered to them."""
    tls = context("http/1.1")

    def talk(port, data, half_close=False, wait=5):
        sock = socket.create_connection(
            ("127.0.0.1", console.port if port == "tls" else console.plain),
            wait)
        if port == "tls":
            sock = tls.wrap_socket(sock)
        with sock:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            out = b""
            try:
                while more := sock.recv(65536):
                    out += more
            except (ConnectionResetError, ssl.SSLError, TimeoutError):
                pass
            return out

    return talk


@pytest.fixture
def result(request):
    """result(point, outcome) is for the list."""
    def note(point, got):
        request.node.stash[POINT] = (point, got)

    return note
