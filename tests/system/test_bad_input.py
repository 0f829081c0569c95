# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input on the agents' side of the road, and resources that run out.

Each gets a clear error on its own channel, and costs nothing that was there
before.  What browsers and scripts can do wrong is in test_edge.py.
"""
import base64
import contextlib
import os
import random
import re
import resource
import shutil
import socket
import ssl
import subprocess
import time

import grpc
import pytest

import foreign
from lab import BIN, ROOT, Client, clean_env, replace_text, wait_for

FAKE = ROOT / "tests/fake/restic"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
OTHER_JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    with foreign.enrolled(lab, console, initial_paths=["/etc"]) as agent:
        yield agent


# ------------------------------------------------------------------- tokens


def enrol_by_http(port, token, **more):
    body = {"token": token, "enrol_id": "x", "hostname": "h", "os": "linux",
            "arch": "amd64", "agent_version": "1", "restic_version": ""}
    body.update(more)
    return Client(port).post("/api/agents/enroll", body)


def test_wrong_tokens_have_their_codes(console):
    """contract.md, Enrolment: unknown 401, used 410, malformed 400."""
    token = console.mint("web-1", "/somewhere")
    pin = token.split(".")[1]
    assert enrol_by_http(console.port, f"{'A' * 43}.{pin}").status == 401
    for malformed in ("", "x", "A" * 42 + "." + pin, "." + pin, "é" * 43):
        assert enrol_by_http(console.port, malformed).status in (400, 422)
    assert enrol_by_http(console.port, token).status == 200
    used = enrol_by_http(console.port, token, enrol_id="y")
    assert used.status == 410 and used.json()["message"]
    hosts = console.client.ok("GET", "/api/hosts")["items"]
    assert len(hosts) == 1


def test_tokens_and_sessions_expire(lab, ahead):
    """M-016, M-066: an hour, a day; each is said, nothing is made."""
    env, set_ahead = ahead
    console = lab.controller(**env).start()
    console.bootstrap()
    token = console.mint("web-1", "/somewhere")
    set_ahead(3590)
    fresh = console.mint("web-2", "/somewhere")
    set_ahead(3700)
    late = enrol_by_http(console.port, token)
    assert late.status == 410 and "expired" in late.json()["message"]
    assert enrol_by_http(console.port, fresh).status == 200
    done = subprocess.run(
        [BIN / "restic-manager-agent", "-enroll-server", console.url,
         "-enroll-token", token], capture_output=True, text=True, timeout=30,
        check=False, env=clean_env(RM_AGENT_CONFIG=lab.path / "a.yaml",
                                   RM_STATE_DIR=lab.path / "a"))
    assert done.returncode != 0 and "expired" in done.stderr
    assert console.client.get("/api/hosts").status == 200
    set_ahead(86500)
    assert console.client.get("/api/hosts").status == 401


def test_what_expired_is_swept_every_quarter_of_an_hour(lab, ahead):
    """M-023: while nobody asks for them.  A token is told from an unknown
    one for another day."""
    env, set_ahead = ahead
    timers = lab.path / "timers"
    timers.write_text("0")
    console = lab.controller(**env, RM_TIMERS_AHEAD=timers).start()
    console.bootstrap()  # two sessions
    console.stop()

    def swept():
        return re.findall(r"expired sessions and tokens swept n=(\d+)",
                          console.log.read_text())
    set_ahead(86500)
    console.start()
    wait_for("the sweep of the start", lambda: swept() == ["2"])
    console.login()
    console.mint("web-1", "/somewhere")
    set_ahead(2 * 86500)
    replace_text(timers, "700")
    time.sleep(1.2)
    assert swept() == ["2"]  # it is not time yet
    replace_text(timers, "905")
    wait_for("the session to go", lambda: swept() == ["2", "1"])
    set_ahead(86500 + 90100)
    replace_text(timers, "1600")
    time.sleep(1.2)
    assert swept() == ["2", "1"]
    replace_text(timers, "1810")
    # In the vault, and what pages show of it.
    wait_for("the token to go", lambda: swept() == ["2", "1", "2"])


def test_an_agent_tells_what_is_wrong_with_its_token(lab, console):
    token = console.mint("web-1", str(lab.path / "repo"))
    secret, pin = token.split(".")
    other_pin = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    for wrong, words in (("nonsense", "token"),
                         (f"{'B' * 43}.{pin}", "token"),
                         (f"{secret}.{other_pin}", "key")):
        agent = lab.path / f"agent-{wrong[:8]}"
        done = subprocess.run(
            [BIN / "restic-manager-agent", "-enroll-server", console.url,
             "-enroll-token", wrong], capture_output=True, text=True,
            timeout=60, check=False,
            env=clean_env(RM_AGENT_CONFIG=f"{agent}.yaml",
                          RM_STATE_DIR=agent))
        assert done.returncode not in (0, -6, -11)
        assert words in done.stderr, done.stderr
        assert secret not in done.stderr
    assert console.client.ok("GET", "/api/hosts")["items"] == []


def test_a_copied_agent_is_turned_away(lab, console):
    """contract.md, Wire: while one lives, another keeps its queue; the host
    page says so."""
    first = lab.host(console, restic=FAKE)
    second = lab.agent(console, name="copy")
    shutil.copy(first.config, second.config)
    second.config.write_text(second.config.read_text().replace(
        str(first.dir), str(second.dir)))
    second.start()
    wait_for("the refusal", lambda: "another agent uses this host's identity"
             in second.log.read_text())
    assert second.program.running()

    def told():
        page = console.client.get(f"/hosts/{first.host_id}").text
        return "identity" in page or "second agent" in page

    wait_for("the host page to say so", told)
    assert console.wait_job(console.run_group(first.host_id))[
        "status"] == "succeeded"


# --------------------------------------------------------------------- gRPC


def raw(agent, method):
    """A unary call whose messages are bytes."""
    return agent.channel.unary_unary(f"/resticmanager.v1.Agent/{method}",
                                     None, None)


def code_of(call, *args, **kw):
    with pytest.raises(grpc.RpcError) as e:
        call(*args, timeout=20, **kw)
    return e.value.code()


def test_malformed_messages_are_refused_by_name(console, agent):
    for method in ("Enroll", "Poll"):
        for junk in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", os.urandom(300)):
            assert code_of(raw(agent, method), junk,
                           metadata=agent.metadata) in (
                grpc.StatusCode.INVALID_ARGUMENT,
                grpc.StatusCode.UNAUTHENTICATED)
    assert code_of(raw(agent, "Nothing"), b"") == (
        grpc.StatusCode.UNIMPLEMENTED)
    session = agent.channel.stream_stream(
        "/resticmanager.v1.Agent/Session", None, None)
    with pytest.raises(grpc.RpcError) as e:
        list(session(iter([b"\xff\xff"]), metadata=agent.metadata,
                     timeout=20))
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    agent.polls_until_ready(console)


def test_mutated_messages_do_no_harm(console, agent):
    """A thousand Polls that were true before a few bytes changed."""
    agent.polls_until_ready(console)
    dice = random.Random(7)
    agent.put(log=agent.pb.LogChunk(job_id=OTHER_JOB, first_line=1))
    good = agent.pb.PollRequest(
        hello=agent.hello(), events=agent.events).SerializeToString()
    agent.events.pop()
    poll, seen = raw(agent, "Poll"), set()
    for _ in range(1000):
        bad = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        if dice.random() < 0.3:
            del bad[dice.randrange(len(bad)):]
        try:
            poll(bytes(bad), metadata=agent.metadata, timeout=20)
        except grpc.RpcError as e:
            seen.add(e.code())
    assert grpc.StatusCode.INVALID_ARGUMENT in seen
    assert seen.isdisjoint({grpc.StatusCode.INTERNAL,
                            grpc.StatusCode.UNAVAILABLE,
                            grpc.StatusCode.DEADLINE_EXCEEDED})
    assert console.program.running()
    assert len(console.client.ok("GET", "/api/hosts")["items"]) == 1


def test_oversized_messages_and_events_are_refused(console, agent):
    """contract.md, Wire: message 4 MiB, event 64 KiB."""
    agent.polls_until_ready(console)
    assert code_of(raw(agent, "Poll"), b"\0" * (5 << 20),
                   metadata=agent.metadata) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED)
    agent.put(log=agent.pb.LogChunk(
        job_id=OTHER_JOB, first_line=1, lines=[agent.pb.LogLine(
            payload=b"x" * 70000)]))
    with pytest.raises(grpc.RpcError) as e:
        agent.poll(0)
    assert e.value.code() in (grpc.StatusCode.INVALID_ARGUMENT,
                              grpc.StatusCode.RESOURCE_EXHAUSTED)
    agent.events.pop()
    assert agent.poll(0).acked_seq == len(agent.events)


def test_a_long_line_is_cut_and_marked(console, agent):
    agent.polls_until_ready(console)
    job = console.run_group(agent.host_id)
    pb = agent.pb
    agent.run = lambda command, lines=0: (
        agent.put(job_started=pb.JobStarted(
            job_id=command.job_id, kind=command.kind,
            started_at_ms=foreign.now())),
        agent.put(log=pb.LogChunk(
            job_id=command.job_id, first_line=1, lines=[pb.LogLine(
                ts_ms=foreign.now(), stream=1, payload=b"y" * 40000)])),
        agent.put(job_finished=pb.JobFinished(
            job_id=command.job_id, status="failed", error="no",
            log_lines=1)))
    wait_for("the end", lambda: (agent.poll(300), console.job(job)[
        "status"] == "failed")[1], 30)
    line = next(r["payload"] for r in console.log_lines(job)
                if r["payload"].startswith("yyy"))
    assert 16000 < len(line) < 17000 and not line.endswith("y" * 100)


def test_an_agent_acts_for_its_own_host_only(lab, console, agent):
    """M-461: another host's job gains nothing."""
    agent.polls_until_ready(console)
    source = lab.sources()
    (source / ".pretend").write_text("lines=10 delay_ms=2000")
    victim = lab.host(console, restic=FAKE, paths=[source])
    job = console.run_group(victim.host_id)
    wait_for("its start", lambda: console.job(job)["status"] == "running")
    pb = agent.pb
    agent.put(log=pb.LogChunk(job_id=job, first_line=1, lines=[
        pb.LogLine(ts_ms=1, stream=1, payload=b"an intruder's line")]))
    agent.put(job_finished=pb.JobFinished(job_id=job, status="failed",
                                          error="an intruder's end"))
    with contextlib.suppress(grpc.RpcError):
        agent.poll(0)
    end = console.wait_job(job)
    assert end["status"] == "succeeded"
    assert "intruder" not in console.client.get(
        f"/api/jobs/{job}/log.txt").text


