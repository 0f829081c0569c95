# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent costs its host: while it waits, and while it backs up."""
import contextlib
import os
import pathlib
import random
import resource
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request

import lab as lab_module
from measure import Absent, Figure, Measurement, cpu_us, pss_kib, rss_kib
from stream import Stream

SETTLE_S, WINDOW_S, SCRAPE_S = 40, 60, 15
TICKS = os.sysconf("SC_CLK_TCK")


# ------------------------------------------------------------ an idle agent

def switches(pid):
    """Context switches of all threads so far, wished and forced: each began
    with the process being woken."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text("ascii").splitlines():
            if "ctxt_switches:" in line:
                total += int(line.split()[1])
    return total


def watch(pid, bench, settle=SETTLE_S, window=WINDOW_S):
    """Waits until it is quiet, then counts, per minute."""
    time.sleep(min(settle, 8) if bench.quick else settle)
    window = 10 if bench.quick else window
    cpu, woken = cpu_us(pid), switches(pid)
    time.sleep(window)
    return {"rss": rss_kib(pid) * 1024 / 1e6, "pss": pss_kib(pid) * 1024 / 1e6,
            "wakeups": (switches(pid) - woken) * 60 / window,
            "cpu": (cpu_us(pid) - cpu) * 60 / window / 1000}


def a_lab(bench):
    lab_module.BIN, lab_module.TOOLS = bench.bin, bench.tools
    lab = lab_module.Lab()
    bench.close(lab.close)
    return lab


def idle_agent(bench):
    """Enrolled, connected, its repository made, a nightly schedule in force:
    what most agents are most of the time."""
    lab = a_lab(bench)
    console = lab.controller(render=False).start()
    console.bootstrap()
    agent = lab.host(console)
    path = f"/api/hosts/{agent.host_id}"
    groups = console.client.ok("GET", f"{path}/source-groups")["items"]
    console.client.ok("POST", f"{path}/schedules", {
        "cron": "0 2 * * *", "jitter_seconds": 3600,
        "source_group_ids": [groups[0]["id"]]})
    return watch(agent.program.pid, bench)


def exporter(bench):
    exe = bench.tools / "node-exporter/usr/bin/prometheus-node-exporter"
    if not exe.exists():
        raise Absent(f"{exe.name} is not unpacked (tools/get-test-tools bench)")
    lab = a_lab(bench)
    port = lab_module.free_port()
    program = lab.start([exe, f"--web.listen-address=127.0.0.1:{port}"],
                        lab_module.clean_env(), lab.path / "exporter.log")
    url = f"http://127.0.0.1:{port}/metrics"
    lab_module.wait_for("the exporter", lambda: answers(url))
    return program.pid, url


def answers(url):
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(url, timeout=10) as answer:
            return len(answer.read()) > 0
    return False


def idle_exporter(bench):
    return watch(exporter(bench)[0], bench, 5, 30)


def scraped_exporter(bench):
    pid, url = exporter(bench)
    over = threading.Event()

    def scrape():
        while not over.wait(SCRAPE_S):
            answers(url)

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        return watch(pid, bench, SCRAPE_S)
    finally:
        over.set()
        scraper.join()


# ------------------------------------------------------------------ backups

def some_files(folder, quick):
    """About 100 MB that do not compress: many small files, few large ones;
    the same ones each time."""
    chance = random.Random(1)
    few = 4 if quick else 1
    for k in range(4000 // few):
        path = folder / f"small/{k % 64}/{k}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randrange(500, 16000)))
    for k in range(4):
        (folder / f"large-{k}").write_bytes(chance.randbytes(
            (17 << 20) // few))
    os.sync()
    return folder


def restic(bench):
    newer = bench.tools / "restic018/usr/bin/restic"
    found = str(newer) if newer.exists() else shutil.which("restic")
    if not found:
        raise Absent("no restic")
    return found


TEMPLATE = tempfile.TemporaryDirectory(prefix="rm-bench-repo-")
PASSWORD = "bench"


def fresh_repo(bench):
    """An empty repository: copies of one, for restic fits what it costs to
    open one with a password to the moment in which it made it."""
    made = pathlib.Path(TEMPLATE.name, "repo")
    if not made.exists():
        subprocess.run([restic(bench), "init"], env=restic_env(bench, made),
                       check=True, stdout=subprocess.DEVNULL, timeout=60)
    return shutil.copytree(made, bench.folder / "repo")


def restic_env(bench, repo):
    return lab_module.clean_env(
        RESTIC_REPOSITORY=repo, RESTIC_PASSWORD=PASSWORD,
        XDG_CACHE_HOME=bench.folder / "cache", RESTIC_PROGRESS_FPS=1)


def tree_cpu(pid):
    """Seconds of the process, and of the children it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii")
    ended = sum(map(int, fields.rsplit(")", 1)[1].split()[13:15])) / TICKS
    return cpu_us(pid) / 1e6 + ended


