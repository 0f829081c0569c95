# SPDX-License-Identifier: GPL-3.0-or-later
"""A warm standby takes over: restic-manager state copy, tools/standby and
docs/scaling.md, with real programs; restic is pretended."""
import json
import os
import re
import subprocess

import pytest

from lab import BIN, ROOT, clean_env, wait_for

FAKE = ROOT / "tests/fake/restic"
STANDBY = ROOT / "tools/standby"


class Host:
    """An agent, what its restic pretends, and how often that was run."""

    def __init__(self, lab, console, name):
        self.console = console
        self.source = lab.sources(f"src-{name}")
        self.repo = lab.path / f"repo-{name}"
        self.agent = lab.host(console, name=name, repo=self.repo,
                              paths=[self.source], restic=FAKE)
        self.id = self.agent.host_id

    def run(self, **pretend):
        (self.source / ".pretend").write_text(
            " ".join(f"{k}={v}" for k, v in pretend.items()))
        return self.console.run_group(self.id)

    def runs(self):
        return len((self.repo / "runs").read_bytes())

    def started(self, job):
        wait_for("the run", lambda: self.console.job(job)["status"] ==
                 "running" and self.lines(job))
        return job

    def lines(self, job):
        return [row["payload"] for row in self.console.log_lines(job)
                if row["payload"].startswith("pretend line ")]


def copy(console, target, *options):
    return subprocess.run(
        [BIN / "restic-manager", "state", "copy", "-o", "json", *options,
         "--data-dir", console.data, target], env=clean_env(),
        capture_output=True, text=True, timeout=60, check=False)


def copied(console, target):
    done = copy(console, target)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def take_over(lab, console, target):
    """The failover script, on the address of the controller that died."""
    console.data = target
    console.env["RM_DATA_DIR"] = target
    console.log = lab.path / "standby.log"
    console.program = lab.start(
        [STANDBY, "take-over", target, BIN / "restic-manager-controller"],
        clean_env(**console.env), console.log)
    wait_for("the standby", console.healthy, 30)
    return console


def online(console, *hosts):
    wait_for("the agents", lambda: all(
        console.host(h.id)["status"] == "online" for h in hosts), 60)


@pytest.fixture(name="target")
def fixture_target(lab):
    return lab.path / "standby"


def test_a_standby_takes_over(lab, console, target):
    one, two, three, four = (Host(lab, console, f"web-{n}")
                             for n in range(1, 5))
    done = one.run(lines=50)
    console.wait_job(done)
    # On its way when the copy is made, over before the controller dies.
    crossing = two.started(two.run(lines=60, delay_ms=250))
    still = four.started(four.run(lines=80, delay_ms=1000))
    first = copied(console, target)
    assert first["database_bytes"] > 0 and first["files"] >= 3
    again = copied(console, target)
    assert again["files"] <= 4  # logs that are written to, no more
    console.wait_job(crossing)
    # Nobody knows of these but the controller that dies, and the agents.
    behind = [three.run(lines=5), one.run(lines=5)]
    for job in behind:
        console.wait_job(job)
    late = lab.agent(console, name="late", restic=FAKE).enrol(
        console.mint("late", str(lab.path / "repo-late"),
                     initial_paths=[str(one.source)])).start()
    runs = [h.runs() for h in (one, two, three, four)]
    console.kill()

    take_over(lab, console, target)
    assert "starting on a copy of" in console.program.text()
    # The session of before still holds; the hosts come by themselves.
    for job in behind:
        wait_for("what the copy does not know", lambda j=job: console.client
                 .get(f"/api/jobs/{j}").status == 200, 60)
    online(console, one, two, three, four)
    assert not (target / "copy.json").exists()
    assert console.job(done)["status"] == "succeeded"
    assert one.lines(done) == [f"pretend line {n}" for n in range(1, 51)]
    for job in (crossing, *behind):
        end = console.wait_job(job)
        assert (end["status"], end["kind"]) == ("succeeded", "backup"), end
    # Its log goes on where it is; what is missing is said.
    end = console.wait_job(still, 90)
    assert end["status"] == "succeeded", end
    assert four.lines(still)[-1] == "pretend line 80"
    assert [h.runs() for h in (one, two, three, four)] == runs
    assert "lost by the agent" not in console.program.text()
    # And everything works.
    for host in (one, two, three, four):
        end = console.wait_job(host.run(lines=3))
        assert end["status"] == "succeeded"
        assert len(host.lines(end["id"])) == 3
    # A host that the copy does not know has to be enrolled again.
    wait_for("the refusal", lambda: "enrol again" in late.program.text(), 40)
    entries = console.client.ok("GET", "/api/audit?action=state")["items"]
    assert [e["action"] for e in entries] == ["state.copy_started"]
    assert console.client.ok("GET", "/api/audit/verify")["ok"] is True