# ------------------------------------------------------------ restic, files


def test_ten_thousand_odd_lines_of_restic(lab, console):
    """Binary, endless, fake JSON: shown safely, and the job ends well."""
    source = lab.sources()
    (source / ".pretend").write_text("odd=10000 lines=5")
    agent = lab.host(console, restic=FAKE, paths=[source])
    job = console.run_group(agent.host_id)
    end = console.wait_job(job, 120)
    assert end["status"] == "succeeded", end
    rows = console.log_lines(job)
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1))
    assert [r["payload"] for r in rows if r["payload"].startswith(
        "pretend line ")] == [f"pretend line {n}" for n in range(1, 6)]
    assert max(len(r["payload"]) for r in rows) < 4 * 17000
    page = console.client.get(f"/jobs/{job}?from=1").text
    assert "<script>alert(1)" not in page and "&lt;script" in page
    path, = console.data.glob(f"spool/jobs/*/*/*/*/{job}.log*")
    wait_for("compression", lambda: not path.exists() or
             path.suffix == ".zst", 10)


@pytest.mark.parametrize("text,words", [
    ("server: [1, 2]\n", "server"),
    ("sever: https://x\n", "sever"),
    ("a: b: c\n", "agent.yaml"),
    ("host_id: tooshort\n", "host_id"),
    ("\x00\x01\x02", "agent.yaml"),
    ("", "enrol")])
