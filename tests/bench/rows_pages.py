# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages and exports cost: the real controller and renderer over a
made-up fleet (bin/seed), asked over one TLS connection.  CPU is that of all
their threads; the client's is not counted."""
import json
import statistics
import subprocess
import time

import lab
import measure
import rivals
from measure import Figure, Measurement
from pages_client import Peer, Pulse

DASHBOARD = "/"
OURS = "restic-manager"


def console(b, *options, **env):
    """A controller over a seeded fleet, signed in; what seed told of it."""
    box = lab.Lab()
    b.close(box.close)
    ours = box.controller(**env)
    told = subprocess.run(
        [lab.BIN / "seed", "--list", *map(str, options), ours.data],
        check=True, capture_output=True, text=True,
        timeout=400).stdout.splitlines()
    ours.start().bootstrap()
    ours.hosts = [line.split(" ", 3) for line in told[:-1]]
    ours.counts = json.loads(told[-1])
    ours.pids = [ours.program.pid, ours.renderer_pid()]
    return ours


def cost(pids, ask, count, batches=9):
    """CPU of one request in ms: the median of batches, after warming up."""
    for _ in range(5):
        ask()
    spent = []
    for _ in range(batches):
        before = measure.cpu_us(*pids)
        for _ in range(count):
            ask()
        spent.append((measure.cpu_us(*pids) - before) / count / 1000)
    return statistics.median(spent)


def get(peer, path, status=200, **fields):
    answer, body = peer.get(path, **fields)
    assert answer.status == status, (path, answer.status, body[:300])
    return answer, body


# ---------------------------------------------------------------- dashboard

def unchanged(pids, peer, path, count):
    """The tag holds the minute: of three tags one may be of the last."""
    tag = {"If-None-Match": get(peer, path)[0].headers["etag"]}
    answers = [peer.get(path, **tag)[0].status for _ in range(3)]
    assert 304 in answers, answers
    return cost(pids, lambda: peer.get(path, **tag), count, 3)


def both(b, pids, peer, path):
    """The page, and the page unchanged."""
    count = 10 if b.quick else 25
    page = cost(pids, lambda: get(peer, path), count)
    return {"page": page, "unchanged": statistics.median(
        unchanged(pids, peer, path, 4 * count) for _ in range(3))}


def dashboard(b):
    ours = console(b, "--hosts", 1000)
    return both(b, ours.pids, Peer(ours.port, ours.client.cookie), DASHBOARD)


def dashboard_nginx(b):
    ours = console(b, "--hosts", 1000)
    _, body = get(Peer(ours.port, ours.client.cookie), DASHBOARD)
    ours.stop()
    root = b.folder / "www"
    root.mkdir()
    (root / "page.html").write_bytes(body)
    server = rivals.nginx(b, rivals.STATIC, root=root)
    return both(b, server.pids, Peer(server.port), "/page.html")


# ------------------------------------------------------------ a large fleet

FLEET = {
    "page": ("dashboard", "/"),
    "changed": ("dashboard, one of them just changed", "/"),
    "filtered": ("dashboard filtered and sorted",
                 "/?q=tag:prod+-state:ok&sort=last"),
    "json": ("GET /api/hosts", "/api/hosts"),
    "summary": ("GET /api/fleet/summary", "/api/fleet/summary"),
    "csv": ("GET /hosts.csv", "/hosts.csv"),
    "metrics": ("GET /metrics", "/metrics"),
}


def changed(ours, peer, path):
    """Nothing that was kept of the last page may be trusted."""
    host, spent = ours.hosts[-1][0], []
    for number in range(15):
        ours.client.ok("PUT", f"/api/hosts/{host}/tags",
                       {"tags": [f"t{number}"]})
        before = measure.cpu_us(*ours.pids)
        get(peer, path)
        spent.append((measure.cpu_us(*ours.pids) - before) / 1000)
    return statistics.median(spent)


def fleet(b):
    ours = console(b, "--hosts", 500 if b.quick else 5000,
                   RM_METRICS_TOKEN="bench")
    peer = Peer(ours.port, ours.client.cookie)
    found = {}
    for name, (_, path) in FLEET.items():
        if name == "changed":
            found[name] = changed(ours, peer, path)
            continue
        fields = ({"Authorization": "Bearer bench"} if name == "metrics"
                  else {})
        found[name] = cost(ours.pids, lambda p=path, f=fields:
                           get(peer, p, **f), 8, 5)
    return found


# ----------------------------------------------------------- a long history

JOBS = {
    "list": "list of jobs", "deep": "list of jobs, page 200",
    "failed": "jobs that failed", "rare": "jobs of a rare kind",
    "host": "jobs of the host with most",
    "host-failed": "its jobs that failed", "word": "jobs by a common word",
    "nobody": "jobs by a word nobody has", "old": "jobs of old days",
    "json": "500 jobs as JSON", "search": "search for a name",
    "search-job": "search for a job", "search-nothing": "search for nothing",
    "log-last": "log of a million lines, end",
    "log-first": "log of a million lines, beginning",
    "log-middle": "log of a million lines, middle",
}


