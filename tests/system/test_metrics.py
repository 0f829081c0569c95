# SPDX-License-Identifier: GPL-3.0-or-later
"""GET /metrics of a real controller with a few hosts, read by a real
Prometheus and by promtool (requirements section 30)."""
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

import walk
from lab import ROOT, Client, Lab, clean_env, free_port, wait_for
from peers import PROMETHEUS

TOKEN = "metrics-token-0123456789"
PROMTOOL = PROMETHEUS.parent / "promtool"
DASHBOARD = ROOT / "etc/grafana/restic-manager-fleet.json"
SCRAPE = ROOT / "etc/prometheus/prometheus.yml"


@pytest.fixture(name="bench", scope="module")
def a_bench():
    with Lab() as made:
        yield made


@pytest.fixture(name="ctl", scope="module")
def a_controller_with_hosts(bench):
    """One host with a backup, one whose backup failed, one that never ran."""
    secret = bench.path / "metrics.token"
    secret.write_text(TOKEN + "\n")
    ctl = bench.controller(RM_METRICS_TOKEN_FILE=secret,
                           RM_METRICS_TRUSTED_CIDR="127.0.0.0/8").start()
    ctl.bootstrap()
    for name, wish in (("good", "lines=30"), ("bad", "lines=5 exit=1"),
                       ("new", "lines=1")):
        source = bench.sources(f"src-{name}")
        (source / ".pretend").write_text(wish)
        agent = bench.host(ctl, name=name, paths=[source], restic=walk.FAKE)
        if name != "new":
            ctl.wait_job(ctl.run_group(agent.host_id))
    return ctl


def scrape(ctl, token=TOKEN, headers=None):
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Client(ctl.port).get("/metrics", headers=headers)


def samples(text):
    """series with its labels -> value"""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            assert series not in found, series
            found[series] = float(value)
    return found


def of_host(found, name, host):
    rows = [v for k, v in found.items()
            if k.startswith(name + "{") and f'host="{host}"' in k]
    assert len(rows) <= 1, rows
    return rows[0] if rows else None


def test_the_fleet_is_told(ctl):
    """M-349 to M-358."""
    answer = scrape(ctl)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(
        "text/plain; version=0.0.4")
    assert answer.headers["Cache-Control"] == "no-store"
    found = samples(answer.text)
    assert found["rm_hosts_total"] == found["rm_hosts_online"] == 3
    for severity in ("info", "warning", "critical"):
        assert found[f'rm_active_alerts{{severity="{severity}"}}'] == 0
    assert of_host(found, "rm_host_last_backup_success", "good") == 1
    assert of_host(found, "rm_host_last_backup_success", "bad") == 0
    assert of_host(found, "rm_host_last_backup_success", "new") is None
    made = of_host(found, "rm_host_last_backup_timestamp_seconds", "good")
    assert time.time() - 600 < made <= time.time() + 1
    for name in ("bad", "new"):
        assert of_host(found, "rm_host_last_backup_timestamp_seconds",
                       name) is None
    for name in ("good", "bad", "new"):
        assert of_host(found, "rm_host_agent_online", name) == 1
        assert of_host(found, "rm_host_open_alerts", name) == 0
        assert f'host="{name}",status="ready"}}' in answer.text
    assert len([k for k in found if k.startswith("rm_job_duration_seconds_"
                                                 "bucket")]) == 9 * 3 * 10
    assert found['rm_job_duration_seconds_count'
                 '{kind="backup",status="succeeded"}'] == 1
    assert found['rm_job_duration_seconds_count'
                 '{kind="backup",status="failed"}'] == 1
    assert found['rm_job_duration_seconds_count'
                 '{kind="init",status="succeeded"}'] == 3
    assert not re.search(r"job_id|source_group|group=", answer.text)
    assert re.search(r'rm_build_info\{version="[^"]+",commit="[^"]+",'
                     r'compiler="[^"]+"\} 1', answer.text)


def test_the_controller_tells_of_itself(ctl):
    found = samples(scrape(ctl).text)
    assert found['rm_agent_streams{kind="session"}'] == 3
    assert found["rm_log_lines_received_total"] >= 35
    assert found["rm_events_received_total"] > 5
    assert found["rm_log_sync_duration_seconds_count"] >= 2
    assert found["rm_store_commits_total"] == found[
        "rm_store_commit_duration_seconds_count"] > 5
    assert found["rm_store_commit_duration_seconds_sum"] > 0
    assert found["rm_store_healthy"] == found["rm_renderer_up"] == 1
    assert found["rm_audit_seal_fits"] == 1 and found["rm_audit_entries"] > 5
    assert found['rm_store_size_bytes{store="state"}'] > 10000
    assert found['rm_tls_handshakes_total{result="done"}'] > 3
    assert found["rm_sessions"] >= 1
    assert found["process_cpu_seconds_total"] > 0
    assert 1e6 < found["process_resident_memory_bytes"] < 1e9
    assert found["process_max_fds"] > found["process_open_fds"] > 10
    assert abs(found["process_start_time_seconds"] - time.time()) < 900


