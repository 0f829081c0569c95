# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections: what an agent that is there costs, and agents that come.

The agents are tests/load: the same program drives the real controller and
the rivals.  CPU and memory are the server's alone.
"""
import http.client
import json
import os
import pathlib
import random
import socket
import ssl
import sys
import tempfile
import time

import rivals
from measure import (Figure, Measurement, cpu_us, own_kib, percentile,
                     pss_kib)

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "load"))

import lab as lab_module  # noqa: E402
import load  # noqa: E402

AGENTS, WARM = 10000, 100
TALKERS, BEATS, BEAT_S = 1000, 5000, 4
HANDSHAKES = 3000
DISPATCHES, SYNCS = 300, 300
PAGE, COMMIT_PAGES = 4096, 19  # counted with strace
HONEST, HONEST_BEATS, STORM_S = 500, 500, 6
QUIET_S = 60


class Server:
    """Somebody who takes agents: port, pin, pids, bearers."""

    def __init__(self, lab, port, pin, pids, bearers, site=None):
        # pylint: disable=too-many-arguments
        self.lab, self.port, self.pin = lab, port, pin
        self.pids, self.bearers, self.site = pids, bearers, site

    def fleet(self, agents=None, skip=0):
        return load.start_fleet(self.lab, self.port, self.pin, self.bearers,
                                agents, skip)

    def cpu(self):
        return cpu_us(*self.pids())

    def quiet(self):
        """Until nothing of what was asked before is still worked at."""
        end, before = time.monotonic() + QUIET_S, self.cpu()
        while time.monotonic() < end:
            time.sleep(0.4)
            now = self.cpu()
            if now - before < 20000:
                return
            before = now


def new_lab(b):
    lab = lab_module.Lab()
    b.close(lab.close)
    return lab


def ours(b, agents):
    lab = new_lab(b)
    site = load.Site(lab, agents, jobs=1, snapshots=1, logs=0)
    return Server(lab, site.controller.port, site.pin,
                  lambda: [site.controller.program.pid], site.bearers, site)


def grpc(b, agents):
    lab, server = new_lab(b), rivals.grpc_server(b)
    return Server(lab, server.port, server.pin, lambda: server.pids,
                  load.made_up_bearers(lab, agents))


def nginx(b, agents):
    """Streams through nginx, to gRPC C++ behind it, which is not counted."""
    lab, upstream = new_lab(b), rivals.grpc_server(b, plain=True)
    server = rivals.nginx(b, rivals.GRPC_PASS, upstream=upstream.plain_port)
    return Server(lab, server.port, server.pin, lambda: server.pids,
                  load.made_up_bearers(lab, agents))


def size(b, number):
    return number // 10 if b.quick else number


def most_agents(fraction=1):
    """As many as descriptors allow; a proxy needs two for each."""
    return int((load.most_descriptors() - 500) * fraction)


# ------------------------------------------------------------------- memory

def memory_of(server, agents):
    """What each agent after the first ones adds."""
    fleet = server.fleet()
    fleet.ask(f"connect {WARM} 0")
    server.quiet()
    pss, own = pss_kib(*server.pids()), own_kib(*server.pids())
    fleet.ask(f"connect {agents} 0", 300)
    server.quiet()
    return {"pss": (pss_kib(*server.pids()) - pss) / (agents - WARM),
            "own": (own_kib(*server.pids()) - own) / (agents - WARM)}


def memory(start, fraction=1):
    def one_round(b):
        agents = min(size(b, AGENTS), most_agents(fraction))
        return memory_of(start(b, agents), agents)
    return one_round


def memory_of_most(b):
    """Ours, with as many agents as one process may have descriptors for."""
    agents = 2000 if b.quick else most_agents()
    return {"pss": memory_of(ours(b, agents), agents)["pss"]}


# --------------------------------------------------------------- heartbeats

def heartbeats(start):
    def one_round(b):
        found = {}
        server = start(b, size(b, AGENTS))
        fleet = server.fleet()
        for name, talkers in (("cpu", TALKERS),
                              ("cpu-10000", size(b, AGENTS))):
            fleet.ask(f"connect {talkers} 0", 300)
            server.quiet()
            before = server.cpu()
            told = fleet.ask(f"beat {BEATS} {1 if b.quick else BEAT_S}")
            found[name] = (server.cpu() - before) / told["beats"]
        return found
    return one_round


# --------------------------------------------------------------- handshakes

def handshakes(start):
    def one_round(b):
        server = start(b, WARM)
        fleet = server.fleet()
        fleet.ask("handshakes 100")
        server.quiet()
        before = server.cpu()
        told = fleet.ask(f"handshakes {size(b, HANDSHAKES)}", 300)
        return {"rate": 1e6 * told["done"] / (server.cpu() - before)}
    return one_round


def nginx_alone(b, agents):
    """Without a stream, nobody behind it is asked."""
    lab = new_lab(b)
    server = rivals.nginx(b, rivals.STATIC, root=b.folder)
    return Server(lab, server.port, server.pin, lambda: server.pids,
                  load.made_up_bearers(lab, agents))


# ----------------------------------------------------------------- dispatch

class Asker:
    """The API over one connection that stays.  A request is one write of
    text made before: what Python needs for it is not what is measured."""

    def __init__(self, site):
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self.sock = tls.wrap_socket(socket.create_connection(
            ("127.0.0.1", site.controller.port), timeout=20))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = (f"Host: 127.0.0.1:{site.controller.port}\r\n"
                     f"Cookie: {site.controller.client.cookie}\r\n"
                     "Content-Type: application/json\r\n")

    def text(self, method, path):
        body = "" if method == "GET" else "{}"
        return (f"{method} {path} HTTP/1.1\r\n{self.head}"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def send(self, text):
        """When it began, in ms."""
        began = time.clock_gettime(time.CLOCK_MONOTONIC) * 1000
        self.sock.sendall(text)
        return began

    def answer(self):
        answer = http.client.HTTPResponse(self.sock)
        answer.begin()
        return json.loads(answer.read()), answer.status

    def ask(self, method, path):
        self.send(self.text(method, path))
        return self.answer()


def settled(fleet):
    stats = fleet.ask("stats")
    while stats["events"] != stats["acked"]:
        time.sleep(0.002)
        stats = fleet.ask("stats")


def run_paths(site, asker, count):
    """Of hosts that have no job to do."""
    hosts = [h[0] for h in site.hosts if h[1] == "ok"][:count]
    paths = []
    for host in hosts:
        told, _ = asker.ask("GET", f"/api/hosts/{host}/source-groups")
        paths.append(f"/api/hosts/{host}/source-groups/"
                     f"{told['items'][0]['id']}/run")
    return paths


def dispatch(b):
    """From the call to the command in the agent's hands."""
    server = ours(b, TALKERS)
    site, fleet = server.site, server.fleet()
    site.controller.bootstrap()
    fleet.ask(f"connect {TALKERS} 0", 300)
    server.quiet()
    asker, took = Asker(site), []
    paths = run_paths(site, asker, 50)
    fleet.ask("wait-commands 0")
    for k in range(size(b, DISPATCHES)):
        settled(fleet)
        time.sleep(0.005)
        text = asker.text("POST", paths[k % len(paths)])
        fleet.tell("wait-commands 1")
        began = asker.send(text)
        told, status = asker.answer()
        came = fleet.answer()["arrived"]
        assert status == 202, (status, told)
        assert [c["job"] for c in came] == [told["job_id"]], (came, told)
        took.append(came[0]["at"] - began)
    return {"p50": percentile(took, 50), "p99": percentile(took, 99)}


