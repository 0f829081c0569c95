# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 9113, chapter 8: HTTP in HTTP/2."""
import hpack
from peer import DATA, END_HEADERS, END_STREAM, HEADERS, RST, u32
from points import add, stream_error

POINTS, point = add("")
MALFORMED = stream_error("PROTOCOL_ERROR")
JSON = b'{"token":"x"}'
LENGTH = ("content-length", str(len(JSON)))


def lines(p, *extra, without=(), **pseudo):
    """The fields of a request with some replaced, left out or added."""
    fields = [(n, pseudo.get(n[1:], v)) for n, v in p.get_fields()
              if n not in without]
    return [*fields, *extra]


def field(number, text, want, *extra, **kw):
    """A request with these fields as literals."""
    point(number, text, lambda p: p.raw(1, *lines(p, *extra, **kw)), want)


def value(number, text, want, data):
    field(number, text, want, ("x-value", data))


# 8.1 messages
point("8.1-a", "trailers after the body",
      lambda p: (p.post(1), p.data(1, JSON), p.request(1, [("x-sum", "1")])),
      "422")
point("8.1-b", "trailers without a body",
      lambda p: (p.post(1), p.request(1, [("x-sum", "1")])), "422")
point("8.1-c", "a second section that does not end the stream",
      lambda p: (p.post(1), p.request(1, [("x-sum", "1")], end=False)),
      MALFORMED)
point("8.1-d", "trailers with a pseudo-header field",
      lambda p: (p.post(1), p.data(1, JSON),
                 p.request(1, [(":method", "GET")])), MALFORMED)
point("8.1-e", "DATA after the trailers",
      lambda p: (p.post(1), p.request(1, [("x-sum", "1")]), p.data(1, b"x")),
      "stream STREAM_CLOSED | connection STREAM_CLOSED | 422",
      why="8.1: the request was complete and answered before")
point("8.1-f", "an upper-case name in trailers",
      lambda p: (p.post(1), p.data(1, JSON),
                 p.raw(1, ("X-Sum", "1"))), MALFORMED)
point("8.1-g", "HEAD is answered without a body",
      lambda p: p.request(1, p.get_fields("/static/style.css", "HEAD")),
      "200")
point("8.1-h", "a request the client gives up is not answered",
      lambda p: (p.post(1), p.put(RST, 0, 1, u32(8))), "ignored", watch=0)

# 8.1.1 malformed messages
point("8.1.1-a", "content-length with no body",
      lambda p: p.request(1, p.post_fields(LENGTH)), MALFORMED)
point("8.1.1-b", "content-length larger than the body",
      lambda p: (p.post(1, ("content-length", "99")), p.data(1, JSON, True)),
      MALFORMED)
point("8.1.1-c", "content-length smaller than the body",
      lambda p: (p.post(1, ("content-length", "1")), p.data(1, JSON, True)),
      MALFORMED)
point("8.1.1-d", "content-length smaller than the body of many frames",
      lambda p: (p.post(1, ("content-length", "2")),
                 [p.data(1, b"x") for _ in range(3)]), MALFORMED)
point("8.1.1-e", "content-length that fits, in three frames with padding",
      lambda p: (p.post(1, LENGTH), p.put(DATA, 8, 1, b"\1" + JSON[:3] +
                                          b"\0"),
                 p.data(1, JSON[3:]), p.data(1, b"", True)), "422")
point("8.1.1-f", "two different content-lengths",
      lambda p: (p.post(1, LENGTH, ("content-length", "2")),
                 p.data(1, JSON, True)), MALFORMED)
point("8.1.1-g", "content-length that is no number",
      lambda p: (p.post(1, ("content-length", "12a")),
                 p.data(1, JSON, True)), MALFORMED)
point("8.1.1-h", "a negative content-length",
      lambda p: (p.post(1, ("content-length", "-1")),
                 p.data(1, JSON, True)), MALFORMED)
point("8.1.1-i", "content-length beyond 64 bits",
      lambda p: (p.post(1, ("content-length", "1" + "0" * 30)),
                 p.data(1, JSON, True)), MALFORMED)
point("8.1.1-j", "content-length smaller than the body before trailers",
      lambda p: (p.post(1, ("content-length", "99")), p.data(1, JSON),
                 p.request(1, [("x-sum", "1")])), MALFORMED)

# 8.2.1 fields
field("8.2.1-a", "an upper-case name", MALFORMED, ("X-Upper", "1"))
for letter, text, name in (
        ("b", "a space in a name", "x y"), ("c", "NUL in a name", "x\0y"),
        ("d", "a line feed in a name", "x\ny"), ("e", "DEL in a name", "x\x7f"),
        ("f", "a byte above 127 in a name", "x\u00e9"),
        ("g", "a colon in a name", "x:y"), ("h", "a name of no bytes", "")):
    field(f"8.2.1-{letter}", text, MALFORMED, (name, "1"))
for letter, text, data in (("i", "NUL in a value", "a\0b"),
                           ("j", "a carriage return in a value", "a\rb"),
                           ("k", "a line feed in a value", "a\nb"),
                           ("l", "a space before a value", " a"),
                           ("m", "a space after a value", "a "),
                           ("n", "a tabulator before a value", "\ta"),
                           ("o", "a tabulator after a value", "a\t")):
    value(f"8.2.1-{letter}", text, MALFORMED, data)
