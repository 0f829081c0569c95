# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of HTTP/2 that plays the controller as badly as it is told to,
and holds everything the agent sends against RFC 9113."""
import pathlib
import secrets
import socket
import ssl
import struct
import subprocess
import sys

import hpack
from h2raw import (ACK, CONT, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                   PADDED, PING, PREFACE, RST, SETTINGS, WINDOW,
                   WITH_PRIORITY, Conn, frame)
from lab import BIN, ROOT, clean_env

SESSION = b"/resticmanager.v1.Agent/Session"
INITIAL_WINDOW, STREAMS, TABLE_SIZE = 4, 3, 1


def load(folder):
    """The messages of agent.proto, made by Debian's protoc."""
    subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}",
                    str(ROOT / "proto/agent.proto")], check=True)
    sys.path.insert(0, str(folder))
    import agent_pb2
    return agent_pb2


class Call:
    """What the agent has sent on one stream."""

    def __init__(self, fields, room):
        self.fields = dict(fields)
        self.room = room
        self.data = b""
        self.taken = 0  # bytes of data already read as messages
        self.ended = False
        self.reset = None


class Visit(Conn):
    """One connection of the agent."""

    def __init__(self, pb, sock, settings=b""):
        self.sock, self.buf, self.rooms = sock, b"", {}
        self.pb, self.ours = pb, settings
        self.decoder, self.encoder = hpack.Decoder(), hpack.Encoder()
        self.calls, self.last = {}, 0
        self.acked, self.theirs = False, None
        self.initial, self.room = 65535, 65535
        self.most = None  # streams at once
        self.block, self.goaway, self.pongs = None, None, []
        while len(self.buf) < len(PREFACE):
            more = self.sock.recv(65536)
            assert more, "the agent left before its preface"
            self.buf += more
        assert self.buf.startswith(PREFACE), "3.4: the preface comes first"
        self.buf = self.buf[len(PREFACE):]
        self.put(SETTINGS, 0, 0, settings)

    # ------------------------------------------------------------- sending

    def put(self, kind, flags=0, stream=0, payload=b""):
        try:
            self.send(frame(kind, flags, stream, payload))
        except OSError:
            pass

    def head(self, stream, *fields, end=False, padding=None):
        block = self.encoder.encode(fields or [
            (":status", "200"), ("content-type", "application/grpc")])
        flags = END_HEADERS | (END_STREAM if end else 0)
        if padding is not None:
            flags |= PADDED
            block = bytes([padding]) + block + bytes(padding)
        self.put(HEADERS, flags, stream, block)

    def message(self, stream, **body):
        m = self.pb.ControllerMessage(**body).SerializeToString()
        self.put(DATA, 0, stream, self.framed(m))

    @staticmethod
    def framed(data):
        return b"\0" + struct.pack(">I", len(data)) + data

    def trailers(self, stream, status, *more):
        self.head(stream, ("grpc-status", str(status)), *more, end=True)

    # ----------------------------------------------------------- receiving

    def run(self, until):
        """False when the agent ended the connection before."""
        while not until():
            got = self.read()
            if got is None:
                return False
            self._check(*got)
        return True

    def _check(self, kind, flags, stream, payload):
        assert self.theirs is not None or kind == SETTINGS, \
            "3.4: SETTINGS follow the preface"
        assert len(payload) <= 16384, "4.2: frame size"
        assert stream < 2**31, "4.1: the reserved bit"
        if self.block is not None:
            assert kind == CONT and stream == self.block[0], "6.10"
        assert kind in self.CHECKS, f"an agent sends no frame type {kind}"
        self.CHECKS[kind](self, flags, stream, payload)

    def _on_settings(self, flags, stream, payload):
        assert stream == 0 and len(payload) % 6 == 0, "6.5"
        if not flags & ACK:
            values = dict(struct.iter_unpack(">HI", payload))
            if self.theirs is None:
                assert values.get(2) == 0, "8.4: no push, please"
                self.theirs = values
            self.put(SETTINGS, ACK)
            return
        assert not self.acked or self.ours, "6.5.3: acknowledged twice"
        self.acked = True
        self.apply(self.ours)

    def apply(self, settings):
        for key, value in struct.iter_unpack(">HI", settings):
            if key == INITIAL_WINDOW:
                for call in self.calls.values():
                    call.room += value - self.initial
                self.initial = value
            elif key == TABLE_SIZE:
                self.decoder.set_limit(value)
            elif key == STREAMS:
                self.most = value

    def _on_ping(self, flags, stream, payload):
        assert stream == 0 and len(payload) == 8, "6.7"
        if flags & ACK:
            self.pongs.append(payload)
        else:
            self.put(PING, ACK, 0, payload)

    def _on_goaway(self, flags, stream, payload):
        self.goaway = int.from_bytes(payload[4:8], "big")

    def _on_window(self, flags, stream, payload):
        assert 0 < int.from_bytes(payload, "big") < 2**31, "6.9"

    def _on_rst(self, flags, stream, payload):
        assert len(payload) == 4 and stream in self.calls, "6.4"
        self.calls[stream].reset = int.from_bytes(payload, "big")

    def _on_data(self, flags, stream, payload):
        call = self.calls.get(stream)
        assert call and not call.ended and call.reset is None, "5.1: DATA"
        call.room -= len(payload)
        self.room -= len(payload)
        assert not payload or (call.room >= 0 and self.room >= 0), "6.9.1"
        call.data += payload
        call.ended = bool(flags & END_STREAM)

    def _on_headers(self, flags, stream, payload):
        assert not flags & PADDED
        if flags & WITH_PRIORITY:
            payload = payload[5:]
        self._more(stream, flags, payload)

    def _on_cont(self, flags, stream, payload):
        assert self.block, "6.10: CONTINUATION alone"
        stream, first, so_far = self.block
        self._more(stream, first | flags & END_HEADERS, so_far + payload)

    def _more(self, stream, flags, block):
        self.block = None
        if not flags & END_HEADERS:
            self.block = (stream, flags, block)
            return
        fields = self.decoder.decode(block)
        assert stream % 2 and stream > self.last, "5.1.1: identifiers"
        self.last = stream
        self._request(fields)
        self.calls[stream] = call = Call(fields, self.initial)
        call.ended = bool(flags & END_STREAM)
        alive = [c for c in self.calls.values()
                 if not c.ended and c.reset is None]
        assert self.most is None or len(alive) <= self.most, "5.1.2"

    def _request(self, fields):
        names = [n for n, _ in fields]
        pseudo = [n for n in names if n.startswith(b":")]
        assert names[:4] == pseudo, "8.3: pseudo-header fields first"
        assert set(pseudo) == {b":method", b":scheme", b":path",
                               b":authority"}, "8.3.1"
        assert all(n == n.lower() for n in names), "8.2.1"
        values = dict(fields)
        assert values[b":method"] == b"POST"
        assert values[b":scheme"] == b"https"
        assert values[b"te"] == b"trailers"
        assert values[b"content-type"].startswith(b"application/grpc")
        assert b"authorization" in {n for n, _ in self.decoder.never}, \
            "7541 7.1.3: the bearer is never indexed"

    CHECKS = {DATA: _on_data, HEADERS: _on_headers, RST: _on_rst,
              SETTINGS: _on_settings, PING: _on_ping, GOAWAY: _on_goaway,
              WINDOW: _on_window, CONT: _on_cont}

    # ---------------------------------------------------------- the session

    def session(self):
        """The stream of the Session, when its HEADERS are there."""
        def found():
            return [s for s, c in self.calls.items()
                    if c.fields[b":path"] == SESSION and c.reset is None]
        assert self.run(found), f"no Session; GOAWAY {self.goaway}"
        return found()[-1]

    def next(self, stream):
        """The next message of the agent."""
        call = self.calls[stream]

        def size():
            head = call.data[call.taken:call.taken + 5]
            return 5 + int.from_bytes(head[1:], "big") if len(head) == 5 \
                else 5

        assert self.run(lambda: len(call.data) - call.taken >= size() and
                        len(call.data) > call.taken), \
            f"the agent left; GOAWAY {self.goaway}"
        data = call.data[call.taken:call.taken + size()]
        call.taken += len(data)
        assert data[0] == 0, "no compression"
        return self.pb.AgentMessage.FromString(data[5:])

    def hello(self, stream):
        m = self.next(stream)
        assert m.WhichOneof("body") == "hello", m
        return m.hello

    def reply(self, stream, hello, version, resume=None):
        """HelloReply with a configuration: the agent owes an event now."""
        self.message(stream, hello=self.pb.HelloReply(
            resume_seq=resume or hello.first_seq,
            heartbeat_interval_ms=30000,
            config=self.pb.Config(version=version)))

    def event(self, stream):
        """The next event."""
        while True:
            m = self.next(stream)
            if m.WhichOneof("body") == "event":
                return m.event

    def works(self, version, stream=None, head=True):
        """From hello to the acknowledged event."""
        stream = stream or self.session()
        hello = self.hello(stream)
        if head:
            self.head(stream)
        self.reply(stream, hello, version)
        event = self.event(stream)
        while event.config_ack.version != version:
            event = self.event(stream)
        self.message(stream, ack=self.pb.Ack(seq=event.seq))
        return stream, event

    def quiet(self):
        """All we sent was read, and the agent has no quarrel with it."""
        self.put(PING, 0, 0, b"at rest?")
        assert self.run(lambda: b"at rest?" in self.pongs), self.goaway
        self.pongs.clear()
        assert self.goaway is None

    def end(self):
        """The error of the agent's GOAWAY when it ended the connection."""
        self.run(lambda: False)
        return self.goaway