def test_durations_survive_a_kill(ctl):
    """W-04, M-130: neither forgotten nor counted twice."""
    name = 'rm_job_duration_seconds_{}{{kind="{}",status="succeeded"}}'
    before = samples(scrape(ctl).text)
    ctl.kill()
    ctl.start()
    wait_for("the agents", lambda: samples(scrape(ctl).text)[
        "rm_hosts_online"] == 3, 60)
    after = samples(scrape(ctl).text)
    for kind in ("backup", "init"):
        for part in ("count", "sum"):
            assert after[name.format(part, kind)] == before[
                name.format(part, kind)] > 0


def test_the_gates(bench):
    """M-348, M-361, M-378, M-401, M-510, W-27: absent unless asked for; token,
    network, both; forwarded addresses behind a trusted proxy only."""
    far = {"X-Forwarded-For": "203.0.113.9"}
    near = {"X-Forwarded-For": "10.9.8.7"}
    secret = bench.path / "gate.token"
    secret.write_text(f"  {TOKEN}\n")
    cases = (
        # settings, (token, headers, status) ...
        ({}, ((None, {}, 404), (TOKEN, {}, 404))),
        ({"RM_METRICS_TOKEN": TOKEN},
         ((None, {}, 401), ("wrong", {}, 401), (TOKEN + "x", {}, 401),
          (TOKEN[:-1], {}, 401), (TOKEN, {}, 200), (TOKEN, far, 200))),
        ({"RM_METRICS_TRUSTED_CIDR": "10.0.0.0/8",
          "RM_TRUSTED_PROXY": "127.0.0.1"},
         ((None, {}, 403), (None, near, 200), (None, far, 403),
          (TOKEN, far, 403))),
        ({"RM_METRICS_TRUSTED_CIDR": "10.0.0.0/8"},
         ((None, near, 403), (TOKEN, near, 403))),
        ({"RM_METRICS_TOKEN_FILE": secret,
          "RM_METRICS_TRUSTED_CIDR": "10.0.0.0/8,192.0.2.0/24",
          "RM_TRUSTED_PROXY": "127.0.0.1"},
         ((None, near, 401), (TOKEN, far, 403), ("wrong", near, 401),
          (TOKEN, near, 200), (TOKEN, {"X-Forwarded-For": "192.0.2.1"}, 200))),
    )
    for n, (env, asks) in enumerate(cases):
        gated = bench.controller(name=f"gate-{n}", render=False, **env).start()
        for token, headers, status in asks:
            answer = scrape(gated, token, headers)
            assert answer.status == status, (env, token, headers, answer.text)
            assert ("rm_hosts_total" in answer.text) == (status == 200)
            if status == 401:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            if status == 404:
                assert answer.json()["message"] == Client(gated.port).get(
                    "/api/nothing/here").json()["message"]
        said = gated.log.read_text()
        assert TOKEN not in said
        gates = [word for word, there in (
            ("token", any("TOKEN" in k for k in env)),
            ("networks", "RM_METRICS_TRUSTED_CIDR" in env)) if there]
        assert f" metrics={'+'.join(gates) or 'off'}\n" in said
        gated.stop()


def test_no_session_and_no_other_token_opens_them(ctl):
    """The gates are their own, and open nothing else."""
    token = ctl.client.ok("POST", "/api/tokens", {
        "name": "m", "role": "admin", "expires_in_days": 1})["token"]
    assert scrape(ctl, token).status == 401
    assert ctl.client.get("/metrics").status == 401
    assert Client(ctl.port).get("/api/hosts", headers={
        "Authorization": f"Bearer {TOKEN}"}).status == 401


def test_promtool_finds_nothing_to_say(ctl):
    """What is exposed, and the configuration that scrapes it."""
    if not PROMTOOL.exists():
        pytest.skip("tools/get-test-tools was not run")
    checked = subprocess.run([PROMTOOL, "check", "metrics"], text=True,
                             input=scrape(ctl).text, capture_output=True,
                             timeout=60, check=False, env=clean_env())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