value("8.2.1-p", "a tabulator and a byte above 127 inside a value", "200",
      "a\t\u00e9")
value("8.2.1-q", "a value of no bytes", "200", "")
field("8.2.1-r", "two fields smuggled into one value", MALFORMED,
      ("x-a", "1\r\nhost: elsewhere"))

# 8.2.2 fields of the connection
for letter, name, data in (("a", "connection", "close"),
                           ("b", "proxy-connection", "keep-alive"),
                           ("c", "keep-alive", "timeout=5"),
                           ("d", "transfer-encoding", "chunked"),
                           ("e", "upgrade", "h2c"), ("f", "te", "gzip"),
                           ("g", "te", "trailers, deflate;q=0.5")):
    field(f"8.2.2-{letter}", f"{name}: {data}", MALFORMED, (name, data))
field("8.2.2-h", "te: trailers", "200", ("te", "trailers"))

# 8.2.3 cookies
point("8.2.3-a", "a session in the second of three cookie fields",
      lambda p: p.request(1, p.get_fields("/api/account", extra=[
          ("cookie", "a=b"), ("cookie", p.cookie), ("cookie", "c=d")])),
      "200")

# 8.3 pseudo-header fields
field("8.3-a", "an unknown pseudo-header field", MALFORMED,
      (":colour", "red"), without=())
field("8.3-b", ":status in a request", MALFORMED, (":status", "200"))
point("8.3-c", "a pseudo-header field behind a regular one",
      lambda p: p.raw(1, *lines(p, without=(":path",)), ("x-a", "1"),
                      (":path", "/healthz")), MALFORMED)
for letter, name in zip("defg", (":method", ":scheme", ":path",
                                 ":authority")):
    point(f"8.3.1-{letter}", f"{name} twice",
          lambda p, n=name: p.raw(1, (n, dict(lines(p))[n]), *lines(p)),
          MALFORMED)
for letter, name in zip("hij", (":method", ":scheme", ":path")):
    field(f"8.3.1-{letter}", f"no {name}", MALFORMED, without=(name,))
field("8.3.1-k", "a :path of no bytes", MALFORMED, path="")
field("8.3.1-l", "a :path that is no path", MALFORMED + " | 400",
      path="healthz")
field("8.3.1-m", "an absolute address as :path", MALFORMED + " | 400",
      path="http://localhost/healthz")
field("8.3.1-n", "* with OPTIONS", "404 | 405 | 204 | 200", method="OPTIONS",
      path="*")
field("8.3.1-o", "* with GET", MALFORMED + " | 400", path="*")
field("8.3.1-p", "userinfo in :authority", MALFORMED + " | 400",
      authority="root@localhost")
field("8.3.1-q", "host that contradicts :authority", MALFORMED + " | 400",
      ("host", "elsewhere"))
field("8.3.1-r", "host that says the same as :authority", "200",
      ("host", "localhost"))
field("8.3.1-s", "host and no :authority", "200", ("host", "localhost"),
      without=(":authority",))
field("8.3.1-t", "neither :authority nor host", MALFORMED + " | 400",
      without=(":authority",))
field("8.3.1-u", "two hosts", MALFORMED + " | 400", ("host", "localhost"),
      ("host", "localhost"))
field("8.3.1-v", "a space in :path", MALFORMED + " | 400",
      path="/healthz HTTP/1.1")
field("8.3.1-w", "a fragment in :path", MALFORMED + " | 400",
      path="/healthz#top")
field("8.3.1-x", "a method that is no token", MALFORMED + " | 400 | 501",
      method="GET /")
field("8.3.1-y", "a method nobody knows", "404 | 405 | 501", method="FROB")
field("8.3.1-z", "a :scheme that is none", MALFORMED + " | 400 | 200",
      scheme="1:")

# 8.5 CONNECT
point("8.5-a", "CONNECT without :authority",
      lambda p: p.raw(1, (":method", "CONNECT")), MALFORMED)
point("8.5-b", "CONNECT with :scheme and :path",
      lambda p: p.raw(1, *lines(p, method="CONNECT")), MALFORMED)
point("8.5-c", "CONNECT as it should be, to a server that is no proxy",
      lambda p: p.raw(1, (":method", "CONNECT"), (":authority", "a:443")),
      "501 | 405 | 400")
point("8.5-d", ":protocol, which needs a setting the server does not send",
      lambda p: p.raw(1, *lines(p, method="CONNECT"),
                      (":protocol", "websocket")), MALFORMED)

# 8.6 and 10.5.1
point("8.6-a", "Upgrade is gone, and so is 101",
      lambda p: p.raw(1, *lines(p), ("http2-settings", "AAMAAABk")), "200")
point("10.5.1-a", "fields beyond SETTINGS_MAX_HEADER_LIST_SIZE",
      lambda p: p.put(HEADERS, END_HEADERS | END_STREAM, 1, b"".join([
          p.encoder.encode(p.get_fields() + [("x-a", "v" * 3000)]),
          hpack.indexed(62) * 20])), "431")
point("10.5.1-b", "more fields than the server takes",
      lambda p: p.request(1, p.get_fields(extra=[
          (f"x-{i}", "1") for i in range(120)])), "431")
