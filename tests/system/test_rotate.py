# SPDX-License-Identifier: GPL-3.0-or-later
"""W-10: an agent's bearer is rotated in place, with real programs; restic is
pretended.  Wherever it is cut off, the host comes back by itself."""
import hashlib
import re

import grpc
import pytest

import foreign
from cli import Cli
from lab import ROOT, wait_for
from peers import POLL_ONLY, Nginx
from web import Browser

FAKE = ROOT / "tests/fake/restic"


def ask(console, host):
    answer = console.client.post(f"/api/hosts/{host}/rotate-bearer")
    assert answer.status in (200, 202), answer.text
    return answer


def rotated(console, host, before=None):
    """The host, once its bearer is another one and it is connected."""
    def over():
        shown = console.host(host)
        return (shown if shown["bearer_rotation"] == "" and
                shown["bearer_rotated_at"] not in (None, before) and
                shown["status"] == "online" else None)
    return wait_for("the rotation", over, 60)


def enrolled_bearer(agent):
    return re.search(r'^agent_token: "?([A-Za-z0-9_-]{43})"?$',
                     agent.config.read_text(), re.M).group(1)


def status_of(lab, console, bearer):
    """What the controller says to a bearer."""
    pb, rpc = foreign.load(foreign.generated(lab))
    probe = foreign.ForeignAgent(console.port, foreign.generated(lab))
    try:
        rpc.AgentStub(probe.channel).Check(
            pb.CheckRequest(protocol_version=1), timeout=20,
            metadata=(("authorization", f"Bearer {bearer}"),))
        return grpc.StatusCode.OK
    except grpc.RpcError as e:
        return e.code()
    finally:
        probe.close()


def actions(console, host):
    rows = console.client.ok("GET", "/api/audit?per_page=200")["items"]
    return [r["action"] for r in rows if r["target_id"] == host
            and "bearer" in r["action"]]


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    return lab.host(console, restic=FAKE)


def test_a_host_that_is_online_rotates(lab, console, agent):
    """W-10: the old bearer is worthless, jobs and credentials stay, and no
    bearer is anywhere but with the agent."""
    old = enrolled_bearer(agent)
    source = lab.path / "src-web-1"
    (source / ".pretend").write_text("lines=20 delay_ms=200")
    job = console.run_group(agent.host_id)
    answer = ask(console, agent.host_id)
    assert answer.status == 202
    assert answer.json()["bearer_rotation"] == "under_way"
    rotated(console, agent.host_id)
    assert status_of(lab, console, old) == grpc.StatusCode.UNAUTHENTICATED
    assert console.wait_job(job)["status"] == "succeeded"
    assert sorted(actions(console, agent.host_id)) == [
        "host.bearer_rotated", "host.bearer_rotation"]
    # The next start has it, too, and so has doctor.
    agent.stop()
    agent.start()
    wait_for("the agent", lambda: agent.log.read_text().count(
        "session open") >= 4)
    assert "does not know this bearer" not in agent.log.read_text()
    told = [old, hashlib.sha256(old.encode()).hexdigest()]
    for text in (agent.log.read_text(), console.log.read_text(), console
                 .client.get(f"/hosts/{agent.host_id}/repo").text):
        assert not [t for t in told if t in text]
    assert "bearer rotated" in console.log.read_text()


def test_a_host_that_is_away_rotates_when_it_is_back(lab, console):
    """W-10: the wish survives a restart and is to be seen; asking again is
    no second one."""
    agent = lab.agent(console, restic=FAKE).enrol(
        console.mint("web-1", str(lab.path / "repo")))
    cli = Cli(lab)
    cli.login(console)
    cli.ok("hosts", "rotate-bearer", "web-1")
    again = ask(console, agent.host_id)
    assert again.status == 200
    assert again.json()["bearer_rotation"] == "waiting_for_host"
    console.restart()
    shown = cli.json("hosts", "show", "web-1")
    assert shown["bearer_rotation"] == "waiting_for_host"
    assert shown["bearer_rotation_asked_at"] and not shown["bearer_rotated_at"]
    page = Browser(console.port).sign_in().get(f"/hosts/{agent.host_id}")
    assert "bearer rotation waits for the host" in page.text
    agent.start()
    rotated(console, agent.host_id)
    assert sorted(actions(console, agent.host_id)) == [
        "host.bearer_rotated", "host.bearer_rotation"]


