# SPDX-License-Identifier: GPL-3.0-or-later
"""What every page has in common, and what each of them must show: one
console with two hosts, looked at from many sides.  The tests run in order."""
import html
import html.parser
import re

import pytest

import lab as lab_module
from browser import Browser as Chromium
from lab import PASSWORD, ROOT, Client, wait_for
from stream import Stream
from web import Browser
from test_streams import Stream as Follower, regions

FAKE = ROOT / "tests/fake/restic"
NASTY = """<job-id>&"'{{x}}</script><img src=x>"""


class Page(html.parser.HTMLParser):
    """Forms with the names of their fields, buttons, tables, times."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text = text
        self.forms, self.open_forms, self.nested = [], 0, False
        self.buttons, self.times, self.scripts, self.links = [], [], [], []
        self.dead = False
        self.word, self.named = None, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        at = dict(attrs)
        if tag == "form":
            self.nested = self.nested or self.open_forms > 0
            self.open_forms += 1
            self.forms.append({"at": at, "names": []})
        elif tag in ("input", "select", "textarea") and self.open_forms:
            if at.get("type") != "radio" and "name" in at:
                self.forms[-1]["names"].append(at["name"])
        elif tag == "time":
            self.times.append(at)
        elif tag == "script":
            self.scripts.append(at)
        elif tag == "a":
            self.links.append(at.get("href", ""))
        if tag == "button":
            self.word, self.named = at.get("aria-label", ""), "aria-label" in at
            self.dead = self.dead or "disabled" in at
        assert not [a for a in at if a.startswith("on")], at
        assert "style" not in at, at

    def handle_endtag(self, tag):
        if tag == "form":
            self.open_forms -= 1
        if tag == "button":
            self.buttons.append(" ".join(self.word.split()))
            self.word = None

    def handle_data(self, data):
        if self.word is not None and not self.named:
            self.word += data


class Site:
    """A console with an honest host, and one with a job that runs."""

    def __init__(self, lab):
        self.lab = lab
        self.console = lab.controller().start()
        self.fresh = Client(self.console.port)
        self.browser = Browser(self.console.port)

    def fill(self):
        lab, console = self.lab, self.console
        self.browser.sign_in()
        quiet, busy = lab.sources("quiet"), lab.sources("busy")
        (quiet / NASTY).mkdir(parents=True)
        self.agent = lab.host(console, restic=FAKE, tags=["prod"],
                              paths=[quiet, quiet / NASTY])
        path = f"/api/hosts/{self.agent.host_id}"
        groups = console.client.ok("GET", f"{path}/source-groups")["items"]
        console.client.ok("POST", f"{path}/schedules", {
            "cron": "0 2 * * *", "enabled": True,
            "source_group_ids": [g["id"] for g in groups]})
        self.job = console.run_group(self.agent.host_id)
        assert console.wait_job(self.job)["status"] == "succeeded"
        (busy / ".pretend").write_text("lines=40000 delay_ms=50")
        self.busy = lab.host(console, name="web-2", restic=FAKE, paths=[busy])
        self.running = console.run_group(self.busy.host_id)
        wait_for("its start", lambda: console.job(self.running)[
            "status"] == "running")
        token = console.mint("web-3", "/srv/repo")
        where = self.browser.get(f"/hosts/pending/{token}")
        self.paths = {
            "dashboard": "/", "add": "/hosts/new",
            "pending": where.headers["Location"],
            "host": f"/hosts/{self.agent.host_id}",
            "jobs": f"/hosts/{self.agent.host_id}/jobs",
            "job": f"/jobs/{self.job}", "running": f"/jobs/{self.running}",
            "busy": f"/hosts/{self.busy.host_id}", "none": "/hosts/nowhere"}

    def page(self, name):
        return Page(self.browser.get(self.paths[name]).text)


@pytest.fixture(name="bare", scope="module")
def fixture_bare():
    with lab_module.Lab() as lab:
        yield Site(lab)


@pytest.fixture(name="site", scope="module")
def fixture_site(bare):
    if bare.console.client.cookie is None:
        bare.console.bootstrap()
    bare.fill()
    return bare


@pytest.fixture(name="chromium", scope="module")
def fixture_chromium(site):
    b = Chromium(site.console.url)
    b.open("/login")
    b.fill("#login-username", "admin")
    b.fill("#login-password", PASSWORD)
    b.go('form[action="/login"] button[type="submit"]')
    b.wait("the dashboard", lambda: b.path() == "/")
    yield b
    b.close()


# --------------------------------------------------------------- the gate


def test_the_first_run_is_open_to_all_and_wants_twelve_characters(bare):
    """M-028, M-391, W-25: the token comes in a file of its own."""
    console = bare.console
    shown = bare.fresh.get("/bootstrap")
    assert shown.status == 200 and 'minlength="12"' in shown.text
    token = console.bootstrap_token()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert (console.run / "bootstrap-token").read_text() in (
        token, token + "\n")
    for password in ("elevenchars", "ключключклю"):
        assert len(password) == 11
        answer = bare.browser.send("/bootstrap", "/bootstrap",
                                   username="admin", password=password)
        assert answer.status == 422 and "at least 12" in answer.text
        refused = bare.fresh.post("/api/bootstrap", {
            "token": token, "username": "admin", "password": password})
        assert refused.status == 422
    # Neither capitals nor digits are asked for, and length is welcome.
    words = "correct horse battery staple " * 30
    assert bare.fresh.post("/api/bootstrap", {
        "token": "x" * 43, "username": "admin",
        "password": words}).status == 401
    console.bootstrap(password=PASSWORD)
    assert bare.fresh.get("/bootstrap").status == 303
    again = bare.fresh.post("/api/bootstrap", {
        "token": token, "username": "eve", "password": PASSWORD})
    assert again.status == 409


def test_the_stored_password_is_dear(bare):
    """M-015, X-19: of the program that is shipped, whatever is around it."""
    files = [p for p in (bare.console.data / "db").rglob("data.mdb")]
    forms = [f for p in files for f in re.findall(
        rb"\$argon2id?\$v=\d+\$m=\d+,t=\d+,p=\d+\$", p.read_bytes())]
    assert forms and set(forms) == {b"$argon2id$v=19$m=65536,t=3,p=1$"}


def test_the_sign_in_page(bare):
    """M-029: a card, its error, the version below."""
    version = bare.fresh.ok("GET", "/api/version")["version"]
    browser = Browser(bare.console.port)
    page = browser.get("/login")
    assert page.status == 200 and "no-store" in page.headers["Cache-Control"]
    card, below = page.text.split("</section>")
    assert '<main id="main" class="gate"' in card and "<nav" not in page.text
    assert f"restic-manager {version}" in below
    assert 'role="alert"' not in card and "aria-invalid" not in card
    answer = browser.send("/login", "/login", username="admin",
                          password="not this one")
    assert answer.status == 401
    card, below = answer.text.split("</section>")
    assert 'role="alert"' in card and "wrong" in card
    assert 'value="admin"' in card  # what was typed stays,
    assert "not this one" not in answer.text  # but the password
    field = re.search(r'<input id="login-password"[^>]*>', card).group()
    assert 'aria-invalid="true"' in field and "autofocus" in field
    assert f"restic-manager {version}" in below


# -------------------------------------------------------------- all pages


def test_pages_and_their_doors(site):
    """M-402, M-403, M-460: for who is signed in; as far as this stage has
    them."""
    titles = {"dashboard": "Hosts", "host": "web-1 · Snapshots",
              "jobs": "web-1 · Jobs", "job": "Backup of web-1"}
    for name, title in titles.items():
        path = site.paths[name]
        page = site.browser.get(path)
        assert page.status == 200, path
        assert f"<title>{title} · restic-manager</title>" in page.text
        stranger = Browser(site.console.port).get(path)
        assert (stranger.status, stranger.headers["Location"].split("?")[
            0]) == (303, "/login")
    assert site.browser.get(site.paths["none"]).status == 404


def test_an_agents_bearer_opens_no_page(site):
    """M-460, M-461: neither page nor interface, nor as a cookie."""
    bearer = re.search(r'agent_token: "?([\w-]+)',
                       site.agent.config.read_text()).group(1)
    host = site.busy.host_id
    calls = (("GET", "/"), ("GET", "/api/hosts"), ("GET", f"/hosts/{host}"),
             ("GET", f"/api/hosts/{host}/repo-credentials"),
             ("GET", f"/api/jobs/{site.running}"),
             ("POST", f"/api/jobs/{site.running}/cancel"),
             ("POST", "/api/enrollment-tokens"))
    for method, path in calls:
        for dress in ({"Authorization": f"Bearer {bearer}"},
                      {"Cookie": f"rm_session={bearer}"}):
            answer = Client(site.console.port).request(
                method, path, {} if method == "POST" else None, dress)
            assert answer.status in (303, 401), (path, answer.status)
            assert site.busy.name not in answer.text
    assert site.console.job(site.running)["status"] == "running"


def test_forms_are_plain(site):
    """M-502: no form in another, one value a name; M-501: made on the
    server, with one script of ours and nothing inline."""
    forms = 0
    for name in site.paths:
        page = site.page(name)
        assert not page.nested and page.open_forms == 0
        for form in page.forms:
            assert len(set(form["names"])) == len(form["names"]), form
            if form["at"]["method"] == "post":
                assert "csrf" in form["names"]
            forms += 1
        assert [s["src"].split("?")[0] for s in page.scripts] == [
            "/static/app.js"]
        assert not [l for l in page.links if l.startswith("http")]
    assert forms > 8


def test_a_ticked_box_counts_and_an_empty_one_does_not(site):
    """M-502: the box that allows a second host of a name."""
    fields = {"hostname": "web-1", "tags": "", "repo_url": "/srv/x",
              "repo_username": "", "repo_password": "", "initial_paths": ""}
    refused = site.browser.send("/hosts/new", "/hosts/new", **fields)
    assert refused.status == 409
    assert 'name="allow_duplicate" value="1"' in refused.text
    answer = site.browser.send("/hosts/new", "/hosts/new",
                               allow_duplicate="1", **fields)
    assert answer.status == 303


def test_verbs_are_the_same_everywhere(site):
    """M-321, M-500: one word for one deed, and no button that is dead."""
    assert not [name for name in site.paths if site.page(name).dead]
    words = {w for name in site.paths for w in site.page(name).buttons}
    assert not [w for w in words if re.search(
        r"run first|run now|backup now|start|please", w, re.I)], words
    assert {w for w in words if w.startswith("Back up")} == {"Back up now"}
    assert {w for w in words if w.startswith("Run all")} == {
        "Run all groups of web-1"}, words
    assert "Run again" in words and "Stop" in words


def test_nothing_foreign_becomes_markup(site):
    """B-02: text, attribute, address; the stream's address is right."""
    assert NASTY in html.unescape(site.browser.get(site.paths["host"]).text)
    for name in site.paths:
        shown = site.browser.get(site.paths[name]).text
        assert "<img src=x" not in shown and "<job-id>" not in shown
    live = site.browser.get(site.paths["running"]).text
    where = html.unescape(re.search(r'data-stream-url="([^"]+)"',
                                    live).group(1))
    stream = Stream(site.console.client, where)
    assert stream.status == 200
    name, _, _ = next(stream.events())
    assert name.startswith(("job.", "log."))
    stream.close()
    events = html.unescape(re.search(r'data-events="([^"]+)"', live).group(1))
    stream = Stream(site.console.client, events)
    assert stream.status == 200
    stream.close()
    search = site.browser.get("/?q=%22%3E%3Cimg+src%3Dx%3E").text
    assert "<img src=x>" not in search
    assert 'value="&quot;&gt;&lt;img src=x&gt;"' in search