def test_a_broken_agent_configuration_is_explained(lab, text, words):
    config = lab.path / "agent.yaml"
    config.write_text(text)
    config.chmod(0o600)
    done = subprocess.run(
        [BIN / "restic-manager-agent", "-config", config],
        env=clean_env(RM_STATE_DIR=lab.path / "state"), capture_output=True,
        text=True, timeout=20, check=False)
    assert done.returncode not in (0, -6, -11)
    assert words in done.stderr
    assert config.read_text() == text


def test_an_open_configuration_is_refused(lab):
    """M-110: it holds the bearer."""
    config = lab.path / "agent.yaml"
    config.write_text("server: https://127.0.0.1:1\n")
    config.chmod(0o644)
    done = subprocess.run(
        [BIN / "restic-manager-agent", "-config", config],
        env=clean_env(RM_STATE_DIR=lab.path / "state"), capture_output=True,
        text=True, timeout=20, check=False)
    assert done.returncode != 0 and "chmod 600" in done.stderr


# --------------------------------------------------------- running out of it


def hold(port, count, address="127.0.0.1"):
    """Opens TLS connections that say nothing; those that came up."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held = []
    for _ in range(count):
        try:
            s = socket.create_connection(("127.0.0.1", port), 5,
                                         source_address=(address, 0))
            held.append(context.wrap_socket(s))
        except OSError:
            continue
    return held


def alive(sock):
    sock.settimeout(0.01)
    try:
        return sock.recv(1) != b""
    except (socket.timeout, ssl.SSLWantReadError, TimeoutError):
        return True
    except OSError:
        return False


def test_one_address_cannot_take_all_connections(lab, console):
    """contract.md, HTTP: 256 per address."""
    agent = lab.host(console, restic=FAKE)
    held = hold(console.port, 300, "127.0.0.2")
    try:
        assert sum(map(alive, held)) <= 256
        assert console.client.get("/api/hosts").status == 200
        assert console.wait_job(console.run_group(agent.host_id))[
            "status"] == "succeeded"
    finally:
        for s in held:
            s.close()
    wait_for("room again", lambda: [
        s.close() for s in hold(console.port, 1, "127.0.0.2")], 10)


def test_no_descriptors_left(lab):
    """Everybody new waits; who is there goes on; then it is as before."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, old[1]))
    try:
        console = lab.controller()
        console.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)
    resource.prlimit(console.program.pid, resource.RLIMIT_NOFILE,
                     (256, 256))
    console.bootstrap()
    source = lab.sources()
    (source / ".pretend").write_text("lines=30 delay_ms=1000")
    agent = lab.host(console, restic=FAKE, paths=[source])
    job = console.run_group(agent.host_id)
    wait_for("its start", lambda: console.job(job)["status"] == "running")
    held = [s for n in range(3)
            for s in hold(console.port, 150, f"127.0.0.{10 + n}")]
    assert console.program.running()
    time.sleep(1)
    for s in held:
        s.close()
    assert wait_for("an answer", lambda: answers(console))
    assert console.wait_job(job)["status"] == "succeeded"
    assert [r["payload"] for r in console.log_lines(job)
            if r["payload"].startswith("pretend line")] == [
                f"pretend line {n}" for n in range(1, 31)]


