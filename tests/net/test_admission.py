# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect and shake hands while others hold what they can."""
import socket
import ssl
import struct
import time

import pytest

import h2raw
from h2raw import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING,
                   RST, SETTINGS, WINDOW, frame, request)

ENHANCE_YOUR_CALM, REFUSED_STREAM = 11, 7
NEIGHBOUR = "127.0.0.2"  # loopback has many addresses


def client_hello():
    """A first flight that a handshake can begin with."""
    ctx = ssl.create_default_context()
    out = ssl.MemoryBIO()
    tls = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def connect(server, source=None, timeout=20):
    return socket.create_connection(
        ("127.0.0.1", server.tls), timeout,
        source_address=(source, 0) if source else None)


def served_after(server, source=None):
    """Seconds that an honest client takes for handshake and answer."""
    ctx = ssl.create_default_context(cafile=server.cert)
    began = time.monotonic()
    with ctx.wrap_socket(connect(server, source),
                         server_hostname="localhost") as sock:
        sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in sock.recv(65536)
    return time.monotonic() - began


def close(socks):
    for sock in socks:
        sock.close()


def ended(sock):
    sock.settimeout(0)
    try:
        while sock.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_silent_connections_take_no_place(start):
    server = start("handshakes=4")
    silent = [connect(server) for _ in range(50)]
    partly = [connect(server) for _ in range(20)]
    for sock in partly:
        sock.sendall(client_hello()[:100])
    assert server.settles("open", 70)
    assert served_after(server) < 1
    assert server.stats()["handshaking"] == 0
    close(silent + partly)
    assert server.settles("open", 0)


def test_a_hello_in_pieces_is_a_hello(server):
    raw = connect(server)
    hello = client_hello()
    for i in range(0, len(hello), 50):
        raw.sendall(hello[i:i + 50])
        time.sleep(0.01)
    raw.settimeout(5)
    assert raw.recv(5)[0] == 22
    raw.close()


def test_unfinished_handshakes_give_way(start):
    """Places are taken by one address; another waits a second at most, its
    neighbours three."""
    server = start("handshakes=4", "header_ms=20000")
    hello = client_hello()
    half = [connect(server) for _ in range(8)]
    for sock in half:
        sock.sendall(hello)
    assert server.settles("handshaking", 4)
    assert served_after(server, NEIGHBOUR) < 2.5
    assert served_after(server) < 8
    assert any(ended(sock) for sock in half)
    close(half)


def test_a_slow_handshake_alone_is_not_hurried(start):
    server = start("handshakes=4")
    sock = connect(server)
    sock.sendall(client_hello())
    time.sleep(3.5)
    sock.setblocking(False)
    assert len(sock.recv(65536)) > 500
    assert not ended(sock)
    sock.close()


def test_silent_ones_give_way_to_others_of_their_address(start):
    server = start("per_address=5")
    silent = [connect(server) for _ in range(5)]
    refused = connect(server)  # they are too young to be called silent
    refused.settimeout(5)
    assert refused.recv(1) == b""
    time.sleep(1.2)
    assert served_after(server) < 1
    assert sum(ended(sock) for sock in silent) >= 1
    close(silent + [refused])


def test_silent_ones_give_way_when_all_places_are_taken(start):
    server = start("connections=5")
    silent = [connect(server) for _ in range(5)]
    time.sleep(1.2)
    assert served_after(server, NEIGHBOUR) < 1
    close(silent)


def test_an_address_has_so_many_handshakes_at_once(start):
    """Four, and then one a second; a neighbour has its own."""
    server = start("per_address=4", "handshake_ms=1000")
    assert max(served_after(server) for _ in range(3)) < 0.9
    began = time.monotonic()
    for _ in range(4):
        served_after(server)
    assert time.monotonic() - began > 1.5
    assert served_after(server, NEIGHBOUR) < 0.9


# ------------------------------------------------ frames that carry nothing

NOTHING = {
    "PING": frame(PING, 0, 0, bytes(8)),
    "SETTINGS": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)),
    "empty SETTINGS": frame(SETTINGS, 0, 0),
    "WINDOW_UPDATE": frame(WINDOW, 0, 0, struct.pack(">I", 1)),
    "PRIORITY": frame(2, 0, 1, struct.pack(">IB", 0, 1)),
    "an unknown kind": frame(0xee, 0, 0, bytes(4)),
    "empty DATA": frame(DATA, 0, 1),
    "DATA of a byte": frame(DATA, 0, 1, b"x"),
    "padding": frame(DATA, 8, 1, b"\x0a" + bytes(10)),
}


def flood(conn, what, times):
    """Sends and reads; true when the peer ended it."""
    try:
        for _ in range(times):
            conn.send(what)
            if ended(conn.sock):
                return True
            conn.sock.settimeout(0)
            try:
                while conn.sock.recv(65536):
                    pass
                return True
            except BlockingIOError:
                pass
            conn.sock.settimeout(10)
        conn.sock.settimeout(5)
        while conn.sock.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("name", NOTHING)
