# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON of every answer, name by name and type by type: a rename breaks a
test here and not somebody's script (M-458).  docs/api.md has the words."""
import http.client
import json
import re
import threading

import pytest

import foreign
from lab import PASSWORD, Client, wait_for


def when(value):
    return bool(re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value or ""))


def ulid(value):
    return bool(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", value or ""))


class Or:
    """One of several shapes."""

    def __init__(self, *shapes):
        self.shapes = shapes


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check(value, shape, place="answer"):
    if isinstance(shape, Or):
        problems = [check(value, s, place) for s in shape.shapes]
        return None if None in problems else problems[0]
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{place} is no object: {value!r}"
        if set(value) != set(shape):
            return (f"{place}: missing {sorted(set(shape) - set(value))}, "
                    f"new {sorted(set(value) - set(shape))}")
        found = (check(value[k], s, f"{place}.{k}") for k, s in shape.items())
        return next((f for f in found if f), None)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place} is no list: {value!r}"
        found = (check(v, shape[0], f"{place}[{i}]")
                 for i, v in enumerate(value))
        return next((f for f in found if f), None)
    if shape is None:
        fits = value is None
    elif isinstance(shape, type):
        fits = type(value) is shape  # a bool is no int here
    else:
        fits = shape(value)
    return None if fits else f"{place} has the wrong type: {value!r}"


def is_shaped(value, shape):
    problem = check(value, shape)
    assert problem is None, problem


TIME = Or(when, None)
ID = Or(ulid, None)

HOST = {
    "id": ulid, "name": str, "reported_name": str, "status": str, "os": str,
    "arch": str, "agent_version": str, "restic_version": str,
    "protocol_version": int, "update_available": bool, "target_version": str,
    "tags": [str], "always_on": bool, "duplicate_notice": str,
    "enrolled_at": when, "last_seen_at": TIME, "boot_time": TIME,
    "repo_status": str, "repo_status_error": str, "repo_url": str,
    "repo_username": str, "repo_size_bytes": int, "repo_raw_size_bytes": int,
    "snapshot_count": int, "snapshots_at": TIME, "init_job_id": ID,
    "last_backup_status": str, "last_backup_at": TIME,
    "last_attempt_at": TIME, "current_job_id": ID, "config_version": int,
    "applied_config_version": int, "in_sync": bool, "drift": str,
    "zone": str, "bandwidth_up_kbps": int,
    "bandwidth_down_kbps": int, "state": str, "allowed_age_s": int,
    "has_admin_credentials": bool, "bearer_rotation": str,
    "bearer_rotation_asked_at": TIME, "bearer_rotated_at": TIME,
}
STATS = {
    "files_new": int, "files_changed": int, "files_unmodified": int,
    "dirs_new": int, "dirs_changed": int, "dirs_unmodified": int,
    "data_added": int, "data_added_packed": int,
    "total_files_processed": int, "total_bytes_processed": int,
    "total_duration": number, "snapshot_id": str,
}
JOB = {
    "id": ulid, "host_id": ulid, "kind": str, "status": str,
    "incomplete": bool, "unread_count": int, "actor_kind": str,
    "actor_id": ID, "source_group_id": ID, "source_group": str,
    "schedule_id": ID, "due_at": TIME, "attempt": int, "catch_up": bool,
    "retry_at": TIME,
    "created_at": when, "accepted_at": TIME, "started_at": TIME,
    "finished_at": TIME, "exit_code": Or(int, None), "error": str,
    "blocked": str, "blocked_by": Or(ulid, None), "expires_at": TIME, "check_part": int, "check_of": int,
    "check_errors": Or(int, None),
    "forgot": [{"tag": str, "kept": int, "removed": int}],
    "cause": str, "cancel_requested": bool, "restic_version": str,
    "stats": Or(STATS, None),
    "log": {"bytes": int, "lines": int, "truncated": bool, "closed": bool,
            "expired": bool, "damaged": bool},
}
COUNTER = {f"keep_{d}": int for d in (
    "last", "hourly", "daily", "weekly", "monthly", "yearly")}
