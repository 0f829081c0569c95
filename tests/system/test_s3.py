# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository on a real S3-compatible server, with keys given as variables:
every kind of job by restic 0.14 and 0.18, wrong keys, keys that rotate, and an
admin slot whose keys are others (X-05, M-203, M-210)."""
import shutil

import pytest

import lab as lab_module
import s3_server
from lab import TOOLS, PASSWORD, wait_for

NEWER = TOOLS / "restic018/usr/bin/restic"

pytestmark = pytest.mark.skipif(
    not s3_server.there() or not NEWER.exists(),
    reason="tools/get-test-tools was not run")


@pytest.fixture(name="server", scope="module")
def fixture_server():
    with lab_module.Lab() as bench:
        yield s3_server.S3Server(bench, {"daily": "daily-word",
                                         "admin": "admin-word"})


def keys(server, user, secret):
    return {"AWS_ACCESS_KEY_ID": f"lab:{user}",
            "AWS_SECRET_ACCESS_KEY": secret,
            "RESTIC_CACERT": server.certificate}


def put(console, host, slot, body):
    return console.client.ok("PUT", f"/api/hosts/{host}/{slot}-credentials",
                             body)


def run(console, host, kind):
    job = console.client.ok("POST", f"/api/hosts/{host}/jobs", {
        "kind": kind})["job_id"]
    end = console.wait_job(job, 120)
    lines = [line["payload"] for line in console.log_lines(job)]
    assert end["status"] == "succeeded", (kind, end["error"], lines[-15:])
    assert "-word" not in "\n".join(lines)
    return end


@pytest.mark.parametrize("restic", ("older", "newer"))
def test_every_kind_of_job_on_s3(lab, console, server, restic):
    agent = lab.agent(console, restic=NEWER if restic == "newer"
                      else shutil.which("restic"))
    # The keys come with the token, the right one later.
    agent.enrol(console.mint(
        "web-1", server.url(f"bucket-{restic}"), repo_password=PASSWORD,
        initial_paths=[str(lab.sources())],
        extra=keys(server, "daily", "not the word")))
    agent.start()
    host = agent.host_id
    assert console.client.ok(
        "GET", f"/api/hosts/{host}/repo-credentials")["extra_names"] == [
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RESTIC_CACERT"]
    failed = wait_for("the init to fail", lambda: (
        lambda h: h if h["repo_status"] == "init_failed" else None)(
            console.host(host)), 120)
    assert failed["repo_status_error"]
    before = server.objects()
    put(console, host, "repo", {
        "extra": {"AWS_SECRET_ACCESS_KEY": "daily-word"}})
    console.wait_ready(host, 120)
    run(console, host, "backup")
    assert server.objects() > before + 3
    assert console.host(host)["snapshot_count"] == 1
    run(console, host, "check")
    refused = console.client.post(f"/api/hosts/{host}/repo/prune")
    assert refused.json()["code"] == "admin_creds_required"
    put(console, host, "admin", {"extra": {
        "AWS_ACCESS_KEY_ID": "lab:admin",
        "AWS_SECRET_ACCESS_KEY": "admin-word"}})
    group = console.client.ok(
        "GET", f"/api/hosts/{host}/source-groups")["items"][0]
    console.client.ok("PUT", f"/api/hosts/{host}/source-groups/{group['id']}", {
        "name": group["name"], "includes": group["includes"], "excludes": [],
        "retention_policy": {"keep_last": 1}})
    run(console, host, "backup")
    run(console, host, "forget")
    assert console.host(host)["snapshot_count"] == 1
    run(console, host, "prune")
    # Nothing of them is kept where the agent keeps what it was sent.
    files = b"".join(p.read_bytes() for p in agent.dir.rglob("*")
                     if p.is_file())
    assert b"admin-word" not in files and b"daily-word" not in files
