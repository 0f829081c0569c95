# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, roles and one's own account, over the pages and forms that people
use and the JSON that scripts use."""
import http.client
import re
import threading
import time
import urllib.parse

import pytest

import a11y
import browser as browser_module
import lab as lab_module
from lab import PASSWORD, Client, wait_for
from web import Browser, form_token

OWN = "my own long password"


@pytest.fixture(name="box", scope="module")
def fixture_box():
    with lab_module.Lab() as lab:
        yield lab


@pytest.fixture(name="console", scope="module")
def fixture_console(box):
    console = box.controller().start()
    console.bootstrap()
    return console


@pytest.fixture(name="admin", scope="module")
def fixture_admin(console):
    return sign_in(console, "admin", PASSWORD)


def sign_in(console, name, password):
    browser = Browser(console.port)
    answer = browser.send("/login", "/login", username=name,
                          password=password)
    assert answer.status == 303, answer.text
    return browser


def led_to(answer):
    assert answer.status == 303, (answer.status, answer.text[:500])
    return answer.headers["Location"]


def link_on(page):
    return re.search(r"/setup\?token=([A-Za-z0-9_-]{43})", page.text)


def invite(admin, name, role):
    """The user's page and the setup link, by the forms."""
    to = led_to(admin.send("/settings/users/new", "/settings/users/new",
                           username=name, role=role))
    page = admin.get(to)
    return to[:-len("/link")], link_on(page).group(1)


def join(console, admin, name, role):
    """A user who has set a password, with a browser that is signed in."""
    path, token = invite(admin, name, role)
    visitor = Browser(console.port)
    assert led_to(visitor.send(f"/setup?token={token}", "/setup",
                               token=token, password=OWN)) == "/"
    return path, visitor


def test_an_invitation(console, admin):
    """M-041 to M-044, M-017, M-026, M-052, M-393, M-434: the link is shown
    once and works once."""
    to = led_to(admin.send("/settings/users/new", "/settings/users/new",
                           username="Ops", role="operator",
                           email="ops@example.org"))
    assert admin.request("HEAD", to).status == 200  # spends nothing
    first = admin.get(to)
    token = link_on(first).group(1)
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["ETag"] is None
    again = admin.get(to)
    assert link_on(again) is None and "shown already" in again.text
    assert admin.get("/settings/users").text.count("invited") >= 1
    visitor = Browser(console.port)
    form = visitor.get(f"/setup?token={token}")
    assert form.status == 200 and 'value="ops"' in form.text
    assert form.headers["Cache-Control"] == "no-store"
    assert form.headers["Referrer-Policy"] == "same-origin"
    short = visitor.send(f"/setup?token={token}", "/setup", token=token,
                         password="short")
    assert short.status == 422 and "at least 12 characters" in short.text
    done = visitor.send(f"/setup?token={token}", "/setup", token=token,
                        password=OWN)
    assert led_to(done) == "/"
    cookies = " ".join(done.headers.get_all("Set-Cookie"))
    assert "Max-Age=28800" in cookies and "HttpOnly" in cookies
    assert "ops" in visitor.get("/").text
    over = Browser(console.port).get(f"/setup?token={token}")
    assert over.status == 410 and "does not work" in over.text
    assert Browser(console.port).get("/setup").status == 410
    assert token not in console.log.read_text()
    stored = [p for p in console.data.rglob("*") if p.is_file()
              and token.encode() in p.read_bytes()]
    assert stored == []


def test_a_disabled_name_is_enabled_again(console, admin):
    """M-046, M-047, M-052"""
    path, visitor = join(console, admin, "comes-and-goes", "viewer")
    assert visitor.get("/").status == 200
    assert led_to(admin.send(path, f"{path}/disable")).endswith(
        "done=disabled")
    assert led_to(visitor.get("/")) == "/login"
    page = admin.get(path)
    assert "is disabled since" in page.text
    assert "enable the user again" in page.text
    again = admin.send("/settings/users/new", "/settings/users/new",
                       username="comes-and-goes", role="viewer")
    assert again.status == 409 and f'href="{path}"' in again.text
    assert led_to(admin.send(path, f"{path}/enable")).endswith("done=enabled")
    assert "enabled again" in admin.get(f"{path}?done=enabled").text
    sign_in(console, "comes-and-goes", OWN)