GROUP = {
    "id": ulid, "name": str, "includes": [str], "excludes": [str],
    "retention_policy": COUNTER, "retry_max": int,
    "retry_backoff_seconds": int, "conflict_dimension": str, "conflict": str,
    "has_pre_hook": bool, "has_post_hook": bool, "hook_limit_seconds": int,
    "schedule_ids": [ulid], "created_at": when, "updated_at": TIME,
    "last_job_id": ID, "last_status": str, "last_success_at": TIME,
}
SCHEDULE = {
    "id": ulid, "host_id": ulid, "cron": str, "zone": str,
    "effective_zone": str, "enabled": bool, "source_group_ids": [ulid],
    "jitter_seconds": int, "created_at": when, "updated_at": when,
    "next_due_at": TIME, "next_run_at": TIME, "last_job_id": ID,
    "last_status": str, "last_run_at": TIME, "last_due_at": TIME,
    "last_success_at": TIME,
}
HOOKS = {"has_pre_hook": bool, "has_post_hook": bool,
         "hook_limit_seconds": int}
PROGRESS = {
    "percent_done": number, "files_done": int, "total_files": int,
    "bytes_done": int, "total_bytes": int, "eta_seconds": int,
    "throughput_bps": int,
}
ONE_JOB = {**JOB, "progress": Or(PROGRESS, None), "log_txt_url": str,
           "log_ndjson_url": str, "stream_url": str}
LINE = {"seq": int, "ts": when, "stream": str, "payload": str}
STARTED_JOB = {"job_id": ulid, "job_url": str}
ERROR = {"code": str, "message": str}
EVENTS = {
    "job.started": {"job_id": ulid, "kind": str, "started_at": when},
    "log.stream": {"job_id": ulid, **LINE},
    "job.progress": {"job_id": ulid, **PROGRESS},
    "job.finished": {"job_id": ulid, "status": str, "incomplete": bool,
                     "exit_code": int, "finished_at": when,
                     "stats": Or(STATS, None), "error": str},
}


class Slow(foreign.ForeignAgent):
    """Begins jobs and ends them when told."""

    def run(self, command, lines=1):
        pb, job = self.pb, command.job_id
        self.put(job_started=pb.JobStarted(
            job_id=job, kind=command.kind, started_at_ms=foreign.now(),
            restic_version="0.18.0"))
        self.put(log=pb.LogChunk(job_id=job, first_line=1, lines=[
            pb.LogLine(ts_ms=foreign.now(), stream=pb.LOG_STREAM_STDOUT,
                       payload=b"a line")]))
        self.running = [job]
        if command.kind == "init":
            self.end(None)

    def end(self, summary):
        pb = self.pb
        self.put(job_finished=pb.JobFinished(
            job_id=self.running.pop(), status="succeeded", log_lines=1,
            finished_at_ms=foreign.now(), summary=summary))

    def finish_backup(self):
        pb, snapshot = self.pb, "ab" * 32
        self.put(snapshots=pb.SnapshotsPart(
            report_id=self.running[0], n=0, last=True, snapshots=[
                pb.Snapshot(id=snapshot, short_id=snapshot[:8],
                            time_ms=foreign.now(), hostname="foreign",
                            paths=["/etc"], tags=["default"])]))
        self.end(pb.BackupSummary(files_new=1, snapshot_id=snapshot))

    def tell_progress(self):
        self.stub.Poll(self.pb.PollRequest(
            hello=self.hello(), progress=[self.pb.JobProgress(
                job_id=self.running[0], percent_done=0.5)]),
            metadata=self.metadata, timeout=20)


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    agent = Slow(console.port, foreign.generated(lab))
    minted = console.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "foreign", "repo_url": "/somewhere", "tags": ["prod"]})
    is_shaped(minted, {"id": str, "token": str, "expires_at": when,
                       "repo_username": str, "repo_password": str})
    agent.enrol(minted["token"])
    agent.polls_until_ready(console)
    yield agent
    agent.close()


