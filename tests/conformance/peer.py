# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of HTTP/2 that sends what it is told to, well formed or not, and
holds everything the server sends against RFC 9113 and RFC 7541."""
import struct

import hpack
from h2raw import (ACK, CONT, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                   PADDED, PING, PREFACE, PRIORITY, PUSH, RST, SETTINGS,
                   WINDOW, WITH_PRIORITY, Conn, frame)

ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR",
          "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
          "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY",
          "HTTP_1_1_REQUIRED")
TABLE_SIZE, ENABLE_PUSH, STREAMS, INITIAL_WINDOW, FRAME_SIZE, LIST_SIZE = (
    range(1, 7))
WINDOW_MAX = 2**31 - 1
# 8.2.2: fields of the connection, which HTTP/2 does not have.
FORBIDDEN = {b"connection", b"proxy-connection", b"keep-alive", b"upgrade",
             b"transfer-encoding"}


def u32(value):
    return struct.pack(">I", value)


def setting(key, value):
    return struct.pack(">HI", key, value)


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else f"error {code}"


class Stream:
    """What the server has sent on one stream."""

    def __init__(self, room):
        self.room = room
        self.fields = None    # of the response
        self.trailers = None
        self.body = b""
        self.chunks = []      # sizes of its DATA frames
        self.interim = []     # statuses 1xx
        self.ended = False    # END_STREAM
        self.reset = None     # code of its RST_STREAM
        self.head = False     # asked with HEAD

    def get(self, name):
        """The values of a field of the response or its trailers."""
        return [v.decode() for n, v in
                (self.fields or []) + (self.trailers or [])
                if n == name.encode()]

    @property
    def status(self):
        return self.get(":status")[0] if self.fields else None


class Peer(Conn):
    cookie = None  # of a session of the console

    def __init__(self, target, settings=b"", preface=True, greet=True):
        port, tls = target
        super().__init__(port, preface=False, tls=tls)
        self.scheme = "https" if tls else "http"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.streams, self.top = {}, 0
        self.limits = {INITIAL_WINDOW: 65535, FRAME_SIZE: 16384}
        self.unacked = []      # our SETTINGS, as payloads
        self.room = 65535      # of the connection, for the server's DATA
        self.theirs = None     # the server's first SETTINGS
        self.goaway = None     # (last stream, code, debug data)
        self.pings, self.pongs = [], []
        self.block = None      # (stream, flags, bytes) without its end
        self.frames = 0
        if preface:
            self.send(PREFACE)
            self.settings(settings)
        if preface and greet:
            self.run(lambda: self.theirs is not None and not self.unacked)
            self.put(SETTINGS, ACK)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ------------------------------------------------------------- sending

    def send(self, data):
        """A server that closed already has answered."""
        try:
            super().send(data)
        except OSError:
            pass

    def put(self, kind, flags=0, stream=0, payload=b""):
        if kind == HEADERS and stream % 2:
            self.top = max(self.top, stream)
            self.streams.setdefault(
                stream, Stream(self.limits[INITIAL_WINDOW]))
        self.send(frame(kind, flags, stream, payload))

    def settings(self, payload=b""):
        self.unacked.append(payload)
        self.put(SETTINGS, 0, 0, payload)

    def window(self, stream, size):
        if stream == 0:
            self.room += size
        elif stream in self.streams:
            self.streams[stream].room += size
        self.put(WINDOW, 0, stream, u32(size))

    def ping(self, data=b"conforms"):
        self.pings.append(data)
        self.put(PING, 0, 0, data)

    def get_fields(self, path="/static/icon.svg", method="GET", extra=()):
        return [(":method", method), (":scheme", self.scheme),
                (":path", path), (":authority", "localhost"), *extra]

    def post_fields(self, *extra, path="/api/agents/enroll"):
        return self.get_fields(path, "POST",
                               [("content-type", "application/json"), *extra])

    def request(self, stream, fields=None, end=True, flags=END_HEADERS):
        """A request with the encoder's compression."""
        fields = self.get_fields() if fields is None else fields
        self.put(HEADERS, flags | (END_STREAM if end else 0), stream,
                 self.encoder.encode(fields))
        self.streams[stream].head = (":method", "HEAD") in fields

    def raw(self, stream, *parts, end=True):
        """A request of literals as they are, ready-made bytes among them."""
        self.put(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                 b"".join(part if isinstance(part, bytes)
                          else hpack.literal(*part) for part in parts))

    def continued(self, stream, block, size):
        """A request in frames of so many bytes each."""
        pieces = [block[i:i + size] for i in range(0, len(block), size)]
        self.put(HEADERS, END_STREAM, stream, pieces[0])
        for piece in pieces[1:-1]:
            self.put(CONT, 0, stream, piece)
        self.put(CONT, END_HEADERS, stream, pieces[-1])

    def post(self, stream, *extra):
        """A request whose body is still to come."""
        self.request(stream, self.post_fields(*extra), end=False)

    def data(self, stream, payload=b"", end=False):
        self.put(DATA, END_STREAM if end else 0, stream, payload)

    def fresh(self):
        return self.top + 2 if self.top else 1

    # ----------------------------------------------------------- receiving

    def run(self, until):
        """Reads until the condition holds or the connection ends; the first
        says True."""
        while not until():
            got = self.read()
            if got is None:
                return False
            self.frames += 1
            self._check(*got)
        return True

    def _check(self, kind, flags, stream, payload):
        assert self.frames > 1 or (kind == SETTINGS and not flags & ACK), \
            "3.4: the first frame is SETTINGS"
        assert stream < 2**31, "4.1: the reserved bit is not set"
        assert len(payload) <= self.limits[FRAME_SIZE], "4.2: frame size"
        if self.block is not None:
            assert kind == CONT and stream == self.block[0], \
                "6.10: nothing comes between a section's frames"
        handler = self.CHECKS.get(kind)
        assert handler, f"a server has no reason to send frame type {kind}"
        handler(self, flags, stream, payload)

    def _on_settings(self, flags, stream, payload):
        assert stream == 0, "6.5: SETTINGS on a stream"
        if flags & ACK:
            assert not payload, "6.5: an acknowledgement has no payload"
            assert self.unacked, "6.5.3: nothing to acknowledge"
            self._apply(self.unacked.pop(0))
            return
        assert len(payload) % 6 == 0, "6.5"
        values = dict(struct.iter_unpack(">HI", payload))
        assert values.get(ENABLE_PUSH, 0) == 0, "6.5.2: a server says 0"
        assert values.get(INITIAL_WINDOW, 0) <= WINDOW_MAX, "6.5.2"
        assert 16384 <= values.get(FRAME_SIZE, 16384) < 2**24, "6.5.2"
        if self.theirs is None:
            self.theirs = values

    def _apply(self, payload):
        for key, value in struct.iter_unpack(">HI", payload):
            if key == INITIAL_WINDOW:
                for s in self.streams.values():
                    s.room += value - self.limits[INITIAL_WINDOW]
            if key == TABLE_SIZE:
                self.decoder.set_limit(value)
            self.limits[key] = value

    def _on_ping(self, flags, stream, payload):
        assert stream == 0 and len(payload) == 8, "6.7"
        if not flags & ACK:
            self.put(PING, ACK, 0, payload)
            return
        assert payload in self.pings, "6.7: the answer has the same payload"
        self.pings.remove(payload)
        self.pongs.append(payload)

    def _on_goaway(self, flags, stream, payload):
        assert stream == 0 and len(payload) >= 8, "6.8"
        last, code = struct.unpack(">II", payload[:8])
        assert self.goaway is None or last <= self.goaway[0], \
            "6.8: the last stream does not grow"
        self.goaway = (last, code, payload[8:])

    def _on_window(self, flags, stream, payload):
        assert len(payload) == 4, "6.9"
        assert 0 < int.from_bytes(payload, "big") < 2**31, "6.9"

    def _on_rst(self, flags, stream, payload):
        assert len(payload) == 4 and stream in self.streams, "6.4"
        s = self.streams[stream]
        assert s.reset is None, "5.1: nothing follows RST_STREAM"
        s.reset = int.from_bytes(payload, "big")

    def _open(self, stream, what):
        s = self.streams.get(stream)
        assert s is not None, f"5.1: {what} on a stream that is not open"
        assert not s.ended, f"5.1: {what} after END_STREAM"
        assert s.reset is None, f"5.1: {what} after RST_STREAM"
        return s

    def _on_data(self, flags, stream, payload):
        s = self._open(stream, "DATA")
        assert s.fields is not None, "8.1: DATA before HEADERS"
        assert not s.head, "8.1: a body after HEAD"
        s.room -= len(payload)
        self.room -= len(payload)
        assert not payload or (s.room >= 0 and self.room >= 0), \
            f"6.9: window overrun by {-min(s.room, self.room)}"
        if flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        s.body += payload
        s.chunks.append(len(payload))
        if flags & END_STREAM:
            self._finish(s)

    def _on_headers(self, flags, stream, payload):
        self._open(stream, "HEADERS")
        if flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if flags & WITH_PRIORITY:
            payload = payload[5:]
        self._more(stream, flags, payload)

    def _on_cont(self, flags, stream, payload):
        assert self.block is not None, "6.10: CONTINUATION alone"
        stream, first, so_far = self.block
        self._more(stream, first | flags & END_HEADERS, so_far + payload)

    def _more(self, stream, flags, block):
        self.block = None
        if not flags & END_HEADERS:
            self.block = (stream, flags, block)
            return
        self._section(self.streams[stream], self.decoder.decode(block),
                      bool(flags & END_STREAM))

    def _section(self, s, fields, end):
        pseudo = [n for n, _ in fields if n.startswith(b":")]
        for name, value in fields:
            assert name == name.lower(), "8.2.1: names in lower case"
            assert not set(value) & {0, 10, 13}, "8.2.1: field values"
            assert value == value.strip(b" \t"), "8.2.1: field values"
            assert name not in FORBIDDEN, f"8.2.2: {name}"
        if s.fields is not None:
            assert not pseudo and end, "8.1: trailers"
            s.trailers = fields
        else:
            assert pseudo == [b":status"] and fields[0][0] == b":status", \
                "8.3.2: one :status, first"
            if fields[0][1].startswith(b"1"):
                assert not end, "8.1: an interim response is not the last"
                s.interim.append(fields[0][1])
                return
            s.fields = fields
        if end:
            self._finish(s)

    @staticmethod
    def _finish(s):
        s.ended = True
        told = s.get("content-length")
        if told and not s.head and s.status != "304":
            assert int(told[0]) == len(s.body), "8.1.1: content-length"

    CHECKS = {DATA: _on_data, HEADERS: _on_headers, RST: _on_rst,
              SETTINGS: _on_settings, PING: _on_ping, GOAWAY: _on_goaway,
              WINDOW: _on_window, CONT: _on_cont}

    # ------------------------------------------------------------ outcomes

    def wait(self, stream):
        """Until that stream is over, one way or the other."""
        s = self.streams[stream]
        self.run(lambda: s.ended or s.reset is not None)
        return s

    def answer(self, stream):
        s = self.wait(stream)
        assert s.ended, (s.reset, self.goaway)
        return s

    def barrier(self, data=b"barrier!"):
        """All sent before has been read by the server."""
        self.ping(data)
        return self.run(lambda: data in self.pongs)

    def ended(self):
        """How the connection ended, None while it lives."""
        if self.goaway is None or self.goaway[1] == 0:
            return "closed"
        return f"connection {error_name(self.goaway[1])}"

    def fate(self, stream, patient=False):
        """What became of a stream, or of the connection before that:
        "connection ERROR", "closed", "stream ERROR", a status, or "ignored"
        when a later request is answered as if nothing had been.  Patient: the
        stream's own end is waited for."""
        probe = self.fresh()
        self.request(probe, self.get_fields("/healthz"))
        ask = self.streams[probe]
        if not self.run(lambda: ask.ended or ask.reset is not None):
            return self.ended()
        assert ask.ended and ask.status == "204", \
            f"the next request got {ask.status} {ask.reset}"
        s = self.streams.get(stream, ask)
        if patient and stream in self.streams:
            self.wait(stream)
        if s.reset is not None:
            return f"stream {error_name(s.reset)}"
        if s.ended and stream != 0:
            return s.status
        return "ignored"


__all__ = ["ACK", "CONT", "DATA", "END_HEADERS", "END_STREAM", "GOAWAY",
           "HEADERS", "PADDED", "PING", "PRIORITY", "PUSH", "RST", "SETTINGS",
           "WINDOW", "WITH_PRIORITY", "Peer", "frame", "setting", "u32"]
