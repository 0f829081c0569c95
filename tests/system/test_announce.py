# SPDX-License-Identifier: GPL-3.0-or-later
"""Announce-and-approve: requirements section 7, X-13, X-15."""
import base64
import os
import re
import ssl
import urllib.parse

import grpc
import pytest

import announcer
import foreign
import lab as lab_module
from browser import Browser
from lab import wait_for

REPO = {"repo_url": "/somewhere", "repo_password": "a repository password"}


@pytest.fixture(scope="module", name="bench")
def fixture_bench():
    with lab_module.Lab() as bench:
        yield bench


@pytest.fixture(scope="module", name="folder")
def fixture_folder(bench):
    return foreign.generated(bench)


@pytest.fixture(scope="module", name="console")
def fixture_console(bench):
    console = bench.controller().start()
    console.bootstrap()
    return console


@pytest.fixture(name="fresh")
def fixture_fresh(console):
    """Nobody waits, and no bucket is empty."""
    console.restart()
    console.login()
    for row in waiting(console):
        decide(console, row["id"], "reject")
    return console


def waiting(console):
    return console.client.ok("GET", "/api/pending-hosts")["items"]


def decide(console, pending_id, what, body=None):
    return console.client.ok(
        "POST", f"/api/pending-hosts/{pending_id}/{what}", body or {})


class Names:
    """Keys with names that no other test uses."""

    def __init__(self, folder):
        self.folder = folder
        self.n = 0

    def key(self):
        self.n += 1
        return announcer.Key(self.folder, f"key{self.n}")


@pytest.fixture(scope="module", name="names")
def fixture_names(folder):
    return Names(folder)


def test_a_foreign_agent_is_accepted_and_works(fresh, folder, names):
    """M-083, M-084, M-085, M-089, M-090, M-092, M-396, M-457."""
    key = names.key()
    with announcer.Stream(fresh.port, folder) as stream:
        pending = stream.wait(key, "ann-1")
        assert pending.fingerprint == key.fingerprint
        assert not pending.hostname_collision
        row, = waiting(fresh)
        assert row["id"] == pending.pending_id
        assert row["fingerprint"] == key.fingerprint
        assert row["hostname"] == "ann-1"
        assert row["announced_from_ip"] == "127.0.0.1"
        answer = decide(fresh, row["id"], "accept", REPO)
        kind, enrolled = stream.read()
        assert kind == "enrolled"
        assert enrolled.host_id == answer["host_id"]
        assert enrolled.cert_pin_sha256 == stream.pin
        assert stream.refusal() == (grpc.StatusCode.OK, None)
    assert waiting(fresh) == []
    host = fresh.host(enrolled.host_id)
    assert (host["name"], host["repo_username"]) == ("ann-1", "ann-1")
    agent = foreign.ForeignAgent(fresh.port, folder)
    agent.metadata = (("authorization", f"Bearer {enrolled.agent_token}"),)
    agent.host_id = enrolled.host_id
    agent.session(lambda a: fresh.host(a.host_id)["repo_status"] == "ready")
    assert agent.repo.password == REPO["repo_password"]
    agent.close()


def test_a_lost_answer_is_given_again(fresh, folder, names):
    """M-090, M-093: the same key gets a bearer until one was used."""
    key = names.key()
    with announcer.Stream(fresh.port, folder) as stream:
        pending = stream.wait(key, "ann-2")
    host_id = decide(fresh, pending.pending_id, "accept", REPO)["host_id"]
    bearers = []
    for _ in range(2):
        with announcer.Stream(fresh.port, folder) as stream:
            again = stream.announce(key, "ann-2")
            assert again.pending_id == pending.pending_id
            stream.sign(key.sign(stream.message(again)))
            kind, enrolled = stream.read()
            assert (kind, enrolled.host_id) == ("enrolled", host_id)
            bearers.append(enrolled.agent_token)
        fresh.kill()
        fresh.start()
        fresh.login()
    agent = foreign.ForeignAgent(fresh.port, folder)
    agent.metadata = (("authorization", f"Bearer {bearers[0]}"),)
    with pytest.raises(grpc.RpcError):
        agent.poll(0)
    agent.metadata = (("authorization", f"Bearer {bearers[1]}"),)
    agent.poll(0)
    agent.close()
    # It was heard of: the key is a stranger's again.
    with announcer.Stream(fresh.port, folder) as stream:
        after = stream.wait(key, "ann-2")
        assert after.pending_id != pending.pending_id
        assert after.hostname_collision


