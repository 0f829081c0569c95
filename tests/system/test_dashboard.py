# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard over a made-up fleet: what it says, finds, sorts and starts."""
import contextlib
import csv
import html as html_module
import io
import os
import re
import signal
import urllib.parse

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import a11y
import lab as lab_module
from browser import Browser
from test_streams import Stream

FLEET = 240


@pytest.fixture(scope="module")
def fleet():
    """A controller with 240 hosts, signed in; .counts and .hosts say what
    was put in."""
    with lab_module.Lab() as bench:
        controller = bench.controller()
        controller.counts, controller.hosts = controller.seed(
            hosts=FLEET, jobs=3, snapshots=2, logs=5)
        controller.start().bootstrap()
        yield controller


def test_seed_is_the_fleet_that_was_asked_for(fleet):
    """M-313, M-404: /api/hosts has every host of the made-up fleet, with the
    counts that the program told."""
    items = fleet.client.ok("GET", "/api/hosts?per_page=500")["items"]
    assert [i["name"] for i in items] == sorted(h[3] for h in fleet.hosts)
    assert len(items) == fleet.counts["hosts"] == FLEET
    summary = fleet.client.ok("GET", "/api/fleet/summary")
    assert summary["hosts"]["total"] == FLEET
    assert summary["snapshots"] == fleet.counts["snapshots"]


def names(fleet, query):
    answer = fleet.client.ok("GET", f"/api/hosts?per_page=500&{query}")
    assert answer["total"] == len(answer["items"])
    return [i["name"] for i in answer["items"]]


def test_filters_of_the_list(fleet):
    """M-307, M-313, M-323: each word of the query, its exclusion, and the
    parameters of old links."""
    everybody = fleet.client.ok("GET", "/api/hosts?per_page=500")["items"]

    def want(fits):
        return [i["name"] for i in everybody if fits(i)]

    for query, fits in (
            ("q=web", lambda i: "web" in i["name"]),
            ("q=-web", lambda i: "web" not in i["name"]),
            ("q=tag:prod", lambda i: "prod" in i["tags"]),
            ("q=tag:prod+-tag:web", lambda i: "prod" in i["tags"] and
             "web" not in i["tags"]),
            ("q=tag:prod,lab", lambda i: {"prod", "lab"} & set(i["tags"])),
            ("q=os:windows", lambda i: i["os"] == "windows"),
            ("q=arch:arm64", lambda i: i["arch"] == "arm64"),
            ("q=state:failed", lambda i: i["state"] == "failed"),
            ("q=status:offline", lambda i: i["status"] == "offline"),
            ("q=repo:init_failed",
             lambda i: i["repo_status"] == "init_failed"),
            ("q=updates:behind", lambda i: i["update_available"] and
             i["status"] == "online"),
            ("status=offline&tag=prod", lambda i: i["status"] == "offline" and
             "prod" in i["tags"]),
            ("status=stale", lambda i: i["state"] == "stale"),
            ("repo_status=ready&updates=behind&q=db", lambda i:
             i["repo_status"] == "ready" and i["update_available"] and
             i["status"] == "online" and "db" in i["name"])):
        found = names(fleet, query)
        assert found == want(fits), query
        assert 0 < len(found) < FLEET, query


def test_states_are_those_that_were_put_in(fleet):
    """M-304, M-313: the summary counts what the list shows."""
    states = {h[0]: h[1] for h in fleet.hosts}
    items = fleet.client.ok("GET", "/api/hosts?per_page=500")["items"]
    assert {i["id"]: i["state"] for i in items} == states
    summary = fleet.client.ok("GET", "/api/fleet/summary")
    assert summary["states"] == {
        s: fleet.counts[s] for s in summary["states"]}


