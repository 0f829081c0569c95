# SPDX-License-Identifier: GPL-3.0-or-later
"""Two minutes of tests/soak/soak.py, and that its oracles find what is wrong:
an hour with 10,000 agents is `tests/soak/soak.py`."""
import pathlib
import subprocess
import sys
import time

import pytest

import lab as lab_module

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("soak", "load", "bench")]

import storms  # noqa: E402
import verdict  # noqa: E402
from ledger import Ledger, spool_path, stamp, ulid_ms  # noqa: E402
from visitors import Sights  # noqa: E402

JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
AGENTS = 300


def test_two_minutes_with_storms_lose_nothing():
    """With kill -9 of both programs, cuts and a pause."""
    done = subprocess.run(
        [sys.executable, TESTS / "soak/soak.py", "--minutes", "1.5",
         "--agents", str(AGENTS), "--lines", "500", "--jobs", "30",
         "--dashboards", "4", "--followers", "4", "--pages", "1",
         "--p99-ms", "10000"], env=lab_module.clean_env(
             RM_BIN_DIR=lab_module.BIN, RM_TOOLS_DIR=lab_module.TOOLS),
        capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: all held" in done.stdout
    for storm in ("kill_controller", "kill_renderer", "cut_all"):
        assert storm in done.stdout, done.stdout


# ------------------------------------------------------------- the oracles

def log_of(folder, *numbers):
    """A spool with one log that has these lines."""
    path = folder / "spool/jobs/2016/07/30/23" / f"{JOB}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    at = "2016-07-30T23:54:10.259Z"
    path.write_text("".join(
        [f"{at} sys  job {JOB} host a group b restic 0.18.0\n",
         *(f"{at} out  line {n} ....\n" for n in numbers),
         f"{at} sys  end state=succeeded exit=0 lines={len(numbers)}\n"]))
    return path


@pytest.mark.parametrize("numbers, good", [
    ((1, 2, 3), True), ((1, 3), False), ((1, 2), False), ((2, 1, 3), False),
    ((1, 2, 2, 3), False), ((1, 2, 3, 4), False), ((), False)])
def test_the_ledger_misses_no_line(tmp_path, numbers, good):
    ledger = Ledger()
    ledger.ended([[JOB, "host", 3]])
    path = log_of(tmp_path, *numbers)
    assert spool_path(tmp_path, JOB) == path
    assert (ledger.check_spool(tmp_path) == []) == good
    subprocess.run(["zstd", "-q", "--rm", path], check=True)
    assert (ledger.check_spool(tmp_path) == []) == good


def test_the_ledger_misses_a_log_and_a_job_that_ended_twice(tmp_path):
    ledger = Ledger()
    ledger.ended([[JOB, "host", 3]])
    assert ledger.check_spool(tmp_path) == [f"job {JOB} has no log"]
    ledger.ended([[JOB, "host", 3]])
    assert ledger.twice == [JOB]
    assert stamp(ulid_ms(JOB)) == "2016-07-30T23:54:10.259Z"


class Store:
    """A console's list of jobs."""

    def __init__(self, **changed):
        self.row = {"id": JOB, "kind": "backup", "status": "succeeded",
                    "cause": None, "log": {
                        "closed": True, "damaged": False, "truncated": 0}}
        self.row.update(changed)

    def ok(self, _method, path):
        return {"items": [self.row] if "page=1" in path[-6:] else []}


def test_the_ledger_reads_the_store():
    mine, none = Ledger(), Ledger()
    mine.ended([[JOB, "host", 3]])
    assert mine.check_store(Store(), 0) == []
    assert mine.check_store(Store(status="failed"), 0)
    assert mine.check_store(Store(log={"closed": True, "damaged": True,
                                       "truncated": 0}), 0)
    assert mine.check_store(Store(id=JOB[:-1] + "W"), 0)
    assert none.check_store(Store(status="running"), 0)
    assert none.check_store(Store(kind="init"), 0) == []
    assert none.check_store(Store(kind="init", status="failed"), 0)
    later = ulid_ms(JOB) + 1
    assert mine.check_store(Store(), later) == []
    assert mine.check_store(Store(status="failed"), later)
    assert none.check_store(Store(status="failed"), later) == []


def watched(own, fds=20):
    watch = verdict.Watch(None)
    watch.samples = [{"at": 10.0 * k, "name": "controller", "pid": 1,
                      "settled": True, "pss": kib, "own": kib,
                      "fds": fds + k if fds < 0 else fds}
                     for k, kib in enumerate(own)]
    return watch.judge("controller")[0]


def test_memory_that_grows_is_seen():
    flat, leak = [100000] * 60, [100000 + 200 * k for k in range(60)]
    assert watched(flat)
    assert not watched(leak)
    assert watched(leak[:20])  # 4 MB are allowed
    assert not watched(flat, fds=-1)


def test_a_long_stretch_is_judged_by_the_slope_of_its_floor():
    minutes = 6 * 30
    busy = [100000 + 30000 * (k % 5 > 0) for k in range(minutes)]
    assert watched(busy)
    assert watched([kib + min(9000, 300 * k) for k, kib in enumerate(busy)])
    assert watched(busy[:-20] + [100000 + 30000] * 20)  # a storm's leftovers
    assert not watched([kib + 20 * k for k, kib in enumerate(busy)])
    assert not watched(busy, fds=-1)


def test_a_word_nobody_explains_is_seen(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "2026-11-21T21:40:54.036Z info  main ready\n"
        "2026-11-21T21:40:54.036Z warn  job  job lost by the agent job=1\n"
        "2026-11-21T21:40:54.036Z error store no room for job 17\n"
        "2026-11-21T21:40:54.036Z error store no room for job 18\n")
    assert verdict.log_lines(log) == [
        "2 x 2026-11-21T21:40:54.036Z error store no room for job 17"]


def test_only_a_storm_excuses():
    sky = storms.Storms()
    sights = Sights(sky)
    sights.failed(time.monotonic(), "calm")
    sky.begin("gale")
    sights.failed(time.monotonic(), "in it")
    sky.windows[0] = [0.0, 10.0]
    assert (sights.failures, sights.excused) == (["calm"], 1)
    assert sky.touched(9, 11) and not sky.touched(10.5, 11)


def test_the_plan_is_the_seeds_and_has_every_storm():
    hour = storms.plan(3600, 1)
    assert hour == storms.plan(3600, 1) != storms.plan(3600, 2)
    assert {storm for _, storm in hour} == {*storms.RESTARTS, *storms.OTHERS}
    assert all(when < 1800 for when, storm in hour
               if storm in storms.RESTARTS)
