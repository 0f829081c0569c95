#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dashboard costs: one line a figure.

    tests/bench/dashboard.py [hosts ...]

The real controller and renderer over a made-up fleet (bin/seed), asked over
one TLS connection; nginx serves the same bytes from a file beside them.  CPU
is that of all their threads, from schedstat; the client's is not counted.
"""
import http.client
import pathlib
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import lab  # noqa: E402
import peers  # noqa: E402

WARM, ROUNDS, PAGES, UNCHANGED = 5, 8, 25, 100
STATIC = """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {tls}/cert.pem;
    ssl_certificate_key {tls}/key.pem;
    default_type text/html;
    location / {{ root {target}; }}
  }}
"""


def cpu_ms(pids):
    """Of every thread of the processes."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


class Peer:
    """One connection that stays open."""

    def __init__(self, port, cookie=None):
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        self.conn = http.client.HTTPSConnection("127.0.0.1", port,
                                                context=tls, timeout=30)
        self.fields = {"Accept": "text/html"}
        if cookie:
            self.fields["Cookie"] = cookie

    def get(self, path, **fields):
        self.conn.request("GET", path, headers={**self.fields, **fields})
        answer = self.conn.getresponse()
        return answer, answer.read()


def measure(pids, count, ask):
    """CPU and wall of one request, in ms, in the quietest of some rounds:
    what else runs on the machine makes caches cold."""
    for _ in range(WARM):
        ask()
    rounds = []
    for _ in range(ROUNDS):
        cpu, wall = cpu_ms(pids), time.monotonic()
        for _ in range(count):
            ask()
        rounds.append(((cpu_ms(pids) - cpu) / count,
                       (time.monotonic() - wall) * 1000 / count))
    return min(rounds)


def figure(hosts, name, cost, note=""):
    print(f"{hosts} hosts, {name}: {cost[0]:.3f} ms CPU, "
          f"{cost[1]:.2f} ms wall{note}", flush=True)


def nginx(box, controller, body):
    root = box.path / "www"
    root.mkdir()
    (root / "page.html").write_bytes(body)
    server = peers.Nginx(box, controller, STATIC, root).start()
    lab.wait_for("nginx", lambda: peers.listens(server.port))
    pid = server.program.pid
    pids = [pid, *pathlib.Path(
        f"/proc/{pid}/task/{pid}/children").read_text().split()]
    peer = Peer(server.port)
    return measure(pids, PAGES, lambda: peer.get("/page.html"))


def run(hosts):
    with lab.Lab() as box:
        controller = box.controller()
        controller.seed(hosts=hosts)
        controller.start().bootstrap()
        pids = [controller.program.pid, controller.renderer_pid()]
        peer = Peer(controller.port, controller.client.cookie)
        first, body = peer.get("/")
        assert first.status == 200, first.status
        etag = {"If-None-Match": first.headers["etag"]}
        drawn = measure(pids, PAGES, lambda: peer.get("/"))
        figure(hosts, "dashboard page", drawn,
               f", {len(body) / 1024:.0f} KiB (good 10, excellent 2)")
        answer, _ = peer.get("/", **etag)
        if answer.status == 304:
            figure(hosts, "dashboard unchanged (304)", measure(
                pids, UNCHANGED, lambda: peer.get("/", **etag)),
                   " (good 1, excellent 0.1)")
        for name, path in (
                ("dashboard filtered", "/?q=tag:prod+-state:ok&sort=last"),
                ("GET /api/hosts", "/api/hosts"),
                ("GET /api/fleet/summary", "/api/fleet/summary"),
                ("GET /hosts.csv", "/hosts.csv")):
            figure(hosts, name, measure(pids, PAGES,
                                        lambda p=path: peer.get(p)))
        if peers.NGINX.exists():
            figure(hosts, "nginx, the same page from a file",
                   nginx(box, controller, body))


if __name__ == "__main__":
    for number in [int(a) for a in sys.argv[1:]] or [1000, 5000]:
        run(number)
