# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 and HTTP/2 as curl and hand-made bytes speak them."""
import socket
import subprocess
import threading
import time

import pytest

import h2raw


def curl(*args, data=None):
    out = subprocess.run(["curl", "-sS", "--max-time", "20", *args],
                         capture_output=True, input=data)
    assert out.returncode == 0, out.stderr
    return out.stdout


def curl_tls(server, path, *args, data=None):
    return curl("--cacert", server.cert, *args,
                f"https://127.0.0.1:{server.tls}{path}", data=data)


def exchange(server, data, *, half_close=False, wait=5):
    """Everything the plain port answers to these bytes until it closes or
    falls silent."""
    with socket.create_connection(("127.0.0.1", server.plain), wait) as sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        out = b""
        try:
            while more := sock.recv(65536):
                out += more
        except (ConnectionResetError, TimeoutError):
            pass
        return out


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


VERSIONS = {"h2": ["--http2"], "http/1.1": ["--http1.1"],
            "no ALPN": ["--no-alpn"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_tls_versions(server, version):
    text = curl_tls(server, "/about?a=b%20c", *VERSIONS[version])
    assert b"method=GET path=/about query=a=b%20c" in text
    assert f"host=127.0.0.1:{server.tls}".encode() in text
    assert b"tls=1 h2=%d" % (version == "h2") in text


@pytest.mark.parametrize("version", VERSIONS)
def test_bodies(server, version):
    body = bytes(range(256)) * 4000
    args = [*VERSIONS[version], "--data-binary", "@-"]
    assert curl_tls(server, "/echo", *args, data=body) == body
    args += ["-H", "transfer-encoding: chunked"]
    assert curl_tls(server, "/echo", *args, data=body) == body


@pytest.mark.parametrize("version", VERSIONS)
def test_body_too_large(server, version):
    out = curl_tls(server, "/echo", *VERSIONS[version], "--data-binary", "@-",
                   "-w", "%{http_code}", data=bytes(1 << 21))
    assert out.endswith(b"413") and b'"too_large"' in out


@pytest.mark.parametrize("version", VERSIONS)
def test_large_replies(server, version):
    out = curl_tls(server, "/big?20000000", *VERSIONS[version])
    assert len(out) == 20000000
    out = curl_tls(server, "/stream?300", *VERSIONS[version])
    assert len(out) == 300 * 65536


@pytest.mark.parametrize("version", VERSIONS)
def test_head_and_empty(server, version):
    out = curl_tls(server, "/big?1000", "-I", *VERSIONS[version]).lower()
    assert b"content-length: 1000" in out and b"date: " in out
    out = curl_tls(server, "/stream?3", "-I", *VERSIONS[version])
    assert b" 200" in out
    out = curl_tls(server, "/empty", "-i", *VERSIONS[version])
    assert b" 204" in out and b"ontent-length" not in out


@pytest.mark.parametrize("version", VERSIONS)
def test_early_answer(server, version):
    out = curl_tls(server, "/early", *VERSIONS[version], "--data-binary",
                   "@-", "-w", "%{http_code}", data=bytes(1 << 20))
    assert out.endswith(b"401")


@pytest.mark.parametrize("version", VERSIONS)
def test_sse_comes_piece_by_piece(server, version):
    proc = subprocess.Popen(
        ["curl", "-sSN", "--cacert", server.cert, *VERSIONS[version],
         f"https://127.0.0.1:{server.tls}/sse?3"], stdout=subprocess.PIPE)
    assert proc.stdout.readline() == b"id: 3\n"
    out = proc.stdout.read()
    assert proc.wait(10) == 0 and out.count(b"data: tick") == 3


def test_plain_port_speaks_both(server):
    url = f"http://127.0.0.1:{server.plain}/about"
    assert b"h2=0" in curl(url)
    assert b"h2=1" in curl("--http2-prior-knowledge", url)
    # An offer to upgrade is simply not taken.
    assert b"h2=0" in curl("--http2", url)


def test_preface_in_pieces(server):
    conn = h2raw.Conn(server.plain, preface=False)
    for byte in h2raw.PREFACE:
        conn.send(bytes([byte]))
        time.sleep(0.002)
    conn.send(h2raw.frame(h2raw.SETTINGS, 0, 0) + h2raw.frame(
        h2raw.HEADERS, h2raw.END_STREAM | h2raw.END_HEADERS, 1,
        h2raw.request()))
    assert conn.until(h2raw.DATA)[3].startswith(b"method=GET")
    conn.close()


def test_cookies_of_http2_are_joined(server):
    conn = h2raw.Conn(server.plain)
    conn.send(h2raw.frame(
        h2raw.HEADERS, h2raw.END_STREAM | h2raw.END_HEADERS, 1,
        h2raw.request(extra=[("cookie", "a=1"), ("cookie", "b=2")])))
    assert b"cookie=a=1; b=2" in conn.until(h2raw.DATA)[3]
    conn.close()


def test_keep_alive_and_pipelining(server):
    one = b"GET /about?%d HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /about?9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    out = exchange(server, one % 1 + b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                   b"Content-Length: 5\r\n\r\nhello" + one % 2 + last)
    assert out.count(b"HTTP/1.1 200") == 4
    order = [out.index(mark) for mark in (b"query=1 ", b"hello", b"query=2 ",
                                          b"query=9 ")]
    assert order == sorted(order)


def test_pipelining_behind_a_slow_request(server):
    late = b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /about HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    out = exchange(server, late + last)
    assert out.index(b"late\n") < out.index(b"method=GET")


def test_more_requests_at_once_than_an_address_has_turns_for(server):
    """Some wait for a later turn of the loop, their ends already seen."""
    ask = b"GET /about?%d HTTP/1.1\r\nHost: x\r\n\r\n"
    socks = [socket.create_connection(("127.0.0.1", server.plain), 5)
             for _ in range(60)]
    for k, sock in enumerate(socks):
        sock.sendall(ask % k)
        if k % 2:
            sock.shutdown(socket.SHUT_WR)
    for k, sock in enumerate(socks):
        with sock:
            got = b""
            while b"query=%d " % k not in got:
                piece = sock.recv(65536)
                assert piece, (k, got)
                got += piece
    out = exchange(server, b"".join(ask % k for k in range(200)) +
                   b"GET /about HTTP/1.0\r\n\r\n")
    assert out.count(b"HTTP/1.1 200") == 201


def test_http_1_0(server):
    out = exchange(server, b"GET /about HTTP/1.0\r\n\r\n")
    assert status(out) == 200 and b"connection: close" in out
    out = exchange(server, b"GET /stream?2 HTTP/1.0\r\n\r\n")
    assert b"chunked" not in out
    assert len(out.split(b"\r\n\r\n", 1)[1]) == 2 * 65536
    out = exchange(server, b"GET /about HTTP/1.0\r\nConnection: keep-alive"
                   b"\r\n\r\nGET /about HTTP/1.0\r\n\r\n")
    assert out.count(b"HTTP/1.1 200") == 2


def test_absolute_target(server):
    out = exchange(server, b"GET http://other:1/about?q HTTP/1.1\r\n"
                   b"Host: x\r\nConnection: close\r\n\r\n")
    assert b"path=/about query=q host=other:1" in out


def test_expect_continue(server):
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close"
                     b"\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert sock.recv(65536).endswith(b"abc")
    # Refused before the body was sent.
    out = exchange(server, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:"
                   b" 99999999\r\nExpect: 100-continue\r\n\r\n")
    assert status(out) == 413 and b"100 Continue" not in out


def test_half_close_still_gets_the_answer(server):
    out = exchange(server, b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n",
                   half_close=True)
    assert out.endswith(b"late\n")


def test_a_client_that_leaves_ends_its_stream(server):
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        sock.sendall(b"GET /sse?1000 HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.recv(1000)
        assert server.stats()["open"] == 1
    assert server.settles("open", 0)


GET = b"GET /about HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
MALFORMED = {
    "space before colon": (GET + b"Foo : bar\r\n\r\n", 400),
    "folded line": (GET + b"Foo: bar\r\n baz\r\n\r\n", 400),
    "bare LF": (b"GET /about HTTP/1.1\nHost: x\r\n\r\n", 400),
    "bare CR": (GET + b"Foo: a\rb\r\n\r\n", 400),
    "NUL": (GET + b"Foo: a\0b\r\n\r\n", 400),
    "no colon": (GET + b"Foo\r\n\r\n", 400),
    "empty name": (GET + b": x\r\n\r\n", 400),
    "no Host": (b"GET /about HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (GET + b"Host: y\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                    400),
    "length and chunked": (POST + b"Content-Length: 3\r\nTransfer-Encoding: "
                           b"chunked\r\n\r\n0\r\n\r\n", 400),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "chunked in 1.0": (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked"
                       b"\r\n\r\n0\r\n\r\n", 400),
    "bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "target": (b"GET about HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "fragment": (b"GET /a#b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 b"\r\n", 400),
    "version": (b"GET /about HTTP/3.7\r\nHost: x\r\n\r\n", 400),
    "method": (b"FROB /about HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "gRPC": (POST + b"Content-Type: application/grpc\r\n\r\n", 415),
    "expectation": (POST + b"Content-Length: 1\r\nExpect: magic\r\n\r\nx",
                    417),
    "long line": (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                  431),
    "endless line": (b"GET /" + b"a" * 100000, 431),
    "many fields": (GET + b"A: b\r\n" * 101 + b"\r\n", 431),
    "noise": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(server, name):
    data, expected = MALFORMED[name]
    out = exchange(server, data)
    assert status(out) == expected, out
    assert b"connection: close" in out
    assert out.count(b"HTTP/1.1") == 1


def test_chunk_noise_is_bounded(server):
    """Extensions and trailers are read, but not without end."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    out = exchange(server, head + b"1;" + b"x" * 60000 + b"\r\na\r\n0\r\n\r\n")
    assert status(out) == 400
    out = exchange(server, head + b"1\r\na\r\n0\r\n" + b"T: v\r\n" * 10000 +
                   b"\r\n")
    assert status(out) == 400
    out = exchange(server, head + b"1;a=b\r\na\r\n0\r\nT: v\r\n\r\n" + GET +
                   b"Connection: close\r\n\r\n")
    assert out.count(b"HTTP/1.1 200") == 2


def test_byte_by_byte(server):
    with socket.create_connection(("127.0.0.1", server.plain), 5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in POST + b"Content-Length: 3\r\n\r\nabc":
            sock.sendall(bytes([byte]))
        assert sock.recv(65536).endswith(b"abc")


def test_unwanted_body_does_not_kill_the_answer(server):
    """The answer is whole although the body is never read to its end."""
    out = exchange(server, b"POST /early HTTP/1.1\r\nHost: x\r\n"
                   b"Content-Length: 3000000\r\n\r\n" + bytes(300000), wait=3)
    assert out.endswith(b"no\n")


def test_other_service_types_get_415(server):
    conn = h2raw.Conn(server.plain)
    conn.send(h2raw.frame(
        h2raw.HEADERS, h2raw.END_STREAM | h2raw.END_HEADERS, 1,
        h2raw.request("/echo.Echo/Unary", "POST",
                      [("content-type", "application/grpc-web")])))
    assert b"415" in conn.until(h2raw.HEADERS)[3]
    conn.close()


def test_many_at_once(server):
    out = []

    def get(i):
        out.append(curl_tls(server, f"/about?{i}", "--http1.1"))

    threads = [threading.Thread(target=get, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(out) == 20 and all(b"method=GET" in text for text in out)


def test_many_cookies(server):
    """Cookies that came as many fields are one to the handler, and cost no
    more memory than they have bytes."""
    fields = b"".join(b"Cookie: c%02d=%s\r\n" % (i, b"x" * 310)
                      for i in range(96))
    out = exchange(server, b"GET /echo HTTP/1.1\r\nHost: localhost\r\n"
                   b"Connection: close\r\n" + fields + b"\r\n")
    assert status(out) is not None and b"\r\ndate: " in out
    fields = b"".join(b"Cookie: c%02d=%s\r\n" % (i, b"x" * 20)
                      for i in range(10))
    out = exchange(server, b"GET /about HTTP/1.1\r\nHost: localhost\r\n"
                   b"Connection: close\r\n" + fields + b"\r\n")
    joined = b"; ".join(b"c%02d=%s" % (i, b"x" * 20) for i in range(10))
    assert b"cookie=" + joined + b"\n" in out
