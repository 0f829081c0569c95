# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of points_h1.py, over TLS and on the plain port."""
import re
import time

import pytest

from points_h1 import GET, JSON, LAST, POINTS, POST


def statuses(out):
    return " ".join(m.decode() for m in re.findall(
        rb"HTTP/1\.1 ([0-9]{3}) [A-Z]", out))


@pytest.mark.parametrize("port", ["tls", "plain"])
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.id)
def test_point(h1, port, point, result):
    got = statuses(h1(port, point.data + LAST))
    result(point, got)
    assert got in point.want.split(" | "), point.text


@pytest.mark.parametrize("port", ["tls", "plain"])
def test_a_refusal_ends_the_connection(h1, port):
    """9.6: the server closes after it refused a request, and says so"""
    began = time.monotonic()
    out = h1(port, GET + b"X-A : 1\r\n\r\n")
    assert b"connection: close" in out.lower()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("port", ["tls", "plain"])
def test_head_has_the_fields_of_get(h1, port):
    """9110 9.3.2: the same fields without the body"""
    end = b"Connection: close\r\n\r\n"
    whole = h1(port, GET + end)
    head = h1(port, GET.replace(b"GET", b"HEAD") + end)

    def names(out):
        return [line for line in out.split(b"\r\n\r\n")[0].split(b"\r\n")
                if not line.startswith((b"date", b"x-request-id"))]

    assert names(whole) == names(head)
    assert head.endswith(b"\r\n\r\n") and len(whole) > len(head)


@pytest.mark.parametrize("port", ["tls", "plain"])
def test_answers_keep_their_order(h1, port):
    """9.3.2: pipelined requests are answered in order, also behind one that
    takes time"""
    slow = (POST.replace(b"/api/agents/enroll", b"/api/auth/login") +
            b"Content-Length: 42\r\n\r\n" +
            b'{"username":"nobody","password":"whatever"')
    slow = slow.replace(b"length: 42", b"length: 43") + b"}"
    slow = slow.replace(b"Length: 42", b"Length: 43")
    assert statuses(h1(port, slow + GET + b"\r\n" + LAST)) in (
        "401 200 200", "429 200 200")


@pytest.mark.parametrize("port", ["tls", "plain"])
def test_fields_of_an_answer(h1, port):
    """5, 6: an answer has one length, a date, no line of its own making"""
    out = h1(port, POST + b"Content-Length: 13\r\nConnection: close\r\n\r\n" +
             JSON)
    head, body = out.split(b"\r\n\r\n", 1)
    lines = [line.lower() for line in head.split(b"\r\n")[1:]]
    assert all(re.match(rb"[a-z0-9-]+: [^\r\n\0]*$", n) for n in lines)
    length, = [n for n in lines if n.startswith(b"content-length")]
    assert int(length.split(b":")[1]) == len(body)
    assert sum(n.startswith(b"date:") for n in lines) == 1
    assert not any(n.startswith(b"transfer-encoding") for n in lines)
