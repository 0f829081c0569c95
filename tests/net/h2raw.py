# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2 by hand, to send what no proper client sends."""
import socket
import ssl
import struct

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT = (
    range(10))
END_STREAM, END_HEADERS, ACK, PADDED, WITH_PRIORITY = 1, 4, 1, 8, 32
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
            struct.pack(">I", stream) + payload)


def hpack_int(value, prefix):
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes([value])
    out, value = [limit], value - limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def field(name, value):
    """A literal that is not indexed, without Huffman."""
    name, value = name.encode(), value.encode()
    return (b"\x00" + hpack_int(len(name), 7) + name +
            hpack_int(len(value), 7) + value)


def request(path="/about", method="GET", extra=()):
    fields = [(":method", method), (":scheme", "http"), (":path", path),
              (":authority", "localhost"), *extra]
    return b"".join(field(n, v) for n, v in fields)


class Conn:
    def __init__(self, port, preface=True, tls=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buf = b""
        self.rooms = {0: 65535}  # windows, by stream
        if preface:
            self.send(PREFACE + frame(SETTINGS, 0, 0))

    def send(self, data):
        self.sock.sendall(data)

    def read(self):
        """(kind, flags, stream, payload), or None at the end."""
        while True:
            if len(self.buf) >= 9:
                size = int.from_bytes(self.buf[:3], "big")
                if len(self.buf) >= 9 + size:
                    kind, flags = self.buf[3], self.buf[4]
                    stream = int.from_bytes(self.buf[5:9], "big")
                    payload = self.buf[9:9 + size]
                    self.buf = self.buf[9 + size:]
                    if kind == WINDOW:
                        self.rooms[stream] = (
                            self.rooms.get(stream, 65535) +
                            int.from_bytes(payload, "big"))
                    return kind, flags, stream, payload
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                return None
            if not more:
                return None
            self.buf += more

    def upload(self, stream, size):
        """DATA of zeros on a stream, within the peer's windows."""
        self.rooms.setdefault(stream, 65535)
        while size:
            part = min(size, 16384, self.rooms[stream], self.rooms[0])
            if part == 0:
                got = self.read()
                if got is None or got[0] in (RST, GOAWAY, HEADERS):
                    return got
                continue
            self.send(frame(DATA, 0, stream, bytes(part)))
            self.rooms[stream] -= part
            self.rooms[0] -= part
            size -= part
        return None

    def until(self, kind):
        """The next frame of that kind, None when the connection ends."""
        while (got := self.read()) is not None:
            if got[0] == kind:
                return got
        return None

    def close(self):
        self.sock.close()
