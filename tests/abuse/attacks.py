#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attacker, bounded in rate and time, on loopback alone.

    tests/abuse/attacks.py KIND PORT SECONDS [KEY=VALUE...]

It comes from SOURCE, an address of its own, holds at most 250 connections,
sends at most RATE bytes or begins at most BEGIN connections a second, and
prints one line of JSON: what it began, sent, and had ended by the peer.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/net"), str(ROOT / "tests/system")]
import h2raw  # noqa: E402
import ossl  # noqa: E402
from h2raw import (CONT, DATA, END_HEADERS, END_STREAM,  # noqa: E402
                   HEADERS, PING, RST, SETTINGS, WINDOW, frame, request)

SOURCE = "127.0.0.66"
HOLD = 250       # of the 256 that one address may have
RATE = 30 << 20  # bytes a second, of all connections
BEGIN = 400      # connections a second
PIECE = 32768


class Attack:
    def __init__(self, port, seconds, options):
        self.port = port
        self.end = time.monotonic() + seconds
        self.options = options
        self.began = self.sent = self.ended = 0
        self.start = time.monotonic()
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    # ------------------------------------------------------------- pacing

    def goes_on(self):
        return time.monotonic() < self.end

    def pace(self):
        """Waits until neither limit is passed."""
        due = self.start + max(self.sent / RATE, self.began / BEGIN)
        wait = min(due, self.end) - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    # -------------------------------------------------------- connections

    def tcp(self, window=None):
        self.pace()
        sock = socket.socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.settimeout(max(0.2, self.patience(5)))
        sock.bind((SOURCE, 0))
        self.began += 1
        sock.connect(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def open(self, alpn="http/1.1", window=None):
        """A TLS connection, or None when the peer does not want it."""
        self.tls.set_alpn_protocols([alpn])
        sock = None
        try:
            sock = self.tcp(window)
            return self.tls.wrap_socket(sock, server_hostname="localhost")
        except OSError:
            self.ended += 1
            if sock:
                sock.close()
            return None

    def h2(self, settings=b""):
        sock = self.open("h2")
        if sock is None:
            return None
        with contextlib.suppress(OSError):
            sock.sendall(h2raw.PREFACE + frame(SETTINGS, 0, 0, settings))
        return sock

    def hello(self):
        out = ssl.MemoryBIO()
        bio = self.tls.wrap_bio(ssl.MemoryBIO(), out,
                                server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            bio.do_handshake()
        return out.read()

    @staticmethod
    def drain(sock):
        """Takes what is there; true at the end."""
        sock.settimeout(0)
        try:
            while True:
                if not sock.recv(65536):
                    return True
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                sock.settimeout(2)

    def patience(self, most=2.0):
        """A peer that does nothing keeps nobody beyond the end."""
        return min(most, max(0.05, self.end - time.monotonic()))

    def hold(self, make, feed=None, every=1.0):
        """Keeps HOLD connections open; feed() says which to give up."""
        held, fed = [], 0.0
        while self.goes_on():
            while len(held) < HOLD and self.goes_on():
                sock = make()
                if sock is None:
                    break
                held.append(sock)
            if feed and time.monotonic() - fed >= every:
                fed = time.monotonic()
                for sock in list(held):
                    if not self.give(sock, feed(sock)):
                        held.remove(sock)
            elif not feed:
                for sock in list(held):
                    if self.drain(sock):
                        held.remove(sock)
                        sock.close()
                        self.ended += 1
            time.sleep(0.05)
        for sock in held:
            sock.close()

    def give(self, sock, data):
        try:
            sock.settimeout(0)
            sock.send(data)
            self.sent += len(data)
            return True
        except (BlockingIOError, ssl.SSLWantWriteError):
            return True
        except OSError:
            self.ended += 1
            sock.close()
            return False

    def flood(self, make, pieces):
        """Sends on one connection until it is ended, then on a new one."""
        while self.goes_on():
            sock = make()
            if sock is None:
                continue
            try:
                for piece in pieces():
                    self.pace()
                    sock.settimeout(self.patience())
                    sock.sendall(piece)
                    self.sent += len(piece)
                    if self.drain(sock) or not self.goes_on():
                        break
            except OSError:
                pass
            self.ended += 1
            sock.close()


def again(data):
    """The same bytes without end, in large pieces."""
    piece = data * max(1, PIECE // len(data))
    while True:
        yield piece


# ------------------------------------------------------ connections, TLS

def silent(a):
    a.hold(lambda: _try(a.tcp))


def _try(make):
    try:
        return make()
    except OSError:
        return None


def half_open(a):
    hello = a.hello()

    def make():
        sock = _try(a.tcp)
        if sock:
            a.give(sock, hello)
        return sock
    a.hold(make)


def handshakes(a):
    while a.goes_on():
        sock = a.open()
        if sock:
            sock.close()


def tiny(a):
    while a.goes_on():
        sock = _try(a.tcp)
        if sock:
            sock.close()


def key_updates(a):
    while a.goes_on():
        try:
            client = ossl.Client(a.port, SOURCE)
        except (OSError, AssertionError):
            a.ended += 1
            continue
        a.began += 1
        while a.goes_on() and client.update_keys():
            a.sent += 30
            a.pace()
        client.close()
        a.ended += 1


# ------------------------------------------------------------------- slow

def slow_headers(a):
    head = b"GET / HTTP/1.1\r\nHost: x\r\n"

    def make():
        sock = a.open()
        if sock:
            a.give(sock, head)
        return sock
    a.hold(make, lambda _: b"X: y\r\n")


def slow_body(a):
    head = (b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n")

    def make():
        sock = a.open()
        if sock:
            a.give(sock, head)
        return sock
    a.hold(make, lambda _: b"aaaa")


def slow_read(a):
    """A small receive window and requests for more than fits into it."""
    ask = b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n" * 40

    def make():
        sock = a.open(window=2048)
        if sock:
            a.give(sock, ask)
        return sock
    a.hold(make, lambda _: ask)


def zero_window(a):
    """A hundred requests on each connection, and no room for an answer."""
    asks = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1,
                          request("/login")) for i in range(100))

    def make():
        sock = a.h2(struct.pack(">HI", 4, 0))
        if sock:
            a.give(sock, asks)
        return sock
    a.hold(make, lambda _: frame(PING, 0, 0, bytes(8)))


# ----------------------------------------------------------------- frames

def rapid_reset(a):
    def pieces():
        stream = 1
        while True:
            out = []
            for _ in range(200):
                out += [frame(HEADERS, END_HEADERS | END_STREAM, stream,
                              request("/login")),
                        frame(RST, 0, stream, struct.pack(">I", 8))]
                stream += 2
            yield b"".join(out)
    a.flood(a.h2, pieces)


def continuation(a):
    def pieces():
        yield frame(HEADERS, END_STREAM, 1, request())
        yield from again(frame(CONT, 0, 1, h2raw.field("x-a", "b" * 200)))
    a.flood(a.h2, pieces)


def _frames(data):
    def run(a):
        def pieces():
            yield frame(HEADERS, END_HEADERS, 1,
                        request("/api/auth/login", "POST"))
            yield from again(data)
        a.flood(a.h2, pieces)
    return run


def grpc_pings(a):
    """PING on an open call, as a client with a wrong keepalive would."""
    head = request("/resticmanager.v1.Agent/Session", "POST", [
        ("content-type", "application/grpc"), ("te", "trailers")])

    def pieces():
        yield frame(HEADERS, END_HEADERS, 1, head)
        yield from again(frame(PING, 0, 0, bytes(8)))
    a.flood(a.h2, pieces)


def headers(a):
    """Header sections of too many fields, on one stream after the other."""
    fields = [(f"x-{i}", "v" * 80) for i in range(150)]

    def pieces():
        stream = 1
        block = request("/login", extra=fields)
        while True:
            yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
            stream += 2
    a.flood(a.h2, pieces)


def hpack_bomb(a):
    """One long entry of the table, referred to again and again."""
    name, value = b"x-bomb", b"v" * 3900
    entry = (b"\x40" + h2raw.hpack_int(len(name), 7) + name +
             h2raw.hpack_int(len(value), 7) + value)

    def pieces():
        stream = 1
        while True:
            yield frame(HEADERS, END_HEADERS | END_STREAM, stream,
                        request("/login") + entry + b"\xbe" * 8000)
            stream += 2
    a.flood(a.h2, pieces)


def cookies(a):
    """Hundreds of Cookie fields, none of them a session."""
    many = [("cookie", f"rm_session{i}=" + "x" * 30) for i in range(90)]

    def pieces():
        stream = 1
        while True:
            yield frame(HEADERS, END_HEADERS | END_STREAM, stream,
                        request("/login", extra=many))
            stream += 2
    a.flood(a.h2, pieces)


# --------------------------------------------------------------- HTTP/1.1

def malformed(a):
    """Requests that two parsers could read in two ways."""
    bad = (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    a.flood(a.open, lambda: again(bad))


def oversize(a):
    """Bodies of ten megabytes where 64 KiB are taken."""
    def pieces():
        yield (b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
               b"application/json\r\nContent-Length: 10000000\r\n\r\n")
        for _ in range(10000000 // PIECE):
            yield b" " * PIECE
    a.flood(a.open, pieces)


def compressed(a):
    """gRPC messages that say they are compressed, and 4 MiB long."""
    head = request("/resticmanager.v1.Agent/Poll", "POST", [
        ("content-type", "application/grpc"), ("te", "trailers"),
        ("grpc-encoding", "gzip")])

    def pieces():
        stream = 1
        while True:
            yield frame(HEADERS, END_HEADERS, stream, head) + frame(
                DATA, END_STREAM, stream, b"\x01\x00\x3f\xff\xff" + bytes(90))
            stream += 2
    a.flood(a.h2, pieces)


# ------------------------------------------------------------ application

def sign_in(a):
    """Guesses at one account and at names that nobody has."""
    guess, sock = 0, None
    while a.goes_on():
        guess += 1
        body = json.dumps({"username": "admin" if guess % 2 else f"u{guess}",
                           "password": f"wrong {guess}"}).encode()
        sock = sock or a.open()
        try:
            sock.sendall(
                b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\nContent-Length: "
                b"%d\r\n\r\n%s" % (len(body), body))
            a.sent += len(body)
            if sock.recv(65536):
                continue
        except (OSError, AttributeError):
            pass
        a.ended += 1
        sock = sock.close() if sock else None


def bad_bearer(a):
    head = request("/resticmanager.v1.Agent/Session", "POST", [
        ("content-type", "application/grpc"), ("te", "trailers"),
        ("authorization", "Bearer " + "x" * 43)])

    def pieces():
        stream = 1
        while True:
            yield b"".join(frame(HEADERS, END_HEADERS | END_STREAM,
                                 stream + 2 * i, head) for i in range(20))
            stream += 40
            time.sleep(0.005)
    a.flood(a.h2, pieces)


def views(a):
    """Live views of one session, as many as go."""
    ask = (f"GET /events?page=dashboard HTTP/1.1\r\nHost: 127.0.0.1:{a.port}\r\n"
           f"Cookie: {a.options['cookie']}\r\n\r\n").encode()

    def make():
        sock = a.open()
        if sock:
            a.give(sock, ask)
        return sock
    a.hold(make)


def log_bomb(a):
    """An enrolled agent that sends log lines as fast as they are taken."""
    import agents  # pylint: disable=import-outside-toplevel
    a.began = 1
    a.sent = agents.bomb(a.port, a.options["folder"], a.options["bearer"],
                         a.goes_on)


def log_flood(a):
    """An enrolled agent that sends them without waiting for anything."""
    import agents  # pylint: disable=import-outside-toplevel
    a.began = 1
    a.sent = agents.flood(a.port, a.options["folder"], a.options["bearer"],
                          a.goes_on)


# ---------------------------------------------------- somebody else's program

SLOWHTTPTEST = (pathlib.Path(os.environ.get("RM_TOOLS_DIR",
                                            ROOT / "build/tools"))
                / "slowhttptest/usr/bin/slowhttptest")
TOOL_HOLDS = 200  # it shares its address with the honest clients


def slowhttptest():
    """The program, or None where it was not unpacked or installed."""
    return (str(SLOWHTTPTEST) if SLOWHTTPTEST.exists()
            else shutil.which("slowhttptest"))


def _tool(*options):
    """slowhttptest: it binds no address, so it comes from 127.0.0.1."""
    def run(a):
        url = f"https://127.0.0.1:{a.port}/login"
        left = max(1, round(a.end - time.monotonic()))
        process = subprocess.Popen(
            [slowhttptest(), *options, "-u", url, "-c", str(TOOL_HOLDS),
             "-r", str(TOOL_HOLDS), "-l", str(left), "-i", "1", "-p", "3",
             "-v", "1"], stdout=subprocess.DEVNULL)
        a.began = TOOL_HOLDS
        try:
            process.wait(timeout=left + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return run


def nothing(a):
    """No attack: what two calm windows differ by."""
    time.sleep(max(0.0, a.end - time.monotonic()))


KINDS = {
    "nothing": nothing,
    "silent": silent,
    "half-open": half_open,
    "handshakes": handshakes,
    "tiny": tiny,
    "key-updates": key_updates,
    "slow-headers": slow_headers,
    "slow-body": slow_body,
    "slow-read": slow_read,
    "tool-headers": _tool("-H"),
    "tool-body": _tool("-B", "-t", "POST", "-s", "8192"),
    "tool-read": _tool("-X", "-w", "256", "-y", "1024", "-k", "40",
                       "-n", "1", "-z", "8"),
    "zero-window": zero_window,
    "rapid-reset": rapid_reset,
    "continuation": continuation,
    "ping": _frames(frame(PING, 0, 0, bytes(8))),
    "settings": _frames(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535))),
    "empty-frames": _frames(frame(DATA, 0, 1)),
    "window-updates": _frames(frame(WINDOW, 0, 0, struct.pack(">I", 1))),
    "grpc-pings": grpc_pings,
    "headers": headers,
    "hpack-bomb": hpack_bomb,
    "cookies": cookies,
    "malformed": malformed,
    "oversize": oversize,
    "compressed": compressed,
    "sign-in": sign_in,
    "bad-bearer": bad_bearer,
    "views": views,
    "log-bomb": log_bomb,
    "log-flood": log_flood,
}
# What nginx, serving a file, can be asked too.
TRANSPORT = ("nothing", "silent", "half-open", "handshakes", "tiny",
             "key-updates", "slow-headers", "slow-body", "slow-read",
             "tool-headers", "tool-body", "tool-read", "zero-window",
             "rapid-reset", "continuation", "ping", "settings",
             "empty-frames", "window-updates", "headers", "hpack-bomb",
             "cookies", "malformed", "oversize")


def main():
    kind, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    options = dict(arg.split("=", 1) for arg in sys.argv[4:])
    attack = Attack(port, seconds, options)
    KINDS[kind](attack)
    print(json.dumps({"connections": attack.began, "bytes": attack.sent,
                      "ended": attack.ended}))


if __name__ == "__main__":
    main()
