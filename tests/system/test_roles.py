# SPDX-License-Identifier: GPL-3.0-or-later
"""Every address with every role, signed in and by API token, and without.

tests/data/roles says who may; an address that is missing there fails here
and in the unit test of the table.  Nothing that is asked for exists, so what
is allowed ends in some other refusal, or in an empty list."""
import html
import pathlib
import re
import tempfile
import urllib.parse

import pytest

import announcer
import lab as lab_module
from lab import ROOT, Client

ROLES = ("viewer", "operator", "admin")
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CSRF = "A" * 43  # of nobody: the cookie and the field say the same


def matrix():
    rows = []
    for line in (ROOT / "tests/data/roles").read_text().splitlines():
        if line and not line.startswith("#"):
            method, pattern, role = line.split()
            rows.append((method, pattern, role))
    return rows


def routes():
    """What the controller's own table says: (method, pattern) -> body."""
    text = (ROOT / "controller/route.c").read_text()
    return {(m, p): body for m, p, body in re.findall(
        r'{ "(\w+)",\s+"([^"]+)",\s+ROUTE_\w+,\s+ROUTE_(\w+),', text)}


class Person:
    """One way to ask: nobody, a session, or an API token."""

    def __init__(self, port, role=None, bearer=None):
        self.client = Client(port)
        self.role = role
        self.bearer = bearer
        self.csrf = CSRF
        self.word = f"{role or 'nobody'} by " + (
            "token" if bearer else "session")

    def sign_in(self, password):
        self.client.ok("POST", "/api/auth/login", {
            "username": f"the-{self.role}", "password": password})
        page = self.client.get("/settings/account")
        self.csrf = re.search(r'name="csrf" value="([^"]+)"',
                              page.text).group(1)
        return self

    def ask(self, method, path, body, accept=JSON):
        headers = {"Accept": accept}
        if self.bearer:
            headers["Authorization"] = f"Bearer {self.bearer}"
        if self.role is None:
            headers["Cookie"] = f"rm_csrf={CSRF}"
        text = None
        if body == "FORM" and not self.bearer:
            headers["Content-Type"] = FORM
            text = urllib.parse.urlencode({"csrf": self.csrf})
        elif body != "NO_BODY":
            headers["Content-Type"] = JSON
            text = "{}"
        return self.client.request(method, path, text, headers)


@pytest.fixture(name="people", scope="module")
def fixture_people():
    with lab_module.Lab() as lab:
        console = lab.controller().start()
        console.bootstrap()
        people = [Person(console.port)]
        for role in ROLES:
            password = f"the {role}'s long password"
            made = console.client.ok("POST", "/api/users", {
                "username": f"the-{role}", "role": role})
            token = made["setup_url"].partition("token=")[2]
            done = Client(console.port).request(
                "POST", "/setup", urllib.parse.urlencode({
                    "csrf": CSRF, "token": token, "password": password}),
                {"Content-Type": FORM, "Cookie": f"rm_csrf={CSRF}"})
            assert done.status == 303, done.text
            person = Person(console.port, role).sign_in(password)
            person.password = password
            minted = person.client.ok("POST", "/api/tokens", {
                "name": role, "role": role, "expires_in_days": 1})
            people += [person, Person(console.port, role, minted["token"])]
        yield people


@pytest.fixture(name="shown", scope="module")
def fixture_shown(people):
    """Something to look at: a host, a job of it, and one that waits."""
    port = people[0].client.port
    admin = next(p for p in people if p.role == "admin")
    token = admin.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": "/srv/repo"})["token"]
    admin.client.ok("POST", "/api/agents/enroll", {
        "token": token, "hostname": "web-1", "os": "linux", "arch": "amd64"})
    admin.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "web-2", "repo_url": "/srv/repo"})
    with tempfile.TemporaryDirectory() as folder:
        key = announcer.Key(pathlib.Path(folder), "key")
        waits = Client(port).post("/api/agents/announce", key.body("web-3"))
        assert waits.status < 300, waits.text
    return people


def rank(role):
    return ("public", *ROLES).index(role or "public")


def example(pattern):
    return re.sub(r"{\*}", "style.css", re.sub(r"{\w+}", NOBODY, pattern))


def refusal(answer):
    """sign-in or role, when that is what the answer is about."""
    if answer.status not in (401, 403):
        return None
    message = answer.json()["message"]
    return ("sign-in" if message == "sign in first" else
            "role" if message.startswith("this needs the role") else None)


def expected(person, need):
    if need == "public" or rank(person.role) >= rank(need):
        return None
    return "sign-in" if person.role is None else "role"


def ends_the_session(pattern):
    return pattern.endswith("/logout")


def test_every_address_has_a_row():
    """M-031, M-402, M-403"""
    assert {(m, p) for m, p, _ in matrix()} == set(routes())


