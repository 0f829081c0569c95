# SPDX-License-Identifier: GPL-3.0-or-later
"""The install path as a new user walks it: the command of the page "Add
host" on a fresh machine, up to an agent that is online."""
import base64
import hashlib
import html
import platform
import re
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

import announcer
import lab as lab_module
from lab import BIN, ROOT, wait_for
from web import Browser
from tree import Tree

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
PROGRAM = f"restic-manager-agent-linux-{ARCH}"
UNIT = "restic-manager-agent.service"
BARE = f"/agent/binary?os=linux&arch={ARCH}"


@pytest.fixture(name="site", scope="module")
def fixture_site():
    with lab_module.Lab() as bench:
        console = bench.controller().start()
        console.bootstrap()
        console.bench = bench
        console.published = console.data / "agent-binaries" / PROGRAM
        console.published.parent.mkdir()
        shutil.copy(BIN / "restic-manager-agent", console.published)
        console.browser = Browser(console.port).sign_in()
        yield console


@pytest.fixture(name="tree")
def fixture_tree(site):
    fresh = Tree(site.bench.path / "tree")
    yield fresh
    fresh.close()


def mint(site, name, **more):
    return site.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": name, "repo_url": f"/srv/{name}",
        "initial_paths": ["/etc"], **more})


def command(site, made):
    """As the page shows it."""
    page = html.unescape(
        site.browser.get(f"/hosts/pending/{made['id']}").text)
    return re.search(r"curl -fsSL .* bash(?=<)", page).group()


def install(site, tree, token="", **env):
    """The script by itself, without the command around it."""
    if token:
        env["RM_TOKEN"] = token
    env.setdefault("RM_SERVER", site.url)
    script = (ROOT / "install/install.sh").read_text()
    tree.put("tmp/install.sh", script)
    return tree.run("bash /tmp/install.sh", **env)


def online(site, name):
    hosts = site.client.ok("GET", "/api/hosts?per_page=500")["items"]
    host = next((h for h in hosts if h["name"] == name), None)
    return host if host and host["status"] == "online" else None


def mode(path):
    return oct(path.stat().st_mode & 0o7777)


# ------------------------------------------------------------- publishing