def test_a_plan_of_after_the_copy_gives_way(lab, console, target):
    """Changed once behind the copy, and once on the standby while the host
    was away: the same number twice, and the agent has the wrong one."""
    host = Host(lab, console, "web-1")

    def change(kbps):
        console.client.ok("PUT", f"/api/hosts/{host.id}/bandwidth",
                          {"bandwidth_up_kbps": kbps})

    def applied():
        h = console.host(host.id)
        return h["applied_config_version"] == h["config_version"]
    wait_for("the plan of before", applied)
    copied(console, target)
    change(1000)
    wait_for("the plan that will be lost", applied)
    host.agent.stop()
    console.kill()
    take_over(lab, console, target)
    change(2000)
    assert not applied()
    host.agent.start()
    wait_for("the plan of the standby", applied, 30)


def test_nothing_is_copied_over_a_state_of_its_own(lab, console, target):
    host = Host(lab, console, "web-1")
    copied(console, target)
    primary = console.data
    console.kill()
    take_over(lab, console, target)
    online(console, host)
    console.data = primary  # the copying goes on from the old one
    busy = copy(console, target)
    assert busy.returncode == 8 and "in use" in busy.stderr
    console.kill()
    mine = copy(console, target)
    assert mine.returncode == 6, mine.stderr
    assert "was started on it" in mine.stderr
    age = subprocess.run([STANDBY, "age", target], capture_output=True,
                         text=True, check=False)
    assert age.returncode == 1 and "is no copy" in age.stderr


def test_a_copy_that_never_became_whole_is_not_started(lab, console, target):
    (target / "db/state").mkdir(parents=True)
    (target / "copy.json").write_text('{"copied_at":null}\n')
    other = lab.controller(name="other", RM_DATA_DIR=target)
    other.start(wait=False)
    assert other.program.wait() != 0
    assert "never completed" in other.program.text()
    assert not (target / "db/state/data.mdb").exists()
    copied(console, target)  # the next one makes it whole
    other.start()
    assert other.login()


def test_keeping_a_standby_warm(lab, console, target):
    host = Host(lab, console, "web-1")
    keeper = lab.start([STANDBY, "keep", console.data, target, "1"],
                       clean_env(RM_CLI=BIN / "restic-manager"),
                       lab.path / "keep.log")

    def copies():
        return re.findall(r"copied as of (\S+) ", keeper.text())

    wait_for("two copies", lambda: len(copies()) >= 2)
    job = host.run(lines=10)
    console.wait_job(job)
    seen = len(copies())
    wait_for("another copy", lambda: len(copies()) >= seen + 2)
    age = subprocess.run([STANDBY, "age", target], capture_output=True,
                         text=True, check=True)
    assert 0 <= int(age.stdout) < 10
    keeper.kill()  # in the middle of whatever it does
    keeper.wait()
    console.kill()
    take_over(lab, console, target)
    online(console, host)
    assert console.job(job)["status"] == "succeeded"
    assert len(host.lines(job)) == 10
    modes = {p.name: oct(os.stat(p).st_mode & 0o7777)
             for p in (target / "secret.key", target / "db/vault/data.mdb")}
    assert set(modes.values()) == {"0o600"}