def test_order_and_pages_of_the_list(fleet):
    """M-307: sort and dir, numbered pages; a page past the end is empty."""
    order = ["stale", "never", "failed", "incomplete", "running", "new", "ok"]
    seen = []
    for page in (1, 2, 3, 4):
        answer = fleet.client.ok(
            "GET", f"/api/hosts?sort=attention&page={page}")
        assert (answer["total"], answer["page"], answer["per_page"]) == (
            FLEET, page, 100)
        seen += answer["items"]
    assert len({i["id"] for i in seen}) == len(seen) == FLEET
    places = [order.index(i["state"]) for i in seen]
    assert places == sorted(places)
    assert names(fleet, "dir=desc") == sorted(
        (h[3] for h in fleet.hosts), reverse=True)
    sizes = [i["repo_size_bytes"] for i in fleet.client.ok(
        "GET", "/api/hosts?sort=size&per_page=500")["items"]]
    assert sizes == sorted(sizes, reverse=True)


def test_a_filter_that_is_none_is_told(fleet):
    """M-307: never a 500; the sentence says what would do."""
    for query, says in (
            ("q=colour:red", "There is no filter colour:."),
            ("q=state:fine", "fine is nothing that state: can be"),
            ("q=tag:", "Nothing stands behind tag:."),
            ("q=%22web", "The quote before web is not closed."),
            ("q=" + "x" * 513, "longer than 512 bytes"),
            ("q=" + "a+" * 17, "more than 16 words"),
            ("q=" + "x" * 2000, "longer than 512 bytes"),
            ("sort=colour", "sort is attention, name, last or size"),
            ("dir=up", "dir asc or desc"),
            ("page=0", "page must be a number"),
            ("per_page=501", "per_page must be a number")):
        for path in ("/api/hosts", "/hosts.csv"):
            if "page" in query and path == "/hosts.csv":
                continue
            answer = fleet.client.get(f"{path}?{query}")
            assert answer.status == 422, (path, query)
            if path == "/api/hosts":
                assert says in answer.json()["message"], query


def test_csv(fleet):
    """M-307, M-313: the filter's hosts in the filter's order, all pages, and
    no cell that a spreadsheet would run."""
    answer = fleet.client.get("/hosts.csv?q=-state:ok&sort=name")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="hosts-\d{4}-\d\d-\d\d\.csv"',
        answer.headers["content-disposition"])
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    items = fleet.client.ok(
        "GET", "/api/hosts?q=-state:ok&per_page=500")["items"]
    assert [r["id"] for r in rows] == [i["id"] for i in items]
    for row, item in zip(rows, items):
        for key in ("name", "state", "status", "os", "repo_status",
                    "repo_url", "agent_version"):
            assert row[key] == item[key]
        assert row["tags"] == " ".join(item["tags"])
        assert int(row["repo_size_bytes"]) == item["repo_size_bytes"]
        assert row["last_backup_at"] == (item["last_backup_at"] or "")
    everything = fleet.client.get("/hosts.csv").text
    assert everything.count("\r\n") == FLEET + 1
    nothing = fleet.client.get("/hosts.csv?q=nothing-like-it").text
    assert nothing.count("\r\n") == 1