def begin_backup(console, agent):
    job = console.run_group(agent.host_id)
    wait_for("the backup to run", lambda: (
        agent.poll(200), console.job(job)["status"] == "running")[1], 30)
    return job


def end_backup(console, agent, job):
    agent.finish_backup()
    wait_for("the backup to end", lambda: (
        agent.poll(0), console.job(job)["status"] == "succeeded")[1], 30)


def test_hosts_and_jobs(console, agent):
    """M-404 to M-408, M-411, M-423, M-128, M-129"""
    ask = console.client.ok
    host = f"/api/hosts/{agent.host_id}"
    is_shaped(ask("GET", "/api/hosts"), {
        "items": [HOST], "total": int, "page": int, "per_page": int})
    job = begin_backup(console, agent)
    agent.tell_progress()
    running = ask("GET", f"/api/jobs/{job}")
    is_shaped(running, {**ONE_JOB, "progress": PROGRESS, "stats": None,
                        "started_at": when, "exit_code": None})
    is_shaped(ask("GET", host), {**HOST, "current_job_id": ulid})
    end_backup(console, agent, job)
    is_shaped(ask("GET", f"/api/jobs/{job}"), {
        **ONE_JOB, "progress": None, "stats": STATS, "exit_code": int})
    is_shaped(ask("GET", host), {
        **HOST, "last_backup_at": when, "last_attempt_at": when,
        "init_job_id": ulid, "snapshots_at": when, "boot_time": when,
        "current_job_id": None})
    jobs = ask("GET", f"{host}/jobs")
    listed = {
        "items": [{**JOB, "host_name": str}], "total": int, "more": bool,
        "looked_back_to": TIME, "page": int, "per_page": int}
    for answer in (jobs, ask("GET", "/api/jobs")):
        is_shaped(answer, listed)
    assert len(jobs["items"]) == 2
    is_shaped(ask("POST", f"{host}/jobs", {"kind": "init"}), STARTED_JOB)
    groups = ask("GET", f"{host}/source-groups")
    is_shaped(groups, {"items": [{**GROUP, "last_job_id": ulid,
                                  "last_success_at": when}]})
    group = ask("POST", f"{host}/source-groups", {
        "name": "other", "includes": ["/srv"]})
    is_shaped(group, {**GROUP, "updated_at": when})
    schedule = ask("POST", f"{host}/schedules", {
        "cron": "@daily", "source_group_ids": [group["id"]]})
    is_shaped(schedule, {**SCHEDULE, "next_due_at": when,
                         "next_run_at": when})
    is_shaped(ask("GET", f"{host}/schedules"), {
        "version": int, "applied_version": int, "in_sync": bool,
        "drift": str, "host_zone": str, "items": [SCHEDULE]})
    used = console.client.request(
        "DELETE", f"{host}/source-groups/{group['id']}", {})
    is_shaped(used.json(), {**ERROR, "schedules": [
        {"id": ulid, "cron": str}]})
    is_shaped(ask("PUT", f"{host}/hooks", {}), HOOKS)
    is_shaped(ask("GET", f"{host}/source-groups/{group['id']}/hooks"), HOOKS)
    queued = ask("POST", f"{host}/source-groups/"
                 f"{groups['items'][0]['id']}/run", {})
    is_shaped(queued, STARTED_JOB)
    is_shaped(ask("POST", f"/api/jobs/{queued['job_id']}/cancel"),
              STARTED_JOB)
    snapshots = ask("GET", f"{host}/snapshots")
    is_shaped(snapshots, {"refreshed_at": when, "total": int, "page": int,
                         "per_page": int, "items": [{
        "id": str, "short_id": str, "time": when, "hostname": str,
        "paths": [str], "tags": [str], "size_bytes": int,
        "file_count": int}]})
    assert len(snapshots["items"]) == 1