def test_times_are_machine_readable(site):
    """M-496: relative words, exact ones on top of them."""
    times = [t for name in ("dashboard", "host", "jobs", "job")
             for t in site.page(name).times if "data-rel-ts" in t]
    assert len(times) >= 3
    for t in times:
        assert re.fullmatch(r"\d{13}", t["data-rel-ts"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
                            t["datetime"])
        assert re.match(r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d",
                        t["title"])


# -------------------------------------------------------- the single ones


def test_a_log_is_downloaded_from_one_menu(site):
    """M-145: native, closed, with two described ways."""
    page = site.browser.get(site.paths["job"]).text
    log = page[page.index('aria-label="Log"'):]
    menus = re.findall(r"<details.*?</details>", log, re.S)
    assert len(menus) == 1 and not re.match(r"<details[^>]* open", menus[0])
    offers = re.findall(r'<a href="([^"]+)" download><span>([^<]+)<small>'
                        r"([^<]+)</small>", menus[0])
    assert [o[1] for o in offers] == ["log.txt", "log.ndjson"]
    assert "people" in offers[0][2] and "tools" in offers[1][2]
    for path, _, _ in offers:
        answer = site.browser.get(path)
        assert answer.status == 200 and answer.body
        assert "attachment" in answer.headers["Content-Disposition"]


def row_of(site, agent):
    """A row of the dashboard, as text."""
    text = site.browser.get("/").text
    row = re.search(rf'<tr role="row" id="host-{agent.host_id}".*?</tr>',
                    text, re.S).group()
    return row, " ".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split())