def test_csv_runs_no_formula(console):
    """M-307: what a host calls itself is no formula."""
    console.client.ok("POST", "/api/agents/enroll", {
        "token": console.mint("formula", "/srv"), "hostname": "formula",
        "os": "linux", "arch": "@SUM(1)",
        "agent_version": "=cmd|' /C calc'!A0"})
    rows = list(csv.DictReader(io.StringIO(
        console.client.get("/hosts.csv?q=formula").text)))
    assert rows[0]["agent_version"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["arch"] == "'@SUM(1)"


# ------------------------------------------------------------------ the page

def page(client, path="/"):
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status == 200, (path, answer.status)
    return answer.text


def rows(html):
    """Names in the order of the table."""
    return re.findall(r'class="go-to" href="/hosts/\w+">([^<]+)<', html)


def chip(html, word):
    """Link and count of a chip, and whether it is the current one."""
    found = re.search(
        r'<a class="chip" href="([^"]+)"( aria-current="true")?>(?:<svg[^>]*>'
        r'<use[^>]*/></svg>)?' + word + r' <span class="m">([^<]+)</span>', html)
    assert found, word
    link, current, count = found.groups()
    return html_module.unescape(link), int(count), bool(current)


def test_figures_are_those_of_the_fleet(fleet):
    """M-304, M-313: headline and tiles say what /api/fleet/summary says."""
    summary = fleet.client.ok("GET", "/api/fleet/summary")
    states, hosts = summary["states"], summary["hosts"]
    html = page(fleet.client)
    needy = sum(states[s] for s in ("stale", "never", "failed", "incomplete"))
    assert f"<h1>{needy} of {FLEET} hosts need attention</h1>" in html
    assert (f"{hosts['protected']} of {FLEET} hosts have a backup within the "
            "allowed age.") in html
    for title, value in (("Protected", hosts["protected"]),
                         ("Snapshots", summary["snapshots"]),
                         ("Running", states["running"])):
        assert f"<dt>{title}</dt><dd>{value}" in html, title
    assert re.search(r"<dt>Stored</dt><dd>\d+(\.\d+)? [TP]iB</dd>", html)
    behind = re.search(r'<div class="warn"><dt>Agents behind</dt><dd>'
                       r'<a href="([^"]+)">(\d+)', html)
    assert int(behind.group(2)) == hosts["behind"] > 0
    assert len(rows(page(fleet.client, behind.group(1)))) == hosts["behind"]
    jobs = summary["jobs_24h"]
    ran = re.search(r"<dt>Last 24 h</dt><dd>(\d+) <small class=\"mut\">runs,"
                    r"</small> (\d+) ", html)
    assert int(ran.group(2)) == jobs["failed"]
    assert int(ran.group(1)) == jobs["failed"] + jobs["succeeded"]


def test_chips_count_the_fleet_and_write_the_query(fleet):
    """M-307, M-323: a state or a tag is one click, the same click takes it
    back, the counts stay those of the whole fleet."""
    html = page(fleet.client)
    for state, word in (("failed", "Failed"), ("ok", "OK"),
                        ("stale", "Stale")):
        link, count, current = chip(html, word)
        assert (count, current) == (fleet.counts[state], False)
        narrowed = page(fleet.client, link)
        assert f"1–{min(count, 100)} of {count}" in narrowed
        back, again, current = chip(narrowed, word)
        assert (back, again, current) == ("/", count, True)
    link, count, _ = chip(html, "Offline")
    assert count == fleet.counts["offline"] == len(rows(page(
        fleet.client, link)))
    link, count, _ = chip(html, "prod")
    narrowed = page(fleet.client, link + "%20state:failed")
    assert chip(narrowed, "prod")[1] == count
    names_of = {i["name"] for i in fleet.client.ok(
        "GET", "/api/hosts?q=tag:prod+state:failed&per_page=500")["items"]}
    assert set(rows(narrowed)) == names_of
    assert chip(narrowed, "prod")[0] == "/?q=state:failed"
    assert chip(narrowed, "Failed")[0] == "/?q=tag:prod"


def test_order_headings_and_pages(fleet):
    """M-307: headings sort and turn round, pages are numbered, 100 hosts
    each, and every link keeps the rest of the address."""
    html = page(fleet.client)
    assert len(rows(html)) == 100 and "1–100 of 240" in html
    assert 'aria-sort="ascending"><a href="/?dir=desc">Backup</a>' in html
    assert rows(html) == [i["name"] for i in fleet.client.ok(
        "GET", "/api/hosts?sort=attention")["items"]]
    html = page(fleet.client, "/?q=-state:stale&sort=name&dir=desc&page=2")
    want = sorted((h[3] for h in fleet.hosts if h[1] != "stale"),
                  reverse=True)
    assert rows(html) == want[100:200]
    assert 'aria-sort="descending"' in html
    assert ('href="/?q=-state:stale&amp;sort=name&amp;dir=desc&amp;page=3"'
            in html)
    assert ('<a href="/?q=-state:stale&amp;sort=name">Host</a>' in html)
    assert 'href="/hosts.csv?q=-state:stale&amp;sort=name&amp;dir=desc"' in html
    last = page(fleet.client, "/?page=999")
    assert "201–240 of 240" in last and len(rows(last)) == 40


def test_old_links_and_bad_words(fleet):
    """M-307: the parameters of old links come back in the field; what is no
    filter is said, and nothing breaks."""
    html = page(fleet.client, "/?q=web&status=offline&repo_status=ready"
                "&tag=prod&updates=behind&sort=size")
    assert ('value="web status:offline repo:ready tag:prod updates:behind"'
            in html)
    html = page(fleet.client, "/?q=colour:red+state:failed")
    assert "There is no filter colour:." in html
    assert 'aria-invalid="true"' in html
    assert len(rows(html)) == fleet.counts["failed"]
    html = page(fleet.client, "/?q=nothing-like-it")
    assert "No host fits this filter." in html and rows(html) == []
    assert '<a class="btn" href="/">Clear the filter</a>' in html
    for query in ("q=" + "x" * 3000, "q=%22", "q=-", "q=tag:,", "sort=<b>",
                  "dir=up", "page=-1", "page=99999999999999999999", "q=%00",
                  "q=%FF", "q=" + "%3Cscript%3E" * 30, "q=" + "a+" * 200):
        answer = fleet.client.get("/?" + query,
                                  headers={"Accept": "text/html"})
        assert answer.status in (200, 400), query
        assert "<script>" not in answer.text


def test_each_row_says_why(fleet):
    """M-305, M-306: state, reason, edge and strip of each kind of host."""
    html = page(fleet.client)
    for ident, state, online, name in fleet.hosts:
        row = re.search(rf'<tr role="row" id="host-{ident}".*?</tr>', html,
                        re.S)
        if row is None:
            continue
        row = row.group(0)
        assert name in row and 'aria-label="Last 30 days: ' in row
        assert ('aria-label="Online"' in row) == (online == "online")
        edge = re.match(r'[^>]*class="edge (\w+)"', row)
        # One that comes and goes is asleep, and that is in order.
        away = online == "offline" and "#s-asleep" not in row
        want = {"stale": "bad", "never": "bad", "failed": "bad",
                "incomplete": "warn"}.get(state, "warn" if away else None)
        assert (edge.group(1) if edge else None) == want, (name, state)
        says = {"stale": "allowed 26 h", "never": "Repository not ready",
                "incomplete": "could not be read", "new": "Enrolled ",
                "running": ">View →</a>", "ok": " added"}
        assert says.get(state, "") in row, (name, state)
    assert re.search(r"[2-5] in a row", html)


def test_density_and_theme_without_scripts(fleet):
    """design.md, 3: compact rows and the theme are the browser's own choice,
    kept in cookies; the form leads back to where it was."""
    client = lab_module.Client(fleet.port)
    client.cookie = fleet.client.cookie
    html = page(client)
    assert "data-density" not in html and "Compact rows" in html
    csrf = re.search(r'name="csrf" value="([^"]+)"', html).group(1)

    def choose(back, **fields):
        body = urllib.parse.urlencode({"csrf": csrf, **fields})
        return client.post("/appearance", body, headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "text/html", "Referer": back})

    answer = choose(fleet.url + "/?q=web&page=2", density="compact")
    assert answer.status == 303
    assert answer.headers["location"] == "/?q=web&page=2"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("rm_density=compact; Path=/; Max-Age=31536000; "
                             "SameSite=Lax")
    session = client.cookie
    client.cookie = session + "; rm_density=compact; rm_theme=dark"
    html = page(client)
    assert 'data-theme="dark" data-density="compact"' in html
    assert "Roomy rows" in html
    assert choose(fleet.url, theme="toggle").headers["set-cookie"].startswith(
        "rm_theme=light;")
    for elsewhere in ("https://evil.example//evil.example/x", "javascript:x",
                      "https://evil.example/\\evil.example", "", "//evil/x"):
        location = choose(elsewhere, density="normal").headers["location"]
        assert location.startswith("/") and "evil" not in location[:7]
        assert location[1:2] not in ("/", "\\")