def test_every_address_with_every_role(people):
    """M-031 to M-035, M-038, M-039, M-460: what is refused and what is not,
    and that a token of a role may what the role may."""
    wrong, bodies = [], routes()
    for method, pattern, need in matrix():
        for person in people:
            if person.role and not person.bearer and ends_the_session(
                    pattern):
                asking = Person(person.client.port, person.role).sign_in(
                    person.password)
            else:
                asking = person
            body = bodies[method, pattern]
            if body == "JSON_OR_FORM":
                body = "JSON"
            answer = asking.ask(method, example(pattern), body)
            if refusal(answer) != expected(person, need):
                wrong.append((method, pattern, person.word, answer.status,
                              answer.body[:80]))
    assert wrong == []


def test_browsers_are_led_to_sign_in_or_told_the_role(people):
    """M-024, M-032: pages, asked for as browsers do."""
    for method, pattern, need in matrix():
        if method != "GET" or pattern.startswith("/api/") or (
                need == "public"):
            continue
        for person in (p for p in people if not p.bearer):
            answer = person.ask(method, example(pattern), "NO_BODY",
                                "text/html")
            want = expected(person, need)
            if want == "sign-in":
                assert answer.status == 303, (pattern, answer.status)
                assert answer.headers["Location"] == "/login"
            elif want == "role":
                assert answer.status == 403, (pattern, answer.status)
                assert f"needs <b>{need}</b>" in answer.text
                assert person.role in answer.text
            else:
                assert answer.status not in (401, 403), pattern


def test_forms_are_not_for_tokens(people):
    """A page cannot be made to send a bearer; a bearer sends no forms."""
    bearer = next(p.bearer for p in people if p.bearer and
                  p.role == "admin")
    for csrf in ("", CSRF):
        answer = Client(people[0].client.port).request(
            "POST", "/settings/users/new", urllib.parse.urlencode({
                "csrf": csrf, "username": "evil", "role": "admin"}),
            {"Content-Type": FORM, "Accept": JSON,
             "Authorization": f"Bearer {bearer}"})
        assert (answer.status, answer.json()["code"]) == (403, "stale_form")


def route_of(method, address):
    """The row of the table that an address on a page leads to; words win
    over variables, as they do in the controller."""
    path = address.partition("?")[0]
    fits = []
    for row_method, pattern, role in matrix():
        shape = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern))
        shape = shape.replace(r"\{\*\}", ".+")
        if row_method == method and re.fullmatch(shape, path):
            fits.append((pattern, role))
    return min(fits, key=lambda row: row[0].count("{"), default=None)


def controls(page):
    """What can be pressed on it: (method, address)."""
    found = [("GET", a) for a in re.findall(r'<a [^>]*href="([^"]+)"', page)]
    for form in re.findall(r"<form ([^>]*)>", page):
        where = re.search(r'action="([^"]+)"', form)
        method = re.search(r'method="(\w+)"', form)
        found.append((method.group(1).upper() if method else "GET",
                      where.group(1) if where else "/"))
    found += [("POST", a) for a in re.findall(r'formaction="([^"]+)"', page)]
    return {(m, html.unescape(a).partition("#")[0])
            for m, a in found if a[0] == "/"}


def crawl(person):
    """Every page that links lead to, a few of each kind."""
    todo, seen, kinds, wrong = ["/", "/settings"], set(), {}, []
    while todo:
        address = todo.pop(0)
        kind = route_of("GET", address)
        if address in seen or kinds.get(kind, 0) >= 4:
            continue
        seen.add(address)
        kinds[kind] = kinds.get(kind, 0) + 1
        answer = person.ask("GET", address, "NO_BODY", "text/html")
        if answer.status == 303:
            todo.append(answer.headers["Location"])
            continue
        if answer.status != 200:
            wrong.append((address, answer.status))
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        for method, to in controls(answer.text):
            row = route_of(method, to)
            if row is None or rank(row[1]) > rank(person.role):
                wrong.append((address, method, to, row))
            elif method == "GET":
                todo.append(to)
    return wrong, {kind[0] for kind in kinds if kind}


def test_pages_offer_what_the_role_may(shown):
    """M-036, M-498: whatever can be pressed, on every page that can be
    reached, is there and is allowed; there is no dead link."""
    reached = {}
    for person in (p for p in shown if p.role and not p.bearer):
        wrong, reached[person.role] = crawl(person)
        assert wrong == [], person.role
    assert "/settings/users" in reached["admin"]
    assert "/settings/users" not in reached["operator"]
    assert "/hosts/new" in reached["operator"]
    assert "/hosts/new" not in reached["viewer"]
    assert {"/", "/hosts/{id}", "/audit", "/jobs",
            "/settings/account"} <= reached["viewer"]
