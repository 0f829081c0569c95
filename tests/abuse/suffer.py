# SPDX-License-Identifier: GPL-3.0-or-later
"""One attack on one server, measured: who is attacked, what honest clients
beside see of it, and what of that is too much.

Calm and attacked take turns in short windows, and each figure is that of its
quietest window: what else happens on the machine meets some windows, an
attack is at work in every one of those it is measured in.
"""
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/system"),
                str(ROOT / "tests/bench")]
import agents  # noqa: E402
import foreign  # noqa: E402
import honest  # noqa: E402
import lab as lab_module  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402

MEMORY_MIB = 32   # one attacker may cost so much
LINES = 10        # and so many lines that call it abuse
HASH_MIB = 64     # the hash of a guess takes that, one at a time
REQUESTS = 150    # and lines of requests, and two a second (quota.h)
RATIO = 2.0       # honest p99 under attack, of the calm one
# Below that many ms more, the machine is measured: what two calm runs differ
# by (the kind `nothing`).  rpc and line have a Python client with threads of
# its own between, line a disk that others use.
GRAIN_MS = {"page": 2.0, "api": 2.0, "fresh": 2.0, "rpc": 5.0, "line": 10.0}
LEAD_S = 0.5      # until an attack is under way

STATIC = """
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {tls}/cert.pem;
    ssl_certificate_key {tls}/key.pem;
    location / {{ root {target}; try_files /login =404; }}
  }}
"""


class Ours:
    name = "restic-manager"
    label = "ours"

    def __init__(self, box, kind):
        self.controller = box.controller(
            name=f"c-{kind}", RM_METRICS_TRUSTED_CIDR="127.0.0.0/8")
        self.controller.seed(hosts=50)
        self.controller.start().bootstrap()
        self.port, self.folder = self.controller.port, box.path
        self.cookie = self.controller.client.cookie
        self.agent = foreign.ForeignAgent(self.port, box.path)
        self.agent.enrol(self.controller.mint("foreign", "/tmp/none"))
        self.pids = [self.controller.program.pid]
        for pid in [*self.pids, self.controller.renderer_pid()]:
            honest.make_real_time(pid)
        self.writer = agents.Writer(self.port, box.path)
        self.writer.enrol(self.controller.mint("writer", "/tmp/none"))
        self.writer.begin()
        page, api = (honest.Kept(self.port, self.cookie) for _ in range(2))
        self.honest = honest.Honest({
            "page": lambda: page.get("/"),
            "api": lambda: api.get("/api/hosts?limit=10"),
            "rpc": self.check,
            "line": self.writer.one_line,
            "fresh": lambda: honest.fresh(self.port, "/healthz"),
        })
        self.mark = self.bombers = 0

    def options(self, kind):
        """What an attacker from within has."""
        if kind == "views":
            return [f"cookie={self.cookie}"]
        if kind in ("log-bomb", "log-flood"):
            return [f"folder={self.folder}", f"bearer={self.bomber()}"]
        return []

    def bomber(self):
        """The bearer of one more agent: one that left is taken for alive
        for 90 s, and nobody else may have its."""
        self.bombers += 1
        agent = foreign.ForeignAgent(self.port, self.folder)
        agent.enrol(self.controller.mint(f"bomber-{self.bombers}",
                                         "/tmp/none"))
        bearer = agent.metadata[0][1]
        agent.close()
        return bearer

    def check(self):
        self.agent.stub.Check(
            self.agent.pb.CheckRequest(protocol_version=1),
            metadata=self.agent.metadata, timeout=20)

    def new_lines(self):
        """What the log has got since the last call."""
        text = self.controller.program.text()
        new, self.mark = text[self.mark:], len(text)
        return [line for line in new.splitlines()
                if "address=127.0.0.1 " not in line]

    def counted(self):
        text = honest_get(self.port, "/metrics")
        return {kind: int(n) for kind, n in re.findall(
            r'rm_abuse_total\{kind="(\w+)"\} (\d+)', text) if int(n)}

    def close(self):
        self.writer.end()
        self.agent.close()
        self.controller.stop()


