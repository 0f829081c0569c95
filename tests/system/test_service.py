# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller as a service: its renderer, certificates, descriptors, and an
orderly end."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lab import BIN, PASSWORD, ROOT, Client, clean_env, free_port, wait_for
from web import open_stream


def test_pages_say_503_while_nobody_draws_them(lab):
    controller = lab.controller(render=False).start()
    client = Client(controller.port)
    wait_for("the notice", lambda: client.get("/bootstrap").status == 503)
    page = client.get("/bootstrap")
    assert "Retry-After" in page.headers and "again" in page.text
    assert client.get("/nowhere").status == 404
    assert client.get("/api/version").status == 200
    assert client.post("/api/bootstrap", {
        "username": "ann", "password": PASSWORD}).status == 200


def test_the_renderer_is_started_again(console):
    pid = console.renderer_pid()
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for("another renderer", lambda: console.renderer_pid() not in
             (None, pid))
    wait_for("a page", lambda: console.client.get("/").status == 200)


def test_a_stuck_renderer_costs_one_page(console):
    pid = console.renderer_pid()
    subprocess.run(["kill", "-STOP", str(pid)], check=True)
    begin = time.monotonic()
    assert console.client.get("/").status == 503
    assert time.monotonic() - begin < 20
    wait_for("a page", lambda: console.client.get("/").status == 200)
    assert console.renderer_pid() != pid


def test_no_renderer_is_left_behind(lab):
    """Killed at any moment, also before the renderer has begun to watch."""
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.3):
        controller = lab.controller(name=f"c{delay}")
        controller.start(wait=False)
        time.sleep(delay)
        children = subprocess.run(
            ["pgrep", "-P", str(controller.program.pid)], check=False,
            capture_output=True, text=True).stdout.split()
        controller.kill()
        for pid in children:
            wait_for(f"the end of {pid}", lambda p=pid: not
                     pathlib.Path(f"/proc/{p}").exists())


def test_an_orphaned_renderer_ends_at_once(lab):
    done = subprocess.run(
        [BIN / "restic-manager-render"], check=False, timeout=10,
        env=clean_env(RM_DATA_DIR=lab.path, RM_RUNTIME_DIR=lab.path,
                      RM_BUNDLED_ASSETS_DIR=ROOT, RM_DIE_WITH_PARENT="1"))
    assert done.returncode == 0