def test_the_summary(console, agent):
    """M-405"""
    assert agent.host_id
    is_shaped(console.client.ok("GET", "/api/fleet/summary"), {
        "hosts": dict.fromkeys(("total", "online", "offline", "running",
                                "behind", "init_failed", "protected"), int),
        "states": dict.fromkeys(("stale", "never", "failed", "incomplete",
                                 "running", "new", "ok"), int),
        "last_backup": dict.fromkeys(("succeeded", "incomplete", "failed",
                                      "none"), int),
        "repo_bytes": int, "snapshots": int,
        "jobs_24h": {**dict.fromkeys((
            "queued", "running", "succeeded", "failed", "cancelled",
            "incomplete"), int), "partial": bool}})


def test_credentials(console, agent):
    """M-202"""
    path = f"/api/hosts/{agent.host_id}/repo-credentials"
    shape = {"repo_url": str, "repo_username": str, "has_password": bool,
             "extra_names": [str]}
    is_shaped(console.client.ok("GET", path), shape)
    is_shaped(console.client.ok("PUT", path, {}), {
        **shape, "job_id": ulid, "admin_removed": bool})
    admin = f"/api/hosts/{agent.host_id}/admin-credentials"
    shape["set"] = bool
    is_shaped(console.client.ok("GET", admin), shape)
    is_shaped(console.client.ok("PUT", admin, {"repo_password": "x"}), shape)
    assert console.client.ok("DELETE", admin) is None


def test_maintenance(console, agent):
    """M-213, M-220, M-223"""
    host = f"/api/hosts/{agent.host_id}"
    kinds = ("forget", "prune", "check")
    work = {"due_at": TIME, "waiting": str, "open_job_id": ID,
            "last_job_id": ID, "last_status": str, "last_at": TIME,
            "last_success_at": TIME, "last_error": str}
    shape = {"check_subset_pct": int, "enabled": bool, "zone": str,
             "updated_at": TIME, **dict.fromkeys(kinds, work),
             **{k + "_cadence": str for k in kinds},
             **{k + "_enabled": bool for k in kinds}}
    is_shaped(console.client.ok("GET", host + "/repo-maintenance"), shape)
    is_shaped(console.client.ok("PUT", host + "/repo-maintenance", {}), shape)
    fresh = {"last_success_at": TIME, "last_at": TIME, "last_status": str}
    is_shaped(console.client.ok("GET", host + "/repo-stats"), {
        "repo_id": Or(str, None), "repo_changed_at": TIME,
        "shared_with": [ulid], "size_bytes": int, "raw_size_bytes": int,
        "snapshot_count": int, "last_check_at": TIME,
        "last_check_status": str, "check_position": int,
        "last_prune_at": TIME, "lock_present": bool,
        "locks": {"at": TIME, "count": int, "exclusive": bool,
                  "newest_at": TIME, "holder": str},
        "lease": Or({"job_id": ulid, "host_id": ulid, "kind": str,
                     "since": when}, None),
        "freshness": dict.fromkeys(("backup", *kinds), fresh)})
    is_shaped(console.client.ok("GET", host + "/repo-history"), {
        "days": int, "zone": str, "items": [{
            "day": str, "size_bytes": Or(int, None),
            "raw_size_bytes": Or(int, None),
            "snapshot_count": Or(int, None), "pruned": bool}]})


def test_bandwidth_and_mode(console, agent):
    """M-325, M-418"""
    host = f"/api/hosts/{agent.host_id}"
    is_shaped(console.client.ok("PUT", host + "/bandwidth", {}), {
        "bandwidth_up_kbps": int, "bandwidth_down_kbps": int})
    is_shaped(console.client.ok("POST", host + "/mode", {}), {
        "always_on": bool, "allowed_age_s": int})
    many = {"host_ids": [agent.host_id, "01ARZ3NDEKTSV4RRFFQ69G5FAV"]}
    shape = {"changed": [ulid], "unchanged": [ulid],
             "refused": [{"host_id": ulid, "message": str}]}
    is_shaped(console.client.ok("POST", "/api/hosts/tags", {
        **many, "add": ["many"]}), shape)
    is_shaped(console.client.ok("POST", "/api/hosts/mode", {
        **many, "always_on": True}), shape)