def test_an_agent_that_polls_rotates(lab, console):
    """W-10, where streams do not survive."""
    nginx = Nginx(lab, console, POLL_ONLY, console.port).start()
    agent = lab.host(console, restic=FAKE, port=nginx.port)
    assert "polling instead" in agent.log.read_text()
    ask(console, agent.host_id)
    rotated(console, agent.host_id)
    assert status_of(lab, console, enrolled_bearer(
        agent)) == grpc.StatusCode.UNAUTHENTICATED
    console.wait_job(console.run_group(agent.host_id))


def test_the_button_of_the_danger_zone(console, agent):
    """W-10"""
    browser = Browser(console.port).sign_in()
    page = f"/hosts/{agent.host_id}/repo"
    answer = browser.send(page, f"/hosts/{agent.host_id}/rotate-bearer")
    assert answer.status == 303
    assert "The agent is asked for another bearer" in browser.get(
        answer.headers["Location"]).text
    rotated(console, agent.host_id)
    assert "Last done" in browser.get(page).text


OFFER = "wants another bearer"
TAKEN = "took the new bearer"
DONE = "bearer rotated host="


def test_nobody_is_locked_out_by_a_kill(lab, console, agent):
    """W-10: kill -9 of either side behind each step."""
    before, old = None, enrolled_bearer(agent)

    def seen(log, what, count):
        wait_for(what, lambda: log.read_text().count(what) > count, step=0.01)

    for log, what in ((agent.log, OFFER), (agent.log, TAKEN),
                      (console.log, DONE)):
        for victim in (agent, console):
            count = log.read_text().count(what)
            ask(console, agent.host_id)
            seen(log, what, count)
            victim.kill()
            victim.start()
            before = rotated(console, agent.host_id, before)[
                "bearer_rotated_at"]
    assert status_of(lab, console, old) == grpc.StatusCode.UNAUTHENTICATED
    console.wait_job(console.run_group(agent.host_id))


def test_an_older_copy_meets_the_bearer_of_before(lab, console, agent):
    """docs/scaling.md: what was rotated after the copy is fallen back from,
    and rotated once more."""
    copy = lab.path / "copy"
    Cli(lab).ok("state", "copy", "--data-dir", console.data, copy)
    ask(console, agent.host_id)
    rotated(console, agent.host_id)
    console.kill()
    console.data = console.env["RM_DATA_DIR"] = copy
    console.start()
    wait_for("the agent", lambda: "trying another one" in agent.log.read_text())
    wait_for("the agent", lambda: console.host(agent.host_id)["status"] ==
             "online" and agent.log.read_text().count("session open") > 2)
    assert console.host(agent.host_id)["bearer_rotated_at"] is None
    ask(console, agent.host_id)
    rotated(console, agent.host_id)


class Rotating(foreign.ForeignAgent):
    """Knows of rotations once it was updated."""
    updated, offer = False, b""

    def hello(self):
        message = super().hello()
        if self.updated:
            message.rotates_bearer = True
            message.new_bearer_sha256 = self.offer
        return message


def test_an_old_agent_goes_on_until_it_is_updated(lab, console):
    """W-10, by Poll alone: nothing is lost, and the page says why it waits."""
    with foreign.enrolled(lab, console, Rotating) as agent:
        agent.polls_until_ready(console)
        assert ask(console, agent.host_id).json()[
            "bearer_rotation"] == "agent_too_old"
        page = Browser(console.port).sign_in().get(f"/hosts/{agent.host_id}")
        assert "agent too old to rotate its bearer" in page.text
        job = console.run_group(agent.host_id)
        agent.polls_until("backup", lambda: console.job(job)[
            "status"] == "succeeded")
        agent.updated = True
        assert agent.poll(0).hello.rotate_bearer
        wait_for("the update", lambda: console.host(agent.host_id)[
            "bearer_rotation"] == "under_way")
        old, fresh = agent.metadata, "n" * 43
        agent.offer = hashlib.sha256(fresh.encode()).digest()
        with pytest.raises(grpc.RpcError) as e:
            agent.poll(25000)
        assert ("rm-error-code", "bearer_rotated") in [
            tuple(m) for m in e.value.trailing_metadata()]
        agent.metadata = (("authorization", f"Bearer {fresh}"),)
        agent.offer = b""
        assert not agent.poll(0).hello.rotate_bearer
        rotated(console, agent.host_id)
        agent.metadata = old
        with pytest.raises(grpc.RpcError) as e:
            agent.poll(0)
        assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED
