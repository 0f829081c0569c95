# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs at work under what their units forbid them (confine.py), on a
fresh machine (tree.py): first run, pages, enrolment, a backup."""
import json
import pathlib
import shutil

import pytest

import lab as lab_module
from lab import BIN, ROOT, Client, free_port, wait_for
from tree import Tree

DIST = "opt/restic-manager/dist"

class Machine:
    """Controller and renderer as their units start them."""

    def __init__(self, bench):
        self.tree = Tree(bench.path / "tree")
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.client = Client(self.port)
        dist = self.tree.file(DIST)
        shutil.copytree(ROOT / "www", dist / "www")
        for program in ("controller", "render", "agent"):
            shutil.copy(BIN / f"restic-manager-{program}",
                        self.tree.file("usr/local/sbin"))
            shutil.copy(ROOT / f"systemd/restic-manager-{program}.service",
                        self.tree.file("srv"))
        shutil.copy(pathlib.Path(__file__).parent / "confine.py",
                    self.tree.file("srv"))
        self.tree.put("etc/restic-manager/controller.yaml",
                      f"listen: 127.0.0.1:{self.port}\n"
                      f"base_url: {self.url}\n")
        shutil.copy(ROOT / "systemd/restic-manager.sysusers",
                    self.tree.file("srv"))
        done = self.tree.run("systemd-sysusers /srv/restic-manager.sysusers")
        assert done.returncode == 0, done.stderr
        self.services = {}

    def confined(self, program, *argv, env=""):
        """The command line of a program in that unit."""
        words = argv or (f"/usr/local/sbin/restic-manager-{program}",)
        quoted = " ".join("'" + w.replace("'", "'\\''") + "'" for w in words)
        return (f"CONFINE_ENV='{env}' /usr/bin/python3 /srv/confine.py "
                f"/srv/restic-manager-{program}.service {quoted}")

    def serve(self, program, *argv, env=""):
        log = self.tree.file(f"var/log/{program}.log")
        self.tree.run(f"{self.confined(program, *argv, env=env)} "
                      f">/var/log/{program}.log 2>&1 </dev/null &")
        self.services[program] = log

    def probe(self, program, code):
        """What Python says inside that unit."""
        done = self.tree.run(self.confined(
            program, "/usr/bin/python3", "-c", code))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self):
        self.serve("controller")
        wait_for("the controller", self.healthy)
        self.serve("render")
        return self

    def healthy(self):
        try:
            return Client(self.port, 2).get("/healthz").status == 204
        except OSError:
            return False

    def said(self):
        return "\n".join(f"--- {n}\n{f.read_text()[-3000:]}"
                         for n, f in self.services.items())


@pytest.fixture(name="machine", scope="module")
def fixture_machine():
    with lab_module.Lab() as bench:
        machine = Machine(bench)
        try:
            yield machine.start()
        except AssertionError as e:
            raise AssertionError(machine.said()) from e
        finally:
            print(machine.said())
            machine.tree.close()


def test_the_first_backup_under_all_three_units(machine):
    """M-366: nothing that the programs do is among what they may not do."""
    token = machine.tree.file(
        "run/restic-manager/bootstrap-token").read_text().strip()
    machine.client.ok("POST", "/api/bootstrap", {
        "token": token, "username": "admin",
        "password": lab_module.PASSWORD})
    page = wait_for("the renderer", lambda: (
        lambda a: a if a.status == 200 else None)(machine.client.get("/")))
    assert "No hosts yet" in page.text
    made = machine.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": "/srv/repo",
        "initial_paths": ["/etc"]})
    done = machine.tree.run(machine.confined(
        "agent", "/usr/local/sbin/restic-manager-agent", "-enroll-server",
        machine.url, "-enroll-token", made["token"]))
    assert done.returncode == 0, done.stderr
    machine.serve("agent")
    host = wait_for("the agent", lambda: machine.client.ok(
        "GET", "/api/hosts")["items"])[0]["id"]
    ready = f"/api/hosts/{host}"
    wait_for("the repository", lambda: machine.client.ok(
        "GET", ready)["repo_status"] == "ready", 60)
    group = machine.client.ok("GET", f"{ready}/source-groups")["items"][0]
    machine.client.ok("PUT", f"{ready}/hooks", {
        "pre_hook": "echo before >/srv/hooked", "post_hook":
        "echo after; [ -w /usr ] || echo and /usr is left alone"})
    job = machine.client.ok(
        "POST", f"{ready}/source-groups/{group['id']}/run", {})["job_id"]
    over = wait_for("the backup", lambda: (
        lambda j: j if j["finished_at"] else None)(
            machine.client.ok("GET", f"/api/jobs/{job}")), 60)
    assert (over["status"], over["incomplete"]) == ("succeeded", False), over
    for path in ("/", f"/hosts/{host}", f"/jobs/{job}", "/hosts/new"):
        assert machine.client.get(path).status == 200, path
    log = machine.client.get(f"/api/jobs/{job}/log.txt")
    assert log.status == 200 and "snapshot" in log.text
    assert machine.tree.file("srv/hooked").read_text() == "before\n"
    assert "hook(post): after" in log.text
    assert "hook(post): and /usr is left alone" in log.text


PROBE = """
import ctypes, json, mmap, os, socket
def able(f, *a):
    try:
        f(*a)
        return True
    except (OSError, ValueError):
        return False
status = dict(l.split(':', 1) for l in open('/proc/self/status'))
def write(p):
    os.close(os.open(p + '/probe', os.O_CREAT | os.O_WRONLY))
    os.unlink(p + '/probe')
print(json.dumps({
    'uid': os.getuid(), 'nnp': int(status['NoNewPrivs']),
    'seccomp': int(status['Seccomp']),
    'caps': bin(int(status['CapBnd'], 16)).count('1'),
    'etc': able(write, '/etc'), 'usr': able(write, '/usr/local'),
    'var': able(write, '/var/lib/restic-manager'),
    'run': able(write, '/run/restic-manager'), 'srv': able(write, '/srv'),
    'tmp': sorted(os.listdir('/tmp')),
    'inet': able(socket.socket, socket.AF_INET),
    'packet': able(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
    'unshare': ctypes.CDLL(None).unshare(0x20000) == 0,
    'wx': able(mmap.mmap, -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
               mmap.PROT_WRITE | mmap.PROT_EXEC),
    'home': able(os.listdir, '/root'), 'proc': os.path.exists('/proc/1'),
}))
"""


def test_the_restrictions_are_really_on(machine):
    """The same probe in each unit: what it can do there."""
    machine.tree.put("tmp/of-others", "x")
    seen = {u: machine.probe(u, PROBE) for u in ("controller", "render",
                                                 "agent")}
    for unit in ("controller", "render"):
        got = seen[unit]
        assert got["uid"] != 0 and got["nnp"] == 1
        assert got["seccomp"] == 2 and got["caps"] == 0
        assert not any(got[k] for k in ("etc", "usr", "srv", "packet",
                                        "unshare", "wx", "home", "proc")), got
        assert got["tmp"] == []
    assert seen["controller"]["var"] and seen["controller"]["inet"]
    assert not seen["render"]["var"] and not seen["render"]["inet"]
    got = seen["agent"]
    assert (got["uid"], got["nnp"], got["caps"]) == (0, 1, 4)
    assert not any(got[k] for k in ("etc", "unshare", "wx", "packet")), got
    # It backs up and restores anywhere but in the system itself.
    assert got["srv"] and got["home"] and got["inet"]