def read_until_closed(console, headers, path, seen):
    """The event stream's lines; its end as the last one."""
    conn = http.client.HTTPSConnection(
        "127.0.0.1", console.port, context=Client(console.port).tls,
        timeout=30)
    conn.request("GET", path, headers=headers)
    response = conn.getresponse()
    seen.append(response.status)
    for line in response:
        seen.append(line)
    seen.append("over")


def test_disabling_closes_open_streams(console, admin):
    """M-021, M-046: live views end at once, not at the next ping."""
    path, visitor = join(console, admin, "watcher", "viewer")
    me = Client(console.port)
    me.cookie = "rm_session=" + visitor.jar["rm_session"]
    token = me.ok("POST", "/api/tokens", {
        "name": "t", "role": "viewer", "expires_in_days": 1})["token"]
    streams = []
    for headers in ({"Cookie": me.cookie},
                    {"Authorization": f"Bearer {token}"}):
        seen = []
        threading.Thread(target=read_until_closed, daemon=True, args=(
            console, headers, "/events?page=dashboard", seen)).start()
        streams.append(seen)
    wait_for("both streams", lambda: all(len(s) > 1 for s in streams))
    assert [s[0] for s in streams] == [200, 200]
    assert admin.send(path, f"{path}/disable").status == 303
    began = time.monotonic()
    wait_for("their end", lambda: all(s[-1] == "over" for s in streams))
    assert time.monotonic() - began < 14  # the ping comes every 15 s
    answer = Client(console.port).get("/api/hosts", headers={
        "Authorization": f"Bearer {token}"})
    assert answer.status == 401


def test_the_last_admin_stays(console, admin):
    """M-045: said on the user's page, nothing is changed."""
    me = next(u for u in console.client.ok("GET", "/api/users")["items"]
              if u["username"] == "admin")
    path = f"/settings/users/{me['id']}"
    for answer in (admin.send(path, f"{path}/disable"),
                   admin.send(path, path, role="viewer", email="")):
        assert answer.status == 409
        assert "only administrator" in answer.text
    assert admin.get("/settings/users").status == 200


def test_edits_stay_typed_when_refused(console, admin):
    """M-049, M-051"""
    path, _ = invite(admin, "edited", "viewer")
    bad = admin.send(path, path, role="operator", email="no address")
    assert bad.status == 422 and 'value="no address"' in bad.text
    assert re.search(r'value="operator" checked', bad.text)
    assert led_to(admin.send(path, path, role="operator",
                             email="e@example.org")).endswith("done=saved")
    user = console.client.ok("GET", "/api/users/" + path.rsplit("/", 1)[1])
    assert (user["role"], user["email"]) == ("operator", "e@example.org")


def test_the_list_sorts_and_filters(console, admin):
    """M-049: by every column, both ways, without scripts."""
    for name in ("aaa-first", "zzz-last"):
        invite(admin, name, "viewer")

    def names(query):
        page = admin.get(f"/settings/users?{query}")
        assert page.status == 200
        return re.findall(r'class="go-to" href="[^"]+">([^<]+)<', page.text)

    up = names("sort=name")
    assert up == sorted(up) and "aaa-first" in up
    assert names("sort=name&dir=desc") == up[::-1]
    assert names("sort=role")[0] == "admin"
    assert names("sort=seen&dir=desc")[-1] in ("admin", "ops", "watcher",
                                               "comes-and-goes")
    assert set(names("state=invited")) >= {"aaa-first", "zzz-last"}
    assert "admin" not in names("state=invited")
    assert names("state=nonsense&sort=nonsense") == up
    page = admin.get("/settings/users?sort=role&dir=desc").text
    assert 'aria-sort="descending"' in page
    assert console.client.ok("GET", "/api/users?per_page=2&page=2")[
        "items"][0]["username"] == up[2]