def test_agents_are_published_with_their_checksum(site):
    """M-369, M-398: from the data directory, also after a replacement."""
    for content in (site.published.read_bytes(), b"another version"):
        fresh = site.published.with_name("new")
        fresh.write_bytes(content)
        fresh.rename(site.published)
        answer = site.client.get(BARE)
        digest = hashlib.sha256(content).hexdigest()
        assert answer.status == 200 and answer.body == content
        assert answer.headers["X-Content-SHA256"] == digest
        assert site.client.get(BARE.replace("binary", "binary.sha256")).text \
            == f"{digest}  {PROGRAM}\n"
        again = site.client.get(BARE, headers={
            "If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
    shutil.copy(BIN / "restic-manager-agent", site.published)


def test_scripts_are_published(site):
    """M-399: the data directory's go before those of the installation."""
    assert site.client.get("/install/install.sh").body == (
        ROOT / "install/install.sh").read_bytes()
    assert site.client.get(f"/install/{UNIT}").body == (
        ROOT / "systemd" / UNIT).read_bytes()
    own = site.data / "install/install.sh"
    own.parent.mkdir()
    own.write_text("#!/bin/bash\necho own\n")
    assert site.client.get("/install/install.sh").text.endswith("echo own\n")
    shutil.rmtree(own.parent)


def test_what_is_not_published_says_so(site):
    """M-369, M-384: and no path leads out of the folders."""
    site.data.joinpath("secret").write_text("hush")
    for path in ("/install/install.ps1", "/install/restic-manager-render."
                 "service", "/install/..", "/install/%2e%2e%2fsecret",
                 "/install/.hidden", "/install/" + "a" * 300,
                 "/agent/binary", "/agent/binary?os=linux&arch=mips",
                 "/agent/binary?os=..%2f..%2fsecret&arch=amd64",
                 "/agent/binary.sha256?os=linux&arch=mips"):
        answer = site.client.get(path)
        assert answer.status == 404, path
        assert answer.json()["error"] == "binary_not_published", path
    assert site.client.get("/install/../secret").status == 404


def test_a_slow_download_does_not_hold_up_a_stop(lab):
    """One file in memory for all who fetch it; gone with the last one."""
    controller = lab.controller(render=False).start()
    folder = controller.data / "agent-binaries"
    folder.mkdir()
    (folder / PROGRAM).write_bytes(b"x" * (8 << 20))
    slow = []
    for _ in range(3):
        raw = socket.create_connection(("127.0.0.1", controller.port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        s = context.wrap_socket(raw)
        s.sendall(f"GET {BARE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert s.recv(100).startswith(b"HTTP/1.1 200")
        slow.append(s)
    assert controller.client.get(BARE).body == b"x" * (8 << 20)
    slow.pop().close()
    assert controller.stop() == 0
    for s in slow:
        s.close()


def test_the_agent_needs_a_c_library_and_nothing_else():
    """It is copied to hosts that have none of the libraries it uses."""
    if "build/release" not in str(BIN):
        return  # sanitizers bring libraries of their own
    said = subprocess.run(["ldd", str(BIN / "restic-manager-agent")],
                          capture_output=True, text=True, check=True).stdout
    names = {line.split()[0].rsplit("/", 1)[-1].split(".so")[0]
             for line in said.splitlines()}
    assert names <= {"linux-vdso", "libc", "libm", "ld-linux-x86-64",
                     "ld-linux-aarch64"}


# -------------------------------------------------------------- installing

def test_one_command_makes_a_fresh_machine_a_host(site, tree):
    """M-074, M-362, M-363: as the page shows it, then once more."""
    made = mint(site, "fresh-1")
    line = command(site, made)
    pin = base64.b64encode(base64.urlsafe_b64decode(
        made["token"].split(".")[1] + "=")).decode()
    assert f"sha256//{pin}" in line and made["token"] in line
    done = tree.run(line)
    assert done.returncode == 0, done.stdout + done.stderr
    host = wait_for("the agent", lambda: online(site, "fresh-1"))
    assert site.wait_ready(host["id"])["snapshot_count"] == 0
    assert tree.calls() == ["daemon-reload", f"enable --now {UNIT}"]
    assert mode(tree.file("var/lib/restic-manager-agent")) == "0o700"
    assert mode(tree.file("root/rm-restore")) == "0o700"
    assert mode(tree.file("etc/restic-manager/agent.yaml")) == "0o600"
    assert mode(tree.file("usr/local/bin/restic-manager-agent")) == "0o755"
    assert mode(tree.file(f"etc/systemd/system/{UNIT}")) == "0o644"
    secret = made["token"].split(".")[0].encode()
    left = [p for p, data in tree.below("etc", "var", "tmp", "root", "run",
                                        "usr/local") if secret in data]
    assert left == []
    ps = tree.run("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ")
    assert secret.decode() not in ps.stdout
    assert "To remove it" in done.stdout and "something else" not in \
        done.stdout
    before = {p: data for p, data in tree.below("etc", "usr/local")}
    again = tree.run(line)
    assert again.returncode == 0 and "enrolled already" in again.stdout
    assert {p: d for p, d in tree.below("etc", "usr/local")} == before
    assert len(tree.calls()) == 2


def test_enrolling_again_is_asked_for_and_survives_a_refusal(site, tree):
    """M-363, M-365: RM_FORCE_REENROLL, and the token's other name."""
    assert install(site, tree, mint(site, "again-1")["token"]).returncode == 0
    first = wait_for("the agent", lambda: online(site, "again-1"))
    config = tree.file("etc/restic-manager/agent.yaml")
    before = config.read_text()
    used = "A" * 43 + "." + mint(site, "x")["token"].split(".")[1]
    done = install(site, tree, used, RM_FORCE_REENROLL="1")
    assert done.returncode != 0 and "goes on as before" in done.stderr
    assert config.read_text() == before
    wait_for("the agent again", lambda: online(site, "again-1"))
    assert tree.calls()[-2:] == [f"stop {UNIT}", f"start {UNIT}"]
    done = install(site, tree, RM_FORCE_REENROLL="1")
    assert done.returncode != 0 and "needs RM_TOKEN" in done.stderr
    done = install(site, tree, RM_FORCE_REENROLL="1",
                   RM_ENROL_TOKEN=mint(site, "again-2")["token"])
    assert done.returncode == 0, done.stderr
    second = wait_for("the other host", lambda: online(site, "again-2"))
    assert second["id"] != first["id"]


def test_other_folders_are_told_to_the_service(site, tree):
    """M-365, M-381: RM_CONFIG_DIR, RM_STATE_DIR."""
    done = install(site, tree, mint(site, "folders-1")["token"],
                   RM_CONFIG_DIR="/srv/conf", RM_STATE_DIR="/srv/state")
    assert done.returncode == 0, done.stderr
    wait_for("the agent", lambda: online(site, "folders-1"))
    assert tree.file("srv/conf/agent.yaml").exists()
    assert tree.file("srv/state/queue").is_dir()
    assert not tree.file("etc/restic-manager").exists()
    drop = tree.file(f"etc/systemd/system/{UNIT}.d/folders.conf").read_text()
    assert "ConditionPathExists=/srv/conf/agent.yaml" in drop


def test_without_a_token_it_waits_for_approval(site, tree):
    """X-13, M-083, M-362: with the command of the page, accepted while the
    script waits; then the service is installed as ever."""
    page = html.unescape(site.browser.get("/hosts/new").text)
    line = re.search(r"curl -fsSL .* bash(?=<)", page).group()
    pin = announcer.spki_pin(
        ssl.get_server_certificate(("127.0.0.1", site.port)))
    assert "RM_TOKEN" not in line and f" RM_PIN={pin} bash" in line
    script = threading.Thread(target=lambda: said.append(tree.run(line)))
    said = []
    script.start()
    row = wait_for("the pending host", lambda: site.client.ok(
        "GET", "/api/pending-hosts")["items"], 60)[0]
    path = f"/api/pending-hosts/{row['id']}/accept"
    host = site.client.ok("POST", path, {
        "repo_url": "/srv/approved", "repo_password": "a pass phrase",
        "allow_duplicate": True})["host_id"]
    script.join(60)
    assert said and said[0].returncode == 0, said
    digest = row["fingerprint"].split(":")[1]
    assert f"SHA256: {digest[:4]} {digest[4:8]}" in said[0].stdout
    site.wait_ready(host)
    assert tree.calls() == ["daemon-reload", f"enable --now {UNIT}"]


OTHERS = {
    "etc/systemd/system/nightly.timer": "[Timer]\nOnCalendar=daily\n",
    "etc/systemd/system/nightly.service":
        "[Service]\nExecStart=/usr/bin/restic backup /etc\n",
    "etc/systemd/system/odd.timer": "[Timer]\nUnit=even.service\n",
    "etc/systemd/system/even.service": "[Service]\nExecStart=restic forget\n",
    "etc/systemd/system/restic-check.timer": "[Timer]\nOnCalendar=weekly\n",
    "etc/systemd/system/plain.timer": "[Timer]\nOnCalendar=daily\n",
    "etc/systemd/system/plain.service": "[Service]\nExecStart=/bin/true\n",
    "etc/cron.d/backup": "0 3 * * * root restic backup /home\n",
    "etc/cron.d/quiet": "# restic was here\n0 3 * * * root true\n",
    "etc/cron.daily/backup": "#!/bin/sh\nrestic backup /srv\n",
    "etc/cron.hourly/backup": "#!/bin/sh\nexec restic backup /srv\n",
    "etc/cron.weekly/prune": "#!/bin/sh\n/usr/bin/restic prune\n",
    "etc/crontab": "1 1 * * * root restic check\n",
    "var/spool/cron/crontabs/root": "2 2 * * * restic check\n",
}


def test_schedules_that_are_there_are_named_and_left_alone(site, tree):
    """M-364"""
    for path, text in OTHERS.items():
        tree.put(path, text, 0o755)
    done = install(site, tree, mint(site, "others-1")["token"])
    assert done.returncode == 0, done.stderr
    said = done.stdout.split("something else too")[1]
    for line in ("systemctl disable --now nightly.timer",
                 "systemctl disable --now odd.timer",
                 "systemctl disable --now restic-check.timer",
                 "mv /etc/cron.d/backup /etc/cron.d/.backup.disabled",
                 "chmod -x /etc/cron.daily/backup",
                 "chmod -x /etc/cron.hourly/backup",
                 "chmod -x /etc/cron.weekly/prune",
                 "sed -i.before '/restic/s/^/#/' /etc/crontab",
                 "crontab -u root -e"):
        assert f"    {line}" in said, line
    assert "plain.timer" not in said and "quiet" not in said
    for path, text in OTHERS.items():
        assert tree.file(path).read_text() == text
        assert mode(tree.file(path)) == "0o755"


def test_each_obstacle_is_told_before_the_token_is_used(site, tree):
    """Requirements 31: what is wrong, and what to do."""
    made = mint(site, "obstacle-1")

    def refused(word, script="bash /tmp/install.sh", user=None, **env):
        tree.put("tmp/install.sh", (ROOT / "install/install.sh").read_text())
        env = {"RM_SERVER": site.url, "RM_TOKEN": made["token"], **env}
        done = tree.run(script, user=user, **env)
        assert done.returncode != 0 and word in done.stderr, done.stderr
        assert made["token"] not in done.stderr + done.stdout

    refused("run it as root", user=65534)
    refused("RM_SERVER is not set", RM_SERVER="")
    refused("must begin with https://", RM_SERVER="http://backup.example")
    refused("RM_TOKEN is malformed", RM_TOKEN="abc")
    refused("folders must be absolute", RM_STATE_DIR="here; rm -r /")
    tree.put("usr/local/bin/uname", "#!/bin/sh\n[ $1 = -s ] && echo Linux || "
             "echo mips\n", 0o755)
    refused("there is no agent for mips")
    tree.file("usr/local/bin/uname").unlink()
    tools = "for t in bash id uname sha256sum install mktemp base64 tr sed " \
        "grep env; do ln -s $(command -v $t) /tmp/few/; done"
    tree.run(f"mkdir /tmp/few; {tools}")
    refused("not found: curl", "PATH=/tmp/few /bin/bash /tmp/install.sh")
    tree.run("ln -s $(command -v curl) $(command -v sort) /tmp/few/")
    refused("restic was not found",
            "PATH=/tmp/few /bin/bash /tmp/install.sh")
    tree.put("usr/local/bin/restic", "#!/bin/sh\necho restic 0.9.6 go\n",
             0o755)
    refused("restic 0.9.6 is too old")
    tree.file("usr/local/bin/restic").unlink()
    wrong = made["token"].split(".")[0] + "." + "A" * 43
    refused("could not be fetched", RM_TOKEN=wrong)
    tree.put("usr/local/bin/curl", "#!/bin/bash\n/usr/bin/curl \"$@\"; r=$?\n"
             "for a; do [ ! -f \"$a\" ] || echo >>\"$a\"; done\nexit $r\n",
             0o755)
    refused("checksum does not match")
    tree.file("usr/local/bin/curl").unlink()
    assert list(tree.file("usr/local/bin").glob(".*")) == []
    assert install(site, tree, made["token"]).returncode == 0


def test_without_systemd_it_says_how_to_start_by_hand(site, tree):
    tree.run("rm -r /run/systemd")
    done = install(site, tree, mint(site, "by-hand-1")["token"])
    assert done.returncode == 0, done.stderr
    line = next(s for s in done.stdout.splitlines()
                if s.strip().endswith("restic-manager-agent run"))
    assert tree.calls() == []
    tree.run(f"({line.strip()} >/dev/null 2>&1 </dev/null &)")
    wait_for("the agent", lambda: online(site, "by-hand-1"))
