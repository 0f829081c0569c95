# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits: what a hostile or broken client gets."""
import resource
import socket
import ssl
import struct
import time

import grpc
import pytest

import h2raw
import ossl
from h2raw import (ACK, CONT, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                   PING, RST, SETTINGS, frame, request)

GET = frame(HEADERS, END_STREAM | END_HEADERS, 1, request())


def serves(server):
    conn = h2raw.Conn(server.plain)
    conn.send(GET)
    answer = conn.until(DATA)
    conn.close()
    return answer is not None and answer[3].startswith(b"method=GET")


def closed_within(sock, seconds):
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("data, answered", [
    (b"", False), (b"GET / HT", True), (b"PRI * HTTP/2.0", False),
    (h2raw.PREFACE, False)])
def test_slow_headers_plain(start, data, answered):
    server = start("header_ms=1000")
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        sock.sendall(data)
        sock.settimeout(5)
        try:
            out = sock.recv(65536)
        except ConnectionResetError:
            out = b""
        assert (b" 408 " in out) == answered
        assert closed_within(sock, 4)


def test_slow_headers_drip(start):
    """A byte now and then does not keep a connection."""
    server = start("header_ms=1000")
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 8:
                sock.sendall(b"a")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_slow_handshake(start):
    server = start("header_ms=1000")
    with socket.create_connection(("127.0.0.1", server.tls), 5) as sock:
        assert closed_within(sock, 4)
    assert server.settles("tls_failed", 1)


def test_slow_header_block_of_http2(start):
    server = start("header_ms=1000")
    conn = h2raw.Conn(server.plain)
    conn.send(frame(HEADERS, END_STREAM, 1, request()))  # no END_HEADERS
    assert closed_within(conn.sock, 5)


@pytest.mark.parametrize("spoken", [True, False])
def test_idle_connections_end(start, spoken):
    server = start("idle_ms=1000", "header_ms=60000")
    conn = h2raw.Conn(server.plain)
    if spoken:
        conn.send(GET)
        assert conn.until(DATA)
    assert conn.until(GOAWAY) is not None
    assert closed_within(conn.sock, 3)
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert closed_within(sock, 5)


def test_connections_in_use_are_not_idle(start):
    """However short each request is: no tick need ever meet one."""
    server = start("idle_ms=1000", "header_ms=60000")
    conn = h2raw.Conn(server.plain)
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        for n in range(12):
            conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * n,
                            request("/about")))
            assert conn.until(DATA), f"h2, request {n + 1}"
            sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200"), (
                f"h1, request {n + 1}")
            time.sleep(0.3)
    assert server.settles("open", 1)


def test_silent_peer_with_an_open_stream_ends(start):
    """It does not answer PING: gone."""
    server = start("ping_ms=1000")
    conn = h2raw.Conn(server.plain)
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                    request("/never")))
    assert conn.until(PING) is not None
    assert closed_within(conn.sock, 8)
    assert server.settles("open", 0)


def test_peer_that_answers_ping_stays(start):
    server = start("ping_ms=1000")
    conn = h2raw.Conn(server.plain)
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                    request("/never")))
    for _ in range(4):
        ping = conn.until(PING)
        assert ping is not None
        conn.send(frame(PING, ACK, 0, ping[3]))
    assert server.stats()["open"] == 1
    conn.close()


def test_http2_reader_that_takes_nothing(start):
    """The window stays closed: its answer is not kept for ever."""
    server = start("stall_ms=1000")
    conn = h2raw.Conn(server.plain)
    conn.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) +
              frame(HEADERS, END_HEADERS | END_STREAM, 1,
                    request("/big?1000000")))
    reset = conn.until(RST)
    assert reset is not None and reset[3] == struct.pack(">I", 8)
    # Only the stream ends; and one that reads slowly stays.
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 3,
                    request("/big?50")))
    for _ in range(5):
        time.sleep(0.5)
        conn.send(frame(h2raw.WINDOW, 0, 3, struct.pack(">I", 10)))
        assert len(conn.until(DATA)[3]) == 10
    conn.close()