def peer_certificate(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        with context.wrap_socket(s) as tls:
            return tls.getpeercert(True)


def test_sighup_reads_the_certificate_again(lab):
    """M-380: RM_TLS_CERT and RM_TLS_KEY, without dropping a stream."""
    donors = [lab.controller(name=f"donor{i}", render=False).start()
              for i in (1, 2)]
    for donor in donors:
        donor.stop()
    cert, key = lab.path / "cert.pem", lab.path / "key.pem"

    def install(donor):
        cert.write_bytes((donor.data / "tls/cert.pem").read_bytes())
        key.write_bytes((donor.data / "tls/key.pem").read_bytes())

    install(donors[0])
    controller = lab.controller(RM_TLS_CERT=cert, RM_TLS_KEY=key).start()
    controller.bootstrap()
    before = peer_certificate(controller.port)
    stream = open_stream(controller, "/events?page=dashboard")
    assert stream[1].status == 200
    install(donors[1])
    controller.program.kill(signal.SIGHUP)
    wait_for("the new certificate", lambda: peer_certificate(
        controller.port) != before)
    after = peer_certificate(controller.port)
    key.write_text("damaged")
    controller.program.kill(signal.SIGHUP)
    wait_for("the complaint", lambda: "the old certificate stays" in
             controller.log.read_text())
    assert peer_certificate(controller.port) == after
    assert stream[1].readline() == b"retry: 2000\n"
    stream[0].close()


def test_sigterm_ends_it_in_order(console):
    """M-382: open streams do not hold it up."""
    streams = [open_stream(console, "/events?page=dashboard")
               for _ in range(3)]
    renderer = console.renderer_pid()
    begin = time.monotonic()
    assert console.stop() == 0
    assert time.monotonic() - begin < 20
    assert " main ended" in console.log.read_text()
    wait_for("the renderer's end", lambda: subprocess.run(
        ["kill", "-0", str(renderer)], check=False,
        stderr=subprocess.DEVNULL).returncode != 0)
    for conn, _ in streams:
        conn.close()


def test_a_second_controller_on_the_same_data_is_refused(console, lab):
    other = lab.controller(name="other")
    other.env["RM_DATA_DIR"] = console.data
    other.start(wait=False)
    assert other.program.wait(10) != 0
    assert "not started" in other.log.read_text()
    assert console.client.get("/api/hosts").status == 200


@pytest.mark.parametrize("text, words", [
    ("lisen: ':1'\n", "lisen"),
    ("listen: [1, 2]\n", "listen"),
    ("timezone: Mars/Olympus\n", "RM_TIMEZONE"),
    ("trusted_proxies: [10.0.0.0/99]\n", "RM_TRUSTED_PROXY")])
def test_bad_configuration_is_explained(lab, text, words):
    path = lab.path / "controller.yaml"
    path.write_text(text)
    done = subprocess.run(
        [BIN / "restic-manager-controller", "-config", path],
        env=clean_env(RM_DATA_DIR=lab.path / "d"), capture_output=True,
        text=True, timeout=10, check=False)
    assert done.returncode not in (0, -6, -11)
    assert words in done.stderr


def test_no_secret_reaches_logs_or_disk(lab, canary):
    """M-464"""
    controller = lab.controller().start()
    password = canary.make("password")
    wrong = canary.make("wrong")
    client = Client(controller.port)
    assert client.post("/api/bootstrap", {
        "username": "admin", "password": password}).status == 200
    client.post("/api/auth/login", {"username": "admin", "password": wrong})
    client.post("/api/auth/login", {"username": wrong, "password": wrong})
    client.get(f"/login?password={wrong}")
    token = canary.make("t").ljust(43, "x")[:43]
    client.get(f"/hosts/pending/{token}.{'y' * 43}")
    canary.texts.append(token)
    controller.stop()
    assert canary.found(lab.path) == []


def connect_from(address, port):
    s = socket.socket()
    s.settimeout(5)
    s.bind((address, 0))
    s.connect(("127.0.0.1", port))
    return s


def test_without_descriptors_open_work_goes_on(lab):
    """More connections than descriptors: the surplus is turned away, what
    is open and what the controller itself needs is not."""
    controller = lab.controller()
    controller.program = lab.start(
        ["/bin/sh", "-c", "ulimit -n 300; exec \"$0\"",
         BIN / "restic-manager-controller"],
        clean_env(**controller.env), controller.log)
    wait_for("the controller", controller.healthy)
    controller.bootstrap()
    kept = http.client.HTTPSConnection("127.0.0.1", controller.port,
                                       context=controller.client.tls)
    cookie = {"Cookie": controller.client.cookie}
    kept.request("GET", "/api/hosts", headers=cookie)
    assert json.loads(kept.getresponse().read())["items"] == []
    crowd = []
    try:
        for i in range(200):
            crowd.append(connect_from(f"127.0.1.{i // 50 + 1}",
                                      controller.port))
    except OSError:
        pass
    assert len(crowd) > 100
    for s in crowd[-5:]:
        s.settimeout(0.2)
        try:
            assert s.recv(1) == b""
        except (ConnectionError, TimeoutError):
            pass
    for path in ("/api/hosts", "/", "/static/app.js", "/nowhere"):
        kept.request("GET", path, headers=cookie)
        answer = kept.getresponse()
        answer.read()
        assert answer.status == (404 if path == "/nowhere" else 200), path
    kept.request("POST", "/api/auth/login", '{"username": "admin", '
                 f'"password": "{PASSWORD}"}}',
                 {"Content-Type": "application/json"})
    answer = kept.getresponse()
    answer.read()
    assert answer.status == 200
    for s in crowd:
        s.close()
    wait_for("room again", lambda: controller.client.get(
        "/api/hosts").status == 200)
    assert controller.program.running()


def test_many_clients_at_once_are_all_answered(console):
    """64 pages wait; the rest are told to come back, nothing breaks."""
    seen = []

    def ask():
        client = Client(console.port, 30)
        client.cookie = console.client.cookie
        seen.append(client.get("/").status)

    threads = [threading.Thread(target=ask) for _ in range(120)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(seen) == 120
    assert set(seen) <= {200, 503}
    assert seen.count(200) >= 64
    assert console.client.get("/").status == 200


def test_half_requests_are_not_waited_for_forever(controller):
    """A head that does not end is given up after ten seconds."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", controller.port), 60) as raw:
        with context.wrap_socket(raw) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            begin = time.monotonic()
            answer = tls.recv(4096)
            assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0]
            assert 5 < time.monotonic() - begin < 40


def test_the_renderer_as_a_service_of_its_own(lab):
    """Started elsewhere: the controller gives up the right to start anything
    and waits for it, as often as it goes."""
    controller = lab.controller(render=False).start()
    status = pathlib.Path(f"/proc/{controller.program.pid}/status")
    assert re.search(r"^Seccomp:\s+2$", status.read_text(), re.M)
    env = clean_env(**{k: v for k, v in controller.env.items()
                       if k != "RM_RENDER"}, RM_SANDBOX_KILL="true")

    def start_renderer():
        return lab.start([BIN / "restic-manager-render"], env,
                         lab.path / "render.log")

    renderer = start_renderer()
    controller.bootstrap()
    for _ in range(2):
        wait_for("a page", lambda: controller.client.get("/").status == 200)
        renderer.kill()
        renderer.wait()
        wait_for("the notice", lambda: controller.client.get(
            "/").status == 503)
        assert controller.client.get("/api/hosts").status == 200
        renderer = start_renderer()
    wait_for("a page", lambda: controller.client.get("/").status == 200)
    assert controller.stop() == 0
    assert renderer.wait(10) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")
def test_two_users_share_what_they_must(lab):
    """As the units run them: the renderer reads state and spool through the
    shared group, and can neither read secrets nor move what lies beside its
    socket."""
    lab.path.chmod(0o755)
    for name in ("restic-manager-controller", "restic-manager-render"):
        shutil.copy(BIN / name, lab.path / name)
    shutil.copytree(ROOT / "www", lab.path / "www")
    data, run = lab.path / "data", lab.path / "run"
    for folder in (data, run):
        folder.mkdir()
        shutil.chown(folder, "daemon", "daemon")
    port = free_port()
    env = clean_env(RM_DATA_DIR=data, RM_RUNTIME_DIR=run, RM_GROUP="games",
                    RM_LISTEN=f"127.0.0.1:{port}",
                    RM_BUNDLED_ASSETS_DIR=lab.path)
    controller = lab.start(
        ["setpriv", "--reuid=daemon", "--regid=daemon", "--groups=games",
         lab.path / "restic-manager-controller"], env, lab.path / "c.log")
    wait_for("the controller", lambda: "main ready" in controller.text())
    aside = ["setpriv", "--reuid=nobody", "--regid=games", "--clear-groups"]
    renderer = lab.start([*aside, lab.path / "restic-manager-render"],
                         {**env, "RM_SANDBOX_KILL": "true"},
                         lab.path / "r.log")
    client = Client(port)
    wait_for("a page", lambda: client.get("/bootstrap").status == 200)
    assert client.post("/api/bootstrap", {
        "username": "ann", "password": PASSWORD}).status == 200
    assert client.get("/").status == 200
    for what in (f"cat {data}/secret.key", f"ls {data}/db/vault",
                 f"cat {data}/tls/key.pem", f"cat {data}/db/state/lock.mdb",
                 f"mv {run}/live {run}/away", f"rm -r {run}/live",
                 f"touch {data}/db/state/x", f"touch {data}/spool/x",
                 f"sh -c ': >> {data}/db/state/data.mdb'"):
        done = subprocess.run([*aside, "sh", "-c", what], check=False,
                              capture_output=True)
        assert done.returncode != 0, what
    assert renderer.running() and controller.stop() == 0
