# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 9113, chapter 6: what each type of frame may be."""
from peer import (ACK, CONT, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                  PADDED, PING, PRIORITY, RST, SETTINGS, WINDOW,
                  WITH_PRIORITY, setting, u32)
from points import add, stream_error

POINTS, point = add("")
ALL = END_STREAM | END_HEADERS
MOST = 2**31 - 1
JSON = b'{"token":"x"}'


def block(p, *extra):
    return p.encoder.encode(p.get_fields(extra=extra))


# DATA
point("6.1-a", "DATA on stream 0", lambda p: p.put(DATA, 0, 0, b"x"),
      "connection PROTOCOL_ERROR", watch=0)
point("6.1-b", "DATA whose padding is as long as the frame",
      lambda p: (p.post(1), p.put(DATA, PADDED, 1, b"\x04abc")),
      "connection PROTOCOL_ERROR")
point("6.1-c", "DATA that is padded and has no length of it",
      lambda p: (p.post(1), p.put(DATA, PADDED, 1)),
      "connection FRAME_SIZE_ERROR | connection PROTOCOL_ERROR",
      why="6.1: the padding exceeds what is there")
point("6.1-d", "DATA of padding alone, then the body",
      lambda p: (p.post(1), p.put(DATA, PADDED, 1, b"\x03\0\0\0"),
                 p.put(DATA, PADDED | END_STREAM, 1,
                       b"\x02" + JSON + b"\0\0")), "422")
point("6.1-e", "DATA without a byte, many times",
      lambda p: (p.post(1), [p.data(1) for _ in range(20)],
                 p.data(1, JSON), p.data(1, b"", True)), "422")
point("6.1-f", "DATA of 255 bytes of padding",
      lambda p: (p.post(1), p.put(DATA, PADDED | END_STREAM, 1,
                                  b"\xff" + JSON + bytes(255))), "422")

# HEADERS
point("6.2-a", "HEADERS with more padding than it has",
      lambda p: p.put(HEADERS, ALL | PADDED, 1, b"\xff" + block(p)),
      "connection PROTOCOL_ERROR")
point("6.2-b", "HEADERS that is padded",
      lambda p: p.put(HEADERS, ALL | PADDED, 1,
                      b"\x10" + block(p) + bytes(16)), "200")
point("6.2-c", "HEADERS with padding and a priority",
      lambda p: p.put(HEADERS, ALL | PADDED | WITH_PRIORITY, 1,
                      b"\x02" + bytes(5) + block(p) + bytes(2)), "200")
point("6.2-d", "HEADERS too short for its priority",
      lambda p: p.put(HEADERS, ALL | WITH_PRIORITY, 1, b"\0\0\0"),
      "connection FRAME_SIZE_ERROR")
point("6.2-e", "HEADERS whose padding eats the priority",
      lambda p: p.put(HEADERS, ALL | PADDED | WITH_PRIORITY, 1,
                      b"\x03" + bytes(5)),
      "connection PROTOCOL_ERROR")

# PRIORITY
point("6.3-a", "PRIORITY on stream 0",
      lambda p: p.put(PRIORITY, 0, 0, bytes(5)),
      "connection PROTOCOL_ERROR", watch=0)
point("6.3-b", "PRIORITY of four bytes",
      lambda p: (p.post(1), p.put(PRIORITY, 0, 1, bytes(4))),
      stream_error("FRAME_SIZE_ERROR"))
point("6.3-c", "PRIORITY of six bytes",
      lambda p: (p.post(1), p.put(PRIORITY, 0, 1, bytes(6))),
      stream_error("FRAME_SIZE_ERROR"))
point("6.3-d", "PRIORITY between HEADERS and DATA",
      lambda p: (p.post(1), p.put(PRIORITY, 0, 1, bytes(5)),
                 p.data(1, JSON, True)), "422")

# RST_STREAM
point("6.4-a", "RST_STREAM on stream 0", lambda p: p.put(RST, 0, 0, u32(8)),
      "connection PROTOCOL_ERROR", watch=0)
point("6.4-b", "RST_STREAM of three bytes",
      lambda p: (p.post(1), p.put(RST, 0, 1, bytes(3))),
      "connection FRAME_SIZE_ERROR")
point("6.4-c", "RST_STREAM with an error nobody has defined",
      lambda p: (p.post(1), p.put(RST, 0, 1, u32(0xdeadbeef))), "ignored",
      watch=0)