@pytest.mark.parametrize("port", ["plain", "tls"])
def test_http1_reader_that_takes_nothing(start, port):
    server = start("stall_ms=1000")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", getattr(server, port)))
    if port == "tls":
        sock = ssl.create_default_context(cafile=server.cert).wrap_socket(
            sock, server_hostname="localhost")
    sock.sendall(b"GET /stream?10000 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.5)
    assert server.stats()["open"] == 1
    assert server.rss_kib() < 40 * 1024 or "asan" in server.proc.args[0]
    assert server.settles("open", 0)
    sock.close()


def test_key_updates_that_are_never_read(start):
    """TLS answers each by itself; the answers do not pile up."""
    server = start()
    client = ossl.Client(server.tls)
    client.send(b"GET /stream?10000 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.5)
    for _ in range(100000):
        if not client.update_keys():
            break
    else:
        pytest.fail("the connection lives")
    assert server.settles("open", 0)
    client.close()


def test_slow_body_gets_408(start):
    server = start()
    with socket.create_connection(("127.0.0.1", server.plain), 20) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                     b"Content-Length: 60000\r\n\r\nslow")
        out = sock.recv(65536)
        assert b" 408 " in out and b"too slowly" in out


def test_connections_per_address(start):
    server = start("per_address=5")
    held = [h2raw.Conn(server.plain) for _ in range(5)]
    for conn in held:
        assert conn.until(SETTINGS)
    sixth = h2raw.Conn(server.plain, preface=False)
    assert closed_within(sixth.sock, 3)
    assert server.settles("refused_address", 1)
    held.pop().close()
    assert server.settles("open", 4)
    assert serves(server)


def test_connections_in_all(start):
    server = start("connections=3")
    held = [h2raw.Conn(server.plain) for _ in range(3)]
    for conn in held:
        assert conn.until(SETTINGS)
    fourth = h2raw.Conn(server.plain, preface=False)
    assert closed_within(fourth.sock, 3)
    assert server.settles("refused_limit", 1)
    held.pop().close()
    assert server.settles("open", 2)
    assert serves(server)


def test_many_handshakes_at_once(start):
    server = start()
    ctx = ssl.create_default_context(cafile=server.cert)
    raws = [socket.create_connection(("127.0.0.1", server.tls), 20)
            for _ in range(200)]
    for raw in raws:
        with ctx.wrap_socket(raw, server_hostname="localhost") as sock:
            sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in sock.recv(65536)
    assert server.settles("open", 0)


def test_too_many_streams_are_refused(server):
    conn = h2raw.Conn(server.plain)
    settings = conn.until(SETTINGS)[3]
    assert struct.pack(">HI", 3, 100) in settings
    conn.send(frame(SETTINGS, ACK, 0))
    for i in range(120):
        conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1,
                        request("/never")))
    got = conn.until(GOAWAY)
    assert got is not None and b"concurrent" in got[3]
    assert closed_within(conn.sock, 3)
    assert serves(server)


def test_header_bomb(server):
    """HPACK: one long entry, referred to a thousand times."""
    conn = h2raw.Conn(server.plain)
    name, value = b"x-bomb", b"v" * 3900
    entry = (b"\x40" + h2raw.hpack_int(len(name), 7) + name +
             h2raw.hpack_int(len(value), 7) + value)
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                    request() + entry + b"\xbe" * 8000))
    answer = conn.until(HEADERS)
    assert answer is None or b"431" in answer[3]
    conn.close()
    assert server.rss_kib() < 60 * 1024 or "asan" in server.proc.args[0]
    assert serves(server)


def test_too_many_fields(server):
    conn = h2raw.Conn(server.plain)
    extra = [(f"x-{i}", "v") for i in range(150)]
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                    request(extra=extra)))
    assert b"431" in conn.until(HEADERS)[3]
    conn.close()


