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


def copies(keeper, folder):
    """Of when the copies in this folder are."""
    return re.findall(rf"^{re.escape(str(folder))} copied as of (\S+) ",
                      keeper.text(), re.M)


def age_of(target):
    done = subprocess.run([STANDBY, "age", target], capture_output=True,
                          text=True, check=True)
    return int(done.stdout)


def takes_over_with(lab, console, target, host, job):
    """All of a job that was over when the last copy was made is there."""
    console.kill()
    take_over(lab, console, target)
    online(console, host)
    assert console.job(job)["status"] == "succeeded"
    assert len(host.lines(job)) == 10


def test_keeping_a_standby_warm(lab, console, target):
    host = Host(lab, console, "web-1")
    keeper = lab.start([STANDBY, "keep", console.data, target, "1"],
                       clean_env(RM_CLI=BIN / "restic-manager"),
                       lab.path / "keep.log")
    wait_for("two copies", lambda: len(copies(keeper, target)) >= 2)
    job = host.run(lines=10)
    console.wait_job(job)
    seen = len(copies(keeper, target))
    wait_for("another copy", lambda: len(copies(keeper, target)) >= seen + 2)
    assert 0 <= age_of(target) < 10
    keeper.kill()  # in the middle of whatever it does
    keeper.wait()
    takes_over_with(lab, console, target, host, job)
    modes = {p.name: oct(os.stat(p).st_mode & 0o7777)
             for p in (target / "secret.key", target / "db/vault/data.mdb")}
    assert set(modes.values()) == {"0o600"}


# In the place of ssh: runs on this machine what it is asked to run on
# primary, while the way there is open.
SSH = """#!/bin/bash
while [ "${{1#-}}" != "$1" ]; do
	if [ "$1" = -o ] || [ "$1" = -l ]; then shift; fi
	shift
done
[ "$1" = primary ] && [ -e '{way}' ] || exit 255
shift
PATH='{bin}':$PATH exec sh -c "$*"
"""


@pytest.fixture(name="way")
def fixture_way(lab):
    """Open while the file is there."""
    way, ssh = lab.path / "way", lab.path / "bin/ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH.format(way=way, bin=BIN))
    ssh.chmod(0o755)
    way.touch()
    return way


def keep_from_afar(lab, console, target):
    path = f"{lab.path / 'bin'}:{os.environ['PATH']}"
    return lab.start(
        [STANDBY, "keep", f"primary:{console.data}", target, "1"],
        clean_env(RM_CLI=BIN / "restic-manager", PATH=path),
        lab.path / "keep.log")


def test_a_standby_on_another_machine(lab, console, target, way):
    host = Host(lab, console, "web-1")
    keeper = keep_from_afar(lab, console, target)
    wait_for("two copies", lambda: len(copies(keeper, target)) >= 2)
    way.unlink()
    wait_for("a fetch that fails", lambda: "again in 1 s" in keeper.text())
    job = host.run(lines=10)
    console.wait_job(job)
    assert age_of(target) >= 0
    seen = len(copies(keeper, target))
    way.touch()
    wait_for("another copy", lambda: len(copies(keeper, target)) >= seen + 2)
    # What was fetched is of the moment at which it was made over there.
    assert set(copies(keeper, target)) <= set(copies(
        keeper, f"{console.data}.copy"))
    takes_over_with(lab, console, target, host, job)
    # What has become a controller is never copied over.
    assert keeper.wait(30) == 1
    assert "nothing was copied" in keeper.text()
    assert console.healthy()


def test_a_standby_that_reaches_nobody(lab, console, target, way):
    way.unlink()
    keeper = keep_from_afar(lab, console, target)
    assert keeper.wait(30) == 1
    assert f"primary:{console.data} could not be fetched" in keeper.text()
    assert not target.exists()