# SETTINGS
point("6.5-a", "SETTINGS on a stream", lambda p: p.put(SETTINGS, 0, 1),
      "connection PROTOCOL_ERROR", watch=0)
point("6.5-b", "SETTINGS of five bytes",
      lambda p: p.put(SETTINGS, 0, 0, bytes(5)),
      "connection FRAME_SIZE_ERROR", watch=0)
point("6.5-c", "an acknowledgement with a payload",
      lambda p: p.put(SETTINGS, ACK, 0, setting(4, 1)),
      "connection FRAME_SIZE_ERROR", watch=0)
point("6.5-d", "an acknowledgement nobody waits for",
      lambda p: p.put(SETTINGS, ACK), "ignored | connection PROTOCOL_ERROR",
      watch=0, why="6.5.3 says nothing of it")
for letter, text, key, value, want in (
        ("a", "SETTINGS_ENABLE_PUSH of 2", 2, 2, "PROTOCOL_ERROR"),
        ("b", "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", 4, 2**31,
         "FLOW_CONTROL_ERROR"),
        ("c", "SETTINGS_MAX_FRAME_SIZE of 16,383", 5, 16383,
         "PROTOCOL_ERROR"),
        ("d", "SETTINGS_MAX_FRAME_SIZE of 2^24", 5, 2**24,
         "PROTOCOL_ERROR")):
    point(f"6.5.2-{letter}", text,
          lambda p, k=key, v=value: p.put(SETTINGS, 0, 0, setting(k, v)),
          f"connection {want}", watch=0)
point("6.5.2-e", "every setting at the edge of what is allowed",
      lambda p: p.settings(setting(1, 2**32 - 1) + setting(2, 0) +
                           setting(3, 0) + setting(4, MOST) +
                           setting(5, 2**24 - 1) + setting(6, 2**32 - 1)),
      "ignored", watch=0)
point("6.5.3-a", "one setting three times: the last one counts",
      lambda p: (p.settings(setting(4, 5) + setting(4, 0) +
                            setting(4, 70000)),
                 p.request(1, p.get_fields("/static/style.css"))), "200")
point("6.5.3-b", "each of five SETTINGS is acknowledged",
      lambda p: ([p.settings(setting(4, 65535)) for _ in range(5)],
                 p.run(lambda: not p.unacked)), "ignored", watch=0)

# PING
point("6.7-a", "PING on a stream", lambda p: p.put(PING, 0, 1, bytes(8)),
      "connection PROTOCOL_ERROR", watch=0)
point("6.7-b", "PING of six bytes", lambda p: p.put(PING, 0, 0, bytes(6)),
      "connection FRAME_SIZE_ERROR", watch=0)
point("6.7-c", "PING of nine bytes", lambda p: p.put(PING, 0, 0, bytes(9)),
      "connection FRAME_SIZE_ERROR", watch=0)
point("6.7-d", "an answer to a PING that was never sent",
      lambda p: p.put(PING, ACK, 0, bytes(8)), "ignored", watch=0)
point("6.7-e", "each PING is answered with its own payload",
      lambda p: ([p.ping(bytes([i]) * 8) for i in range(10)],
                 p.run(lambda: len(p.pongs) == 10)), "ignored", watch=0)

# GOAWAY
point("6.8-a", "GOAWAY on a stream",
      lambda p: p.put(GOAWAY, 0, 1, bytes(8)),
      "connection PROTOCOL_ERROR", watch=0)
point("6.8-b", "GOAWAY of seven bytes",
      lambda p: p.put(GOAWAY, 0, 0, bytes(7)),
      "connection FRAME_SIZE_ERROR", watch=0)
point("6.8-c", "GOAWAY with an error nobody has defined, and debug data",
      lambda p: (p.request(1), p.put(GOAWAY, 0, 0,
                                     u32(0) + u32(0xbad) + b"so long"),
                 p.wait(1)), "closed | 200",
      why="6.8: the sender may go on with its own streams until it closes")

# WINDOW_UPDATE
point("6.9-a", "an increment of 0 for the connection",
      lambda p: p.put(WINDOW, 0, 0, u32(0)), "connection PROTOCOL_ERROR",
      watch=0)