def test_without_the_renderer(fleet):
    """A page that cannot be drawn says so and when to come back; lists and
    CSV go on, and so does the page once it can be drawn."""
    pid = fleet.renderer_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = fleet.client.get("/?q=tag:prod",
                                  headers={"Accept": "text/html"})
    finally:
        # The controller ends one that does not answer, and starts another.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert answer.status == 503 and answer.headers["retry-after"] == "5"
    assert "Pages are not available at the moment" in answer.text
    assert fleet.client.get("/hosts.csv?q=tag:prod").status == 200
    lab_module.wait_for("the page", lambda: fleet.client.get(
        "/?q=tag:prod", headers={"Accept": "text/html"}).status == 200)


def test_no_hosts_yet(console):
    """M-312: what to do first, with the button, the install command and the
    word that restic has to be there; the first host brings the table."""
    html = page(console.client)
    assert "<h1>No hosts yet</h1>" in html
    assert 'class="btn pri" href="/hosts/new"' in html
    assert "restic must be installed already." in html
    command = re.search(r"curl -fsSL .*? bash", html_module.unescape(
        re.sub(r"<[^>]+>", "", html)))
    assert f"{console.url}/install/install.sh" in command.group(0)
    assert f"RM_SERVER={console.url}" in command.group(0)
    assert re.search(r"RM_PIN=[0-9a-f]{64} ", command.group(0))
    assert 'class="hosts' not in html
    console.client.ok("POST", "/api/agents/enroll", {
        "token": console.mint("first", "/srv"), "hostname": "first",
        "os": "linux", "arch": "amd64"})
    html = page(console.client)
    assert rows(html) == ["first"] and "No hosts yet" not in html
    assert "<h1>No host needs attention</h1>" in html