def test_a_rejected_agent_is_told_also_later(fresh, folder, names):
    """M-091."""
    key, away = names.key(), names.key()
    with announcer.Stream(fresh.port, folder) as stream:
        gone = stream.wait(away, "ann-3")
    with announcer.Stream(fresh.port, folder) as stream:
        pending = stream.wait(key, "ann-3")
        decide(fresh, pending.pending_id, "reject")
        assert stream.refusal() == (grpc.StatusCode.PERMISSION_DENIED,
                                    "rejected")
    assert [row["id"] for row in waiting(fresh)] == [gone.pending_id]
    decide(fresh, gone.pending_id, "reject")
    with announcer.Stream(fresh.port, folder) as stream:
        again = stream.announce(away, "ann-3")
        stream.sign(away.sign(stream.message(again)))
        assert stream.refusal() == (grpc.StatusCode.PERMISSION_DENIED,
                                    "rejected")


def test_decisions_are_made_once(fresh, folder, names):
    """M-415: a second click and an unknown row say so."""
    for what, status, code in (("accept", 409, "already_accepted"),
                               ("reject", 410, "rejected")):
        with announcer.Stream(fresh.port, folder) as stream:
            pending = stream.wait(names.key(), f"ann-4-{what}")
        decide(fresh, pending.pending_id, what, REPO)
        for again in ("accept", "reject"):
            answer = fresh.client.post(
                f"/api/pending-hosts/{pending.pending_id}/{again}", REPO)
            assert (answer.status, answer.json()["code"]) == (status, code)
    for path in ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"):
        answer = fresh.client.post(f"/api/pending-hosts/{path}/accept", REPO)
        assert answer.status == 404


def test_only_the_keys_own_signature_counts(fresh, folder, names):
    """M-089: another key, another nonce, another pin, a replay."""
    key, other = names.key(), names.key()
    with announcer.Stream(fresh.port, folder) as stream:
        good = stream.announce(key, "ann-5")
        first = key.sign(stream.message(good))
    bad = (grpc.StatusCode.UNAUTHENTICATED, "bad_signature")
    for sign in (lambda s, p: other.sign(s.message(p)),
                 lambda s, p: key.sign(p.nonce),
                 lambda s, p: key.sign(s.message(p, "0" * 64)),
                 lambda s, p: first,
                 lambda s, p: b"\0" * 64,
                 lambda s, p: b""):
        with announcer.Stream(fresh.port, folder) as stream:
            pending = stream.announce(key, "ann-5")
            stream.sign(sign(stream, pending))
            assert stream.refusal() == bad
    assert waiting(fresh) == []
    with announcer.Stream(fresh.port, folder) as stream:
        pending = stream.announce(key, "ann-5")
        stream.sign(key.sign(stream.message(pending, "")))
        assert stream.read()[0] == "waiting"


def test_names_may_collide_and_nobody_is_rejected_by_that(
        fresh, folder, names):
    """M-087, M-088."""
    streams = [announcer.Stream(fresh.port, folder) for _ in range(3)]
    pendings = [s.wait(names.key(), "ann-6") for s in streams]
    assert [p.hostname_collision for p in pendings] == [False, True, True]
    assert all(row["hostname_collision"] for row in waiting(fresh))
    decide(fresh, pendings[1].pending_id, "accept", REPO)
    assert [row["id"] for row in waiting(fresh)] == [
        pendings[0].pending_id, pendings[2].pending_id]
    path = f"/api/pending-hosts/{pendings[0].pending_id}/accept"
    answer = fresh.client.post(path, REPO)
    assert (answer.status, answer.json()["code"]) == (409,
                                                      "duplicate_hostname")
    fresh.client.ok("POST", path, dict(REPO, allow_duplicate=True))
    assert streams[0].read()[0] == "enrolled"
    assert streams[1].read()[0] == "enrolled"
    for stream in streams:
        stream.close()


def test_the_same_key_is_the_same_row_and_the_newest_stream_wins(
        fresh, folder, names):
    """M-093; and over REST (M-083, M-396)."""
    key = names.key()
    with announcer.Stream(fresh.port, folder) as one, \
            announcer.Stream(fresh.port, folder) as two:
        first = one.wait(key, "ann-7")
        second = two.wait(key, "ann-7b")
        assert first.pending_id == second.pending_id
        assert one.refusal() == (grpc.StatusCode.CANCELLED, "replaced")
        row, = waiting(fresh)
        assert row["hostname"] == "ann-7b"
        answer = fresh.client.ok("POST", "/api/agents/announce",
                                 key.body("spoofed"))
        assert answer == {"pending_id": first.pending_id,
                          "fingerprint": key.fingerprint,
                          "hostname_collision": False}
        row, = waiting(fresh)
        assert row["hostname"] == "ann-7b"