def test_a_row_tells_how_its_host_is(site):
    """M-305, M-310: the number of snapshots stands on the host's own page."""
    console, lab = site.console, site.lab
    row, words = row_of(site, site.agent)
    for part in ('aria-label="Online"', 'aria-label="Last 30 days: ',
                 f'href="{site.paths["host"]}"',
                 'aria-label="Run all groups of web-1"'):
        assert part in row, part
    host = console.host(site.agent.host_id)
    for word in ("web-1", f"{host['os']}/{host['arch']}", "prod", "OK",
                 "added"):
        assert word in words, (word, words)
    assert re.search(r"just now|\d+ min ago", words)
    row, words = row_of(site, site.busy)
    assert "Running" in words and f'href="/jobs/{site.running}"' in row
    assert "View →" in words
    # The repository: being made, then it cannot be.
    (lab.path / "file").write_text("in the way")
    slow = lab.path / "slow-restic"
    slow.write_text(f'#!/bin/sh\ncase " $* " in *" init "*)\n'
                    f'while [ ! -e {lab.path}/go ]; do sleep 0.1; done\n'
                    f'esac\nexec {FAKE} "$@"\n')
    slow.chmod(0o755)
    agent = lab.agent(console, name="web-5", restic=slow)
    agent.enrol(console.mint("web-5", str(lab.path / "file/repo")))
    agent.start()
    wait_for("init to run", lambda: "Repository set-up" in row_of(
        site, agent)[1])
    (lab.path / "go").write_text("")
    wait_for("init to fail", lambda: "No backup yet Repository not ready"
             in row_of(site, agent)[1])
    agent.stop()
    # The same of a host that was well, after its repository was changed.
    console.client.ok(
        "PUT", f"/api/hosts/{site.agent.host_id}/repo-credentials",
        {"repo_url": str(lab.path / "file/repo")})
    wait_for("init to fail", lambda: "Failed Repository not ready"
             in row_of(site, site.agent)[1])


