# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused is not repeated: every route that takes something, asked
in every wrong way with secrets in it, by form and by JSON."""
import json
import pathlib
import re
import secrets
import urllib.parse

import pytest

from canaries import Secrets
from lab import ROOT, Client

FORM = "application/x-www-form-urlencoded"
ROLES = pathlib.Path(ROOT / "tests/data/roles")
FIELDS = ("password", "current_password", "new_password", "token",
          "repo_password", "pre_hook", "post_hook", "var-AWS_SESSION_TOKEN",
          "var-RESTIC_REST_PASSWORD", "var-B2_ACCOUNT_KEY", "var-UNKNOWN",
          "GOOGLE_APPLICATION_CREDENTIALS")
# Beside them, so that the form or document cannot be taken.
WRONG = {"hostname": "a b\x7f", "name": "", "username": "a b", "email": "x",
         "role": "king", "cron": "61 * * * *", "zone": "Nowhere/None",
         "bandwidth_up_kbps": "-1", "hook_limit_seconds": "x",
         "jitter_seconds": "x", "allowed_age_hours": "x", "confirm": "no",
         "check_subset_pct": "x", "forget_cadence": "no", "tags": "\x01",
         "retry_max": "x", "expires_in_days": "x", "includes": "relative",
         "repo_username": "a\x01b", "run": "nothing", "do": "nothing",
         "theme": "x", "density": "x", "subset": "x"}


def mutating():
    rows = [line.split() for line in ROLES.read_text().splitlines()
            if line and not line.startswith("#")]
    return [(method, path) for method, path, _ in rows
            if method not in ("GET", "DELETE") and "logout" not in path
            and "sign-out" not in path and "revoke" not in path
            and not path.endswith(("/disable", "/enable", "/run",
                                   "/regenerate"))]


class Asker:
    def __init__(self, lab):
        self.lab = lab
        self.known = Secrets()
        self.secret = {f: self.known.add(f) for f in FIELDS}
        # An '@' and a '/' before what is searched for.
        self.in_url = self.known.add(
            "password in a URL", f"p@s:s/canary-{secrets.token_hex(8)}")
        self.controller = lab.controller(RM_LOG_LEVEL="debug").start()
        self.controller.bootstrap()
        self.client = self.controller.client
        self.words = self.things()
        page = self.client.get(f"/hosts/{self.words['id']}/repo").text
        self.csrf = re.search(r'name="csrf" value="([^"]+)"', page).group(1)
        self.statuses = set()

    def things(self):
        token = self.controller.mint("web-1", "/srv/repo")
        host = self.client.ok("POST", "/api/agents/enroll", {
            "token": token, "hostname": "web-1", "os": "linux",
            "arch": "amd64"})["host_id"]
        api = f"/api/hosts/{host}"
        group = self.client.ok("GET", api + "/source-groups")["items"][0]
        return {"id": host, "gid": group["id"], "hash": "0" * 64,
                "sid": self.client.ok("POST", api + "/schedules", {
                    "cron": "0 2 * * *",
                    "source_group_ids": [group["id"]]})["id"],
                "token": "01JD000000000000000000000A"}

    def address(self, pattern):
        words = dict(self.words)
        if "/users/" in pattern:
            words["id"] = self.client.ok("GET", "/api/account")["user_id"]
        return re.sub(r"{([^}]+)}", lambda m: words[m.group(1)], pattern)

    def urls(self):
        """A password where it does not belong."""
        host = "127.0.0.1:9/x"
        return [f"rest:http://joe:{self.in_url}@{host}",
                f"rest:http://joe:{urllib.parse.quote(self.in_url, '')}@{host}",
                f"sftp://joe:{self.in_url}@{host}"]

    def bodies(self):
        """(content type, text)"""
        for url in self.urls():
            yield FORM, urllib.parse.urlencode(
                {"csrf": self.csrf, **self.secret, **WRONG, "repo_url": url})
        yield FORM, urllib.parse.urlencode(
            {"csrf": self.csrf, **WRONG, "repo_url": "rest:http://[::x/",
             **{f: v * 400 for f, v in self.secret.items()}})
        yield FORM, urllib.parse.urlencode(
            {"csrf": "stale", **self.secret, **WRONG})
        yield FORM, "csrf=" + self.csrf + "&password=%zz" + \
            urllib.parse.urlencode(self.secret)
        extra = {f[4:]: v for f, v in self.secret.items() if f[3:4] == "-"}
        for url in self.urls():
            yield "application/json", json.dumps(
                {**self.secret, **WRONG, "repo_url": url, "extra": extra})
        for name in FIELDS[:7]:
            for value in ({"x": self.secret[name]}, [self.secret[name]],
                          self.secret[name] + "\x01",
                          self.secret[name] * 900):
                yield "application/json", json.dumps({name: value})
            yield "application/json", json.dumps(
                {name: self.secret[name]})[:-3]
        yield "application/json", json.dumps({"extra": extra})
        yield "application/json", json.dumps(self.secret["password"])
        yield "text/plain", self.secret["password"]

    def ask(self, method, pattern):
        """What of it came back."""
        address = self.address(pattern)
        said = {}
        for kind, text in self.bodies():
            if kind == FORM and pattern.startswith("/api/"):
                continue
            answer = self.client.request(method, address, text, {
                "Content-Type": kind, "Accept": "text/html, */*"})
            self.statuses.add(answer.status)
            data = str(answer.headers).encode() + answer.body
            if names := self.known.within(data):
                said[(method, pattern, kind, answer.status)] = names
        return said


@pytest.fixture(name="asker")
def fixture_asker(lab):
    return Asker(lab)


def test_no_refusal_repeats_a_secret(asker):
    """M-205, M-208, M-209"""
    routes = mutating()
    assert len(routes) > 60
    said = {}
    for method, pattern in routes:
        said.update(asker.ask(method, pattern))
    assert said == {}
    assert {400, 403, 404, 422} <= asker.statuses, asker.statuses
    asker.client.ok("GET", "/api/account")  # signed in all the time
    # What was taken all the same (a token's name, say) is no secret's place.
    asker.controller.stop()
    assert asker.known.below(asker.lab.path) == {}


def test_secrets_in_addresses_and_headers_are_not_logged(asker):
    """Tokens of links, cookies and bearers, right and wrong ones."""
    secret = "canary-0123456789abcdef".ljust(43, "-")  # as long as tokens are
    asker.known.add("address", secret)
    stranger = Client(asker.controller.port)
    for path in (f"/setup?token={secret}", f"/bootstrap?token={secret}",
                 f"/login?token={secret}", f"/hosts/pending/{secret}",
                 f"/hosts/pending/{secret}.{secret}",
                 f"/search?q={secret}", f"/hosts/{secret}/jobs",
                 f"/nowhere/{secret}", f"/static/{secret}"):
        for client in (stranger, asker.client):
            client.get(path)
    for headers in ({"Authorization": f"Bearer {secret}"},
                    {"Authorization": f"Basic {secret}"},
                    {"Cookie": f"rm_session={secret}"},
                    {"Cookie": f"rm_csrf={secret}"},
                    {"X-Forwarded-For": secret}):
        answer = stranger.get("/api/hosts", headers=headers)
        assert answer.status == 401
        assert asker.known.within(answer.body) == set()
    asker.controller.stop()
    text = asker.controller.log.read_bytes()
    assert b"/api/hosts" in text
    assert [line for line in text.splitlines()
            if asker.known.within(line)] == []