def test_the_eleventh_announcement_in_a_minute_is_refused(
        fresh, folder, names):
    """M-086, M-396: 10 a minute from one address, by either way."""
    key = names.key()
    for _ in range(10):
        fresh.client.ok("POST", "/api/agents/announce", key.body("ann-8"))
    answer = fresh.client.post("/api/agents/announce", key.body("ann-8"))
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 6
    with announcer.Stream(fresh.port, folder) as stream:
        with pytest.raises(grpc.RpcError) as e:
            stream.announce(key, "ann-8")
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


MALFORMED = [
    ({"public_key": "AAAA"}, 400), ({"public_key": "x" * 44}, 400),
    ({"hostname": "a b"}, 400), ({"hostname": "<b>"}, 400),
    ({"os": "plan9"}, 400), ({"hostname": ""}, 422)]


def test_a_malformed_announcement_makes_no_row(fresh, names):
    """M-084: 32 bytes, and names that are names."""
    for change, status in MALFORMED:
        answer = fresh.client.post(
            "/api/agents/announce", dict(names.key().body("ann-9"), **change))
        assert answer.status == status, (change, answer.text)
    assert waiting(fresh) == []


class Announced:
    """The real agent, given a server and no token."""

    def __init__(self, console, name, *verb, pin=None, port=None, **env):
        self.bench = console.lab
        self.dir = self.bench.path / f"agent-{name}"
        self.dir.mkdir(exist_ok=True)
        self.config = self.dir / "agent.yaml"
        self.log = self.bench.path / f"agent-{name}.log"
        self.env = lab_module.clean_env(
            RM_AGENT_CONFIG=self.config, RM_STATE_DIR=self.dir, **env)
        self.argv = [lab_module.BIN / "restic-manager-agent",
                     "-cert-pin", pin or pin_of(console), "-enroll-server",
                     f"https://127.0.0.1:{port or console.port}", *verb]
        self.start()

    def start(self):
        self.program = self.bench.start(self.argv, self.env, self.log)

    def kill(self):
        self.program.kill()
        self.program.wait()

    def kept(self):
        """agent.yaml as a table."""
        lines = [line.split(": ", 1) for line in
                 self.config.read_text().splitlines() if ": " in line]
        return {name: value.strip('"') for name, value in lines}

    def said(self):
        return self.program.text()

    def shown(self, times=1):
        wait_for("the banner", lambda: (
            self.said().count("Waiting for an admin") >= times))
        return self.said()


def pin_of(console):
    return announcer.spki_pin(
        ssl.get_server_certificate(("127.0.0.1", console.port)))


def one(console, n=1):
    """The host that waits, once it does."""
    return wait_for("a pending host", lambda: (
        rows if len(rows := waiting(console)) == n else None))[0]


def blocks(fingerprint):
    digest = fingerprint.split(":")[1]
    return "SHA256: " + " ".join(
        digest[i:i + 4] for i in range(0, len(digest), 4))


def test_the_agent_announces_waits_and_works(fresh, bench):
    """M-083, M-094, M-096, M-102, X-13, X-15: accepted, it exits 0; started
    as ever it gets its repository."""
    agent = Announced(fresh, "real-1")
    row = one(fresh)
    said = agent.shown()
    assert said.count("=" * 64 + "\n") == 2
    for text in (row["hostname"], row["id"], blocks(row["fingerprint"]),
                 f"https://127.0.0.1:{fresh.port}",
                 "Compare the fingerprint with the one in the UI before "
                 "accepting.",
                 "Waiting for an admin to accept (1 hour timeout)…"):
        assert text in said
    assert "WARNING" not in said
    assert agent.config.stat().st_mode & 0o777 == 0o600
    repo = {"repo_url": str(bench.path / "repo-real-1"),
            "repo_password": "a repository password"}
    host_id = decide(fresh, row["id"], "accept", repo)["host_id"]
    assert agent.program.wait() == 0
    kept = agent.kept()
    assert kept["host_id"] == host_id
    assert kept["cert_pin_sha256"] == pin_of(fresh)
    assert "announce_key" not in kept
    # Given again, the command changes nothing.
    agent.start()
    assert agent.program.wait() == 0
    assert "enrolled already" in agent.said()
    agent.argv = agent.argv[:1]
    agent.start()
    fresh.wait_ready(host_id)
    assert agent.program.stop() == 0


