# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between the programs, and what must not: backups past the
controller, bearers past their pin, tokens past their hour."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lab import (BIN, PASSWORD, ROOT, Client, RestServer, clean_env,
                 wait_for)
from test_secrets import family

FAKE = ROOT / "tests/fake/restic"
BIG = 20 << 20


# ------------------------------------------------------------ backup bytes


def sockets_to(port):
    """Inodes of the connections to a port of this machine."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text(
                ).splitlines()[1:]:
            words = line.split()
            if int(words[2].split(":")[1], 16) == port:
                found.add(f"socket:[{words[9]}]")
    return found


def held(pids):
    """What the processes have open."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


def moved(pids):
    """Bytes that the processes have read and written, of any kind."""
    total = 0
    for pid in pids:
        words = pathlib.Path(f"/proc/{pid}/io").read_text().split()
        total += int(words[1]) + int(words[3])
    return total


class Lookout(threading.Thread):
    """Notes who has a connection to the repository, or its files open."""

    def __init__(self, parties, server):
        super().__init__(daemon=True)
        self.parties, self.server = parties, server
        self.guilty, self.over = set(), False

    def run(self):
        while not self.over:
            wires = sockets_to(self.server.port)
            for name, program in self.parties.items():
                for path in held(family(program.pid)):
                    if path in wires or path.startswith(
                            str(self.server.path)):
                        self.guilty.add(name)
            time.sleep(0.01)


def test_backups_do_not_pass_the_controller(lab, console):
    """M-462: it has nothing of the repository open, and what it moves is
    small beside what is saved; the agent's restic is seen by the same
    means."""
    server = RestServer(lab)
    url = server.user("web-1", PASSWORD)
    server.start()
    source = lab.sources()
    (source / "big").write_bytes(os.urandom(BIG))
    agent = lab.host(console, repo=url, paths=[source], repo_username="web-1",
                     repo_password=PASSWORD)
    lookout = Lookout({"controller": console.program,
                       "agent": agent.program}, server)
    lookout.start()
    ours = family(console.program.pid)
    before = moved(ours)
    # Some seconds of it, so that the look-out cannot miss it.
    job = console.run_group(agent.host_id, bandwidth_up_kbps=6000)
    assert console.wait_job(job)["status"] == "succeeded"
    after = moved(ours)
    lookout.over = True
    lookout.join()
    stored = sum(p.stat().st_size for p in server.path.rglob("*")
                 if p.is_file())
    assert stored > BIG
    assert 0 < after - before < BIG // 10
    assert lookout.guilty == {"agent"}


# --------------------------------------------------------------- the wire


@pytest.fixture(name="impostor")
def fixture_impostor(lab):
    """Answers TLS with a key of its own; keeps what it is told."""
    key, cert = lab.path / "other.key", lab.path / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
         "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    told, over = [], threading.Event()

    def serve():
        while not over.is_set():
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                peer.settimeout(5)
                told.append(b"")
                with contextlib.suppress(OSError), context.wrap_socket(
                        peer, server_side=True) as wire:
                    told[-1] = wire.recv(65536)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], told
    over.set()
    thread.join()
    listener.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is missing")
def test_agents_speak_to_the_pinned_key_alone(lab, console, impostor):
    """W-11: pinned by the token, without a word of the administrator."""
    port, told = impostor
    agent = lab.agent(console, restic=FAKE)
    token = console.mint("web-1", str(lab.path / "repo"))
    done = subprocess.run(
        [BIN / "restic-manager-agent", "-enroll-server",
         f"https://127.0.0.1:{port}", "-enroll-token", token],
        env=clean_env(**agent.env), capture_output=True, text=True,
        timeout=60, check=False)
    assert done.returncode != 0 and "pin" in done.stderr, done.stderr
    agent.enrol(token)  # the token was not given away
    text = agent.config.read_text()
    assert re.search(r'^cert_pin_sha256: "?[0-9a-f]{64}', text, re.M)
    agent.config.write_text(text.replace(str(console.port), str(port)))
    before = len(told)
    agent.start()
    wait_for("its refusal", lambda: len(told) > before
             and "pin" in agent.log.read_text())
    agent.stop()
    assert set(told) == {b""}  # not one byte after the handshake
    agent.config.write_text(re.sub(
        r"server: .*", 'server: "http://backup.example.net"', text))
    agent.start()
    assert agent.program.wait() != 0 and "https://" in agent.log.read_text()


# ------------------------------------------------------------ default paths


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts folders")
def test_an_agent_lives_in_its_default_folders(lab, console):
    """B-06: nothing says where; credentials arrive, the repository is made
    and a backup runs."""
    etc, var = lab.path / "etc", lab.path / "var"
    subprocess.run(["cp", "-a", "/etc", etc], check=True)
    (etc / "restic-manager").mkdir(exist_ok=True)
    (etc / "restic-manager/agent.yaml").write_text(f"restic_path: {FAKE}\n")
    (etc / "restic-manager/agent.yaml").chmod(0o600)
    (var / "restic-manager-agent").mkdir(parents=True)
    room = ["unshare", "-m", "sh", "-ec",
            f'mount --bind {etc} /etc; mount --bind {var} /var/lib;'
            ' exec "$@"', "sh", BIN / "restic-manager-agent"]
    probe = subprocess.run([*room[:-1], "true"], capture_output=True,
                           text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no mounts here: {probe.stderr}")
    token = console.mint("web-1", str(lab.path / "repo"), initial_paths=[
        str(lab.sources())], repo_password=PASSWORD)
    done = subprocess.run(
        [*room, "-enroll-server", console.url, "-enroll-token", token],
        env=clean_env(), capture_output=True, text=True, timeout=60,
        check=False)
    assert done.returncode == 0, done.stderr
    host = re.search(r'host_id: "?(\w+)', (
        etc / "restic-manager/agent.yaml").read_text()).group(1)
    program = lab.start(room, clean_env(), lab.path / "default.log")
    console.wait_ready(host)
    assert console.wait_job(console.run_group(host))["status"] == "succeeded"
    for name in ("queue", "secrets.enc"):
        assert (var / "restic-manager-agent" / name).exists()
    assert program.stop(40) == 0


# ------------------------------------------------------------------ tokens


def test_a_token_names_the_host_and_the_holder_is_shown(console):
    """Not bound to an address or to the name an agent reports: it works
    once, for an hour, and who calls itself otherwise is shown with both."""
    token = console.mint("web-1", "/srv/repo")
    body = {"token": token, "hostname": "stranger", "os": "linux",
            "arch": "amd64"}
    answer = Client(console.port).post("/api/agents/enroll", body)
    host = console.host(answer.json()["host_id"])
    assert (host["name"], host["reported_name"]) == ("web-1", "stranger")
    page = console.client.get(f"/hosts/{host['id']}",
                              headers={"Accept": "text/html"}).text
    assert 'calls itself <b class="m">stranger</b>' in page
    assert Client(console.port).post(
        "/api/agents/enroll", body).status == 410