class Nginx:
    name = label = "nginx"

    def __init__(self, box, ours, kind):
        root = box.path / f"www-{kind}"
        root.mkdir()
        (root / "login").write_bytes(b"x" * 5000)
        self.server = peers.Nginx(box, ours.controller, STATIC, root,
                                  name=f"nginx-{kind}").start()
        self.port = self.server.port
        pid = self.server.program.pid
        self.pids = [pid, *measure.children(pid)]
        for one in self.pids:
            honest.make_real_time(one)
        kept = honest.Kept(self.port)
        self.honest = honest.Honest({
            "page": lambda: kept.get("/login"),
            "fresh": lambda: honest.fresh(self.port, "/login"),
        })

    @staticmethod
    def options(_):
        return []

    @staticmethod
    def new_lines():
        return []

    @staticmethod
    def counted():
        return {}

    def close(self):
        self.server.program.stop()


def honest_get(port, path):
    return lab_module.Client(port).get(path).text


class Peak(threading.Thread):
    """Highest PSS while it runs."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.kib, self.over = pids, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.25):
            self.kib = max(self.kib, measure.pss_kib(*self.pids))

    def finish(self):
        self.over.set()
        self.join()
        return max(self.kib, measure.pss_kib(*self.pids))


def start_attacker(kind, port, seconds, options):
    """It gets what server and honest clients leave of the machine."""
    return subprocess.Popen(
        ["nice", "-n", "5", sys.executable, str(HERE / "attacks.py"), kind,
         str(port), str(seconds), *options],
        stdout=subprocess.PIPE, text=True, preexec_fn=honest.no_real_time)


def attacked(target, kind, seconds):
    """One window: (samples of the honest, what the attacker tells)."""
    attacker = start_attacker(kind, target.port, LEAD_S + seconds + 0.3,
                              target.options(kind))
    try:
        time.sleep(LEAD_S)
        hit = target.honest.sample(seconds)
        out, _ = attacker.communicate(timeout=seconds + 30)
    finally:
        attacker.kill()
        attacker.wait()
    return hit, json.loads(out)


def suffer(target, kind, seconds, windows):
    """One attack in windows of so many seconds, calm ones between: the
    figures as a dictionary."""
    honest.real_time_all()
    target.honest.sample(1)  # warm
    target.new_lines()
    began = time.monotonic()
    before, spent = measure.pss_kib(*target.pids), 0.0
    calm, hit, told = [], [], []
    peak = Peak(target.pids)
    peak.start()
    for _ in range(windows):
        calm.append(target.honest.sample(seconds))
        cpu = measure.cpu_us(*target.pids)
        samples, attacker = attacked(target, kind, seconds)
        spent += measure.cpu_us(*target.pids) - cpu
        hit.append(samples)
        told.append(attacker)
    highest = peak.finish()
    return {"kind": kind, "seconds": time.monotonic() - began,
            "calm": honest.quietest(calm),
            "hit": honest.quietest(hit),
            "before": before / 1024, "peak": (highest - before) / 1024,
            "cpu": spent / 1e6 / windows / (LEAD_S + seconds + 0.3),
            "lines": target.new_lines(), "counted": target.counted(),
            "attacker": {key: sum(one[key] for one in told)
                         for key in told[0]}}


def named(row):
    """How many lines of the log call it abuse."""
    return sum(" abuse " in line for line in row["lines"])


def verdicts(row):
    """What is not as it should be; empty: all is."""
    bad = []
    for name, (_, calm, _) in row["calm"].items():
        _, p99, failed = row["hit"][name]
        if failed:
            bad.append(f"{name}: {failed} failed")
        elif p99 > max(RATIO * calm, calm + GRAIN_MS[name]):
            bad.append(f"{name}: {p99 / calm:.1f} times the calm p99")
    hashes = HASH_MIB if row["kind"] == "sign-in" else 0
    if row["peak"] > MEMORY_MIB + hashes:
        bad.append(f"memory: {row['peak']:.0f} MiB")
    abuse = named(row)
    others = sum(" user=admin " not in line for line in row["lines"])
    if abuse > LINES or others > REQUESTS + 2 * row["seconds"]:
        bad.append(f"log: {abuse} and {others} lines")
    return bad


def show(target, row):
    times = "  ".join(
        f"{name} {row['calm'][name][1]:.1f} -> {row['hit'][name][1]:.1f}"
        for name in row["calm"])
    print(f"{row['kind']}, {target.label}: p99 ms {times}; "
          f"memory +{row['peak']:.1f} MiB; CPU {100 * row['cpu']:.0f} %; "
          f"log {len(row['lines'])} lines, names it {named(row)} times; "
          f"{row['attacker']['connections']} connections, "
          f"{row['attacker']['bytes'] / 1e6:.1f} MB, "
          f"{row['attacker']['ended']} ended; "
          f"{' '.join(f'{k}={n}' for k, n in row['counted'].items())}",
          flush=True)