def test_long_sections_on_many_streams(server):
    """Each is allowed; together they are not kept."""
    conn = h2raw.Conn(server.plain)
    for stream in range(1, 161, 2):
        conn.send(frame(HEADERS, END_HEADERS, stream,
                        request("/echo", "POST",
                                [("x-long", "v" * 15000)])))
    answers = []
    while len(answers) < 80 - 40:
        kind, _, stream, payload = conn.read()
        if kind == HEADERS:
            # After the first, 431 is in the table.
            assert b"431" in payload or payload == b"\xbe"
            answers.append(stream)
    assert min(answers) > 60
    # What ended gives its room back.
    for stream in range(1, 61, 2):
        conn.send(frame(RST, 0, stream, struct.pack(">I", 8)))
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 161,
                    request("/about", extra=[("x-long", "v" * 15000)])))
    while (got := conn.until(HEADERS))[2] != 161:
        assert got is not None
    assert got[3].startswith(b"\x88")  # :status 200
    conn.close()


def test_continuation_flood(server):
    conn = h2raw.Conn(server.plain)
    conn.send(frame(HEADERS, END_STREAM, 1, request()))
    try:
        for _ in range(20000):
            conn.send(frame(CONT, 0, 1, h2raw.field("x-a", "b")))
    except OSError:
        pass
    assert closed_within(conn.sock, 5)
    assert serves(server)


def test_rapid_reset(server):
    conn = h2raw.Conn(server.plain)
    began = server.cpu_s()
    try:
        for i in range(20000):
            stream = 2 * i + 1
            conn.send(frame(HEADERS, END_HEADERS | END_STREAM, stream,
                            request("/never")) +
                      frame(RST, 0, stream, struct.pack(">I", 8)))
    except OSError:
        pass
    assert closed_within(conn.sock, 5)
    assert server.cpu_s() - began < 2
    assert serves(server)


@pytest.mark.parametrize("flood", [
    frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)),
    frame(PING, 0, 0, bytes(8))])
def test_floods_that_are_never_read(server, flood):
    """What must be answered piles up only to a limit."""
    conn = h2raw.Conn(server.plain)
    conn.sock.settimeout(3)
    before = server.rss_kib()
    try:
        for _ in range(3000):
            conn.send(flood * 100)
    except OSError:
        pass
    assert server.rss_kib() - before < 32 * 1024
    conn.close()
    assert serves(server)


BAD_FRAMES = {
    "DATA on stream 0": frame(DATA, 0, 0, b"x"),
    "DATA on an idle stream": frame(DATA, 0, 5, b"x"),
    "even stream": frame(HEADERS, END_HEADERS | END_STREAM, 2, request()),
    "frame too large": frame(DATA, 0, 1, bytes(20000)),
    "CONTINUATION alone": frame(CONT, END_HEADERS, 1, b""),
    "PING of 7 bytes": frame(PING, 0, 0, bytes(7)),
    "bad HPACK": frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 10),
    "window overflow": frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2,
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frames(server, name):
    conn = h2raw.Conn(server.plain)
    conn.send(BAD_FRAMES[name])
    goaway = conn.until(GOAWAY)
    assert goaway is None or goaway[3][4:8] != bytes(4)
    assert closed_within(conn.sock, 5)
    assert serves(server)


def test_malformed_requests_reset_only_their_stream(server):
    conn = h2raw.Conn(server.plain)
    upper = request() + h2raw.field("Upper", "x")
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, upper))
    assert conn.until(RST) is not None
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, request()))
    assert conn.until(DATA)[3].startswith(b"method=GET")
    conn.close()


def test_a_malformed_request_is_no_unfinished_one(start):
    """Its section was complete: the time limit for that is over."""
    server = start("header_ms=1000")
    conn = h2raw.Conn(server.plain)
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                    request() + h2raw.field("Upper", "x")))
    assert conn.until(RST) is not None
    time.sleep(2.5)
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, request()))
    assert conn.until(DATA)[3].startswith(b"method=GET")
    conn.close()


def literal(text):
    """As HPACK writes what Huffman does not make shorter."""
    return bytes([len(text)]) + text


