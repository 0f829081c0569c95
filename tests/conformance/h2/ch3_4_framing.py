# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 9113, chapters 3 and 4: starting HTTP/2, frames."""
import hpack
from peer import (DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS,
                  frame)
from points import add, stream_error
from h2raw import PREFACE

POINTS, point = add("")
UNKNOWN = 0x42  # a frame type nobody has defined

point("3.4-a", "a preface that is not the preface",
      lambda p: p.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" +
                       frame(SETTINGS, 0, 0)),
      "connection PROTOCOL_ERROR | closed", start=False, watch=0,
      why="3.4: GOAWAY may be left out, the peer does not speak HTTP/2")
point("3.4-b", "the preface without its SETTINGS",
      lambda p: p.send(PREFACE + frame(PING, 0, 0, bytes(8))),
      "connection PROTOCOL_ERROR", start=False, watch=0)
point("3.4-c", "an empty SETTINGS is enough",
      lambda p: (p.send(PREFACE), p.settings()), "ignored", start=False,
      watch=0)
point("3.4-d", "a request right behind the SETTINGS, before the server's",
      lambda p: (p.send(PREFACE), p.settings(), p.request(1)), "200",
      start=False)

point("4.1-a", "a frame of an unknown type on the connection",
      lambda p: p.put(UNKNOWN, 0xff, 0, b"what is this?"), "ignored", watch=0)
point("4.1-b", "a frame of an unknown type on an open stream",
      lambda p: (p.post(1), p.put(UNKNOWN, 0, 1, bytes(100)),
                 p.data(1, b"{}", True)), "422")
point("4.1-c", "a frame of an unknown type on an idle stream",
      lambda p: p.put(UNKNOWN, 0, 77), "ignored", watch=0)
point("4.1-d", "flags that have no meaning for the type",
      lambda p: (p.pings.append(b"flagbits"),
                 p.put(PING, 0xfe, 0, b"flagbits"),
                 p.put(HEADERS, END_STREAM | END_HEADERS | 0xd2, 1,
                       p.encoder.encode(p.get_fields()))), "200")
point("4.1-e", "the reserved bit of a stream identifier",
      lambda p: (p.streams.clear(), p.request(1 | 1 << 31),
                 p.streams.update({1: p.streams.pop(1 | 1 << 31)}),
                 setattr(p, "top", 1)), "200")

point("4.2-a", "DATA longer than SETTINGS_MAX_FRAME_SIZE",
      lambda p: (p.post(1), p.data(1, bytes(16385))),
      stream_error("FRAME_SIZE_ERROR"))
point("4.2-b", "HEADERS longer than SETTINGS_MAX_FRAME_SIZE",
      lambda p: p.put(HEADERS, END_HEADERS, 1, p.encoder.encode(
          p.get_fields(extra=[("x-long", "~" * 17000)]))),
      "connection FRAME_SIZE_ERROR")
point("4.2-c", "SETTINGS longer than SETTINGS_MAX_FRAME_SIZE",
      lambda p: p.put(SETTINGS, 0, 0, bytes([0, 9, 0, 0, 0, 0]) * 2731),
      "connection FRAME_SIZE_ERROR", watch=0)
point("4.2-d", "a frame of 16,384 bytes, which every peer must take",
      lambda p: p.put(UNKNOWN, 0, 0, bytes(16384)), "ignored", watch=0)
point("4.2-e", "HEADERS of 16,384 bytes",
      lambda p: p.put(HEADERS, END_HEADERS | END_STREAM, 1, (
          lambda block: block + hpack.literal(
              "x-fill", "v" * (16384 - len(block) - 11)))(
                  p.encoder.encode(p.get_fields()))), "200")

point("4.3-a", "a section that HPACK cannot decode",
      lambda p: p.put(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 10),
      "connection COMPRESSION_ERROR")
point("4.3-b", "fields of a request that was refused stay in the table",
      lambda p: (p.request(1, p.get_fields(extra=[("x-kept", "by both"),
                                                  ("Upper", "case")])),
                 p.request(3, p.get_fields(extra=[("x-kept", "by both"),
                                                  ("Upper", "case")])),
                 p.request(5, p.get_fields(extra=[("x-kept", "by both")]))),
      "200", watch=5)
point("4.3-c", "fields of a stream that the server reset stay in the table",
      lambda p: (p.post(1, ("content-length", "1")),
                 p.data(1, b"too long"),
                 p.request(1, [("x-late", "trailer")]),
                 p.request(3, p.get_fields(extra=[("x-late", "trailer")]))),
      "200 | connection STREAM_CLOSED", watch=3,
      why="5.1: frames on a closed stream may end the connection")
point("4.3-d", "a section in many small frames",
      lambda p: p.continued(1, p.encoder.encode(p.get_fields()), 8), "200")
point("4.3-e", "an empty HEADERS, then all of it in a CONTINUATION",
      lambda p: (p.put(HEADERS, END_STREAM, 1),
                 p.put(9, END_HEADERS, 1, p.encoder.encode(p.get_fields()))),
      "200")
point("4.3-f", "DATA with the padding of a HEADERS frame has its own flag",
      lambda p: (p.post(1), p.put(DATA, 0x08, 1, b"\x03{}" + bytes(3)),
                 p.data(1, b"", True)), "422")
