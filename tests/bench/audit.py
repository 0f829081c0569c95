#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audit log and /metrics cost: one line a figure.

    tests/bench/audit.py [entries [hosts]]      1000000 5000

A seeded fleet and a real controller with its renderer.  Times are those of a
client on the same machine, the best of three; "stall" is the longest answer
to /healthz meanwhile, which is what everybody else waits for the loop.
"""
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import lab  # noqa: E402

SEED = ROOT / "build/release/bin/seed"


class Pulse(threading.Thread):
    """Asks for /healthz all the time; the longest answer."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client, self.worst, self.over = lab.Client(port), 0.0, False

    def run(self):
        import http.client
        conn = http.client.HTTPSConnection("127.0.0.1", self.client.port,
                                           context=self.client.tls)
        while not self.over:
            began = time.monotonic()
            conn.request("GET", "/healthz")
            conn.getresponse().read()
            self.worst = max(self.worst, time.monotonic() - began)
            time.sleep(0.001)


def figure(ctl, name, path, rounds=3, headers=None):
    best, size = 1e9, 0
    pulse = Pulse(ctl.port)
    pulse.start()
    for _ in range(rounds):
        began = time.monotonic()
        answer = ctl.client.get(path, headers=headers)
        best = min(best, time.monotonic() - began)
        assert answer.status == 200, (path, answer.status, answer.text[:300])
        size = len(answer.body)
    pulse.over = True
    pulse.join()
    print(f"{name}: {best * 1000:.1f} ms, {size / 1024:.0f} KiB, "
          f"stall {pulse.worst * 1000:.1f} ms", flush=True)


def main():
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    hosts = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    with lab.Lab() as box:
        ctl = box.controller(RM_METRICS_TOKEN="bench")
        began = time.monotonic()
        subprocess.run([SEED, "--hosts", str(hosts), "--audit", str(entries),
                        "--snapshots", "1", "--logs", "0", str(ctl.data)],
                       check=True, stdout=subprocess.DEVNULL)
        state = (ctl.data / "db/state/data.mdb").stat().st_size
        print(f"seeding: {time.monotonic() - began:.0f} s, state "
              f"{state / 2**20:.0f} MiB")
        ctl.start()
        ctl.bootstrap()
        last = entries // 50
        for name, path in (
                ("page, newest", "/audit"),
                ("page in the middle", f"/audit?page={last // 2}"),
                ("page, user and text", "/audit?user=ops&q=host-00"),
                ("page, one target", "/audit?target=host-0042"),
                ("page, one target by user",
                 "/audit?target=host-0042&sort=user"),
                ("page, one day", "/audit?from=2026-11-01&to=2026-11-01"),
                ("JSON, newest", "/api/audit"),
                ("JSON, user and text", "/api/audit?user=ops&q=host-00"),
                ("verification", "/api/audit/verify"),
                ("CSV of all", "/audit.csv")):
            figure(ctl, name, path, 1 if "CSV" in name else 3)
        figure(ctl, f"/metrics, {hosts} hosts", "/metrics",
               headers={"Authorization": "Bearer bench"})


main()