def test_controls_follow_the_role(console, admin):
    """M-033, M-036, M-498: what a role cannot use is not there."""
    token = console.mint("web-1", "/srv/repo")
    host = console.client.ok("POST", "/api/agents/enroll", {
        "token": token, "hostname": "web-1", "os": "linux",
        "arch": "amd64"})["host_id"]
    _, viewer = join(console, admin, "looks-only", "viewer")
    _, operator = join(console, admin, "runs-things", "operator")
    pages = ("/", f"/hosts/{host}", f"/hosts/{host}/jobs", "/jobs")
    for path in pages:
        seen = viewer.get(path)
        assert seen.status == 200
        posts = re.findall(r'<form method="post" action="([^"]+)"', seen.text)
        assert set(posts) <= {"/logout", "/appearance"}, (path, posts)
        assert 'href="/hosts/new"' not in seen.text, path
        assert "/settings/users" not in seen.text, path
    assert 'href="/hosts/new"' in operator.get("/").text
    for who, status in ((viewer, 403), (operator, 403), (admin, 200)):
        assert who.get("/settings/users").status == status
        settings = led_to(who.get("/settings"))
        assert who.get(settings).status == 200
    assert "/settings/users" not in operator.get("/settings/account").text
    assert "/settings/users" in admin.get("/settings/account").text


def test_a_new_role_is_a_new_page(console, admin):
    """M-036: what a browser has kept of a page goes with the role."""
    path, visitor = join(console, admin, "promoted", "viewer")
    for _ in range(5):
        before = visitor.get("/")
        tag = {"If-None-Match": before.headers["ETag"]}
        same = visitor.get("/", headers=tag).status
        admin.send(path, path, role="operator", email="")
        after = visitor.get("/", headers=tag)
        admin.send(path, path, role="viewer", email="")
        if same == 304:  # else a minute began in between
            break
    assert (same, after.status) == (304, 200)
    assert 'href="/hosts/new"' not in before.text
    assert 'href="/hosts/new"' in after.text


def test_one_s_own_password(console, admin):
    """M-027, M-435: the current one is asked for, other sessions end."""
    _, here = join(console, admin, "changes", "viewer")
    there = sign_in(console, "changes", OWN)
    assert "in 1 other place" in here.get("/settings/account").text
    page = "/settings/account"
    wrong = here.send(page, page, current_password="not that one",
                      new_password="a brand new password")
    assert wrong.status == 422
    assert "The current password is wrong." in wrong.text
    assert "not that one" not in wrong.text
    short = here.send(page, page, current_password=OWN, new_password="short")
    assert short.status == 422 and "at least 12" in short.text
    to = led_to(here.send(page, page, current_password=OWN,
                          new_password="a brand new password"))
    assert "Your password is changed" in here.get(to).text
    assert led_to(there.get("/")) == "/login"
    third = sign_in(console, "changes", "a brand new password")
    to = led_to(here.send(page, f"{page}/sign-out-others"))
    assert "Your other sessions are over" in here.get(to).text
    assert led_to(third.get("/")) == "/login"
    assert "signed in here only" in here.get(page).text


def test_a_password_that_must_be_changed(console, admin):
    """M-027: led to the change, whatever is asked for."""
    path, visitor = join(console, admin, "starts-anew", "operator")
    admin.send(path, path, role="operator", email="", must_change="1")
    for asked in ("/", "/hosts/new", "/settings"):
        assert led_to(visitor.get(asked)) == "/settings/account"
    page = visitor.get("/settings/account").text
    assert "Choose a new password" in page
    assert 'name="current_password"' not in page
    assert "API tokens" not in page
    led_to(visitor.send("/settings/account", "/settings/account",
                        new_password="a brand new password"))
    assert visitor.get("/").status == 200


def test_tokens_by_the_page(console, admin):
    """The token is shown once; revoked, it is over at once."""
    _, me = join(console, admin, "scripts", "operator")
    page = "/settings/account"
    bad = me.send(page, f"{page}/tokens", name="nightly", role="admin",
                  expires_in_days="30")
    assert bad.status == 422 and 'value="nightly"' in bad.text
    to = led_to(me.send(page, f"{page}/tokens", name="nightly",
                        role="operator", expires_in_days="30"))
    shown = me.get(to)
    token = re.search(r"rmt_[A-Za-z0-9_-]{43}", shown.text).group(0)
    assert shown.headers["Cache-Control"] == "no-store"
    assert token not in me.get(to).text
    assert admin.get(to).status == 404
    bearer = {"Authorization": f"Bearer {token}"}
    client = Client(console.port)
    assert client.get("/api/hosts", headers=bearer).status == 200
    assert client.get("/api/users", headers=bearer).status == 403
    assert client.get("/events?page=nothing",
                      headers=bearer).status not in (401, 403)
    assert "nightly" in me.get(page).text
    assert led_to(me.send(to, f"{to}/revoke")).endswith("done=revoked")
    assert client.get("/api/hosts", headers=bearer).status == 401
    assert "nightly" not in me.get(page).text
    assert token not in console.log.read_text()
    assert not [p for p in console.data.rglob("*") if p.is_file()
                and token.encode() in p.read_bytes()]


