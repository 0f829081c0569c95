# SPDX-License-Identifier: GPL-3.0-or-later
"""forget, prune, check, unlock and hooks with real restic and rest-server,
started by the API and judged by looking into the repository."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lab import TOOLS, RestServer, clean_env, wait_for

NEWER = TOOLS / "restic018/usr/bin/restic"
SFTP = TOOLS / "sftp-server/usr/lib/openssh/sftp-server"
RESTICS = [pytest.param(shutil.which("restic"), id="restic-0.14"),
           pytest.param(NEWER, id="restic-0.18")]
PASSWORD = "correct horse battery"
HOST = socket.gethostname()

pytestmark = pytest.mark.skipif(
    not NEWER.exists(), reason="tools/get-test-tools was not run")


@pytest.fixture(name="program", params=RESTICS)
def fixture_program(request):
    return request.param


def env_of(repo, **more):
    return clean_env(RESTIC_REPOSITORY=repo, RESTIC_PASSWORD=PASSWORD, **more)


def restic(program, repo, *args):
    """What restic itself says of the repository."""
    done = subprocess.run([str(program), *map(str, args)], text=True,
                          capture_output=True, timeout=120, check=True,
                          env=env_of(repo))
    return done.stdout


def ids(program, repo):
    return {s["id"] for s in json.loads(
        restic(program, repo, "snapshots", "--json"))}


def do(console, agent, kind, query="", body=None, seconds=90):
    """Starts one by the API and waits for its end."""
    answer = console.client.ok(
        "POST", f"/api/hosts/{agent.host_id}/repo/{kind}{query}", body or {})
    return console.wait_job(answer["job_id"], seconds)


def run(console, agent):
    return console.wait_job(console.run_group(agent.host_id), 90)


def ended(job):
    return job["status"], job["cause"]


def stats(console, agent):
    return console.client.ok("GET", f"/api/hosts/{agent.host_id}/repo-stats")


def keep(console, agent, **counts):
    group = console.client.ok(
        "GET", f"/api/hosts/{agent.host_id}/source-groups")["items"][0]
    console.client.ok(
        "PUT", f"/api/hosts/{agent.host_id}/source-groups/{group['id']}", {
            "name": group["name"], "includes": group["includes"],
            "retention_policy": {f"keep_{k}": n for k, n in counts.items()}})


def admin(console, agent, **slot):
    console.client.ok("PUT", f"/api/hosts/{agent.host_id}/admin-credentials",
                      slot)


@pytest.fixture(name="local")
def fixture_local(lab, console, program):
    """A host with a repository in a folder."""
    repo = lab.path / "repo"
    agent = lab.host(console, repo=repo, restic=program,
                     repo_password=PASSWORD)
    agent.repo = repo
    return agent


# ---------------------------------------------------------------- upkeep

def test_forget_prune_and_check(lab, console, local, program):
    """M-149 to M-153, M-219: what restic itself would keep stays."""
    source = lab.path / "history"
    source.mkdir()
    for n, (day, host, tag) in enumerate([
            (1, HOST, "default"), (1, HOST, "default"), (2, HOST, "default"),
            (9, HOST, "default"), (9, "web-2", "default"),
            (1, HOST, "other")]):
        (source / "data").write_bytes(os.urandom(200000))
        restic(program, local.repo, "backup", source, "--host", host, "--tag",
               tag, "--time", f"2026-01-{day:02} 1{n}:00:00")
    keep(console, local, daily=2, monthly=1)
    asked = json.loads(restic(
        program, local.repo, "forget", "--dry-run", "--json", "--host", HOST,
        "--tag", "default", "--group-by", "", "--keep-daily", 2,
        "--keep-monthly", 1))
    before = ids(program, local.repo)
    gone = {s["id"] for s in asked[0]["remove"]}
    assert len(gone) == 2

    end = do(console, local, "forget")
    assert ended(end) == ("succeeded", "")
    assert ids(program, local.repo) == before - gone
    assert end["forgot"] == [{"tag": "default", "kept": 2, "removed": 2}]
    shown = console.client.ok("GET", f"/api/hosts/{local.host_id}/snapshots")
    assert {s["id"] for s in shown["items"]} == before - gone
    repo_id = json.loads(restic(program, local.repo, "cat", "config"))["id"]
    assert stats(console, local)["repo_id"] == repo_id

    admin(console, local, repo_password=PASSWORD)
    packs = sum(f.stat().st_size for f in (local.repo / "data").rglob("*")
                if f.is_file())
    assert ended(do(console, local, "prune")) == ("succeeded", "")
    left = sum(f.stat().st_size for f in (local.repo / "data").rglob("*")
               if f.is_file())
    assert left < packs - 300000
    told = stats(console, local)
    assert told["last_prune_at"] and told["lock_present"] is False

    end = do(console, local, "check", "?subset=100")
    assert ended(end) == ("succeeded", "")
    assert stats(console, local)["last_check_status"] == "succeeded"
    damage(local.repo)
    assert ended(do(console, local, "check", "?subset=0")) == (
        "succeeded", "")  # restic-facts 4.4, trap 5
    end = do(console, local, "check", "?subset=100")
    assert ended(end) == ("failed", "check_errors")
    assert end["check_errors"] >= 1
    assert stats(console, local)["last_check_status"] == "failed"


def damage(repo):
    """Some bytes of the largest pack are others, its length is the same."""
    pack = max((f for f in (repo / "data").rglob("*") if f.is_file()),
               key=lambda f: f.stat().st_size)
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[1000:1004] = bytes(b ^ 255 for b in data[1000:1004])
    pack.write_bytes(data)


def hold_lock(lab, program, repo):
    """A restic that waits for its standard input, with its lock."""
    held = subprocess.Popen(
        [str(program), "backup", "--stdin", "--tag", "held"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=env_of(repo))
    wait_for("the lock", lambda: list((repo / "locks").iterdir()), 30)
    return held


def test_locks_are_met_shown_and_removed(lab, console, local, program):
    """M-152, M-154, M-217; restic-facts 4.4, trap 7."""
    admin(console, local, repo_password=PASSWORD)
    held = hold_lock(lab, program, local.repo)
    try:
        end = do(console, local, "prune")
        assert ended(end) == ("failed", "locked")
        assert end["error"].startswith("repository locked")
        locks = stats(console, local)["locks"]
        assert locks["count"] == 1 and not locks["exclusive"]
        assert locks["holder"] == f"{HOST}, PID {held.pid}"
        # One that is alive stays, and is told.
        assert ended(do(console, local, "unlock")) == ("succeeded", "")
        assert stats(console, local)["lock_present"]
        # A backup shares the repository with it.
        assert ended(run(console, local)) == ("succeeded", "")
    finally:
        held.send_signal(signal.SIGKILL)
        held.wait()
    assert ended(do(console, local, "unlock")) == ("succeeded", "")
    assert not list((local.repo / "locks").iterdir())
    assert stats(console, local)["lock_present"] is False
    assert ended(do(console, local, "prune")) == ("succeeded", "")


def test_a_server_that_appends_only(lab, console, program):
    """W-16, M-150, M-207: refused to the everyday user, done by the admin;
    the agent keeps nothing of him."""
    server = RestServer(lab)
    url = server.user("web-1", PASSWORD)
    server.start()
    agent = lab.host(console, repo=url, restic=program,
                     repo_username="web-1", repo_password=PASSWORD)
    repo = server.path / "web-1"
    assert ended(run(console, agent)) == ("succeeded", "")
    assert ended(run(console, agent)) == ("succeeded", "")
    keep(console, agent, last=1)
    began = time.monotonic()
    end = do(console, agent, "forget")
    assert ended(end) == ("failed", "append_only")
    assert time.monotonic() - began < 40
    assert len(ids(program, repo)) == 2
    assert end["forgot"] == [{"tag": "default", "kept": 2, "removed": 0}]

    boss = RestServer.__new__(RestServer)
    boss.users, boss.path = {}, server.path
    boss.port, boss.lab = free(), lab
    boss.htpasswd = lab.path / "htpasswd-boss"
    boss.argv = [*server.argv[:1], "--path", boss.path, "--listen",
                 f"127.0.0.1:{boss.port}", "--htpasswd-file", boss.htpasswd,
                 "--private-repos"]
    boss.user("web-1", "canary of the boss")
    boss.start()
    admin(console, agent, repo_url=f"rest:http://127.0.0.1:{boss.port}/web-1/",
          repo_username="web-1", repo_password=PASSWORD,
          extra={"RESTIC_REST_PASSWORD": "canary of the boss"})
    end = do(console, agent, "forget")
    assert ended(end) == ("succeeded", ""), end
    assert end["forgot"] == [{"tag": "default", "kept": 1, "removed": 1}]
    assert len(ids(program, repo)) == 1
    assert ended(do(console, agent, "prune")) == ("succeeded", "")
    for path in agent.dir.rglob("*"):
        if path.is_file():
            assert b"canary of the boss" not in path.read_bytes(), path
    assert "canary" not in agent.log.read_text()


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


ONCE = pytest.mark.parametrize("program", RESTICS[1:], indirect=True)


@ONCE
def test_a_wrong_admin_password_is_told(console, local):
    admin(console, local, repo_password="of something else")
    end = do(console, local, "prune")
    assert ended(end) == ("failed", "wrong_password")
    assert end["error"] == "the password does not open the repository"


# ---------------------------------------------------------- variables, hooks

def certificate(lab):
    """A certificate of its own authority, for loopback."""
    key, cert = lab.path / "rest.key", lab.path / "rest.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
         "/CN=rest", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
         key, "-out", cert], check=True, capture_output=True)
    return key, cert


def test_a_certificate_given_as_a_variable_is_trusted(lab, console, program):
    """X-05: its contents come with the credentials; no file is needed."""
    key, cert = certificate(lab)
    server = RestServer(lab, append_only=False)
    server.argv += ["--tls", "--tls-cert", cert, "--tls-key", key]
    url = server.user("web-1", PASSWORD).replace("http:", "https:")
    server.start()
    agent = lab.agent(console, restic=program)
    agent.enrol(console.mint("web-1", url, repo_username="web-1",
                             repo_password=PASSWORD,
                             initial_paths=[str(lab.sources())]))
    agent.start()
    wait_for("init to fail", lambda: console.host(
        agent.host_id)["repo_status"] == "init_failed", 60)
    answer = console.client.ok(
        "PUT", f"/api/hosts/{agent.host_id}/repo-credentials",
        {"extra": {"RESTIC_CACERT": cert.read_text()}})
    assert answer["extra_names"] == ["RESTIC_CACERT"]
    console.wait_ready(agent.host_id)
    assert ended(run(console, agent)) == ("succeeded", "")
    assert len(ids(program, server.path / "web-1")) == 1


SSH = """#!/bin/sh
# In the place of ssh, which would dial: reads key and known hosts as it does.
echo "$*" >> {note}
while [ $# -gt 0 ]; do
	case $1 in
	-i) key=$2; shift ;;
	-o) case $2 in UserKnownHostsFile=*) hosts=${{2#*=}} ;; esac; shift ;;
	esac
	shift
done
grep -q '^nas ssh-ed25519 AAAA$' "$hosts" || exit 255
ssh-keygen -y -P '' -f "$key" >> {note} || exit 255
exec {server}
"""


@pytest.mark.skipif(not SFTP.exists() or not shutil.which("ssh-keygen"),
                    reason="no sftp-server or no ssh-keygen")
def test_an_ssh_key_given_as_a_variable_opens_sftp(lab, console, program):
    """X-05: in no file on the host, and in no argument list."""
    note, key, folder = lab.path / "note", lab.path / "id", lab.path / "bin"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "",
                    "-f", key], check=True)
    secret, public = key.read_text(), (lab.path / "id.pub").read_text()
    key.unlink()
    folder.mkdir()
    (folder / "ssh").write_text(SSH.format(note=note, server=SFTP))
    (folder / "ssh").chmod(0o755)
    repo = lab.path / "far"
    agent = lab.agent(console, restic=program,
                      PATH=f"{folder}:{os.environ['PATH']}")
    agent.enrol(console.mint("web-1", f"sftp:joe@nas:{repo}",
                             repo_password=PASSWORD,
                             initial_paths=[str(lab.sources())]))
    agent.start()
    wait_for("init to fail", lambda: console.host(
        agent.host_id)["repo_status"] == "init_failed", 60)
    console.client.ok(
        "PUT", f"/api/hosts/{agent.host_id}/repo-credentials", {"extra": {
            "RM_SFTP_KEY": secret,
            "RM_SFTP_KNOWN_HOSTS": "nas ssh-ed25519 AAAA\n"}})
    console.wait_ready(agent.host_id)
    assert ended(run(console, agent)) == ("succeeded", "")
    assert len(ids(program, repo)) == 1
    lines = note.read_text().splitlines()
    assert lines[-1].split()[:2] == public.split()[:2]
    assert lines[-2].endswith("-p 22 -l joe -s -- nas sftp")
    middle = secret.splitlines()[2].encode()
    for path in agent.dir.rglob("*"):
        assert not path.is_file() or middle not in path.read_bytes(), path


def hooks(console, agent, **hooks_of):
    console.client.ok("PUT", f"/api/hosts/{agent.host_id}/hooks", hooks_of)


def hook_lines(console, job):
    return [row["payload"] for row in console.log_lines(job["id"])
            if row["stream"] == "hook"]


def test_hooks_run_around_a_backup(lab, console, local, program, canary):
    """M-190 to M-197: a dump beforehand is in the snapshot; bodies are in no
    file, log or argument list."""
    secret, note = canary.make("hook"), lab.path / "note"
    dump = lab.path / "src-web-1/dump.sql"
    hooks(console, local,
          pre_hook=f"PGPASSWORD={secret}\necho dumping\n"
                   f"echo 'select 1' > {dump}\n"
                   f"tr '\\0' ' ' < /proc/$$/cmdline > {note}",
          post_hook=f"rm {dump}; echo $RM_JOB_STATUS >> {note}")
    end = run(console, local)
    assert ended(end) == ("succeeded", "")
    assert hook_lines(console, end) == ["hook(pre): dumping"]
    listed = restic(program, local.repo, "ls", "latest")
    assert "dump.sql" in listed and not dump.exists()
    assert note.read_text() == "/bin/sh /proc/self/fd/3 succeeded\n"
    assert canary.found(local.dir) == []
    assert secret not in local.log.read_text() + console.log.read_text()
    assert secret not in "".join(
        row["payload"] for row in console.log_lines(end["id"]))

    hooks(console, local, pre_hook="echo no database >&2; exit 9")
    end = run(console, local)
    assert ended(end) == ("failed", "pre_hook_failed")
    assert end["error"] == "pre_hook failed: exit code 9"
    assert len(ids(program, local.repo)) == 1
    assert note.read_text().endswith("failed\n")


@ONCE
def test_hooks_that_hang_fork_and_print(lab, console, local):
    """Bad input: neither holds up the agent nor leaves anything behind."""
    pids = lab.path / "pids"
    hooks(console, local, hook_limit_seconds=2,
          pre_hook=f"(trap '' TERM HUP; yes forever & echo $! >> {pids}; wait)"
                   " &\n"
                   f"(trap '' TERM; sleep 300 & echo $! >> {pids}; wait) &\n"
                   "wait")
    began = time.monotonic()
    end = run(console, local)
    assert ended(end) == ("failed", "pre_hook_failed")
    assert time.monotonic() - began < 30
    assert len(hook_lines(console, end)) < 20000
    assert any("lines left out" in row["payload"]
               for row in console.log_lines(end["id"]))
    left = pids.read_text().split()
    assert len(left) == 2
    for pid in left:
        wait_for("its end", lambda p=pid: not alive(p), 10)
    # Cancelled, and post runs in time of its own.
    note = lab.path / "note"
    hooks(console, local, hook_limit_seconds=60, pre_hook="sleep 50",
          post_hook=f"sleep 1; echo $RM_JOB_STATUS > {note}")
    job = console.run_group(local.host_id)
    wait_for("the hook", lambda: console.job(job)["status"] == "running")
    console.client.ok("POST", f"/api/jobs/{job}/cancel", {})
    assert ended(console.wait_job(job, 30)) == ("cancelled", "cancelled")
    assert note.read_text() == "cancelled\n"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return ") Z " not in f.read()
    except OSError:
        return False