def test_with_the_verb_run_it_goes_on_as_an_agent(fresh, bench):
    """M-096, M-485."""
    agent = Announced(fresh, "real-2", "run")
    row = one(fresh)
    repo = {"repo_url": str(bench.path / "repo-real-2"),
            "repo_password": "a repository password",
            "allow_duplicate": True}
    host_id = decide(fresh, row["id"], "accept", repo)["host_id"]
    fresh.wait_ready(host_id)
    assert agent.program.stop() == 0


def test_a_rejected_agent_ends_with_a_sentence(fresh):
    """M-091: and the next one is somebody else."""
    agent = Announced(fresh, "real-3")
    row = one(fresh)
    decide(fresh, row["id"], "reject")
    assert agent.program.wait() == 4
    assert "rejected by admin" in agent.said()
    assert "announce_key" not in agent.kept()
    agent.start()
    assert one(fresh)["fingerprint"] != row["fingerprint"]
    agent.kill()


def test_restarts_on_either_side_find_the_same_row(fresh):
    """M-093: killed agent, killed controller, then accepted."""
    agent = Announced(fresh, "real-4")
    row = one(fresh)
    agent.kill()
    key = agent.kept()["announce_key"]
    assert len(base64.b64decode(key)) == 64
    agent.start()
    agent.shown(2)
    again = wait_for("the row refreshed", lambda: (
        now if (now := one(fresh))["last_seen_at"] != row["last_seen_at"]
        else None))
    assert (again["id"], again["fingerprint"]) == (row["id"],
                                                   row["fingerprint"])
    fresh.kill()
    fresh.start()
    fresh.login()
    wait_for("the agent again", lambda: (
        one(fresh)["last_seen_at"] != again["last_seen_at"]), 30)
    assert one(fresh)["id"] == row["id"]
    host_id = decide(fresh, row["id"], "accept",
                     dict(REPO, allow_duplicate=True))["host_id"]
    assert agent.program.wait() == 0
    assert agent.kept()["host_id"] == host_id


def test_accepted_while_it_was_away_it_is_the_same_host(fresh):
    """A kill between accept and save on either side costs nothing."""
    agent = Announced(fresh, "real-5")
    row = one(fresh)
    agent.kill()
    before = len(fresh.client.ok("GET", "/api/hosts")["items"])
    host_id = decide(fresh, row["id"], "accept",
                     dict(REPO, allow_duplicate=True))["host_id"]
    fresh.kill()
    fresh.start()
    fresh.login()
    agent.start()
    assert agent.program.wait() == 0
    assert agent.kept()["host_id"] == host_id
    agent.argv = agent.argv[:1]
    agent.start()
    wait_for("its hello", lambda: fresh.host(host_id)["status"] == "online")
    agent.kill()
    after = len(fresh.client.ok("GET", "/api/hosts")["items"])
    assert after == before + 1


def test_an_answer_in_pieces_and_one_that_is_lost_on_the_way(fresh):
    """X-15, M-093: byte by byte; then the bearer is sent, and the line goes
    dead before it arrives."""
    proxy = fresh.lab.proxy(fresh.port)
    proxy.chunk = 1
    agent = Announced(fresh, "real-9", port=proxy.port)
    row = one(fresh)
    agent.shown()
    proxy.chunk = 65536
    told = fresh.log.read_text().count("accepted host told")
    proxy.flowing.clear()
    host_id = decide(fresh, row["id"], "accept",
                     dict(REPO, allow_duplicate=True))["host_id"]
    wait_for("the bearer on its way", lambda: fresh.log.read_text().count(
        "accepted host told") > told)
    assert agent.program.running()
    proxy.block()
    proxy.flowing.set()
    proxy.cut()
    proxy.block(False)
    assert agent.program.wait(30) == 0
    assert agent.kept()["host_id"] == host_id
    assert fresh.log.read_text().count("accepted host told") == told + 2
    agent.argv = agent.argv[:1]
    agent.start()
    wait_for("its hello", lambda: fresh.host(host_id)["status"] == "online")
    agent.kill()