def test_the_host_page_has_its_header_and_strip(site):
    """M-314."""
    text = site.browser.get(site.paths["host"]).text
    facts = html.unescape(re.search(
        r'<p class="facts" data-live="host.facts">(.*?)</p>', text,
        re.S).group(1))
    host = site.console.host(site.agent.host_id)
    for word in ("Online", host["agent_version"], "0.18.0", "prod", "linux"):
        assert word in facts, word
    strip = text[text.index('data-live="host.strip"'):]
    strip = strip[:strip.index("</section>")]
    for word in ("Last backup", "Repository", "ready"):
        assert word in strip
    assert strip.count("<li>") == 30
    tabs = re.search(r'<nav class="tabs".*?</nav>', text, re.S).group()
    assert re.findall(r'href="([^"]+)"', tabs) == [
        site.paths["host"] + tab
        for tab in ("", "/sources", "/schedules", "/jobs", "/repo")]
    assert re.search(r'aria-current="page">Snapshots <span class="count">1<',
                     tabs)
    other = site.browser.get(site.paths["jobs"]).text
    assert 'aria-current="page">Jobs' in other
    assert 'data-live="host.strip"' in other


def test_the_host_page_follows_the_repository(site):
    """W-24: what changes is sent to the page that is open."""
    console, lab = site.console, site.lab
    agent = lab.agent(console, name="web-4", restic=FAKE)
    agent.enrol(console.mint("web-4", str(lab.path / "late")))
    path = f"/hosts/{agent.host_id}"
    assert "<dd>ready " not in site.browser.get(path).text
    stream = Follower(console, f"/events?page=host&id={agent.host_id}")
    agent.start()
    wait_for("the fragment that tells it", lambda: any(
        "<dd>ready " in strip
        for strip in regions(stream).get("host.strip", [])))
    stream.close()
    assert "<dd>ready " in site.browser.get(path).text
    agent.stop()