def disk(b):
    """What one sync of some pages takes on the same disk."""
    took = []
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * (1 << 20))
        os.fsync(file.fileno())
        for k in range(size(b, SYNCS)):
            time.sleep(0.005)
            began = time.monotonic()
            os.pwrite(file.fileno(), b"y" * 16384, 16384 * (k % 64))
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - began) * 1000)
    return {"p50": percentile(took, 50), "p99": percentile(took, 99)}


def commit(b):
    """What the commit behind a dispatch asks of the disk, without any program
    of ours: pages here and there in a file, synced, and then the one that
    makes them count."""
    took, chance = [], random.Random(1)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * (PAGE << 11))
        file.flush()
        os.fsync(file.fileno())
        last = os.open(file.name, os.O_WRONLY | os.O_DSYNC)
        for k in range(size(b, SYNCS)):
            pages = sorted(chance.sample(range(2, 2048), COMMIT_PAGES))
            time.sleep(0.005)
            began = time.monotonic()
            for page in pages:
                os.pwrite(file.fileno(), b"y" * PAGE, page * PAGE)
            os.fdatasync(file.fileno())
            os.pwrite(last, b"z" * 120, k % 2 * PAGE)
            took.append((time.monotonic() - began) * 1000)
        os.close(last)
    return {"p50": percentile(took, 50), "p99": percentile(took, 99)}


# ---------------------------------------------------------- coming back

def reconnect(b):
    """kill -9, start again on the same port and data; agents find back by
    the real agent's rule."""
    agents = size(b, AGENTS)
    server = ours(b, agents)
    fleet = server.fleet()
    fleet.ask(f"connect {agents} 0", 300)
    server.quiet()
    server.site.controller.kill()
    began = time.monotonic()
    server.site.controller.start()
    back = fleet.ask(f"wait-live {agents} 120", 150)
    assert back["live"] == agents, back
    stats = fleet.ask("stats")
    assert stats["refused"] == 0, stats
    return {"seconds": time.monotonic() - began}