def test_grpc_garbage(server):
    """A length that is never filled, a wrong flag, an unfinished message."""
    fields = [("content-type", "application/grpc"), ("te", "trailers")]
    head = request("/echo.Echo/Unary", "POST", fields)
    for body, status in ((b"\x00\x7f\xff\xff\xff", b"8"),
                         (b"\x02\x00\x00\x00\x00", b"13"),
                         (b"\x00\x00\x00\x00\x09abc", b"13"),
                         (b"", b"3")):
        conn = h2raw.Conn(server.plain)
        conn.send(frame(HEADERS, END_HEADERS, 1, head) +
                  frame(DATA, END_STREAM, 1, body))
        _, flags, _, answer = conn.until(HEADERS)
        assert flags & END_STREAM and literal(status) in answer
        conn.close()
    for timeout in ("x", "1", "999999999S", "-1S", "1h"):
        conn = h2raw.Conn(server.plain)
        conn.send(frame(HEADERS, END_HEADERS, 1, request(
            "/echo.Echo/Unary", "POST",
            fields + [("grpc-timeout", timeout)])))
        _, flags, _, answer = conn.until(HEADERS)
        assert flags & END_STREAM and literal(b"13") in answer
        conn.close()


def test_unfinished_messages_are_bounded(server):
    """Every call stops one byte short of its 4 MiB."""
    head = request("/echo.Echo/Unary", "POST",
                   [("content-type", "application/grpc"), ("te", "trailers")])
    conn = h2raw.Conn(server.plain)
    conn.until(SETTINGS)
    refused = 0
    for i in range(45):
        stream = 2 * i + 1
        conn.send(frame(HEADERS, END_HEADERS, stream, head) +
                  frame(DATA, 0, stream, b"\x00\x00\x40\x00\x00"))
        conn.rooms[0] -= 5
        conn.rooms[stream] = 65530
        refused += conn.upload(stream, (4 << 20) - 1) is not None
    assert refused >= 10
    if "asan" not in server.proc.args[0]:
        assert server.rss_kib() < 300 * 1024
    assert serves(server)
    conn.close()


def test_descriptors_run_out(start):
    """No spin, no crash, and it serves again afterwards."""
    server = start("connections=100000", "per_address=100000", nofile=64)
    held = []
    try:
        for _ in range(200):
            held.append(socket.create_connection(
                ("127.0.0.1", server.plain), 3))
    except OSError:
        pass
    before = server.cpu_s()
    time.sleep(1)
    assert server.cpu_s() - before < 0.3
    for sock in held:
        sock.close()
    assert server.settles("open", 0)
    assert serves(server)


def test_descriptors_run_out_for_tls(start):
    server = start("connections=100000", "per_address=100000", nofile=48)
    held = [socket.create_connection(("127.0.0.1", server.tls), 3)
            for _ in range(100)]
    before = server.cpu_s()
    time.sleep(1)
    assert server.cpu_s() - before < 0.3
    for sock in held:
        sock.close()
    assert server.settles("open", 0)
    ctx = ssl.create_default_context(cafile=server.cert)
    raw = socket.create_connection(("127.0.0.1", server.tls), 5)
    with ctx.wrap_socket(raw, server_hostname="localhost") as sock:
        sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in sock.recv(65536)


def test_default_limit_keeps_descriptors_spare(start):
    soft = 500
    server = start("per_address=100000", nofile=soft)
    wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert wanted > soft
    held = [socket.create_connection(("127.0.0.1", server.plain), 3)
            for _ in range(400)]
    time.sleep(0.5)
    stats = server.stats()
    assert stats["open"] <= soft - 200 and stats["refused_limit"] >= 100
    for sock in held:
        sock.close()


def test_a_burst_of_disconnects(server):
    creds = grpc.ssl_channel_credentials(server.cert.read_bytes())
    for _ in range(20):
        channel = grpc.secure_channel(f"127.0.0.1:{server.tls}", creds)
        call = channel.stream_stream("/echo.Echo/Never")(iter([b"x"]))
        assert next(call) == b"x"
        channel.close()
    assert server.settles("open", 0)