# -------------------------------------------------------- in a real browser


def test_a_whole_row_is_a_link(site, chromium):
    """M-309: but for its buttons; nowhere is there an Edit."""
    # One script a look: a live region may be renewed between two of them.
    at = """
      const [rows, ...parts] = arguments;
      return Array.from(document.querySelectorAll(rows), row => {
        const r = row.getBoundingClientRect();
        return parts.map(part => {
          const e = document.elementFromPoint(r.left + r.width * part,
                                              r.top + r.height / 2);
          return e.closest('a, button')?.className ?? e.tagName;
        });
      }).flat();"""
    b = chromium
    for path, rows, left in (("/", ".hosts tbody tr", 0.1),
                             (site.paths["jobs"], ".table tbody tr", 0.02)):
        b.open(path)
        assert set(b.driver.execute_script(
            at, rows, left, 0.3, 0.5, 0.8)) == {"go-to"}
    b.open("/")
    row = f"#host-{site.agent.host_id}"
    button, = b.driver.execute_script(at, f"{row} .acts button", 0.5)
    assert "btn" in button
    b.driver.execute_script(
        "document.querySelector(arguments[0]).click()", f"{row} .go-to")
    b.wait("the host", lambda: b.path() == site.paths["host"])
    for name in site.paths:
        page = site.page(name)
        assert not [w for w in page.buttons if re.search(r"\bedit\b", w,
                                                         re.I)]


def test_the_console_looks_like_one(site, chromium):
    """M-494, M-500: numbers and ids in monospace, hairlines, words of
    buttons unbroken; dark where that is asked for."""
    b = chromium
    font = """const e = document.querySelector(arguments[0]);
              const s = getComputedStyle(e);
              return [s.fontFamily, s.borderTopWidth, s.whiteSpace];"""
    b.open(site.paths["host"])
    for css in ("h1 .m", ".table td.m", ".facts b.m"):
        assert "monospace" in b.driver.execute_script(font, css)[0], css
    assert b.driver.execute_script(font, ".panel")[1] == "1px"
    for name in ("dashboard", "host", "running", "add"):
        b.open(site.paths[name])
        wraps = b.driver.execute_script(
            "return Array.from(document.querySelectorAll('.btn, .chip'), e =>"
            " getComputedStyle(e).whiteSpace)")
        assert wraps and set(wraps) == {"nowrap"}
    light = """const c = getComputedStyle(document.body).backgroundColor;
               const x = document.createElement('canvas').getContext('2d');
               x.fillStyle = c; x.fillRect(0, 0, 1, 1);
               return x.getImageData(0, 0, 1, 1).data[0];"""
    for scheme, dark in (("dark", True), ("light", False)):
        b.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        b.open("/")
        assert (b.driver.execute_script(light) < 60) == dark


def test_relative_times_go_on(site, chromium):
    """M-496: every 30 s, here a hundred times as fast."""
    b = chromium
    hook = b.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": """
        window.asked = [];
        const real = window.setInterval;
        window.setInterval = (f, ms, ...a) => {
          window.asked.push(ms);
          return real(f, ms / 100, ...a);
        };"""})
    b.open(site.paths["host"])
    assert 30000 in b.driver.execute_script("return window.asked")
    b.driver.execute_script("""
        const t = document.querySelector('td time[data-rel-ts],'
                                         + 'th time[data-rel-ts]');
        t.id = 'probe';
        t.dataset.relTs = Date.now() - 3 * 3600e3 - 1000;""")
    b.wait("the new words", lambda: b.text("#probe") == "3 h ago")
    b.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument",
                             hook)


def test_no_page_of_these_complained(site, chromium):
    """M-501: and the script is small, plain and ours."""
    assert [e for e in chromium.errors() if "404" not in e] == []
    script = ROOT / "www/static/app.js"
    assert len(script.read_text().splitlines()) < 400
    assert not re.search(r"\b(import|require)\b", script.read_text())
