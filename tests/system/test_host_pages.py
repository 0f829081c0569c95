# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of one host: head, tabs, tags, repository, danger zone.  One
console with a few hosts; the tests run in order."""
import html
import re
import urllib.parse

import pytest

import lab as lab_module
from lab import ROOT, Client, wait_for
from web import Browser

FAKE = ROOT / "tests/fake/restic"


class Site:
    def __init__(self, lab):
        self.lab = lab
        self.console = lab.controller().start()
        self.console.bootstrap()
        self.browser = Browser(self.console.port)
        self.browser.sign_in()
        self.agent = lab.host(self.console, restic=FAKE, tags=["prod"],
                              repo_password="first password")
        self.path = f"/hosts/{self.agent.host_id}"
        self.api = f"/api{self.path}"

    def host(self):
        return self.console.host(self.agent.host_id)

    def text(self, path=""):
        return html.unescape(self.browser.get(self.path + path).text)

    def send(self, path, **fields):
        return self.browser.send(self.path + "/repo", self.path + path,
                                 **fields)

    def ready(self):
        wait_for("the init", lambda: self.console.job(
            self.host()["init_job_id"])["status"] == "succeeded", 30)
        return self.console.wait_ready(self.agent.host_id)

    def audit(self, action):
        """Rows of the audit log are in the database in clear, on as many
        pages as it has versions."""
        return action.encode() in (
            self.console.data / "db/state/data.mdb").read_bytes()


@pytest.fixture(name="site", scope="module")
def fixture_site():
    with lab_module.Lab() as lab:
        yield Site(lab)


# ------------------------------------------------------------------- head


def test_the_head_tells_who_and_how(site):
    """M-314, M-315: name, connection, system, versions, last seen, tags; tabs
    that are links; a day is a link to its jobs."""
    site.console.wait_job(site.console.run_group(site.agent.host_id))
    text = site.text()
    facts = re.search(r'<p class="facts".*?</p>', text, re.S).group()
    for word in ("Online", "linux/", "agent <b", "restic <b", "seen <time",
                 "enrolled ", '<span class="tag">prod</span>'):
        assert word in facts, word
    days = re.search(r'<ol class="days".*?</ol>', text, re.S).group()
    links = re.findall(rf'href="{site.path}/jobs\?day=(\d{{4}}-\d\d-\d\d)"',
                       days)
    assert len(links) == 30 and links == sorted(links)
    # Midnight may have passed since its first job.
    latest = [site.browser.get(f"{site.path}/jobs?day={day}").text
              for day in links[-2:]]
    assert sum(text.count('class="go"') for text in latest) == 2
    empty = site.browser.get(f"{site.path}/jobs?day={links[0]}").text
    assert empty.count('class="go"') == 0 and "No job on" in empty


# ------------------------------------------------------------------- tags


def test_tags_are_edited_by_form_and_json(site):
    """M-322, M-429: labelled button, help, the rules of the mint, audited."""
    text = site.text()
    assert ">Edit tags</summary>" in text and 'id="host-tags-hint"' in text
    answer = site.send("/tags", tags="prod, db  db,web-1")
    assert answer.status == 303
    assert answer.headers["Location"] == site.path + "?saved=tags"
    assert "Tags saved" in site.text("?saved=tags")
    assert site.host()["tags"] == ["prod", "db", "web-1"]
    assert site.console.client.ok("PUT", site.api + "/tags", {
        "tags": ["db", "prod"]}) == {"tags": ["db", "prod"]}
    assert site.audit("host.tags_updated")
    assert site.send("/tags", tags=" ,").status == 303
    assert site.host()["tags"] == []


def test_bad_tags_are_refused_with_what_was_typed(site):
    """M-320"""
    before = site.host()["tags"]
    for bad in ("a b/c", "-x", "x" * 65, ",".join(map(str, range(33)))):
        answer = site.send("/tags", tags=bad)
        assert answer.status == 422
        text = html.unescape(answer.text)
        assert f'value="{bad}"' in text and 'id="host-tags-error"' in text
        refused = site.console.client.request(
            "PUT", site.api + "/tags", {"tags": bad.split(",")})
        assert refused.status == 422 and refused.json()["code"] == "invalid"
    assert site.host()["tags"] == before
    nobody = "/api/hosts/01ARZ3NDEKTSV4RRFFQ69G5FAV/tags"
    assert site.console.client.request("PUT", nobody, {"tags": []}).status \
        == 404
    assert Client(site.console.port).request(
        "PUT", site.api + "/tags", {"tags": []}).status == 401


# ------------------------------------------------------------- repository


def field(text, name):
    return re.search(rf'<input[^>]*name="{name}"[^>]*>', text).group()


def test_the_connection_form_never_shows_the_password(site):
    """M-318, M-202"""
    text = site.text("/repo")
    host = site.host()
    assert f'value="{host["repo_url"]}"' in field(text, "repo_url")
    assert 'value="web-1"' in field(text, "repo_username")
    password = field(text, "repo_password")
    assert "value=" not in password and "required" not in password
    assert "placeholder=" in password and "first password" not in text


def test_saving_the_connection_tries_it(site):
    """M-241, M-317, M-416: a blank password keeps the stored one."""
    before = site.host()
    answer = site.send("/repo/credentials", repo_username="ann",
                       repo_password="",
                       repo_url=str(site.lab.path / "repo-two"))
    assert answer.status == 303
    assert answer.headers["Location"] == site.path + "/repo?saved=connection"
    assert "Connection saved" in site.text("/repo?saved=connection")
    after = site.ready()
    assert after["repo_username"] == "ann"
    assert after["init_job_id"] != before["init_job_id"]
    assert (site.lab.path / "repo-two/config").exists()
    # an empty user name in the form is none
    assert site.send("/repo/credentials", repo_username="",
                     repo_url=after["repo_url"]).status == 303
    assert site.ready()["repo_username"] == ""


def test_the_stored_password_is_not_sent_to_another_server(site):
    """Overrules M-202 for this case: form and JSON ask for it anew."""
    before = site.host()
    evil = "rest:http://127.0.0.1:9/steal/"
    answer = site.send("/repo/credentials", repo_url=evil,
                       repo_username="bob", repo_password="")
    assert answer.status == 422
    text = html.unescape(answer.text)
    assert f'value="{evil}"' in field(text, "repo_url")
    assert 'value="bob"' in field(text, "repo_username")
    assert 'aria-invalid="true"' in field(text, "repo_password")
    assert "another server" in text
    refused = site.console.client.request(
        "PUT", site.api + "/repo-credentials", {"repo_url": evil})
    assert refused.status == 422
    assert refused.json()["code"] == "password_required"
    assert site.host()["config_version"] == before["config_version"]
    assert site.host()["repo_url"] == before["repo_url"]


def test_a_refused_form_keeps_what_was_typed_and_leaves_the_others(site):
    """M-317, M-320: a password in the URL comes back without it."""
    answer = site.send("/repo/credentials", repo_username="x\ty",
                       repo_url="/srv/x")
    assert answer.status == 422
    assert 'id="repo-username-error"' in answer.text
    assert 'id="c-reinit-error"' not in answer.text
    answer = site.send("/repo/credentials", repo_password="canary-7",
                       repo_url="rest:https://ann:canary-8@vault/x")
    assert answer.status == 422 and "canary" not in answer.text
    assert 'value="rest:https://vault/x"' in answer.text
    answer = site.send("/repo/reinit", confirm="web-2")
    assert answer.status == 422
    assert 'value="web-2"' in answer.text
    assert 'id="c-reinit-error"' in answer.text
    assert 'id="repo-url-error"' not in answer.text


def test_the_repository_is_tried_on_demand_only(site):
    """M-241, M-243, M-426: what failed stays so until somebody asks."""
    folder = site.lab.path / "broken"
    folder.write_text("a file, no folder")
    before = site.host()["init_job_id"]
    assert site.send("/repo/credentials",
                     repo_url=str(folder / "repo")).status == 303
    failed = wait_for("init to fail", lambda: (
        lambda h: h if h["repo_status"] == "init_failed" else None)(
            site.host()), 30)
    text = site.text("/repo")
    assert "Not ready" in text and "see log" in text
    assert "The repository could not be prepared" in text
    assert f'action="{site.path}/repo/probe"' in text
    site.agent.stop()
    site.agent.start()
    wait_for("the agent", lambda: site.host()["status"] == "online")
    assert site.host()["init_job_id"] == failed["init_job_id"] != before
    folder.unlink()
    answer = site.send("/repo/probe")
    assert answer.status == 303
    assert "is being tried" in html.unescape(
        site.browser.get(answer.headers["Location"]).text)
    assert site.ready()["init_job_id"] != failed["init_job_id"]
    assert site.audit("host.repo_probe")
    job = site.console.client.post(site.api + "/repo/probe")
    assert job.status == 202 and job.json()["job_url"].startswith("/jobs/")
    site.ready()


def test_an_initialisation_anew_needs_the_name(site):
    """M-242, M-426"""
    for body in ({}, {"confirm": 1}):
        assert site.console.client.post(
            site.api + "/repo/reinit", body).status == 422
    answer = site.console.client.post(site.api + "/repo/reinit",
                                      {"confirm": "WEB-1"})
    assert answer.status == 422
    assert answer.json()["code"] == "confirm_mismatch"
    assert not site.audit("host.repo_reinit")
    before = site.host()["init_job_id"]
    assert site.send("/repo/reinit", confirm="web-1").status == 303
    assert site.ready()["init_job_id"] != before
    assert site.audit("host.repo_reinit")


def test_a_second_click_gives_the_job_that_waits(site):
    """One that waits is given again; a host away is said so, with 503."""
    busy = site.lab.sources("busy")
    (busy / ".pretend").write_text("lines=40000 delay_ms=50")
    agent = site.lab.host(site.console, name="web-2", restic=FAKE,
                          paths=[busy])
    run = site.console.run_group(agent.host_id)
    wait_for("its start", lambda: site.console.job(run)["status"] == "running")
    path = f"/api/hosts/{agent.host_id}/repo/probe"
    one, two = (site.console.client.post(path) for _ in range(2))
    assert (one.status, two.status) == (202, 200)
    assert one.json() == two.json()
    assert "Waiting to be tried" in site.browser.get(
        f"/hosts/{agent.host_id}/repo").text
    site.console.client.post(f"/api/jobs/{run}/cancel")
    site.console.wait_job(run)
    site.console.wait_job(one.json()["job_id"])
    site.busy = agent


def test_a_role_is_offered_what_it_may(site):
    """M-402, M-314: a viewer sees the repository and no form, an operator all
    but the deletion of the host."""
    seen = {}
    for role in ("viewer", "operator"):
        token = site.console.client.ok("POST", "/api/tokens", {
            "name": role, "role": role, "expires_in_days": 1})["token"]
        answer = Client(site.console.port).get(site.path + "/repo", headers={
            "Authorization": f"Bearer {token}", "Accept": "text/html"})
        assert answer.status == 200
        seen[role] = re.findall(rf'action="{site.path}(/[^"]*)"', answer.text)
        refused = Client(site.console.port).request(
            "DELETE", site.api, {"confirm": "web-1"},
            {"Authorization": f"Bearer {token}"})
        assert refused.status == 403
    assert seen["viewer"] == []
    assert {"/tags", "/repo/credentials", "/repo/probe",
            "/repo/reinit"} <= set(seen["operator"])
    assert "/delete" not in seen["operator"]
    assert f'action="{site.path}/delete"' in site.text("/repo")


def test_a_link_cannot_put_words_on_the_page(site):
    """Only known sections are confirmed."""
    for word in ("<script>", "Host deleted", "connection2"):
        query = urllib.parse.urlencode({"saved": word})
        text = site.browser.get(f"{site.path}/repo?{query}").text
        assert 'role="status"' not in text
    assert site.browser.get("/hosts/nowhere/repo").status == 404


# ----------------------------------------------------------------- paging


@pytest.fixture(name="old", scope="module")
def fixture_old():
    """A console with a host that has a long history."""
    with lab_module.Lab() as lab:
        console = lab.controller()
        _, hosts = console.seed(hosts=9, jobs=3, snapshots=120, history=10500)
        console.start().bootstrap()
        console.path = f"/hosts/{hosts[0][0]}"
        console.away = next(h for h in hosts if h[2] == "offline")
        yield console


def pages(text):
    nav = re.search(r'<nav class="pager".*?</nav>', text, re.S)
    return re.findall(r'href="([^"]*)"', html.unescape(nav.group()))


def test_jobs_are_paged_and_filtered(old):
    """M-314, W-26: numbered pages, filters that stay in every link, and a
    bound that is told."""
    first = old.client.get(old.path + "/jobs").text
    assert first.count('class="go"') == 50
    assert "more than 10\u2009000" in first
    assert "Looked at back to" in first
    links = pages(first)
    assert links[0] == f"{old.path}/jobs?page=1"
    assert links[-1] == f"{old.path}/jobs?page=200"
    deep = old.client.get(links[-1])
    assert deep.status == 200 and deep.text.count('class="go"') == 50
    beyond = old.client.get(f"{old.path}/jobs?page=99999").text
    assert 'aria-current="page">200</a>' in beyond
    query = "q=default&state=failed&kind=backup&"
    failed = html.unescape(old.client.get(
        f"{old.path}/jobs?{query}").text)
    rows = re.findall(r'<tr role="row" class="go".*?</tr>', failed, re.S)
    assert len(rows) == 50
    assert all(">Failed</span>" in r and "default" in r for r in rows)
    assert all(link.startswith(f"{old.path}/jobs?{query}page=")
               for link in pages(failed))
    assert 'value="default"' in failed
    assert '<option value="backup" selected>' in failed
    assert 'name="state" value="failed"' in failed
    none = old.client.get(f"{old.path}/jobs?kind=prune").text
    assert "No job fits these filters" in none
    for odd in ("state=odd", "kind=odd", "day=2026-99-99", "page=0",
                "page=x", "q=%00", "day=%3Cscript%3E"):
        assert old.client.get(f"{old.path}/jobs?{odd}").status == 200


def test_jobs_of_a_host_over_json(old):
    """M-406: the same filters, pages of any size, the old way on."""
    api = f"/api{old.path}/jobs"
    plain = old.client.ok("GET", api)
    assert len(plain["items"]) == 100 and plain["more"]
    two = old.client.ok("GET", f"{api}?page=2&per_page=30")
    assert (two["page"], two["per_page"]) == (2, 30)
    assert [j["id"] for j in two["items"]] == [
        j["id"] for j in plain["items"][30:60]]
    on = old.client.ok("GET", f"{api}?before={plain['items'][99]['id']}")
    assert len(on["items"]) == 100
    assert on["items"][0]["id"] < plain["items"][99]["id"]
    bad = old.client.ok("GET", f"{api}?state=failed&per_page=500")
    assert {j["status"] for j in bad["items"]} == {"failed"}
    day = plain["items"][-1]["created_at"][:10]
    some = old.client.ok("GET", f"{api}?until={day}T00:00:00Z&per_page=5")
    assert all(j["created_at"] < day for j in some["items"])
    for query in ("page=0", "per_page=501", "state=odd", "kind=odd"):
        assert old.client.get(f"{api}?{query}").status == 422, query
    assert old.client.get(
        "/api/hosts/01ARZ3NDEKTSV4RRFFQ69G5FAV/jobs").status == 404


def test_snapshots_are_paged(old):
    """M-229, M-230, M-231, W-26: 50 a page, newest first, the same list over
    JSON."""
    listed = old.client.ok("GET", f"/api{old.path}/snapshots")
    assert listed["total"] == len(listed["items"]) == 120
    assert listed["refreshed_at"]
    times = [s["time"] for s in listed["items"]]
    assert times == sorted(times, reverse=True)
    page = old.client.ok("GET",
                         f"/api{old.path}/snapshots?page=3&per_page=50")
    assert [s["id"] for s in page["items"]] == [
        s["id"] for s in listed["items"][100:]]
    assert (page["total"], page["page"], page["per_page"]) == (120, 3, 50)
    assert old.client.get(
        f"/api{old.path}/snapshots?per_page=501").status == 422
    last = old.client.get(old.path + "?page=3").text
    assert last.count('id="snapshot-') == 20
    assert listed["items"][-1]["short_id"] in last
    assert pages(last)[-1] == old.path + "?page=3"


def test_snapshots_are_told_by_tag(old):
    """M-233: on the tab Repository; without any it says so."""
    text = old.client.get(old.path + "/repo").text
    aside = text[text.index('id="by-tag"'):]
    listed = old.client.ok("GET", f"/api{old.path}/snapshots")["items"]
    tags = {t for s in listed for t in s["tags"]}
    for tag in tags:
        n = sum(tag in s["tags"] for s in listed)
        assert re.search(rf'class="tag">{tag}</span></dt>'
                         rf'<dd class="m">{n}</dd>', aside)
    assert tags and "left alone" in aside


def test_a_host_that_is_away_is_not_tried(old):
    """M-241, M-242: 503, nothing is queued, and the form keeps its word; the
    page does not offer it."""
    path = f"/hosts/{old.away[0]}"
    browser = Browser(old.port)
    browser.sign_in()
    for action, body in (("probe", {}), ("reinit", {"confirm": old.away[3]})):
        answer = old.client.post(f"/api{path}/repo/{action}", body)
        assert answer.status == 503
        assert answer.json()["code"] == "host_offline"
        form = browser.send(path + "/repo", f"{path}/repo/{action}", **body)
        assert form.status == 503 and 'role="alert"' in form.text
        assert "is offline" in form.text
    wrong = old.client.post(f"/api{path}/repo/reinit", {"confirm": "x"})
    assert wrong.status == 422
    assert "init" not in {j["kind"] for j in old.client.ok(
        "GET", f"/api{path}/jobs")["items"] if j["status"] == "queued"}
    page = browser.get(path + "/repo").text
    assert f'action="{path}/repo/probe"' not in page
    assert "when the host is connected" in page


def test_the_banner_has_the_way_out(old):
    """M-243, M-314: the cause in words and the one button that helps with it;
    where another connection is needed, the way there."""
    seen = set()
    for host in old.client.ok("GET", "/api/hosts?per_page=500")["items"]:
        page = old.client.get(f"/hosts/{host['id']}").text
        begin = page.index('data-live="host.banner"')
        banner = page[begin:page.index('<div class="panel">', begin)]
        helps = (banner.count("<form") + banner.count('<a class="btn"'))
        assert helps <= 1
        if host["repo_status"] == "init_failed":
            seen.add("init_failed")
            assert "could not be prepared" in banner
            assert html.escape(host["repo_status_error"][:20]) in banner
        elif host["last_backup_status"] == "failed":
            seen.add("failed")
            assert "The last backup" in banner
    assert seen == {"init_failed", "failed"}