def test_log_lines(console, agent):
    """M-140, M-144, M-410"""
    job = begin_backup(console, agent)
    end_backup(console, agent, job)
    lines = console.log_lines(job)
    assert len(lines) >= 3
    for line in lines:
        is_shaped(line, LINE)
    assert {line["stream"] for line in lines} == {"stdout", "sys"}


def read_events(port, cookie, path, events):
    """Until the controller ends the stream."""
    client = Client(port)
    conn = http.client.HTTPSConnection("127.0.0.1", port, context=client.tls,
                                       timeout=30)
    conn.request("GET", path, headers={"Cookie": cookie})
    name = None
    for line in conn.getresponse():
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            events.append((name, json.loads(value)))
    conn.close()


def test_stream_events(console, agent):
    """M-409, M-445 to M-448: every kind comes, each with its members."""
    job, events = begin_backup(console, agent), []
    reader = threading.Thread(target=read_events, daemon=True, args=(
        console.port, console.client.cookie, f"/api/jobs/{job}/stream",
        events))
    reader.start()

    def seen(kind):
        return [e for e in list(events) if e[0] == kind]

    wait_for("the log", lambda: seen("log.stream"))
    wait_for("progress", lambda: (agent.tell_progress(),
                                  seen("job.progress"))[1], 20, 0.3)
    end_backup(console, agent, job)
    reader.join(20)
    assert not reader.is_alive()
    for name, data in events:
        is_shaped(data, EVENTS[name])
    assert {name for name, _ in events} == set(EVENTS)
    assert seen("job.finished")[0][1]["stats"] is not None
    assert events[-1][0] == "job.finished"


def test_sessions_and_versions(controller):
    """M-018, M-386 to M-390, M-395"""
    client = controller.client
    signed_in = {"user_id": ulid, "role": str}
    is_shaped(client.ok("POST", "/api/bootstrap", {
        "token": controller.bootstrap_token(), "username": "admin",
        "password": PASSWORD}), signed_in)
    is_shaped(client.ok("POST", "/api/auth/login", {
        "username": "admin", "password": PASSWORD}), signed_in)
    is_shaped(client.ok("GET", "/api/version"),
              {"version": str, "commit": str})
    assert client.get("/healthz").status == 204
    token = controller.mint("web-1", "/srv/repo")
    is_shaped(client.ok("POST", "/api/agents/enroll", {
        "token": token, "hostname": "web-1", "os": "linux",
        "arch": "amd64"}), {"host_id": ulid, "agent_token": str,
                            "cert_pin_sha256": str})
    assert client.post("/api/auth/logout").status == 204


USER = {"id": ulid, "username": str, "email": str, "role": str,
        "status": str, "must_change_password": bool, "created_at": when,
        "disabled_at": TIME, "last_login_at": TIME, "setup_expires_at": TIME}
PAGED = {"total": int, "page": int, "per_page": int}


def test_users_and_tokens(console):
    """M-040, M-433, M-435"""
    ask = console.client.ok
    is_shaped(ask("GET", "/api/account"), {
        "user_id": ulid, "username": str, "role": str,
        "must_change_password": bool, "sessions": int})
    link = {"id": ulid, "setup_url": str, "setup_expires_at": when}
    made = ask("POST", "/api/users", {"username": "bob", "role": "viewer"})
    is_shaped(made, link)
    path = f"/api/users/{made['id']}"
    is_shaped(ask("POST", f"{path}/regenerate-setup-link"), link)
    is_shaped(ask("GET", "/api/users"), {"items": [USER], **PAGED})
    is_shaped(ask("GET", path), {**USER, "setup_expires_at": when})
    is_shaped(ask("PATCH", path, {"email": "b@example.org"}), USER)
    for verb in ("force-logout", "enable"):
        is_shaped(ask("POST", f"{path}/{verb}"), USER)
    is_shaped(ask("POST", f"{path}/disable"), {**USER, "disabled_at": when})
    token = ask("POST", "/api/tokens", {
        "name": "nightly", "role": "viewer", "expires_in_days": 1})
    is_shaped(token, {"id": ulid, "token": str, "expires_at": when})
    is_shaped(ask("GET", "/api/tokens"), {"items": [{
        "id": ulid, "user_id": ulid, "username": str, "name": str,
        "role": str, "created_at": when, "expires_at": when,
        "last_used_at": TIME}], **PAGED})
    assert console.client.request(
        "DELETE", f"/api/tokens/{token['id']}").status == 204
    is_shaped(ask("POST", "/api/account/password", {
        "current_password": PASSWORD, "new_password": PASSWORD + "!"}),
        {"sessions_ended": int})