# ------------------------------------------------------------- many at once

@pytest.fixture(scope="module")
def live():
    """Three hosts: two with an agent and a pretend restic, one offline."""
    with lab_module.Lab() as bench:
        controller = bench.controller().start()
        controller.bootstrap()
        restic = lab_module.ROOT / "tests/fake/restic"
        controller.a = bench.host(controller, name="a-01", restic=restic)
        source = bench.sources("slow")
        (source / ".pretend").write_text("lines=4000 delay_ms=50")
        controller.b = bench.host(controller, name="b-01", restic=restic,
                                  paths=[source])
        controller.away = controller.client.ok("POST", "/api/agents/enroll", {
            "token": controller.mint("away", "/srv"), "hostname": "away",
            "os": "linux", "arch": "amd64"})["host_id"]
        yield controller


def test_many_hosts_are_backed_up_at_once(live):
    """M-310, W-05: one request, one commit, an answer for every host: what
    was started, what waits, for a host that is offline too, what cannot be."""
    unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    ids = [live.a.host_id, live.b.host_id, live.away, unknown, live.a.host_id]
    answer = live.client.post("/api/hosts/run", {"host_ids": ids})
    assert answer.status == 202
    said = answer.json()
    assert [j["host_id"] for j in said["started"]] == ids[:2]
    assert [j["host_id"] for j in said["waiting"]] == [live.away]
    assert said["offline"] == [live.away]
    assert said["refused"] == [{"host_id": unknown,
                                "message": "there is no host with this id"}]
    slow = said["started"][1]["job_id"]
    lab_module.wait_for("the slow one", lambda: live.job(slow)["status"] ==
                        "running")
    first = live.client.ok("POST", "/api/hosts/run",
                           {"host_ids": [live.b.host_id]})
    again = live.client.ok("POST", "/api/hosts/run",
                           {"host_ids": [live.b.host_id]})
    assert first["started"][0]["job_id"] == again["waiting"][0]["job_id"]
    for body in ({"host_ids": []}, {"host_ids": ["x"]}, {},
                 {"host_ids": [unknown] * 101}, {"host_ids": "x"}):
        assert live.client.post("/api/hosts/run", body).status == 422, body
    # Nothing piles up.
    assert live.client.ok("POST", "/api/hosts/run", {
        "host_ids": [live.away]})["waiting"] == said["waiting"]
    for job in (first["started"][0]["job_id"], slow):
        live.client.post(f"/api/jobs/{job}/cancel")
        live.wait_job(job)
    live.wait_job(said["started"][0]["job_id"])


