# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand hosts, ten million jobs, a million snapshots: what a long
history costs.  The same controller over the same hosts with a hundredth of it
is measured beside, so that whatever grows with the history is seen.

Pages are judged by the CPU of controller and renderer, and told by the wall
time of one TLS connection as well.  The full store takes 6 GB below TMPDIR
and some minutes to make."""
import functools
import json
import statistics
import subprocess
import threading
import time

import lab
import measure
from measure import Figure, Measurement
from pages_client import Peer, Pulse
from rows_pages import get

OURS, SHORT = "restic-manager", "a hundredth of the history"
PAGES = {
    "dashboard": ("dashboard", "/"),
    "dashboard-filtered": ("dashboard, filtered and sorted",
                           "/?q=tag:prod+-state:ok&sort=last"),
    "jobs": ("jobs, newest", "/jobs"),
    "jobs-200": ("jobs, page 200", "/jobs?page=200"),
    "jobs-failed": ("jobs that failed", "/jobs?state=failed"),
    "jobs-word": ("jobs by a word", "/jobs?q=web-1"),
    "job": ("a job", "/jobs/{job}"),
    "host": ("a host", "/hosts/{host}"),
    "host-jobs": ("jobs of a host", "/jobs?host={host}"),
    "search": ("search for a name", "/search?q=web-1"),
    "search-job": ("search for a job", "/search?q={job_begin}"),
    "audit": ("audit log", "/audit"),
    "json-jobs": ("GET /api/jobs", "/api/jobs"),
    # One: the short history has no more, and a longer answer costs more.
    "json-snapshots": ("GET /api/hosts/{id}/snapshots?per_page=1",
                       "/api/hosts/{host}/snapshots?per_page=1"),
    "metrics": ("GET /metrics", "/metrics"),
}


class Store:
    """A controller over a made-up fleet with a past."""

    def __init__(self, b, past, snapshots, audit):
        box = lab.Lab()
        b.close(box.close)
        self.console = box.controller(RM_METRICS_TOKEN="bench")
        began = time.monotonic()
        told = subprocess.run(
            [lab.BIN / "seed", "--list", "--hosts", str(hosts(b)), "--jobs",
             "30", "--past", str(past), "--snapshots", str(snapshots),
             "--audit", str(audit), "--logs", "100", self.console.data],
            check=True, capture_output=True, text=True,
            timeout=570).stdout.splitlines()
        self.seed_s = time.monotonic() - began
        self.hosts = [line.split(" ", 3) for line in told[:-1]]
        self.counts = json.loads(told[-1])
        self.target = box.path / "copy"

    def start(self):
        """Seconds until it answers."""
        began = time.monotonic()
        self.console.start(wait=False)
        lab.wait_for("the controller", self.console.healthy, 60, 0.002)
        return time.monotonic() - began

    @functools.cached_property
    def pids(self):
        return [self.console.program.pid, self.console.renderer_pid()]

    def bytes(self):
        return (self.console.data / "db/state/data.mdb").stat().st_size


def hosts(b):
    return 500 if b.quick else 10000


def percentiles(name, took):
    return {name: statistics.median(took),
            f"{name}-p99": measure.percentile(took, 99)}


def pages(b, store, peer):
    host = next(h[0] for h in store.hosts if h[1] == "ok")
    jobs = store.console.client.ok("GET", "/api/jobs?per_page=50")["items"]
    words = {"host": host, "job": jobs[-1]["id"],
             "job_begin": jobs[-1]["id"][:12]}
    found = {}
    for name, (_, path) in PAGES.items():
        path = path.format(**words)
        fields = ({"Authorization": "Bearer bench"} if name == "metrics"
                  else {})
        for _ in range(3):
            get(peer, path, **fields)
        took, spent = [], []
        for _ in range(10 if b.quick else 40):
            began, before = time.monotonic(), measure.cpu_us(*store.pids)
            get(peer, path, **fields)
            took.append((time.monotonic() - began) * 1000)
            spent.append((measure.cpu_us(*store.pids) - before) / 1000)
        found[name] = statistics.median(spent)
        found[f"{name}-p99"] = measure.percentile(took, 99)
    return found


def commits(store, count):
    """From the request to the answer after the commit, in ms."""
    host, took = store.hosts[0][0], []
    for number in range(count):
        began = time.monotonic()
        store.console.client.ok("PUT", f"/api/hosts/{host}/tags",
                                {"tags": [f"t{number}"]})
        took.append((time.monotonic() - began) * 1000)
    return took


def copying(store):
    """A hot copy, and what changes take meanwhile."""
    program = subprocess.Popen(
        [lab.BIN / "restic-manager", "state", "copy", "--data-dir",
         store.console.data, store.target], stdout=subprocess.DEVNULL)
    began, took = time.monotonic(), []
    while program.poll() is None:
        took += commits(store, 1)
        time.sleep(0.02)
    assert program.returncode == 0, program.returncode
    return time.monotonic() - began, took


class Rows(threading.Thread):
    """Deletes a host with all it has, and waits for the end."""

    def __init__(self, store):
        super().__init__(daemon=True)
        self.store, self.rate = store, None
        self.host = store.hosts[-1]

    def run(self):
        console = self.store.console
        jobs = console.client.ok(
            "GET", f"/api/jobs?host={self.host[0]}")["total"]
        began = time.monotonic()
        console.client.ok("DELETE", f"/api/hosts/{self.host[0]}",
                          {"confirm": self.host[3]})
        lab.wait_for("the sweep", lambda: "deleted host swept" in
                     console.program.text(), 60, 0.01)
        self.rate = jobs / (time.monotonic() - began)


def measured(b, past, snapshots, audit):
    store = Store(b, past, snapshots, audit)
    found = {"seed": store.seed_s, "start": store.start() * 1000}
    store.console.bootstrap()
    found["store"] = store.bytes() / 1e9
    found["row"] = store.bytes() / store.counts["jobs"]
    peer = Peer(store.console.port, store.console.client.cookie)
    found.update(pages(b, store, peer))
    found["controller"], found["renderer"] = (
        measure.own_kib(pid) / 1024 for pid in store.pids)
    found.update(percentiles("commit", commits(store, 100)))
    found["copy"], took = copying(store)
    found["copy-commit-p99"] = measure.percentile(took, 99)
    with Pulse(store.console.port) as pulse:
        rows = Rows(store)
        rows.start()
        rows.join()
        found["sweep"], found["sweep-stall"] = rows.rate, pulse.worst_ms
    store.console.stop()
    found["restart"] = store.start() * 1000
    return found


def full(b):
    return measured(b, *((20, 5, 100) if b.quick else (970, 103, 100000)))


def short(b):
    return measured(b, *((2, 2, 10) if b.quick else (4, 1, 1000)))


def held(name, title, unit="ms"):
    """What must not grow with the history."""
    return Figure(name, f"10 million jobs: {title}", unit, 2, 1.25,
                  against=SHORT)


def told(name, title, unit, better="lower"):
    return Figure(name, f"10 million jobs: {title}", unit, better=better)


MEASUREMENTS = (
    Measurement("scale", (
        held("start", "start to the first answer, 10,000 hosts"),
        held("restart", "start after a stop"),
        *(figure for name, (title, _) in PAGES.items() for figure in (
            held(name, f"{title}, CPU"),
            told(f"{name}-p99", f"{title}, wall p99", "ms"))),
        held("commit", "a change, answered after its commit, p50"),
        told("commit-p99", "the same, p99", "ms"),
        held("controller", "controller's own memory", "MiB"),
        held("renderer", "renderer's own memory", "MiB"),
        told("store", "size of the store", "GB"),
        told("row", "bytes of the store for each job, all indexes, hosts, "
             "snapshots and audit included", "B"),
        told("copy", "hot copy of all of it", "s"),
        told("copy-commit-p99", "a change during the copy, p99", "ms"),
        told("sweep", "deletion of a host: rows of jobs a second, synced",
             "/s", "higher"),
        told("sweep-stall", "longest wait of another client meanwhile",
             "ms"),
        told("seed", "making the store (tests/tools/seed)", "s")),
        {OURS: full, SHORT: short}, rounds=1,
        note="the same 10,000 hosts with a hundredth of jobs and snapshots, "
        "in the same run: asked is that nothing on a hot path grows."),
)