def test_the_audit_log(console):
    ask = console.client.ok
    shape = {
        "items": [{"id": ulid, "time": when, "user": str, "user_id": ID,
                   "action": str, "target_kind": str, "target": str,
                   "target_id": ID, "address": str,
                   "payload": None}],
        "total": int, "page": int, "per_page": int, "partial": bool,
        "unsorted": bool}
    answer = ask("GET", "/api/audit?action=auth")
    for item in answer["items"]:
        item["payload"] = None  # each action has its own
    is_shaped(answer, shape)
    is_shaped(ask("GET", "/api/audit/verify"), {
        "ok": bool, "entries": int, "sealed_entries": int,
        "entries_before_seal": int, "hash": str, "fault": str, "row": None,
        "entry_id": None, "time": None, "expected_found": None,
        "message": str})


def test_refusals(console):
    """M-384"""
    client = console.client
    nobody = "/api/hosts/01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for answer, status, code in (
            (Client(console.port).get("/api/hosts"), 401, "unauthorised"),
            (client.get(nobody), 404, "not_found"),
            (client.get("/api/nothing"), 404, "not_found"),
            (client.request("DELETE", "/api/hosts"), 405,
             "method_not_allowed"),
            (client.post("/api/enrollment-tokens", {}), 422, "invalid"),
            (client.request("POST", "/api/enrollment-tokens", "[", {
                "Content-Type": "application/json"}), 400, "malformed"),
            (client.request("POST", "/api/enrollment-tokens", "x", {
                "Content-Type": "text/plain"}), 400, "content_type"),
            (client.post("/api/enrollment-tokens", {
                "hostname": "x" * 140000}), 413, "too_large"),
            (client.post("/api/agents/enroll", {
                "token": "A" * 43, "hostname": "h", "os": "linux",
                "arch": "amd64"}), 401, "unauthorised")):
        assert answer.status == status, (status, answer.body[:300])
        is_shaped(answer.json(), Or(ERROR, {**ERROR, "field": str}))
        assert answer.json()["code"] == code and answer.json()["message"]
    console.mint("web-1", "/srv")
    offline = client.ok("POST", "/api/agents/enroll", {
        "token": console.mint("web-1", "/srv"), "hostname": "web-1",
        "os": "linux", "arch": "amd64"})["host_id"]
    answer = client.post(f"/api/hosts/{offline}/jobs", {"kind": "init"})
    assert (answer.status, answer.json()["code"]) == (503, "host_offline")
    is_shaped(answer.json(), ERROR)
    answer = client.post("/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": "/srv"})
    assert (answer.status, answer.json()["code"]) == (
        409, "duplicate_hostname")


def test_a_changed_name_is_seen():
    """The checker itself can fail."""
    good = {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "n": 1}
    shape = {"id": ulid, "n": int}
    assert check(good, shape) is None
    for bad in ({"id": good["id"]}, {**good, "m": 1}, {**good, "n": True},
                {**good, "id": None}, {**good, "n": "1"}, [], None):
        assert check(bad, shape) is not None
    assert check([good, {}], [shape]) is not None
    assert check(None, Or(shape, None)) is None
    assert check({}, Or(shape, None)) is not None