def test_an_admin_revokes_a_token(console, admin):
    """On the page of its user, who need not be asked."""
    path, me = join(console, admin, "careless", "operator")
    page = "/settings/account"
    to = led_to(me.send(page, f"{page}/tokens", name="lost laptop",
                        role="operator", expires_in_days="90"))
    token = re.search(r"rmt_[A-Za-z0-9_-]{43}", me.get(to).text).group(0)
    seen = admin.get(path).text
    assert "lost laptop" in seen and token not in seen
    revoke = re.search(r'action="([^"]+/tokens/[^"]+/revoke)"', seen).group(1)
    assert me.send(page, revoke).status == 403
    back = led_to(admin.send(path, revoke))
    assert "The API token is revoked" in admin.get(back).text
    assert Client(console.port).get("/api/hosts", headers={
        "Authorization": f"Bearer {token}"}).status == 401
    assert admin.send(path, revoke).status == 404


def test_forms_need_their_token(admin):
    """W-14: no form without the session's own csrf."""
    for path in ("/settings/users/new", "/settings/account",
                 "/settings/account/tokens"):
        answer = admin.send("/settings/account", path, csrf="B" * 43,
                            username="evil", role="admin")
        assert answer.status == 403, path
        other = admin.request("POST", path, urllib.parse.urlencode({
            "csrf": form_token(admin.get("/settings/account"))}),
            {"Content-Type": "application/x-www-form-urlencoded",
             "Origin": "https://evil.example"})
        assert other.status == 403, path


def test_notices_are_not_in_links(admin):
    """A link cannot put words into our mouth."""
    page = admin.get("/settings/account?done=owned&notice=owned&error=owned")
    assert page.status == 200 and "owned" not in page.text


def test_it_outlives_a_restart(console, admin):
    """Users, links and tokens are on disk; what was to be shown is not."""
    path, token = invite(admin, "patient", "viewer")
    made = console.client.ok("POST", "/api/tokens", {
        "name": "kept", "role": "viewer", "expires_in_days": 1})["token"]
    to = led_to(admin.send(path, f"{path}/regenerate-setup-link"))
    console.restart()
    page = admin.get(to)
    assert link_on(page) is None and "shown already" in page.text
    assert Client(console.port).get("/api/hosts", headers={
        "Authorization": f"Bearer {made}"}).status == 200
    assert Browser(console.port).get(f"/setup?token={token}").status == 410


def press(b, css):
    """Away from the bar at the bottom of small screens first."""
    b.driver.execute_script(
        "document.querySelector(arguments[0])"
        ".scrollIntoView({block: 'center'})", css)
    b.go(css)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_are_for_everybody(console, admin, width):
    """M-434, M-435: names, contrast, focus and width of the pages that the walk
    does not reach, and the way from the invitation to the first sign-in."""
    b = browser_module.Browser(console.url, width=width)
    try:
        path, token = invite(admin, f"walker-{width}", "operator")
        b.open(f"/setup?token={token}")
        assert a11y.violations(b) == [] and b.sideways() <= 0
        b.fill("#setup-password", OWN)
        press(b, "form .btn")
        b.wait("the dashboard", lambda: b.path() == "/")
        b.open("/settings/account")
        b.fill("#token-name", "from a browser")
        press(b, "form[action$=tokens] .btn")
        assert "shown this once" in b.text()
        assert a11y.violations(b) == [] and b.sideways() <= 0
        b.open("/settings/account")
        assert a11y.violations(b) == [] and b.sideways() <= 0
        b.driver.delete_all_cookies()
        b.open("/login")
        b.fill("#login-username", "admin")
        b.fill("#login-password", PASSWORD)
        press(b, "form .btn")
        b.open(path)
        assert a11y.violations(b) == [] and b.sideways() <= 0
        press(b, "form[action$=regenerate-setup-link] .btn")
        assert "/setup?token=" in b.text()
        assert a11y.violations(b) == [] and b.sideways() <= 0
    finally:
        b.close()