point("6.9-b", "an increment of 0 for a stream",
      lambda p: (p.post(1), p.put(WINDOW, 0, 1, u32(0))),
      stream_error("PROTOCOL_ERROR"))
point("6.9-c", "WINDOW_UPDATE of three bytes",
      lambda p: p.put(WINDOW, 0, 0, bytes(3)),
      "connection FRAME_SIZE_ERROR", watch=0)
point("6.9-d", "the reserved bit of an increment",
      lambda p: p.put(WINDOW, 0, 0, u32(1 << 31 | 5)), "ignored", watch=0)
point("6.9.1-a", "a window of the connection above 2^31-1",
      lambda p: (p.put(WINDOW, 0, 0, u32(MOST)),
                 p.put(WINDOW, 0, 0, u32(MOST))),
      "connection FLOW_CONTROL_ERROR", watch=0)
point("6.9.1-b", "a window of a stream above 2^31-1",
      lambda p: (p.post(1), p.put(WINDOW, 0, 1, u32(MOST))),
      stream_error("FLOW_CONTROL_ERROR"))
point("6.9.1-c", "a window of exactly 2^31-1",
      lambda p: (p.put(WINDOW, 0, 0, u32(MOST - 65535)), p.post(1),
                 p.put(WINDOW, 0, 1, u32(MOST - 65535)),
                 p.data(1, JSON, True)), "422")
point("6.9.1-d", "DATA beyond the window of its stream",
      lambda p: (p.post(1), [p.data(1, bytes(16384)) for _ in range(5)]),
      stream_error("FLOW_CONTROL_ERROR") + " | 413",
      why="6.9.1: the sender's credit is the receiver's to enforce; bytes "
          "that the answer made unwanted are given back at once")
point("6.9.2-a", "a new initial window that lifts one above 2^31-1",
      lambda p: (p.post(1), p.put(WINDOW, 0, 1, u32(MOST - 65535)),
                 p.settings(setting(4, 65536))),
      "connection FLOW_CONTROL_ERROR")

# CONTINUATION
point("6.10-a", "CONTINUATION on stream 0",
      lambda p: p.put(CONT, END_HEADERS, 0), "connection PROTOCOL_ERROR",
      watch=0)
point("6.10-b", "CONTINUATION of another stream",
      lambda p: (p.put(HEADERS, END_STREAM, 1, block(p)),
                 p.put(CONT, END_HEADERS, 3)), "connection PROTOCOL_ERROR")
point("6.10-c", "DATA inside a section",
      lambda p: (p.put(HEADERS, 0, 1, block(p)), p.data(1, b"x")),
      "connection PROTOCOL_ERROR")
point("6.10-d", "HEADERS of another stream inside a section",
      lambda p: (p.put(HEADERS, END_STREAM, 1, block(p)), p.request(3)),
      "connection PROTOCOL_ERROR")
point("6.10-e", "SETTINGS inside a section",
      lambda p: (p.put(HEADERS, END_STREAM, 1, block(p)),
                 p.put(SETTINGS)), "connection PROTOCOL_ERROR")
point("6.10-f", "PING inside a section",
      lambda p: (p.put(HEADERS, END_STREAM, 1, block(p)),
                 p.put(PING, 0, 0, bytes(8))), "connection PROTOCOL_ERROR")
point("6.10-g", "CONTINUATION after a section is complete",
      lambda p: (p.put(HEADERS, END_HEADERS, 1, block(p)),
                 p.put(CONT, END_HEADERS, 1)), "connection PROTOCOL_ERROR")
point("6.10-h", "CONTINUATION after DATA",
      lambda p: (p.post(1), p.data(1, b"{"), p.put(CONT, END_HEADERS, 1)),
      "connection PROTOCOL_ERROR")
point("6.10-i", "CONTINUATION without a byte",
      lambda p: (p.put(HEADERS, END_STREAM, 1, block(p)),
                 p.put(CONT, 0, 1), p.put(CONT, END_HEADERS, 1)), "200")
point("6.10-j", "more CONTINUATION frames than any section needs",
      lambda p: (p.put(HEADERS, END_STREAM, 1, block(p)),
                 [p.put(CONT, 0, 1) for _ in range(100)]),
      "connection ENHANCE_YOUR_CALM | connection PROTOCOL_ERROR | "
      "connection INTERNAL_ERROR | closed",
      why="10.5: a flood may be ended with any error")