def by_agent(bench):
    """From the API call that asks for the backup to the event that says it
    has ended; CPU of the agent and all it started."""
    lab = a_lab(bench)
    source = some_files(bench.folder / "src", bench.quick)
    console = lab.controller(render=False).start()
    console.bootstrap()
    agent = lab.host(console, repo=fresh_repo(bench), paths=[source],
                     restic=restic(bench), repo_password=PASSWORD)
    pid, runs = agent.program.pid, []
    own = cpu_us(pid)
    for _ in range(2):
        lab_module.wait_for("an idle agent", lambda: not console.host(
            agent.host_id).get("current_job"))
        cpu, began = tree_cpu(pid), time.monotonic()
        job = console.run_group(agent.host_id)
        Stream(console.client, f"/api/jobs/{job}/stream").job(120)
        runs.append((time.monotonic() - began, tree_cpu(pid) - cpu))
        ended = console.job(job)
        assert ended["status"] == "succeeded", ended
    return told(runs, (cpu_us(pid) - own) / 1000)


def told(runs, own=0.0):
    return {"wall": sum(r[0] for r in runs), "cpu": sum(r[1] for r in runs),
            "first": runs[0][0], "again": runs[1][0], "own": own}


def by_hand(*runs_of):
    """What a cron job would run, the first time and again."""
    def fn(bench):
        source = some_files(bench.folder / "src", bench.quick)
        env = restic_env(bench, fresh_repo(bench))
        exe, runs = restic(bench), []
        for commands in runs_of:
            before, began = children_cpu(), time.monotonic()
            for command in commands:
                subprocess.run(
                    [exe, *(source if word == "SOURCE" else word
                            for word in command)],
                    env=env, check=True, stdout=subprocess.DEVNULL,
                    timeout=120)
            runs.append((time.monotonic() - began, children_cpu() - before))
        return told(runs)
    return fn


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


BACKUP = ("backup", "--json", "--host=web-1", "--tag=default", "--", "SOURCE")
LIST = ("snapshots", "--json", "--no-lock")
STATS = ("stats", "--json", "--no-lock", "--mode=raw-data")

MEASUREMENTS = (
    Measurement(
        key="agent-idle",
        figures=(
            Figure("rss", "agent, connected and idle: RSS", "MB", good=8,
                   excellent=4),
            Figure("wakeups", "the same: wake-ups per minute", "/min",
                   good=10, excellent=4),
            Figure("pss", "the same: PSS", "MB"),
            Figure("cpu", "the same: CPU per minute", "ms")),
        contenders={"restic-manager": idle_agent,
                    "node_exporter, idle": idle_exporter,
                    "node_exporter, scraped": scraped_exporter},
        rounds=1,
        note="Wake-ups are the voluntary and involuntary context switches of "
             "all threads over a minute (/proc/PID/task/*/status), 40 s "
             "after the agent's start. node_exporter is Debian's, with its default "
             "collectors, alone or scraped every 15 s."),
    Measurement(
        key="backup-overhead",
        figures=(
            Figure("wall", "first and unchanged second backup: wall clock",
                   "s", good=1.03, excellent=1.01, against="bare restic"),
            Figure("cpu", "the same: CPU of all processes", "s", good=1.03,
                   excellent=1.01, against="bare restic"),
            Figure("first", "wall clock of the first", "s"),
            Figure("again", "wall clock of the second", "s"),
            Figure("own", "CPU of the agent itself, for both", "ms")),
        contenders={
            "restic-manager": by_agent,
            "bare restic": by_hand((BACKUP, LIST, STATS), (BACKUP, LIST)),
            "bare restic, backup only": by_hand((BACKUP,), (BACKUP,))},
        rounds=5,
        note="100 MB in 4,000 small files and 4 large ones into a fresh "
             "local repository. The agent is timed from the API call to the "
             "end it reports. After a backup it lists the snapshots, to see "
             "that the new one is there, and after the first it asks for the "
             "repository's size, which the second one does not change: bare "
             "restic is given the same commands with the same flags; what "
             "the backups alone take is shown beside."),
)
