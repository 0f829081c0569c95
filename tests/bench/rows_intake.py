# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines and events on their way to the disk: made-up agents (load_fleet)
over TLS against the real controller, rsyslog beside it.

Everything is on the file system of TMPDIR, which must be a disk.  Jobs have
begun before the clock starts and end after it stops.
"""
import os
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time

import lab
import measure
from measure import Figure, Measurement
from rivals import rsyslog

sys.path.insert(0, str(measure.ROOT / "tests/load"))
import load  # noqa: E402

OURS = "restic-manager"
FLOOD = 10_000_000  # lines a second: more than anybody takes
FLOOD_JOBS = 50
WARM_MIB = 1024
TOKEN = "measured-by-the-bench"


def touch_memory(b):
    """A virtual machine pays its host for each page of memory it uses for
    the first time, three times what a copy into it costs.  A server that has
    run for a while has used them all: so has this one before it is timed."""
    path = pathlib.Path(b.folder) / "touched"
    block = bytes(1 << 20)
    with open(path, "wb") as file:
        for _ in range(WARM_MIB // (8 if b.quick else 1)):
            file.write(block)
    path.unlink()


def site(b, agents):
    """A controller and connected agents, settled.  What /run holds is in
    memory, as it is on every system."""
    run = tempfile.mkdtemp(prefix="rm-bench-", dir="/dev/shm")
    b.close(lambda: shutil.rmtree(run))
    box = lab.Lab()
    b.close(box.close)
    place = load.Site(box, hosts=agents, jobs=1, snapshots=1, logs=0,
                      env={"RM_METRICS_TOKEN": TOKEN, "RM_RUNTIME_DIR": run})
    place.pid = place.controller.program.pid
    place.agents = place.fleet()
    assert place.agents.ask(f"connect {agents} 2000")["live"] == agents
    lab.wait_for("the first orders", lambda: (
        lambda s: s["acked"] == s["events"])(place.agents.ask("stats")))
    return place


def lines(place, rate, jobs, seconds):
    """What load_fleet says; nothing may be missing or refused."""
    told = place.agents.ask(f"lines {rate} {jobs} {seconds}")
    assert told["unacked"] == 0, told
    return told


def whole(place):
    stats = place.agents.ask("stats")
    assert stats["refused"] == stats["reconnects"] == 0, stats


# ------------------------------------------------------------------- flood

def flood(b):
    """Lines a second, and CPU a line, of lines that are all acknowledged,
    that is: synced and committed."""
    touch_memory(b)
    place = site(b, FLOOD_JOBS)
    lines(place, 1000, FLOOD_JOBS, 1)
    before = measure.cpu_us(place.pid)
    told = lines(place, FLOOD, FLOOD_JOBS, 1 if b.quick else 4)
    spent = measure.cpu_us(place.pid) - before
    whole(place)
    return {"rate": told["lines"] / told["took_ms"] * 1000,
            "cpu": spent / told["lines"]}


def intake_ours(b):
    return {"rate": flood(b)["rate"]}


def intake_rsyslog(b):
    touch_memory(b)
    rival = rsyslog.Rsyslog(b, rsyslog.SYNCED)
    made = rsyslog.records(FLOOD_JOBS, 100_000)
    rival.send(made[:200])
    rival.wait_stored(200)
    seconds = 2 if b.quick else 5
    return {"rate": (rival.stored_in(made, seconds) - 200) / seconds}


def cpu_ours(b):
    return {"cpu": flood(b)["cpu"]}


def cpu_rsyslog(b):
    count, warm = (200_000 if b.quick else 1_000_000), 2000
    made = rsyslog.records(FLOOD_JOBS, count)
    touch_memory(b)
    rival = rsyslog.Rsyslog(b)
    rival.send(made[:warm])
    rival.wait_stored(warm)
    before = measure.cpu_us(rival.pid)
    rival.send(made)
    rival.wait_stored(warm + count)
    return {"cpu": (measure.cpu_us(rival.pid) - before) / count}


# ---------------------------------------------------------------- latencies

class BusyDisk:
    """Another program on the same file system that writes 4 MiB, syncs and
    rests for 20 ms, again and again."""

    def __init__(self, b):
        self.path = pathlib.Path(b.folder) / "busy"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        b.close(self.stop)

    def run(self):
        block = os.urandom(4 << 20)
        with open(self.path, "wb", buffering=0) as file:
            while not self.over.wait(0.02):
                if file.tell() > 256 << 20:
                    file.seek(0)
                file.write(block)
                os.fsync(file.fileno())

    def stop(self):
        self.over.set()
        self.thread.join()


def log_ack(b):
    """20,000 lines a second of 1,000 jobs, which speak seven times a second
    as real agents gather them.  The first second is not counted."""
    touch_memory(b)
    place = site(b, 1000)
    seconds = 2 if b.quick else 8
    lines(place, 20_000, 1000, 1)
    before = measure.cpu_us(place.pid)
    quiet = lines(place, 20_000, 1000, seconds)
    spent = measure.cpu_us(place.pid) - before
    busy = BusyDisk(b)
    lines(place, 20_000, 1000, 1)
    loud = lines(place, 20_000, 1000, seconds)
    busy.stop()
    whole(place)
    return {"quiet": quiet["ack"]["p99"], "busy": loud["ack"]["p99"],
            "cpu": spent / quiet["took_ms"] / 10}


def metric(place, name):
    answer = place.controller.client.get(
        "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status == 200, answer.body[:300]
    return float(re.search(rf"^{name} (\S+)$", answer.text, re.M).group(1))


def event_durable(b):
    """5,000 events a second by 1,000 agents, each a change of its host's
    record.  The stall is what the loop gave its databases in one turn, from
    the begin of each transaction to its end."""
    touch_memory(b)
    place = site(b, 1000)
    seconds = 3 if b.quick else 8
    place.agents.ask("events 5000 2")
    if not b.quick:
        time.sleep(21)  # what the two metrics below remember
    before = measure.cpu_us(place.pid)
    told = place.agents.ask(f"events 5000 {seconds}")
    spent = measure.cpu_us(place.pid) - before
    assert told["unacked"] == 0, told
    stall = metric(place, "rm_loop_longest_store_seconds") * 1000
    turn = metric(place, "rm_loop_longest_turn_seconds") * 1000
    whole(place)
    return {"p99": told["ack"]["p99"], "stall": stall, "turn": turn,
            "cpu": spent / told["events"]}


MEASUREMENTS = (
    Measurement(
        "log-intake",
        (Figure("rate", "log lines of 200 bytes taken in over TLS, "
                "acknowledged after the sync", "lines/s",
                100_000, 300_000, "higher"),),
        {OURS: intake_ours, "rsyslog, synced queue": intake_rsyslog},
        note="rsyslog: imtcp and gtls into a disk queue that is synced, then "
             "a file a job; it acknowledges nothing, so lines in their files "
             "are counted."),
    Measurement(
        "log-ack",
        (Figure("quiet", "line to durable acknowledgement, p99, 20,000 "
                "lines/s over 1,000 jobs", "ms", 300, 110),
         Figure("busy", "the same beside a writer that syncs 4 MiB every "
                "20 ms", "ms", 800, 220),
         Figure("cpu", "CPU of one core at that rate, quiet", "%")),
        {OURS: log_ack}, rounds=2),
    Measurement(
        "event-durable",
        (Figure("p99", "event to durable acknowledgement, p99, 5,000 "
                "events/s of 1,000 agents", "ms", 10, 4.5),
         Figure("stall", "loop stall by storage meanwhile, max", "ms", 5,
                0.5),
         Figure("turn", "longest turn of the loop, work on its sockets "
                "included", "ms"),
         Figure("cpu", "CPU an event", "us")),
        {OURS: event_durable}, rounds=2),
    Measurement(
        "log-cpu",
        (Figure("cpu", "CPU a log line of 200 bytes taken in over TLS (ours "
                "durable)", "us", 1, 0.334, against="rsyslog"),),
        {OURS: cpu_ours, "rsyslog": cpu_rsyslog},
        note="rsyslog: imtcp and gtls into a file a job, dynaFileCacheSize "
             "2000, nothing synced."),
)