def test_ticked_rows_without_scripts(live):
    """M-309, M-310: the form's ticks, the button of one row, and what came of
    it on the page the form was on."""
    client = live.client
    csrf = re.search(r'name="csrf" value="([^"]+)"', page(client)).group(1)

    def press(*fields, back="/?q=-01&started=9&sort=name"):
        return client.post("/hosts/run", urllib.parse.urlencode(
            [("csrf", csrf), *fields]), headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "text/html", "Referer": live.url + back})

    press((f"host-{live.away}", 1))  # waits from now on
    answer = press((f"host-{live.a.host_id}", 1), (f"host-{live.away}", 1))
    assert answer.status == 303
    assert answer.headers["location"] == (
        f"/?q=-01&sort=name&started=1&waiting=1&offline={live.away}")
    html = page(client, answer.headers["location"])
    assert "1 backup started." in html
    assert "Offline, waiting up to a day for them to return: away." in html
    answer = press(("run", live.a.host_id), (f"host-{live.b.host_id}", 1))
    assert re.fullmatch(r"/jobs/\w{26}", answer.headers["location"])
    job = client.ok("GET", "/api" + answer.headers["location"])
    assert job["host_id"] == live.a.host_id
    live.wait_job(job["id"])
    answer = press()
    assert answer.headers["location"].endswith("?q=-01&sort=name&ticked=0")
    assert "No host was ticked." in page(client, answer.headers["location"])


def test_only_the_rows_on_show_are_sent(live):
    """design.md, 8: a row that the browser does not show is not sent; one
    that comes back after a pause gets all of it."""
    mine = Stream(live, f"/events?page=dashboard&rows={live.a.host_id}")
    other = Stream(live, f"/events?page=dashboard&rows={live.away}")
    job = live.run_group(live.a.host_id)
    live.wait_job(job)
    lab_module.wait_for("the row", lambda: any(
        'data-live="host.row"' in d for _, d, _ in mine.of("fragment")))
    assert not any(live.a.host_id in d for _, d, _ in other.of("fragment"))
    again = Stream(live, f"/events?page=dashboard&again=1&rows={live.away}")
    lab_module.wait_for("every region", lambda: {
        d.split('data-live="', 1)[1].split('"', 1)[0]
        for _, d, _ in again.of("fragment")} >= {
            "fleet.headline", "fleet.stats", "hosts", "host.row"})
    for stream in (mine, other, again):
        stream.close()


# -------------------------------------------------------- in a real browser

@pytest.fixture(scope="module")
def chromium(live):
    b = Browser(live.url)
    b.open("/login")
    b.fill("#login-username", "admin")
    b.fill("#login-password", lab_module.PASSWORD)
    b.go('form[action="/login"] button[type="submit"]')
    yield b
    b.close()


def state_of(b, host):
    return b.driver.execute_script(
        "return document.querySelector(arguments[0])?.textContent",
        f"#host-{host} .c-st")


def order(b):
    return [r.removeprefix("host-") for r in b.driver.execute_script(
        "return Array.from(document.querySelectorAll('.hosts tbody tr'),"
        " r => r.id)")]


def press(b, *keys):
    chain = ActionChains(b.driver)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


def test_keys_tick_and_open_rows(live, chromium):
    """design.md, 9: / to search, j and k between rows, Space ticks, the bar
    says how many, Enter opens; every row has a name, nothing is unnamed."""
    b = chromium
    b.open("/?sort=name")
    assert order(b) == [live.a.host_id, live.away, live.b.host_id]
    press(b, "j", " ", "j", " ", "k")
    b.wait("the bar", lambda: b.driver.execute_script(
        "return document.querySelector('[data-selected]').textContent") ==
        "2 selected")
    assert b.driver.execute_script(
        "return getComputedStyle(document.querySelector('.bulk')).display"
    ) == "flex"
    assert a11y.violations(b) == []
    b.click("[data-all]")
    b.click("[data-all]")
    assert b.driver.execute_script(
        "return document.querySelectorAll('tbody .ck :checked').length") == 0
    press(b, "j")
    press(b, Keys.ENTER)
    b.wait("the host", lambda: b.path() == "/hosts/" + live.a.host_id)


