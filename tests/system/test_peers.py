# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of others as peers: curl, nginx, Prometheus."""
import json
import pathlib
import re

import pytest

from lab import PASSWORD, ROOT, Client, Lab, free_port, wait_for
from peers import CONSOLE, POLL_ONLY, Nginx, Prometheus, curl
from stream import Stream

FAKE = ROOT / "tests/fake/restic"
VERSIONS = [pytest.param("--http1.1", "1.1", id="http1.1"),
            pytest.param("--http2", "2", id="h2")]


@pytest.mark.parametrize("flag,version", VERSIONS)
def test_curl_walks_the_api(lab, controller, flag, version):
    """M-012: the whole onboarding with a shell and curl."""
    jar = lab.path / "jar"

    def ask(method, path, body=None):
        data = ["--data", json.dumps(body), "-H",
                "Content-Type: application/json"] if body is not None else []
        out = curl(flag, "-X", method, "-b", jar, "-c", jar, *data, "-w",
                   "\n%{http_version} %{http_code}", controller.url + path)
        text, _, tail = out.rpartition("\n")
        seen, status = tail.split()
        assert seen == version
        return int(status), text

    user = {"username": "admin", "password": PASSWORD}
    status, _ = ask("POST", "/api/bootstrap", {
        **user, "token": controller.bootstrap_token()})
    assert status == 200
    assert ask("POST", "/api/auth/login", user)[0] == 200
    source = lab.sources()
    status, text = ask("POST", "/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": str(lab.path / "repo"),
        "initial_paths": [str(source)]})
    assert status == 200
    agent = lab.agent(controller, restic=FAKE)
    agent.enrol(json.loads(text)["token"]).start()
    host = f"/api/hosts/{agent.host_id}"
    wait_for("the repository", lambda: json.loads(
        ask("GET", host)[1])["repo_status"] == "ready", 60, 0.3)
    groups = json.loads(ask("GET", host + "/source-groups")[1])["items"]
    status, text = ask(
        "POST", f"{host}/source-groups/{groups[0]['id']}/run", {})
    assert status == 202
    job = json.loads(text)["job_id"]
    live = curl(flag, "-N", "-b", jar,
                f"{controller.url}/api/jobs/{job}/stream")
    assert live.count("event: log.stream") >= 20
    assert live.rstrip().splitlines()[-3] == "event: job.finished"
    assert json.loads(ask("GET", f"/api/jobs/{job}")[1])[
        "status"] == "succeeded"
    status, log = ask("GET", f"/api/jobs/{job}/log.txt")
    assert re.findall(r"pretend line (\d+)\n", log) == [
        str(n) for n in range(1, 21)]


def test_curl_is_answered_without_alpn(controller):
    assert curl("--no-alpn", "-w", "%{http_version} %{http_code}",
                controller.url + "/healthz") == "1.1 204"


@pytest.mark.parametrize("flag,version", [
    ("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")])
def test_curl_on_the_plain_port(lab, flag, version):
    port = free_port()
    lab.controller(RM_LISTEN_PLAIN=f"127.0.0.1:{port}",
                   RM_TRUSTED_PROXY="127.0.0.1").start()
    assert curl(flag, "-w", "%{http_version} %{http_code}",
                f"http://127.0.0.1:{port}/healthz") == f"{version} 204"


def test_nginx_leaves_no_worker_behind():
    """What the tests start ends with them, however early that is."""
    for _ in range(3):
        with Lab() as lab:
            controller = lab.controller().start()
            nginx = Nginx(lab, controller, CONSOLE, controller.port).start()
            task = f"/proc/{nginx.program.pid}/task/{nginx.program.pid}"
            workers = pathlib.Path(task, "children").read_text().split()
            assert workers
        assert not [pid for pid in workers
                    if pathlib.Path("/proc", pid).exists()]


def test_nginx_in_front_of_the_console(lab):
    """M-463: sign-in, pages, a live log; the real client is known."""
    plain = free_port()
    controller = lab.controller(RM_LISTEN_PLAIN=f"127.0.0.1:{plain}",
                                RM_TRUSTED_PROXY="127.0.0.1").start()
    nginx = Nginx(lab, controller, CONSOLE, plain).start()
    controller.client = Client(nginx.port)
    controller.url = nginx.url
    controller.bootstrap()
    assert "Secure" in controller.client.post("/api/auth/login", {
        "username": "admin", "password": PASSWORD}).headers["Set-Cookie"]
    assert "No hosts yet" in controller.client.get("/").text
    source = lab.sources()
    (source / ".pretend").write_text("lines=100 delay_ms=100")
    agent = lab.host(controller, restic=FAKE, paths=[source])
    job = controller.run_group(agent.host_id)
    stream = Stream(controller.client, f"/api/jobs/{job}/stream")
    assert stream.status == 200
    seen = []
    for name, _, _ in stream.events():
        if name == "log.stream" and not seen:
            # The proxy holds nothing back: this is while it runs.
            assert controller.job(job)["status"] == "running"
        seen.append(name)
        if name == "job.finished":
            break
    assert seen.count("log.stream") >= 100
    page = controller.client.get(f"/jobs/{job}")
    assert page.status == 200 and "pretend line 100" in page.text
    # nginx appends its peer: what that one claims to be does not count.
    curl("--interface", "127.0.0.2", "-H", "X-Forwarded-For: 203.0.113.9",
         nginx.url + "/api/version")
    assert re.search(r"path=/api/version .* address=127\.0\.0\.2 ",
                     controller.log.read_text())


def test_an_agent_behind_a_proxy_without_streams_polls(lab, console):
    """contract.md, Wire: after three failed Sessions the agent polls."""
    nginx = Nginx(lab, console, POLL_ONLY, console.port).start()
    source = lab.sources()
    (source / ".pretend").write_text("lines=60 delay_ms=100")
    agent = lab.host(console, restic=FAKE, paths=[source], port=nginx.port)
    assert "polling instead" in agent.log.read_text()
    assert console.host(agent.host_id)["status"] == "online"
    job = console.run_group(agent.host_id)
    end = console.wait_job(job)
    assert end["status"] == "succeeded"
    assert [row["payload"] for row in console.log_lines(job)
            if row["payload"].startswith("pretend line ")] == [
                f"pretend line {n}" for n in range(1, 61)]


def test_a_command_reaches_a_polling_agent_at_once(lab, console):
    """A Poll waits for it; nobody waits for the next one."""
    nginx = Nginx(lab, console, POLL_ONLY, console.port).start()
    source = lab.sources()
    (source / ".pretend").write_text("lines=1 hang=60")
    agent = lab.host(console, restic=FAKE, paths=[source], port=nginx.port)
    job = console.run_group(agent.host_id)
    wait_for("the start", lambda: console.job(job)["status"] == "running", 20)
    assert console.client.post(f"/api/jobs/{job}/cancel").status == 202
    assert console.wait_job(job, 20)["status"] == "cancelled"


def test_prometheus_gets_its_answer_over_both_versions(lab, console):
    """There are no metrics yet: a scrape ends in a plain HTTP answer."""
    prometheus = Prometheus(lab, console.port, "/healthz")

    def scraped():
        targets = prometheus.targets()
        if len(targets) < 2 or any(t["lastScrape"].startswith("0001")
                                   for t in targets.values()):
            return None
        return targets
    for name, target in wait_for("two scrapes", scraped, step=0.3).items():
        assert "204" in target["lastError"], (name, target["lastError"])