def test_frames_that_carry_nothing(server, name):
    """The answers are read, so nothing piles up: it ends all the same."""
    conn = h2raw.Conn(server.plain)
    conn.send(frame(HEADERS, END_HEADERS, 1, request("/echo", "POST")))
    assert flood(conn, NOTHING[name] * 100, 400)
    conn.close()
    assert server.settles("open", 0)
    assert "abuse begins kind=" in server.finish()


def test_many_windows_and_pings_of_a_client_at_work(server):
    """grpcio sends two WINDOW_UPDATEs and a PING for each call."""
    conn = h2raw.Conn(server.plain)
    extra = (frame(WINDOW, 0, 0, struct.pack(">I", 100)) * 2 +
             frame(PING, 0, 0, bytes(8)))
    for i in range(5000):
        conn.send(extra + frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1,
                                request()))
        assert conn.until(DATA) is not None
    conn.close()
    assert "abuse" not in server.finish()


def test_who_takes_no_answers_gets_no_more_of_them(server):
    """All connections of an address together hold 16 MiB at most."""
    held, refused = [], None
    for _ in range(6):
        conn = h2raw.Conn(server.plain)
        conn.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
        for i in range(60):
            conn.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1,
                            request("/big?60000")))
        held.append(conn)
        conn.sock.settimeout(1)
        try:
            refused = refused or conn.until(RST)
        except TimeoutError:
            pass
    assert refused is not None
    assert struct.unpack(">I", refused[3])[0] == REFUSED_STREAM
    assert server.rss_kib() < 60 * 1024 or "asan" in server.proc.args[0]
    other = socket.create_connection(("127.0.0.1", server.plain), 10,
                                     source_address=(NEIGHBOUR, 0))
    other.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in other.recv(65536)
    close([other, *(conn.sock for conn in held)])
    assert server.settles("open", 0)


def test_who_takes_no_answers_over_http1_gets_no_more_of_them(server):
    """The same bound, one answer a connection; it ends with the others."""
    held, refused = [], None
    for _ in range(40):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", server.plain))
        held.append(sock)
        sock.sendall(b"GET /big?9000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = sock.recv(64)
        if not answer.startswith(b"HTTP/1.1 200"):
            refused = answer
            break
    assert refused and refused.startswith(b"HTTP/1.1 503")
    assert len(held) <= 8, "9 MB each, and sockets that hold some of it"
    with socket.create_connection(("127.0.0.1", server.plain), 10,
                                  source_address=(NEIGHBOUR, 0)) as other:
        other.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in other.recv(65536)
    close(held)
    assert server.settles("open", 0)
    # What it held is given back with its connections.
    with socket.create_connection(("127.0.0.1", server.plain), 10) as again:
        again.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in again.recv(65536)


def test_one_address_cannot_hold_all_places(server):
    """A neighbour shakes hands while an address has left all it may have
    half done, and none of those had to give way."""
    hello, held = client_hello(), []
    for _ in range(250):
        held.append(connect(server))
        held[-1].sendall(hello)
    assert server.settles("handshaking", 250)
    served_after(server, NEIGHBOUR)
    assert server.stats()["handshaking"] == 250
    close(held)
    assert server.settles("open", 0)


def test_slow_header_sections_are_named_once(start):
    server = start("header_ms=300")
    held = [connect(server) for _ in range(60)]
    tls = ssl.create_default_context(cafile=server.cert)
    held = [tls.wrap_socket(sock, server_hostname="localhost")
            for sock in held]
    for sock in held:
        sock.sendall(b"GET /about HTTP/1.1\r\nX: ")
    assert server.settles("open", 0, 10)
    close(held)
    text = server.finish()
    assert text.count("abuse begins kind=no_request peer=127.0.0.1") == 1
    assert text.count("kind=no_request") <= 2  # and one for its end


def test_an_attacker_is_named_once(start):
    """And pays with the handshakes of its address."""
    server = start()
    reset = frame(RST, 0, 1, struct.pack(">I", 8))
    for _ in range(5):
        conn = h2raw.Conn(server.plain)
        try:
            for i in range(3000):
                stream = 2 * i + 1
                conn.send(frame(HEADERS, END_HEADERS | END_STREAM, stream,
                                request("/never")) +
                          reset[:5] + struct.pack(">I", stream) + reset[9:])
        except OSError:
            pass
        conn.close()
    assert server.settles("open", 0)
    # 50 each: what is left of the burst on the plain port is its own.
    text = server.finish()
    assert text.count("abuse begins kind=resets peer=127.0.0.1") == 1
    assert text.count("\n") < 20, text


def test_goaway_says_why(server):
    conn = h2raw.Conn(server.plain)
    assert conn.until(SETTINGS)
    conn.send(frame(SETTINGS, ACK, 0))
    try:
        for _ in range(100):
            conn.send(NOTHING["PRIORITY"] * 100)
    except OSError:
        pass
    goaway = conn.until(GOAWAY)
    assert goaway is None or struct.unpack(
        ">I", goaway[3][4:8])[0] == ENHANCE_YOUR_CALM
    conn.close()
