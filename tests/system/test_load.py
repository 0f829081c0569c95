# SPDX-License-Identifier: GPL-3.0-or-later
"""The load program: what it says is taken, kept, and told by the API."""
import pathlib
import sys
import threading

import pytest

from lab import wait_for

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "load"))

import load  # noqa: E402

AGENTS, MANY = 50, 150


@pytest.fixture
def site(lab):
    site = load.Site(lab, hosts=AGENTS)
    site.controller.bootstrap()
    return site



def lines_of(site, job):
    return [line["payload"] for line in site.controller.log_lines(job)
            if line["stream"] == "stdout"]


def as_printed(job):
    return [f"line {n}" for n in range(1, job["lines"] + 1)]


def test_agents_beat_and_print_and_the_api_has_it_all(site):
    fleet = site.fleet()
    assert fleet.ask(f"connect {AGENTS} 0")["live"] == AGENTS
    beats = fleet.ask("beat 500 1")
    assert 400 <= beats["beats"] <= 500
    assert 0 < beats["taken"]["p50"] <= beats["taken"]["p99"]
    events = fleet.ask("events 200 1")
    assert events["unacked"] == 0 and events["ack"]["n"] == events["events"]
    logs = fleet.ask("logs 1000 10 1")
    assert logs["unacked"] == 0 and len(logs["jobs"]) == 10
    assert sum(job["lines"] for job in logs["jobs"]) == logs["lines"]
    for job in logs["jobs"]:
        assert site.controller.job(job["id"])["status"] == "succeeded"
        printed = lines_of(site, job["id"])
        assert [p.split(" unch")[0] for p in printed] == as_printed(job)
    assert fleet.ask("handshakes 20")["done"] == 20
    assert fleet.quit() == 0


def test_agents_that_are_cut_off_come_back_and_lose_nothing(lab, site):
    proxy = lab.proxy(site.controller.port)
    fleet = site.fleet(port=proxy.port)
    fleet.ask(f"connect {AGENTS} 0")
    cut = threading.Timer(0.7, proxy.cut)
    cut.start()
    logs = fleet.ask("logs 1000 10 2")
    cut.join()
    for job in logs["jobs"]:
        printed = lines_of(site, job["id"])
        assert [p.split(" unch")[0] for p in printed] == as_printed(job)
    assert fleet.ask("drop 20") == {"dropped": 20}
    assert fleet.ask(f"wait-live {AGENTS} 30")["live"] == AGENTS
    stats = fleet.ask("stats")
    assert stats["reconnects"] >= AGENTS + 20
    assert stats["acked"] == stats["events"] <= stats["sent"]
    assert stats["refused"] == 0


def test_more_than_can_be_written_waits_and_is_not_turned_away(lab):
    """A megabyte of each agent on the way is twice what may wait."""
    fleet = load.Site(lab, hosts=MANY).fleet()
    fleet.ask(f"connect {MANY} 0")
    logs = fleet.ask(f"logs 10000000 {MANY} 1")
    assert logs["unacked"] == 0 and logs["lines"] > MANY * 5000
    stats = fleet.ask("stats")
    assert (stats["refused"], stats["reconnects"]) == (0, 0), stats
    assert (stats["live"], stats["sent"]) == (MANY, stats["events"])


def test_a_command_reaches_the_agent_once(site):
    fleet = site.fleet()
    fleet.ask(f"connect {AGENTS} 0")
    wait_for("what the hellos caused", lambda: (
        lambda s: s["acked"] == s["events"])(fleet.ask("stats")))
    fleet.ask("wait-commands 0")
    host = next(h[0] for h in site.hosts if h[1] == "ok")
    job = site.controller.run_group(host)
    came = fleet.ask("wait-commands 1")
    assert [c["job"] for c in came["arrived"]] == [job]
    assert site.controller.wait_job(job)["status"] == "succeeded"
    assert fleet.ask("stats")["duplicates"] == 0
