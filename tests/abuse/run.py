#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What attackers pay, with honest clients measured beside them.

    tests/abuse/run.py [--quick] [--no-nginx] [--write] [KIND...]

For each kind a controller with its renderer is started; honest clients ask
for a page, for JSON, by gRPC and on fresh connections, first alone, then
while one attacker (attacks.py) is at work from an address of its own.  The
same attack on nginx, serving a file with Debian's defaults, stands beside.

So that the figures measure the server and not the machine: server and honest
clients run with real-time priority where that is allowed, the attacker does
not, and its rates are bounded.  Memory is PSS of the server.
"""
import argparse
import json
import os
import pathlib
import platform
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
import attacks  # noqa: E402
import foreign  # noqa: E402
import honest  # noqa: E402
import lab as lab_module  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402

MEMORY_MIB = 32   # one attacker may cost so much
LINES = 10        # and so many lines that call it abuse
HASH_MIB = 64     # the hash of a guess takes that, one at a time
REQUESTS = 150    # and lines of requests (controller/quota.h)
RATIO = 2.0       # honest p99 under attack, of the calm one
GRAIN_MS = 2.0    # below that the machine is measured

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
        self.mark = 0

    def options(self, kind):
        """What an attacker from within has."""
        if kind == "views":
            return [f"cookie={self.cookie}"]
        if kind == "log-bomb":
            return [f"folder={self.folder}",
                    f"bearer={self.agent.metadata[0][1]}"]
        return []

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
        lab_module.wait_for("nginx", lambda: peers.listens(self.port))
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
    return subprocess.Popen(
        [sys.executable, str(HERE / "attacks.py"), kind, str(port),
         str(seconds), *options],
        stdout=subprocess.PIPE, text=True)


def suffer(target, kind, seconds):
    """One attack: the figures as a dictionary."""
    target.honest.measure(1)  # warm
    calm = target.honest.measure(seconds)
    target.new_lines()
    before = measure.pss_kib(*target.pids)
    cpu = measure.cpu_us(*target.pids)
    peak = Peak(target.pids)
    peak.start()
    attacker = start_attacker(kind, target.port, seconds + 1,
                              target.options(kind))
    try:
        time.sleep(0.7)  # it is under way
        hit = target.honest.measure(seconds)
        out, _ = attacker.communicate(timeout=seconds + 30)
    finally:
        attacker.kill()
        attacker.wait()
    highest = peak.finish()
    return {"kind": kind, "calm": calm, "hit": hit,
            "before": before / 1024, "peak": (highest - before) / 1024,
            "cpu": (measure.cpu_us(*target.pids) - cpu) / 1e6 / (seconds + 1),
            "lines": target.new_lines(), "counted": target.counted(),
            "attacker": json.loads(out)}


def verdicts(row):
    """What is not as it should be; empty: all is."""
    bad = []
    for name, (_, calm, _) in row["calm"].items():
        _, p99, failed = row["hit"][name]
        if failed:
            bad.append(f"{name}: {failed} failed")
        elif p99 > max(RATIO * calm, calm + GRAIN_MS):
            bad.append(f"{name}: {p99 / calm:.1f} times the calm p99")
    hashes = HASH_MIB if row["kind"] == "sign-in" else 0
    if row["peak"] > MEMORY_MIB + hashes:
        bad.append(f"memory: {row['peak']:.0f} MiB")
    abuse = sum(" abuse " in line for line in row["lines"])
    others = sum(" user=admin " not in line for line in row["lines"])
    if abuse > LINES or others > REQUESTS:
        bad.append(f"log: {abuse} and {others} lines")
    return bad


def show(target, row):
    times = "  ".join(
        f"{name} {row['calm'][name][1]:.1f} -> {row['hit'][name][1]:.1f}"
        for name in row["calm"])
    named = sum(" abuse " in line for line in row["lines"])
    print(f"{row['kind']}, {target.label}: p99 ms {times}; "
          f"memory +{row['peak']:.1f} MiB; CPU {100 * row['cpu']:.0f} %; "
          f"log {len(row['lines'])} lines, names it {named} times; "
          f"{row['attacker']['connections']} connections, "
          f"{row['attacker']['bytes'] / 1e6:.1f} MB, "
          f"{row['attacker']['ended']} ended; "
          f"{' '.join(f'{k}={n}' for k, n in row['counted'].items())}",
          flush=True)


# ------------------------------------------------------------- the document

BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"


def cell(row, name):
    if row is None or name not in row["calm"]:
        return "-"
    return f"{row['calm'][name][1]:.1f} / {row['hit'][name][1]:.1f}"


def table_row(ours, nginx):
    return (f"| {ours['kind']} | {cell(ours, 'page')} | {cell(ours, 'api')} | "
            f"{cell(ours, 'rpc')} | {cell(ours, 'line')} | "
            f"{cell(ours, 'fresh')} | {ours['peak']:.1f} | "
            + (f"{cell(nginx, 'page')} | {cell(nginx, 'fresh')} | "
               f"{nginx['peak']:.1f} |" if nginx else "- | - | - |"))


def write(rows, quick):
    """The table of docs/security.md."""
    path = ROOT / "docs/security.md"
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    head = ("p99 in ms, calm / attacked, and memory in MiB beyond the calm "
            f"value; {platform.machine()}, {os.cpu_count()} cores, kernel "
            f"{platform.release()}, {time.strftime('%Y-%m-%d')}"
            f"{', a quick run' if quick else ''}:\n\n"
            "| attack | page | JSON | gRPC | log line on disk | fresh "
            "connection | memory | nginx: file | nginx: fresh | nginx: "
            "memory |\n|" + "---|" * 10 + "\n")
    path.write_text(before + BEGIN + head + "".join(
        table_row(*row) + "\n" for row in rows) + END + after)


def one(box, kind, seconds, nginx):
    ours, other = Ours(box, kind), None
    try:
        row = suffer(ours, kind, seconds)
        show(ours, row)
        bad = verdicts(row)
        print(f"{kind}: {'holds' if not bad else '; '.join(bad)}", flush=True)
        if nginx and kind in attacks.TRANSPORT and peers.NGINX.exists():
            rival = Nginx(box, ours, kind)
            try:
                other = suffer(rival, kind, seconds)
                show(rival, other)
            finally:
                rival.close()
    finally:
        ours.close()
    return bad, row, other


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    args.add_argument("--quick", action="store_true")
    args.add_argument("--no-nginx", action="store_true")
    args.add_argument("--write", action="store_true",
                      help="into docs/security.md")
    args.add_argument("kind", nargs="*", choices=[*attacks.KINDS, []])
    args = args.parse_args()
    seconds = 2 if args.quick else 6
    failed, rows = 0, []
    for kind in args.kind or attacks.KINDS:
        with lab_module.Lab() as box:
            bad, *row = one(box, kind, seconds, not args.no_nginx)
        failed += bool(bad)
        rows.append(row)
    if args.write:
        write(rows, args.quick)
    print(f"{failed} kinds of attack are felt more than they should")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