def go_before(priority, *pids):
    """All threads of these get a processor before everybody else, as on a
    machine of their own; where we may not, they take their turn."""
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                os.sched_setscheduler(int(task), os.SCHED_FIFO,
                                      os.sched_param(priority))
            except PermissionError:
                return


def storm(start):
    """Heartbeats of agents that stayed, while the others all come back.  The
    others' handshakes keep a processor busy as well: who waits for them is
    not waiting for the server."""
    def one_round(b):
        agents = size(b, AGENTS)
        server = start(b, agents)
        honest = server.fleet(HONEST)
        others = server.fleet(agents - HONEST, skip=HONEST)
        honest.ask(f"connect {HONEST} 0")
        others.ask(f"connect {agents - HONEST} 0", 300)
        server.quiet()
        go_before(30, honest.pid)
        go_before(20, *server.pids())
        others.ask(f"drop {agents}")
        told = honest.ask(f"beat {HONEST_BEATS} {2 if b.quick else STORM_S}")
        back = others.ask(f"wait-live {agents - HONEST} 120", 150)
        assert back["live"] == agents - HONEST, back
        return {"p99": told["taken"]["p99"]}
    return one_round


MEASUREMENTS = (
    Measurement(
        key="agent-memory",
        figures=(Figure("pss", f"controller PSS per idle agent, {AGENTS:,} "
                        "agents", "KiB", good=30, excellent=16),
                 Figure("own", "of it the process's own: the rest is pages "
                        "of files", "KiB")),
        contenders={"restic-manager": memory(ours),
                    "gRPC C++": memory(grpc),
                    "nginx": memory(nginx, 0.45)},
        note="TLS, an open Session, hello answered. gRPC C++ answers the same "
             "calls and stores nothing; nginx passes the streams on to it, as "
             "many as its descriptors allow (two for each). Pages of files "
             "are the system's cache: which parts of the database are mapped "
             "when the hosts are looked up."),
    Measurement(
        key="agent-memory-most",
        figures=(Figure("pss", "controller PSS per idle agent, as many as a "
                        "process has descriptors for", "KiB"),),
        contenders={"restic-manager": memory_of_most}, rounds=1),
    Measurement(
        key="handshakes",
        figures=(Figure("rate", "full P-256 handshakes a second and core",
                        "/s", good=2000, excellent=3800, better="higher"),),
        contenders={"restic-manager": handshakes(ours),
                    "nginx": handshakes(nginx_alone),
                    "gRPC C++": handshakes(grpc)},
        note="Accept, TLS 1.3, close; the server's CPU time alone. No client "
             "resumes."),
    Measurement(
        key="heartbeat-cpu",
        figures=(Figure("cpu", f"controller CPU per heartbeat at {BEATS:,}/s, "
                        f"{TALKERS:,} agents", "us", good=20, excellent=13),
                 Figure("cpu-10000", f"the same with {AGENTS:,} agents",
                        "us")),
        contenders={"restic-manager": heartbeats(ours),
                    "gRPC C++": heartbeats(grpc)},
        note="Ours writes presence to its database once a second; gRPC C++ "
             "drops the message. No reply from either."),
    Measurement(
        key="dispatch",
        figures=(Figure("p50", "API call to command at the agent, p50", "ms",
                        good=2, excellent=0.5, against="sync of the disk",
                        how="excess"),
                 Figure("p99", "API call to command at the agent, p99", "ms",
                        good=2, excellent=0.5, against="sync of the disk",
                        how="excess")),
        contenders={"restic-manager": dispatch, "sync of the disk": disk,
                    "its commit's writes alone": commit},
        note="The job is on disk before it is sent. The disk is asked for one "
             "sync of 16 KiB that lie together. A commit of the database is "
             f"two: of {COMMIT_PAGES} pages that lie apart (the job, four "
             "indexes, the audit entry, versions, free pages), and of the "
             "page that makes them count; what these writes take without "
             "any program of ours stands beside. By perf the rest is the "
             "request on the loop (84 us), the change (69), copying "
             "the pages (70), two wake-ups of threads (50), and the command (40)."),
    Measurement(
        key="reconnect",
        figures=(Figure("seconds", f"all {AGENTS:,} agents back after kill -9 "
                        "of the controller", "s", good=30, excellent=15),),
        contenders={"restic-manager": reconnect}),
    Measurement(
        key="heartbeat-storm",
        figures=(Figure("p99", "until a heartbeat is read while "
                        f"{AGENTS - HONEST:,} agents reconnect, p99", "ms",
                        good=50, excellent=10),),
        contenders={"restic-manager": storm(ours), "gRPC C++": storm(grpc)},
        note="The server, and then the agents that stayed, go before those "
             "that reconnect where both want a processor."),
)
