# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 9112: requests as bytes, and the answers they get.

Behind each goes a request that must be answered where the first one was
understood, and must not be where it was refused: that is what smuggling
lives on.
"""
import typing


class Point(typing.NamedTuple):
    id: str
    text: str
    data: bytes
    want: str   # the statuses that come back, for example "400", "200 200"
    why: str = ""


POINTS = []
LAST = b"GET /static/icon.svg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
TARGET = b" /static/icon.svg HTTP/1.1\r\n"
GET = b"GET" + TARGET + b"Host: x\r\n"
POST = (b"POST /api/agents/enroll HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\n")
JSON = b'{"token":"x"}'
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"\r\n"


def add(number, text, data, want="400", why=""):
    POINTS.append(Point(number, text, data, want, why))


def fields(section, rows):
    """One more field line in a good GET."""
    for letter, text, line, *want in rows:
        add(f"{section}-{letter}", text, GET + line + b"\r\n\r\n", *want)


def bodies(section, rows):
    """Framing fields, and the body behind them, in a good POST."""
    for letter, text, lines, body, *want in rows:
        add(f"{section}-{letter}", text, POST + lines + b"\r\n\r\n" + body,
            *want)


def chunks(section, rows):
    for letter, text, body, *want in rows:
        add(f"{section}-{letter}", text, CHUNKED + body, *want)


GOOD = "422 200"  # the JSON was read, and so is what follows
# Where the end of the request is not in doubt the connection may go on.
REFUSED = "400 | 400 200"

# 2.2 message parsing
add("2.2-a", "lines that end with LF alone",
    b"GET /static/icon.svg HTTP/1.1\nHost: x\n\n")
add("2.2-b", "one line that ends with LF alone", GET + b"X-A: 1\n\r\n")
add("2.2-c", "CR inside a line", GET + b"X-A: 1\rX-B: 2\r\n\r\n")
add("2.2-d", "empty lines before the request", b"\r\n\r\n" + GET + END,
    "200 200")
add("2.2-e", "space before the first field",
    b"GET" + TARGET + b" X-A: 1\r\nHost: x\r\n\r\n")
add("2.2-f", "NUL", GET + b"X-A: a\0b\r\n\r\n")
add("2.2-g", "bytes that are no HTTP", b"\x16\x03\x01\x00\xa5\x01\r\n\r\n")

# 2.3, 3: the request line
add("2.3-a", "HTTP/2.0 in a request line",
    GET.replace(b"HTTP/1.1", b"HTTP/2.0") + END, "400 | 505")
add("2.3-b", "HTTP/1.2", GET.replace(b"HTTP/1.1", b"HTTP/1.2") + END,
    "200 200 | 400 | 505",
    "RFC 9110 2.5 SHOULD be taken as 1.1; no such version exists")
add("2.3-c", "http/1.1 in lower case",
    GET.replace(b"HTTP/1.1", b"http/1.1") + END)
add("2.3-d", "no version", b"GET /static/icon.svg\r\nHost: x\r\n\r\n")
add("2.3-e", "HTTP/0.9", b"GET /\r\n\r\n")
add("2.3-f", "HTTP/1.10", GET.replace(b"HTTP/1.1", b"HTTP/1.10") + END)
add("3-a", "two spaces behind the method",
    GET.replace(b"GET /", b"GET  /") + END)
add("3-b", "two spaces before the version",
    GET.replace(b" HTTP", b"  HTTP") + END)
add("3-c", "a tabulator behind the method",
    GET.replace(b"GET /", b"GET\t/") + END, "400 | 501")
add("3-d", "a space before the method", b" " + GET + END, "400 | 501")
add("3-e", "a space behind the version",
    GET.replace(b"HTTP/1.1\r", b"HTTP/1.1 \r") + END)
add("3.1-a", "a method in lower case", GET.replace(b"GET", b"get") + END,
    "501 | 400 | 405")
add("3.1-b", "a method nobody knows", GET.replace(b"GET", b"FROB") + END,
    "501 | 405")
add("3.2-a", "no Host", b"GET" + TARGET + END)
add("3.2-b", "two Hosts", GET + b"Host: y\r\n\r\n")
add("3.2-c", "two equal Hosts", GET + b"Host: x\r\n\r\n")
add("3.2-d", "a Host with a space in it",
    GET.replace(b"Host: x", b"Host: x y") + END, REFUSED)
add("3.2-e", "a Host with user information",
    GET.replace(b"Host: x", b"Host: root@x") + END, REFUSED)
add("3.2-f", "a Host with a path", GET.replace(b"Host: x", b"Host: x/y") +
    END, REFUSED)
add("3.2-g", "a space in the target",
    GET.replace(b"/icon.svg", b"/icon.svg HTTP/1.0 x") + END)
add("3.2-h", "a fragment in the target",
    GET.replace(b"icon.svg", b"icon.svg#a") + END, REFUSED)
add("3.2-i", "a target that is no path",
    GET.replace(b" /static", b" static") + END)
add("3.2-j", "a control byte in the target",
    GET.replace(b"icon", b"ic\x01on") + END)
add("3.2-k", "a target without end", b"GET /" + b"a" * 70000, "431 | 414")
add("3.2.2-a", "an absolute target, whose host replaces Host",
    b"GET http://elsewhere" + TARGET[1:] + b"Host: x\r\n\r\n", "200 200")
add("3.2.2-b", "an absolute target with user information",
    b"GET http://root@x" + TARGET[1:] + b"Host: x\r\n\r\n", REFUSED)
add("3.2.3-a", "CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "501 | 405")
add("3.2.4-a", "OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "404 200 | 405 200 | 204 200 | 200 200")
add("3.2.4-b", "GET *", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", REFUSED)

# 5: field lines
fields("5", (
    ("a", "a line without a colon", b"X-A 1"),
    ("b", "a line without a name", b": 1"),
    ("c", "a name with a parenthesis", b"X(A: 1"),
    ("d", "a name with a byte above 127", b"X-\xe9: 1"),
    ("e", "a value with DEL", b"X-A: a\x7fb"),
    ("f", "a value with a control byte", b"X-A: a\x01b"),
    ("g", "a value with a byte above 127", b"X-A: \xe9", "200 200"),
    ("h", "a value of nothing", b"X-A:", "200 200"),
    ("i", "tabulators around a value", b"X-A:\t1\t", "200 200"),
    ("j", "more fields than are taken", b"X-A: 1\r\n" * 120 + b"X-A: 1",
     "431"),
    ("k", "a field longer than is taken", b"X-A: " + b"v" * 40000, "431")))
fields("5.1", (("a", "a space before the colon", b"X-A : 1"),
               ("b", "a tabulator before the colon", b"X-A\t: 1"),
               ("c", "Content-Length with a space before its colon",
                b"Content-Length : 5"),
               ("d", "a name with a space inside", b"X A: 1")))
fields("5.2", (("a", "a folded line", b"X-A: 1\r\n 2"),
               ("b", "a line folded with a tabulator", b"X-A: 1\r\n\t2"),
               ("c", "Transfer-Encoding in a folded line",
                b"X-A: 1\r\n Transfer-Encoding: chunked")))

# 6: the length of a body
bodies("6.1", (
    ("a", "Transfer-Encoding and Content-Length",
     b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    ("b", "the same the other way round",
     b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    ("c", "a coding nobody has defined", b"Transfer-Encoding: xchunked",
     b"0\r\n\r\n", "400 | 501"),
    ("d", "a coding without chunked", b"Transfer-Encoding: gzip", b"",
     "400 | 501"),
    ("e", "gzip, then chunked", b"Transfer-Encoding: gzip, chunked",
     b"0\r\n\r\n", "501 | 400"),
    ("f", "chunked, then gzip", b"Transfer-Encoding: chunked, gzip",
     b"0\r\n\r\n", "400 | 501"),
    ("g", "chunked twice", b"Transfer-Encoding: chunked, chunked",
     b"0\r\n\r\n", "400 | 501"),
    ("h", "chunked in two fields",
     b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
     b"0\r\n\r\n", "400 | 501"),
    ("i", "identity and chunked in two fields",
     b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
     b"0\r\n\r\n", "400 | 501"),
    ("j", "a vertical tabulator before chunked",
     b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n", "400 | 501"),
    ("k", "chunked in quotes", b'Transfer-Encoding: "chunked"',
     b"0\r\n\r\n", "400 | 501"),
    ("l", "chunked with a parameter", b"Transfer-Encoding: chunked;q=1",
     b"0\r\n\r\n", "400 | 501"),
    ("m", "an empty Transfer-Encoding", b"Transfer-Encoding:", b"",
     "400 | 501"),
    ("n", "a comma behind chunked", b"Transfer-Encoding: chunked,",
     b"0\r\n\r\n", "400 | 501 | 422 200"),
    ("o", "CHUNKED", b"Transfer-Encoding: CHUNKED",
     b"d\r\n" + JSON + b"\r\n0\r\n\r\n", GOOD)))
add("6.1-p", "Transfer-Encoding in HTTP/1.0",
    CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n")
add("6.1-q", "Transfer-Encoding in a GET that has no body",
    GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 200 | 413")
bodies("6.2", (
    ("a", "Content-Length that fits", b"Content-Length: 13", JSON, GOOD),
    ("b", "two different Content-Lengths",
     b"Content-Length: 13\r\nContent-Length: 1", JSON),
    ("c", "two equal Content-Lengths",
     b"Content-Length: 13\r\nContent-Length: 13", JSON, "400 | 422 200"),
    ("d", "a list of two different lengths", b"Content-Length: 13, 1", JSON),
    ("e", "a list of two equal lengths", b"Content-Length: 13, 13", JSON,
     "400 | 422 200"),
    ("f", "+13", b"Content-Length: +13", JSON),
    ("g", "-13", b"Content-Length: -13", JSON),
    ("h", "0xd", b"Content-Length: 0xd", JSON),
    ("i", "1 3", b"Content-Length: 1 3", JSON),
    ("j", "a length of nothing", b"Content-Length:", JSON),
    ("k", "a length beyond 64 bits",
     b"Content-Length: 18446744073709551629", JSON),
    ("l", "13.0", b"Content-Length: 13.0", JSON),
    ("m", "leading zeros", b"Content-Length: 0013", JSON, GOOD),
    ("n", "more than any route takes", b"Content-Length: 99999999", b"",
     "413"),
    ("o", "Content_Length is another field",
     b"Content_Length: 13\r\nContent-Length: 0", b"", GOOD)))

# 7.1: chunks
ONE = b"d\r\n" + JSON + b"\r\n"
chunks("7.1", (
    ("a", "one chunk", ONE + b"0\r\n\r\n", GOOD),
    ("b", "thirteen chunks", b"".join(b"1\r\n%c\r\n" % c for c in JSON) +
     b"0\r\n\r\n", GOOD),
    ("c", "a size with leading zeros, in upper case",
     b"0000D\r\n" + JSON + b"\r\n000\r\n\r\n", GOOD),
    ("d", "a size of nothing", b"\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ("e", "a size that is no number", b"xyz\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ("f", "a negative size", b"-1\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ("g", "0x0", b"0x0\r\n\r\n"),
    ("h", "+d", b"+" + ONE + b"0\r\n\r\n"),
    ("i", "a size beyond 64 bits",
     b"1000000000000000d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ("j", "a size of 2^64-1", b"ffffffffffffffff\r\n" + JSON * 1000,
     "400 | 413"),
    ("k", "a size that ends with LF alone",
     b"d\n" + JSON + b"\r\n0\r\n\r\n"),
    ("l", "data that ends with LF alone", b"d\r\n" + JSON + b"\n0\r\n\r\n"),
    ("m", "data longer than its size", b"c\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ("n", "a space behind the size", b"d \r\n" + JSON + b"\r\n0\r\n\r\n",
     "400 | 422 200"),
    ("o", "a space before the size", b" " + ONE + b"0\r\n\r\n"),
    ("p", "the end with LF alone", ONE + b"0\n\n"),
    ("q", "CR alone behind the size",
     b"d\r" + JSON + b"\r\n0\r\n\r\n")))
chunks("7.1.1", (
    ("a", "an extension", b"d;a=b\r\n" + JSON + b"\r\n0;c\r\n\r\n", GOOD),
    ("b", "an extension in quotes",
     b'd;a="b;c"\r\n' + JSON + b"\r\n0\r\n\r\n", GOOD),
    ("c", "LF inside an extension",
     b"d;a\n" + JSON + b"\r\n0\r\n\r\n"),
    ("d", "CR inside an extension",
     b"d;a\rb\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ("e", "an extension longer than any body",
     b"d;" + b"a" * 70000 + b"\r\n" + JSON + b"\r\n0\r\n\r\n")))
chunks("7.1.2", (
    ("a", "trailers", ONE + b"0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n", GOOD),
    ("b", "Content-Length in trailers, which changes nothing",
     ONE + b"0\r\nContent-Length: 99\r\n\r\n", GOOD + " | 400"),
    ("c", "Transfer-Encoding in trailers",
     ONE + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", GOOD + " | 400"),
    ("d", "trailers without end",
     ONE + b"0\r\n" + b"X-A: 1\r\n" * 12000 + b"\r\n")))

# 9: connections
add("9.3-a", "the next request on the same connection", GET + END,
    "200 200")
add("9.3-b", "five requests at once", (GET + END) * 5,
    "200 200 200 200 200 200")
add("9.3-c", "HTTP/1.0 ends after one answer",
    GET.replace(b"HTTP/1.1", b"HTTP/1.0") + END, "200")
add("9.3-d", "HTTP/1.0 with keep-alive goes on",
    GET.replace(b"HTTP/1.1", b"HTTP/1.0") +
    b"Connection: keep-alive\r\n\r\n", "200 200")
add("9.3-e", "a body behind a GET is none of the next request",
    GET + b"Content-Length: 5\r\n\r\nGET /", "200 200 | 413 200")
add("9.3-f", "HEAD, and the next request",
    GET.replace(b"GET", b"HEAD") + END, "200 200")
add("9.3-g", "an answer of 204, and the next request",
    GET.replace(b"/static/icon.svg", b"/healthz") + END, "204 200")
add("9.6-a", "Connection: close", GET + b"Connection: close\r\n\r\n", "200")
add("9.6-b", "close among other words",
    GET + b"Connection: foo, close\r\n\r\n", "200")
add("9.6-c", "Close", GET + b"Connection: Close\r\n\r\n", "200")
add("9110 7.8-a", "Upgrade: h2c is not taken", GET +
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABk\r\n\r\n", "200 200")
add("9110 7.8-b", "Upgrade: websocket is not taken",
    GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200 200")
add("9110 10.1.1-a", "Expect: 100-continue with the body at once",
    POST + b"Content-Length: 13\r\nExpect: 100-continue\r\n\r\n" + JSON,
    "422 200 | 100 422 200")
add("9110 10.1.1-b", "an expectation nobody knows",
    GET + b"Expect: miracles\r\n\r\n", "417")
add("9110 10.1.1-c", "Expect in a request without a body",
    GET + b"Expect: 100-continue\r\n\r\n", "200 200")
add("9110 10.1.1-d", "Expect in HTTP/1.0 is not heard",
    POST.replace(b"HTTP/1.1", b"HTTP/1.0") +
    b"Content-Length: 13\r\nExpect: 100-continue\r\n\r\n" + JSON, "422")
add("9110 9.3.8-a", "TRACE", GET.replace(b"GET", b"TRACE") + END,
    "405 200 | 404 200 | 501")
