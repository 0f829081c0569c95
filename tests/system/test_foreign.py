# SPDX-License-Identifier: GPL-3.0-or-later
"""A foreign agent: Python grpcio, from proto/agent.proto alone."""
import grpc
import pytest

import foreign


@pytest.fixture(name="folder")
def fixture_folder(lab):
    return foreign.generated(lab)


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    with foreign.enrolled(lab, console, initial_paths=["/etc"]) as agent:
        yield agent


def lines_of(console, job_id):
    return [row["payload"] for row in console.log_lines(job_id)
            if row["stream"] == "stdout"]


EXPECTED = [f"foreign line {n}" for n in range(1, 6)]


def ready(console, agent):
    return console.host(agent.host_id)["repo_status"] == "ready"


def backup_by_polls(console, agent):
    agent.polls_until_ready(console)
    job = console.run_group(agent.host_id)
    agent.polls_until("backup", lambda: console.job(job)[
        "status"] == "succeeded", 500)
    return job


def test_runs_init_and_a_backup_over_session(console, agent):
    """M-102, M-108, M-239: init comes by itself; then run-now."""
    agent.session(lambda a: ready(console, a))
    assert agent.repo.url == "/somewhere"
    job = console.run_group(agent.host_id)
    agent.session(
        lambda a: console.job(job)["status"] == "succeeded")
    assert lines_of(console, job) == EXPECTED
    snapshots = console.client.ok(
        "GET", f"/api/hosts/{agent.host_id}/snapshots")
    assert len(snapshots["items"]) == 1


def test_runs_init_and_a_backup_over_poll_alone(console, agent):
    """Poll alone is enough for everything."""
    job = backup_by_polls(console, agent)
    assert lines_of(console, job) == EXPECTED
    assert agent.poll(0).acked_seq == len(agent.events)


def test_events_sent_twice_count_once(console, agent):
    """Rule 7: what the controller has is dropped."""
    job = backup_by_polls(console, agent)
    agent.acked = 0
    reply = agent.poll(0)
    assert reply.acked_seq == len(agent.events)
    assert lines_of(console, job) == EXPECTED


def test_a_token_works_once_but_its_own_reply_may_be_asked_again(
        folder, console):
    """contract.md, Enrolment: the enrol_id makes a lost reply harmless."""
    agent = foreign.ForeignAgent(console.port, folder)
    token = console.mint("foreign", "/somewhere")
    first = agent.enrol(token, "same")
    again = agent.enrol(token, "same")
    assert again.host_id == first.host_id
    assert again.agent_token != first.agent_token
    with pytest.raises(grpc.RpcError) as used:
        agent.enrol(token, "another")
    assert used.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(grpc.RpcError) as unknown:
        agent.enrol("A" * 43 + "." + token.split(".")[1], "x")
    assert unknown.value.code() == grpc.StatusCode.UNAUTHENTICATED
    agent.close()


def call_poll(agent, **hello):
    message = agent.hello()
    for name, value in hello.items():
        setattr(message, name, value)
    return agent.stub.Poll(agent.pb.PollRequest(hello=message, wait_ms=0),
                           metadata=agent.metadata, timeout=20)


def test_a_wrong_bearer_is_unauthenticated(agent):
    """M-101."""
    agent.metadata = (("authorization", "Bearer " + "x" * 43),)
    with pytest.raises(grpc.RpcError) as e:
        call_poll(agent)
    assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("version,code", [(0, "protocol_too_old"),
                                          (99, "protocol_too_new")])
def test_a_wrong_protocol_version_has_a_name(agent, version, code):
    """M-103."""
    with pytest.raises(grpc.RpcError) as e:
        call_poll(agent, protocol_version=version)
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert ("rm-error-code", code) in [tuple(m) for m in
                                       e.value.trailing_metadata()]


def test_a_second_instance_with_the_same_bearer_is_turned_away(agent):
    """contract.md, Wire: live identity."""
    call_poll(agent)
    with pytest.raises(grpc.RpcError) as e:
        call_poll(agent, instance_id=b"\1" * 32)
    assert e.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert ("rm-error-code", "duplicate_identity") in [
        tuple(m) for m in e.value.trailing_metadata()]
