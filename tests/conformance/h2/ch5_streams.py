# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 9113, chapter 5: streams and their states."""
from peer import (CONT, END_HEADERS, END_STREAM, HEADERS, PRIORITY, PUSH, RST,
                  WINDOW, setting, u32)
from points import add, stream_error

POINTS, point = add("")
SHUT = setting(4, 0)  # no window: the answer's body stays with the server
LARGE = "/static/style.css"
CANCEL = u32(8)
LATE = "connection STREAM_CLOSED | ignored"
MAY = ("5.1: frames on a closed stream MAY be a connection error; they may "
       "have been under way when it was reset")


def half_closed(p):
    """Stream 1: the server has heard all and still has to say something."""
    p.request(1, p.get_fields(LARGE))
    p.run(lambda: p.streams[1].fields)


def closed(p):
    p.request(1)
    p.answer(1)


def cancelled(p):
    p.post(1)
    p.put(RST, 0, 1, CANCEL)


point("5.1-a", "idle: DATA", lambda p: p.data(1, b"x"),
      "connection PROTOCOL_ERROR")
point("5.1-b", "idle: RST_STREAM", lambda p: p.put(RST, 0, 1, CANCEL),
      "connection PROTOCOL_ERROR")
point("5.1-c", "idle: WINDOW_UPDATE", lambda p: p.put(WINDOW, 0, 1, u32(1)),
      "connection PROTOCOL_ERROR")
point("5.1-d", "idle: CONTINUATION",
      lambda p: p.put(CONT, END_HEADERS, 1, b""),
      "connection PROTOCOL_ERROR")
point("5.1-e", "idle: PRIORITY", lambda p: p.put(PRIORITY, 0, 9, bytes(5)),
      "ignored", watch=0)

point("5.1-f", "half-closed (remote): DATA",
      lambda p: (half_closed(p), p.data(1, b"x")),
      stream_error("STREAM_CLOSED"), settings=SHUT)
point("5.1-g", "half-closed (remote): HEADERS",
      lambda p: (half_closed(p), p.request(1, [("x-trailer", "1")])),
      stream_error("STREAM_CLOSED"), settings=SHUT)
point("5.1-h", "half-closed (remote): CONTINUATION",
      lambda p: (half_closed(p), p.put(CONT, END_HEADERS, 1, b"")),
      "connection PROTOCOL_ERROR", settings=SHUT)
point("5.1-i", "half-closed (remote): WINDOW_UPDATE and PRIORITY",
      lambda p: (half_closed(p), p.put(PRIORITY, 0, 1, bytes(5)),
                 p.window(1, 65536)), "200", settings=SHUT)
point("5.1-j", "half-closed (remote): RST_STREAM",
      lambda p: (half_closed(p), p.put(RST, 0, 1, CANCEL)), "ignored",
      settings=SHUT)

point("5.1-k", "closed by END_STREAM: DATA",
      lambda p: (closed(p), p.data(1, b"x")), LATE, watch=0, why=MAY)
point("5.1-l", "closed by END_STREAM: HEADERS",
      lambda p: (closed(p), p.request(1)), LATE, watch=0, why=MAY)
point("5.1-m", "closed by END_STREAM: CONTINUATION",
      lambda p: (closed(p), p.put(CONT, END_HEADERS, 1, b"")),
      "connection PROTOCOL_ERROR")
point("5.1-n", "closed by END_STREAM: WINDOW_UPDATE, RST_STREAM, PRIORITY",
      lambda p: (closed(p), p.put(WINDOW, 0, 1, u32(5)),
                 p.put(RST, 0, 1, CANCEL), p.put(PRIORITY, 0, 1, bytes(5))),
      "ignored", watch=0)
point("5.1-o", "closed by RST_STREAM: DATA",
      lambda p: (cancelled(p), p.data(1, b"x")), LATE, watch=0, why=MAY)
point("5.1-p", "closed by RST_STREAM: HEADERS",
      lambda p: (cancelled(p), p.request(1, [("x-trailer", "1")])), LATE,
      watch=0, why=MAY)
point("5.1-q", "closed by RST_STREAM: CONTINUATION",
      lambda p: (cancelled(p), p.put(CONT, END_HEADERS, 1, b"")),
      "connection PROTOCOL_ERROR")
point("5.1-r", "closed by RST_STREAM: WINDOW_UPDATE, RST_STREAM, PRIORITY",
      lambda p: (cancelled(p), p.put(WINDOW, 0, 1, u32(5)),
                 p.put(RST, 0, 1, CANCEL), p.put(PRIORITY, 0, 1, bytes(5))),
      "ignored", watch=0)
point("5.1-s", "closed by the server's RST_STREAM: what was under way",
      lambda p: (p.request(1, p.post_fields(("te", "gzip")), end=False),
                 p.data(1, b"under way"), p.data(1, b"", True)),
      "stream PROTOCOL_ERROR | connection STREAM_CLOSED",
      why="5.1: after a time frames on a closed stream may be an error")

point("5.1.1-a", "an even identifier", lambda p: p.put(
    HEADERS, END_HEADERS | END_STREAM, 2, p.encoder.encode(p.get_fields())),
      "connection PROTOCOL_ERROR", watch=0)
point("5.1.1-b", "an identifier smaller than one used before",
      lambda p: (p.request(5), p.request(3)),
      "connection PROTOCOL_ERROR", watch=3)
point("5.1.1-c", "an identifier used before",
      lambda p: (p.request(1), p.answer(1), p.request(3), p.answer(3),
                 p.request(1)),
      LATE, watch=0, why=MAY)
point("5.1.1-d", "HEADERS on stream 0", lambda p: p.put(
    HEADERS, END_HEADERS | END_STREAM, 0, p.encoder.encode(p.get_fields())),
      "connection PROTOCOL_ERROR", watch=0)
point("5.1.1-e", "identifiers with gaps",
      lambda p: (p.request(7), p.request(9), p.request(1001)), "200",
      watch=1001)
point("5.1.1-f", "DATA on a stream that a larger identifier closed",
      lambda p: (p.request(7), p.data(3, b"x")),
      LATE, watch=0, why="5.1.1: the stream went from idle to closed; " + MAY)

point("5.1.2-a", "more streams than SETTINGS_MAX_CONCURRENT_STREAMS",
      lambda p: [p.post(1 + 2 * i) for i in range(p.theirs[3] + 1)],
      "stream REFUSED_STREAM | connection PROTOCOL_ERROR", watch=201,
      why="5.1.2: PROTOCOL_ERROR or REFUSED_STREAM; 5.4.1: for the "
          "connection")
point("5.1.2-b", "as many as allowed, cancelled, and as many again",
      lambda p: [(p.post(i), p.put(RST, 0, i, CANCEL))
                 for i in range(1, 401, 2)], "ignored", watch=0)

point("5.3.1-a", "a stream that depends on itself",
      lambda p: p.put(PRIORITY, 0, 1, u32(1) + b"\x10"),
      "ignored | stream PROTOCOL_ERROR | connection PROTOCOL_ERROR", watch=0,
      why="5.3.2: the signal is deprecated; RFC 7540 5.3.1 calls it an error")
point("5.3.1-b", "HEADERS with a priority",
      lambda p: p.put(HEADERS, END_STREAM | END_HEADERS | 0x20, 1,
                      u32(0) + b"\xff" + p.encoder.encode(p.get_fields())),
      "200")
point("5.3.1-c", "HEADERS that depends on a stream that never was",
      lambda p: p.put(HEADERS, END_STREAM | END_HEADERS | 0x20, 1,
                      u32(1 << 31 | 99) + b"\x00" +
                      p.encoder.encode(p.get_fields())), "200")

point("5.5-a", "an unknown frame between HEADERS and CONTINUATION",
      lambda p: (p.put(HEADERS, END_STREAM, 1,
                       p.encoder.encode(p.get_fields())),
                 p.put(0x42, 0, 1, b"?"), p.put(CONT, END_HEADERS, 1)),
      "connection PROTOCOL_ERROR")
point("5.5-b", "an unknown setting", lambda p: p.settings(
    setting(0x99, 7) + setting(0xffff, 0xffffffff)), "ignored", watch=0)

point("8.4-a", "PUSH_PROMISE from a client",
      lambda p: (p.post(1), p.put(PUSH, END_HEADERS, 1, u32(2) +
                                  p.encoder.encode(p.get_fields()))),
      "connection PROTOCOL_ERROR")