def test_rows_stay_where_they_are(live, chromium):
    """design.md, 8: a host that runs is renewed in its place, ticks and all;
    a sentence says that others would stand there now, and leads there."""
    b = chromium
    b.open("/")
    before = order(b)
    assert before[0] != live.b.host_id or before[1] != live.a.host_id
    quick, slow = live.a.host_id, live.b.host_id
    b.driver.execute_script(
        "document.querySelector(arguments[0]).click()",
        f"#host-{slow} .ck input")
    job = live.run_group(slow)
    b.wait("the running row", lambda: "Running" in state_of(b, slow))
    b.wait("the sentence", lambda: "changed, refresh" in b.driver.execute_script(
        "return document.querySelector('[data-live=hosts]').textContent"))
    assert order(b) == before
    assert b.driver.execute_script(
        "return document.querySelector(arguments[0]).checked",
        f"#host-{slow} .ck input")
    b.driver.execute_script(
        "document.querySelector('[data-live=hosts] a').click()")
    b.wait("the new order", lambda: order(b) != before and
           "Running" in state_of(b, slow))
    assert order(b).index(slow) < order(b).index(quick)
    live.client.post(f"/api/jobs/{job}/cancel")
    live.wait_job(job)


def test_a_hidden_tab_gets_nothing(live, chromium):
    """M-308, design.md, 8: a tab that nobody sees has no stream; seen again,
    it has all that happened meanwhile."""
    b = chromium
    b.open("/")
    first = b.driver.current_window_handle
    hide = """
      Object.defineProperty(document, 'hidden', {configurable: true,
                                                 get: () => arguments[0]});
      document.dispatchEvent(new Event('visibilitychange'));"""
    b.wait("the stream", lambda: "Live" in b.text("[data-stream]"))
    hide = hide.replace("() => arguments[0]", "() => window.unseen")
    b.driver.execute_script("window.unseen = true;" + hide)
    job = live.run_group(live.b.host_id)
    lab_module.wait_for("the run", lambda: live.job(job)["status"] ==
                        "running")
    seen = Stream(live, "/events?page=dashboard&rows=" + live.b.host_id)
    lab_module.wait_for("what others see", lambda: any(
        "Running" in d for _, d, _ in seen.of("fragment")))
    seen.close()
    assert "Running" not in state_of(b, live.b.host_id)
    b.driver.execute_script("window.unseen = false;" + hide)
    b.wait("what happened", lambda: "Running" in state_of(
        b, live.b.host_id))
    assert b.driver.current_window_handle == first
    live.client.post(f"/api/jobs/{job}/cancel")
    live.wait_job(job)


def test_looks_of_the_dashboard(fleet):
    """M-310, design.md, 10 and 11: wide and narrow, light and dark, compact,
    a bad filter: nothing unnamed, nothing sideways, no complaint."""
    b = Browser(fleet.url)

    def look(width, scheme):
        b.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 1000, "deviceScaleFactor": 1,
            "mobile": False})
        b.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}]})
        assert a11y.violations(b) == [], (b.path(), width, scheme)
        assert b.sideways() == 0, (b.path(), width)

    try:
        b.open("/login")
        b.fill("#login-username", "admin")
        b.fill("#login-password", lab_module.PASSWORD)
        b.go('form[action="/login"] button[type="submit"]')
        for path in ("/?q=tag:web+-state:ok", "/?q=state:fine+nothing",
                     "/?q=nothing-like-it&started=2&ticked=0"):
            b.open(path)
            look(1440, "light")
            look(390, "dark")
            look(320, "light")
        b.open("/?q=tag:web+-state:ok&sort=size&dir=asc")
        look(1440, "dark")
        b.go("[name=density]")
        assert b.path().endswith("&sort=size&dir=asc")
        assert b.driver.execute_script(
            "return document.documentElement.dataset.density") == "compact"
        look(1440, "dark")
        assert b.errors() == []
    finally:
        b.close()