def test_a_wrong_pin_or_an_unknown_ca_is_told_at_once(fresh):
    """M-095: nobody is shown a key by a controller that nobody vouched
    for."""
    agent = Announced(fresh, "real-6", pin="0" * 64)
    assert agent.program.wait() != 0
    agent.argv = [a for a in agent.argv if a not in ("-cert-pin", "0" * 64)]
    agent.start()
    assert agent.program.wait() != 0
    assert "=" * 64 not in agent.said()
    assert waiting(fresh) == []


def announce_from(console, address, hostname="flood", key=None):
    """Over JSON, as if a proxy had brought it from that address."""
    key = key or os.urandom(32)
    return console.client.post(
        "/api/agents/announce",
        {"hostname": hostname, "os": "linux", "arch": "amd64",
         "public_key": base64.b64encode(key).decode()},
        headers={"X-Forwarded-For": address})


def test_a_hundred_wait_for_an_hour_at_most(lab, ahead):
    """M-085, M-086, M-099: the 101st is refused; an hour later all are
    gone, and whoever waited is told."""
    env, set_ahead = ahead
    timers = lab.path / "timers"
    timers.write_text("0")
    console = lab.controller(
        RM_TIMERS_AHEAD=timers, RM_TRUSTED_PROXY="127.0.0.1/32", **env)
    console.start()
    console.bootstrap()
    agent = Announced(console, "real-7")
    row = one(console)
    agent.shown()
    first = os.urandom(32)
    for n in range(99):
        answer = announce_from(console, f"192.0.2.{n}", key=(
            first if n == 0 else None))
        assert answer.status == 200, answer.text
    assert waiting(console)[1]["announced_from_ip"] == "192.0.2.0"
    answer = announce_from(console, "198.51.100.1")
    assert (answer.status, answer.json()["code"]) == (503,
                                                      "too_many_pending")
    assert announce_from(console, "192.0.2.0", key=first).status == 200
    folder = foreign.generated(lab)
    with announcer.Stream(console.port, folder) as stream:
        with pytest.raises(grpc.RpcError) as e:
            stream.announce(announcer.Key(folder, "late"), "late")
        assert e.value.code() == grpc.StatusCode.UNAVAILABLE
    set_ahead(3601)
    assert waiting(console) == []
    assert agent.program.wait() == 8
    assert "nobody accepted this host within 1 hour" in agent.said()
    assert "announce_key" in agent.kept()
    path = f"/api/pending-hosts/{row['id']}/accept"
    answer = console.client.post(path, REPO)
    assert (answer.status, answer.json()["code"]) == (410, "expired")
    assert announce_from(console, "198.51.100.1").status == 200
    timers.write_text("61")
    wait_for("the sweep", lambda: (
        "pending hosts swept n=100" in console.log.read_text()))
    assert console.client.post(path, REPO).status == 404
    # The key is the same, the row is another one.
    timers.write_text("130")
    agent.start()
    again = wait_for("the agent", lambda: [
        r for r in waiting(console) if r["hostname"] == row["hostname"]])[0]
    assert again["fingerprint"] == row["fingerprint"]
    assert again["id"] != row["id"]
    agent.kill()


def test_streams_that_say_nothing_end(lab, ahead, folder, names):
    """10 s for the announcement, 30 s for the signature, and 16 streams an
    address that have not signed."""
    env, _ = ahead
    timers = lab.path / "timers"
    timers.write_text("0")
    console = lab.controller(RM_TIMERS_AHEAD=timers, **env).start()
    late = (grpc.StatusCode.DEADLINE_EXCEEDED, "announce_timeout")

    def stream():
        # Longer than the clock is moved: it counts at both ends.
        return announcer.Stream(console.port, folder, 300)

    with stream() as silent, stream() as unsigned, stream() as waits:
        unsigned.announce(names.key(), "ann-13")
        waits.wait(names.key(), "ann-14")
        timers.write_text("15")
        assert silent.refusal() == late
        timers.write_text("28")
        assert waits.read()[0] == "waiting"  # the beat of 25 s
        timers.write_text("32")
        assert unsigned.refusal() == late
    many = [stream() for _ in range(17)]
    assert many[-1].refusal() == (grpc.StatusCode.RESOURCE_EXHAUSTED,
                                  "too_many_streams")
    for one_of_them in many:
        one_of_them.close()


def form_fields(console, page="/"):
    text = console.client.get(page).text
    return {"csrf": re.search(r'name="csrf" value="([^"]+)"', text).group(1)}