def job_paths(ours, lines):
    host = ours.hosts[0][0]
    jobs = [j for page in (1, 2) for j in ours.client.ok(
        "GET", f"/api/jobs?host={host}&per_page=500&page={page}")["items"]]
    long = next(j["id"] for j in jobs if j["log"]["lines"] == lines)
    return {
        "list": "/jobs", "deep": "/jobs?page=200",
        "failed": "/jobs?state=failed", "rare": "/jobs?kind=restore",
        "host": f"/jobs?host={host}",
        "host-failed": f"/jobs?host={host}&state=failed",
        "word": "/jobs?q=a", "nobody": "/jobs?q=nobody-has-this",
        "old": "/jobs?until=2020-01-01", "json": "/api/jobs?per_page=500",
        "search": "/search?q=web",
        "search-job": f"/search?q={jobs[-1]['id'][:12]}",
        "search-nothing": "/search?q=nobody-has-this",
        "log-last": f"/jobs/{long}", "log-first": f"/jobs/{long}?from=1",
        "log-middle": f"/jobs/{long}?from={lines // 2}",
    }


def jobs(b):
    hosts, runs, lines = ((200, 20000, 20000) if b.quick
                          else (5000, 1000000, 1000000))
    ours = console(b, "--hosts", hosts, "--jobs", 20, "--history",
                   max(0, runs - 20 * hosts), "--snapshots", 20,
                   "--logs", 1, "--lines", lines)
    peer = Peer(ours.port, ours.client.cookie)
    return {name: cost(ours.pids, lambda p=path: get(peer, p), 5, 5)
            for name, path in job_paths(ours, lines).items()}


# -------------------------------------------------------------- audit trail

AUDIT = {
    "newest": ("page, newest", "/audit"),
    "middle": ("page, in the middle", "/audit?page={middle}"),
    "text": ("page, by user and text", "/audit?user=ops&q=host-00"),
    "target": ("page, one target", "/audit?target=host-0042"),
    "day": ("page, one day", "/audit?from=2026-11-01&to=2026-11-01"),
    "json": ("GET /api/audit", "/api/audit"),
    "verify": ("GET /api/audit/verify, all entries", "/api/audit/verify"),
    "csv": ("GET /audit.csv, all entries", "/audit.csv"),
}


def audit(b):
    """Wall time of a client, and the longest that another one waited."""
    entries = 20000 if b.quick else 1000000
    ours = console(b, "--hosts", 1000, "--audit", entries, "--snapshots", 1,
                   "--logs", 0)
    peer, found = Peer(ours.port, ours.client.cookie, 120), {}
    with Pulse(ours.port) as pulse:
        for name, (_, path) in AUDIT.items():
            path = path.format(middle=entries // 100)
            took = []
            for _ in range(1 if name in ("verify", "csv") else 5):
                began = time.monotonic()
                get(peer, path)
                took.append((time.monotonic() - began) * 1000)
            found[name] = statistics.median(took)
        found["stall"] = pulse.worst_ms
    return found


# ------------------------------------------------------------------- memory

def memory(b):
    """Of the renderer, after every kind of page; and of the controller."""
    ours = console(b, "--hosts", 1000 if b.quick else 10000)
    peer = Peer(ours.port, ours.client.cookie)
    host = ours.hosts[0][0]
    for path in ("/", "/jobs", "/audit", "/settings/users", f"/hosts/{host}",
                 "/search?q=web", "/hosts.csv", "/"):
        for _ in range(10):
            get(peer, path)
    controller, renderer = ours.pids
    return {"renderer": measure.own_kib(renderer) / 1024,
            "controller": measure.own_kib(controller) / 1024}


def titled(names, of, unit="ms"):
    """Figures that nothing is asked of."""
    return tuple(Figure(name, of.format(title[0] if isinstance(title, tuple)
                                        else title), unit)
                 for name, title in names.items())


MEASUREMENTS = (
    Measurement("dashboard", (
        Figure("page", "dashboard page, 1,000 hosts, CPU of controller and "
               "renderer", "ms", 10, 2),
        Figure("unchanged", "same page unchanged (304)", "ms", 1, 0.1)),
        {OURS: dashboard, "nginx": dashboard_nginx},
        note="nginx serves the same bytes from a file over TLS, one worker, "
        "to the same client over the same kind of connection."),
    Measurement("fleet-pages", titled(FLEET, "5,000 hosts, CPU: {}"), {OURS: fleet}),
    Measurement("history-pages", titled(
        JOBS, "a million jobs, CPU: {}"), {OURS: jobs}, rounds=1),
    Measurement("audit-pages", (
        *titled(AUDIT, "a million audit entries, time: {}"),
        Figure("stall", "a million audit entries: longest wait of another client "
               "meanwhile", "ms")),
        {OURS: audit}, rounds=1),
    Measurement("page-memory", (
        Figure("renderer", "renderer's own memory, 10,000 hosts, after every "
               "kind of page", "MiB"),
        Figure("controller", "controller's own memory then", "MiB")),
        {OURS: memory}, rounds=1),
)
