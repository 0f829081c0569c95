# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python's ssl cannot ask of OpenSSL: TLS 1.3 key updates."""
import ctypes
import ctypes.util
import socket

REQUESTED = 1
RECEIVE_BUFFER = 4096


def _library():
    lib = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.SSL_CTX_new.argtypes = [ctypes.c_void_p]
    lib.SSL_new.argtypes = [ctypes.c_void_p]
    lib.SSL_set_fd.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.SSL_write.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    lib.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    for name in ("SSL_connect", "SSL_do_handshake", "SSL_free",
                 "SSL_CTX_free"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    return lib


class Client:
    """A TLS 1.3 connection that never reads after its handshake."""

    def __init__(self, port, source=""):
        self.lib = _library()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                             RECEIVE_BUFFER)
        self.sock.bind((source, 0))
        self.sock.connect(("127.0.0.1", port))
        self.ctx = self.lib.SSL_CTX_new(self.lib.TLS_client_method())
        self.ssl = self.lib.SSL_new(self.ctx)
        self.lib.SSL_set_fd(self.ssl, self.sock.fileno())
        assert self.lib.SSL_connect(self.ssl) == 1

    def send(self, data):
        assert self.lib.SSL_write(self.ssl, data, len(data)) == len(data)

    def update_keys(self):
        """Asks for the peer's update too; false when the peer has gone."""
        return (self.lib.SSL_key_update(self.ssl, REQUESTED) == 1 and
                self.lib.SSL_do_handshake(self.ssl) == 1)

    def close(self):
        self.lib.SSL_free(self.ssl)
        self.lib.SSL_CTX_free(self.ctx)
        self.sock.close()