class Host:
    """Listens like a controller and starts the agent that calls it."""

    def __init__(self, lab, pb, cert, pin, name):
        self.pb = pb
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert / "cert.pem", cert / "key.pem")
        self.tls.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(15)
        self.visits = []
        folder = pathlib.Path(lab.path) / f"agent-{name}"
        folder.mkdir()
        config = folder / "agent.yaml"
        config.write_text(
            f"server: https://127.0.0.1:{self.listener.getsockname()[1]}\n"
            f"host_id: 01ARZ3NDEKTSV4RRFFQ69G5FAV\n"
            f"agent_token: {secrets.token_hex(16)}\n"
            f"cert_pin_sha256: {pin}\n")
        config.chmod(0o600)
        self.agent = lab.start(
            [BIN / "restic-manager-agent"],
            clean_env(RM_AGENT_CONFIG=config, RM_STATE_DIR=folder),
            folder / "log")

    def visit(self, settings=b""):
        sock, _ = self.listener.accept()
        sock.settimeout(15)
        sock = self.tls.wrap_socket(sock, server_side=True)
        self.visits.append(Visit(self.pb, sock, settings))
        return self.visits[-1]

    def close(self):
        """The agent ends in order."""
        for visit in self.visits:
            visit.close()
        self.listener.close()
        return self.agent.stop()