def answers(console):
    try:
        return console.client.get("/api/hosts").status == 200
    except OSError:
        return False


@contextlib.contextmanager
def small_disk(folder, megabytes):
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m",
                    "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """A file that takes all that is left."""
    path = folder / "ballast"
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 64):
            with contextlib.suppress(OSError):
                while f.write(b"\0" * size):
                    pass
    return path


@ROOT_ONLY
def test_a_full_disk_of_the_controller(lab):
    """507 on what writes, reading goes on; then all of it arrives."""
    with small_disk(lab.path / "small", 24) as disk:
        console = lab.controller(RM_DATA_DIR=disk)
        console.data = disk
        console.start()
        console.bootstrap()
        source = lab.sources()
        (source / ".pretend").write_text("lines=400 delay_ms=100")
        agent = lab.host(console, restic=FAKE, paths=[source])
        job = console.run_group(agent.host_id)
        wait_for("its start", lambda: console.job(job)["log"]["lines"] > 20)
        ballast = fill(disk)

        def refused():
            answer = console.client.post("/api/enrollment-tokens", {
                "hostname": f"x{time.monotonic_ns()}", "repo_url": "/r"})
            return answer.status == 507 and answer.json()
        body = wait_for("the refusal", refused)
        assert body["code"] == "disk_full" and body["message"]
        assert console.client.get("/api/hosts").status == 200
        assert console.client.get(f"/hosts/{agent.host_id}").status == 200
        wait_for("the end at the agent", lambda:
                 f"job finished job={job}" in agent.log.read_text(), 30)
        ballast.unlink()
        end = console.wait_job(job, 120)
        assert end["status"] == "succeeded"
        assert [r["payload"] for r in console.log_lines(job)
                if r["payload"].startswith("pretend line")] == [
                    f"pretend line {n}" for n in range(1, 401)]
        assert console.mint("later", "/r")
        agent.stop()
        assert console.stop() == 0


@ROOT_ONLY
def test_a_full_disk_of_the_agent(lab, console):
    """contract.md, Logs: the backup runs; lost lines become a gap."""
    source = lab.sources()
    agent = lab.agent(console, restic=FAKE)
    agent.enrol(console.mint("web-1", str(lab.path / "repo"),
                             initial_paths=[str(source)]))
    proxy = lab.proxy(console.port)
    agent.config.write_text(agent.config.read_text().replace(
        str(console.port), str(proxy.port)))
    with small_disk(lab.path / "small", 6) as disk:
        agent.env["RM_STATE_DIR"] = disk
        for item in agent.dir.iterdir():
            if item != agent.config:
                shutil.move(item, disk)
        agent.start()
        console.wait_ready(agent.host_id)
        (source / ".pretend").write_text("lines=60000 delay_ms=1")
        job = console.run_group(agent.host_id)
        wait_for("its start", lambda: console.job(job)["log"]["lines"] > 10)
        proxy.block()  # nothing leaves the queue
        ballast = fill(disk)
        wait_for("the end at the agent", lambda:
                 f"job finished job={job}" in agent.log.read_text(), 60)
        ballast.unlink()
        proxy.block(False)
        end = console.wait_job(job, 60)
        assert end["status"] == "succeeded", end
        rows = [r["payload"] for r in console.log_lines(job)]
        numbers = [int(r.split()[-1]) for r in rows
                   if r.startswith("pretend line ")]
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 60000
        dropped = [int(r.split()[0]) for r in rows
                   if r.endswith(" lines dropped")]
        # restic's lines, and two of the agent's own.
        assert 0 <= sum(dropped) - (60000 - len(numbers)) <= 2
        agent.stop()