def send_form(console, path, fields):
    return console.client.request(
        "POST", path, urllib.parse.urlencode(fields),
        {"Content-Type": "application/x-www-form-urlencoded",
         "Accept": "text/html", "Origin": console.url})


def test_forms_of_the_panel_without_scripts(fresh, folder, names):
    """M-097, M-415: what was typed stays, but the password; then 303."""
    with announcer.Stream(fresh.port, folder) as stream:
        row = stream.wait(names.key(), "ann-10")
        path = f"/api/pending-hosts/{row.pending_id}"
        typed = dict(form_fields(fresh), repo_url="rest:https://r.example/x",
                     repo_username="typed-user", repo_password="")
        answer = send_form(fresh, f"{path}/accept", typed)
        assert answer.status == 422
        for text in ("typed-user", "rest:https://r.example/x",
                     "password is needed", "<details open"):
            assert text in answer.text
        answer = send_form(fresh, f"{path}/accept", dict(
            typed, repo_url="rest:https://u:canary@r.example/x",
            repo_password="canary"))
        assert answer.status == 422 and "canary" not in answer.text
        answer = send_form(fresh, f"{path}/accept",
                           dict(typed, csrf="x", repo_password="secret"))
        assert answer.status == 403
        answer = send_form(fresh, f"{path}/accept",
                           dict(typed, repo_password="secret"))
        assert answer.status == 303
        kind, enrolled = stream.read()
        assert kind == "enrolled"
        assert answer.headers["Location"] == f"/hosts/{enrolled.host_id}"
    with announcer.Stream(fresh.port, folder) as stream:
        row = stream.wait(names.key(), "ann-10b")
        path = f"/api/pending-hosts/{row.pending_id}/reject"
        fields = form_fields(fresh)
        answer = send_form(fresh, path, fields)
        assert (answer.status, answer.headers["Location"]) == (
            303, "/?decided=rejected")
        page = fresh.client.get(answer.headers["Location"]).text
        assert "The host was rejected, and its agent is told." in page
        assert stream.refusal()[1] == "rejected"
        answer = send_form(fresh, path, fields)
        assert answer.status == 410 and "was rejected" in answer.text
        assert answer.headers["Content-Type"].startswith("text/html")


def test_who_decided_is_in_the_audit_log(fresh, folder, names):
    """M-090, M-091, M-299: without a secret."""
    with announcer.Stream(fresh.port, folder) as one_, \
            announcer.Stream(fresh.port, folder) as two:
        key = names.key()
        good, bad = one_.wait(key, "ann-11"), two.wait(names.key(), "ann-12")
        decide(fresh, good.pending_id, "accept",
               dict(REPO, repo_password="canary-in-audit"))
        assert one_.read()[0] == "enrolled"
        decide(fresh, bad.pending_id, "reject")
    rows = fresh.client.ok("GET", "/api/audit")["items"]
    for action, name in (("host.accept_pending", "ann-11"),
                         ("host.enrolled", "ann-11"),
                         ("host.reject_pending", "ann-12")):
        row, = [r for r in rows if r["action"] == action and
                name in str(r)]
        assert "canary" not in str(row)
        if action == "host.accept_pending":
            assert key.fingerprint in str(row)


def test_an_administrator_compares_and_accepts_in_the_browser(fresh):
    """M-097, M-098, M-480, M-482: live, by the keyboard's and mouse's own
    means."""
    b = Browser(fresh.url)
    try:
        b.open("/login")
        b.fill("#login-username", "admin")
        b.fill("#login-password", lab_module.PASSWORD)
        b.go('form[action="/login"] button[type="submit"]')
        agent = Announced(fresh, "real-8")
        agent.shown()
        row = one(fresh)
        item = f"#pending-{row['id']}"
        b.wait("the panel", lambda: b.all(item))
        assert b.text(f"{item} .fp") == blocks(row["fingerprint"])
        assert b.text(f"{item} .fp") in agent.said()
        form = (f'{item} form[action^="/api/pending-hosts/"]'
                '[action$="/accept"]')
        b.click(f"{item} .decide details:first-child summary")
        b.fill(f"{form} [name=repo_url]", str(fresh.lab.path / "repo-8"))
        b.fill(f"{form} [name=repo_password]", "a repository password")
        for box in b.all(f"{form} [name=allow_duplicate]"):
            box.click()
        b.go(f'{form} button[type="submit"]')
        assert agent.program.wait() == 0
        assert b.path() == f"/hosts/{agent.kept()['host_id']}"
    finally:
        b.close()