# ---------------------------------------------------------------- Prometheus

def configured(bench, ctl):
    """The configuration that is shipped, with this controller in it."""
    text = SCRAPE.read_text()
    for old, new in (
            ("/etc/prometheus/restic-manager.token",
             str(bench.path / "metrics.token")),
            ("/etc/prometheus/restic-manager.pem",
             str(ctl.data / "tls/cert.pem")),
            ("backup.example.org:8443", f"127.0.0.1:{ctl.port}"),
            ("scrape_interval: 30s", "scrape_interval: 1s"),
            ("scrape_timeout: 10s", "scrape_timeout: 1s")):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = bench.path / "scrape.yml"
    path.write_text(text)
    return path


@pytest.fixture(name="ask", scope="module")
def a_prometheus(bench, ctl):
    """Asks a Prometheus that scrapes the controller."""
    if not PROMETHEUS.exists():
        pytest.skip("tools/get-test-tools was not run")
    config = configured(bench, ctl)
    subprocess.run([PROMTOOL, "check", "config", config], check=True,
                   capture_output=True, timeout=60)
    port = free_port()
    bench.start([PROMETHEUS, f"--config.file={config}",
                 f"--storage.tsdb.path={bench.path}/tsdb",
                 f"--web.listen-address=127.0.0.1:{port}",
                 "--web.console.templates=/nonexistent",
                 "--web.console.libraries=/nonexistent"],
                clean_env(), bench.path / "prometheus.log")

    def ask(query):
        url = (f"http://127.0.0.1:{port}/api/v1/query?"
               + urllib.parse.urlencode({"query": query}))
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.loads(answer.read())["data"]["result"]
        except urllib.error.HTTPError as e:
            if e.code != 503:  # it is still starting
                raise
            return []
        except OSError:
            return []
    wait_for("two scrapes", lambda: any(
        float(r["value"][1]) >= 2 for r in ask(
            "count_over_time(rm_hosts_total[1m])")), 60)
    return ask


def test_the_dashboard_is_as_agreed():
    """M-359."""
    board = json.loads(DASHBOARD.read_text())
    assert board["title"] == "restic-manager — fleet"
    assert board["uid"] == "rm-fleet-overview"
    assert (board["schemaVersion"], board["refresh"]) == (39, "30s")
    assert board["time"] == {"from": "now-6h", "to": "now"}
    assert len(board["panels"]) == 6
    variables = board["templating"]["list"]
    assert [(v["type"], v["query"]) for v in variables] == [
        ("datasource", "prometheus")]
    assert "alert" not in {k for p in board["panels"] for k in p}
    used = {t["datasource"]["uid"] for p in board["panels"]
            for t in p["targets"]}
    assert used == {"${datasource}"}


def test_every_panel_shows_something(ctl, ask):
    """M-360: each query, by a Prometheus that scrapes a controller."""
    board = json.loads(DASHBOARD.read_text())
    queries = [t["expr"] for p in board["panels"] for t in p["targets"]]
    assert set(queries) == {
        "rm_hosts_online", "rm_hosts_total",
        "sum by (severity) (rm_active_alerts)",
        "count(rm_host_last_backup_success == 0)",
        "rm_host_agent_online",
        "time() - rm_host_last_backup_timestamp_seconds",
        "rm_host_repo_size_bytes", "rm_host_snapshot_count",
        "rm_host_open_alerts",
        "histogram_quantile(0.95, sum by (kind, le) "
        "(rate(rm_job_duration_seconds_bucket[1h])))"}
    # A rate needs a job that ends between two scrapes.
    good = next(h["id"] for h in ctl.client.ok("GET", "/api/hosts")["items"]
                if h["name"] == "good")
    ctl.wait_job(ctl.run_group(good))
    shown = {q: wait_for(q, lambda q=q: [
        r for r in ask(q) if r["value"][1] != "NaN"], 60) for q in queries}
    assert [r["value"][1] for r in shown["rm_hosts_total"]] == ["3"]
    assert [r["value"][1] for r in shown[
        "count(rm_host_last_backup_success == 0)"]] == ["1"]
    assert {r["metric"]["severity"] for r in shown[
        "sum by (severity) (rm_active_alerts)"]} == {
            "info", "warning", "critical"}
    assert {r["metric"]["host"] for r in shown["rm_host_agent_online"]} == {
        "good", "bad", "new"}
    assert [r["metric"]["kind"] for r in shown[queries[-1]]] == ["backup"]
