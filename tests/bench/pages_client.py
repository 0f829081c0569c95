# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the page measurements: one that asks, one that feels waits."""
import http.client
import ssl
import threading
import time


class Peer:
    """One connection that stays open."""

    def __init__(self, port, cookie=None, timeout=60):
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        self.conn = http.client.HTTPSConnection("127.0.0.1", port,
                                                context=tls, timeout=timeout)
        self.fields = {"Accept": "text/html"}
        if cookie:
            self.fields["Cookie"] = cookie

    def get(self, path, **fields):
        self.conn.request("GET", path, headers={**self.fields, **fields})
        answer = self.conn.getresponse()
        return answer, answer.read()


class Pulse(threading.Thread):
    """Asks for /healthz all the time: what everybody waits for the loop."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.peer, self.worst_ms, self.over = Peer(port), 0.0, False

    def __enter__(self):
        self.peer.get("/healthz")  # the handshake is no wait for the loop
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()

    def run(self):
        while not self.over:
            began = time.monotonic()
            self.peer.get("/healthz")
            self.worst_ms = max(self.worst_ms,
                                (time.monotonic() - began) * 1000)
            time.sleep(0.001)
