# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages about jobs over a made-up fleet: lists, filters, paging."""
import json
import re
import subprocess

import pytest

import lab as lab_module
from lab import BIN, PASSWORD, Client

HOSTS, RUNS = 40, 30
LINES = 1000000
WINDOW = 500


class Fleet:
    """A controller on a data directory that tests/tools/seed has filled."""

    def __init__(self, bench):
        self.console = bench.controller()
        out = subprocess.run(
            [BIN / "seed", "--hosts", str(HOSTS), "--jobs", str(RUNS),
             "--snapshots", "5", "--logs", "1", "--lines",
             str(LINES), self.console.data],
            check=True, capture_output=True, text=True, timeout=60).stdout
        self.count = json.loads(out)
        self.console.start()
        self.console.bootstrap()
        self.client = self.console.client

    def jobs(self, query=""):
        return self.client.ok("GET", f"/api/jobs{query}")

    def page(self, query=""):
        answer = self.client.get(f"/jobs{query}")
        assert answer.status == 200, answer.body[:300]
        return answer.text


@pytest.fixture(name="fleet", scope="module")
def fixture_fleet():
    with lab_module.Lab() as bench:
        yield Fleet(bench)


def rows(html):
    return re.findall(r'id="job-([0-9A-Z]{26})"', html)


def test_every_job_is_on_one_page_of_the_list(fleet):
    """W-26: lists have pages, and the pages have every job once."""
    first = fleet.jobs("?per_page=500")
    assert (first["total"], first["more"]) == (fleet.count["jobs"], False)
    seen, page = [], 1
    while len(seen) < first["total"]:
        answer = fleet.jobs(f"?per_page=500&page={page}")
        assert answer["page"] == page and answer["items"]
        seen += [j["id"] for j in answer["items"]]
        page += 1
    assert len(set(seen)) == len(seen) == first["total"]
    assert seen == sorted(seen, reverse=True)
    assert fleet.jobs(f"?per_page=500&page={page}")["items"] == []


def test_filters_of_the_api_agree_with_the_jobs(fleet):
    """M-407: each filter alone and together, by what the jobs themselves
    say."""
    everything = []
    for page in range(1, 4):
        everything += fleet.jobs(f"?per_page=500&page={page}")["items"]
    host = everything[0]["host_id"]
    middle = everything[len(everything) // 2]["created_at"]
    for query, fits in (
            ("state=failed", lambda j: j["status"] == "failed"),
            ("state=succeeded", lambda j: j["status"] == "succeeded"),
            ("state=incomplete", lambda j: j["incomplete"]),
            ("state=running", lambda j: j["status"] == "running"),
            ("kind=init", lambda j: j["kind"] == "init"),
            (f"host={host}", lambda j: j["host_id"] == host),
            (f"host={host}&state=failed", lambda j: j["host_id"] == host
             and j["status"] == "failed"),
            ("q=EB-0", lambda j: "eb-0" in j["host_name"].lower()
             or "eb-0" in j["source_group"]),
            ("q=home", lambda j: "home" in j["host_name"]
             or "home" in j["source_group"])):
        answer = fleet.jobs(f"?per_page=500&{query}")
        want = [j["id"] for j in everything if fits(j)]
        assert answer["total"] == len(want), query
        assert [j["id"] for j in answer["items"]] == want[:500], query
    older = fleet.jobs(f"?until={middle}")["total"]
    newer = fleet.jobs(f"?since={middle}")["total"]
    assert older + newer == len(everything) and older > 0 < newer


@pytest.mark.parametrize("query", [
    "state=lost", "kind=x", "host=web-01", "since=yesterday", "until=1",
    "page=0", "page=x", "per_page=501", "page=201", "q=" + "x" * 201])
def test_what_cannot_be_asked_for_is_422(fleet, query):
    """B-02: nothing is guessed."""
    answer = fleet.client.get(f"/api/jobs?{query}")
    assert answer.status == 422
    assert answer.json()["message"].startswith(query.split("=")[0])


def test_the_page_shows_what_the_api_says(fleet):
    """W-26: 50 a page, numbered, and the filter in every link."""
    html = fleet.page()
    listed = fleet.jobs()["items"]
    assert rows(html) == [j["id"] for j in listed]
    total = re.search(r"<span>1–50 of ([^<]*)</span>", html).group(1)
    assert re.sub(r"\s", "", total) == str(fleet.count["jobs"])
    html = fleet.page("?kind=backup&page=2")
    listed = fleet.jobs("?kind=backup&page=2")["items"]
    assert rows(html) == [j["id"] for j in listed]
    assert '"/jobs?kind=backup&amp;page=1"' in html
    # Past the end is the last page, not an empty one.
    assert rows(fleet.page("?page=9999"))
    nothing = fleet.page("?q=%3Cb%3E%22nobody")
    assert "No job fits these filters." in nothing
    assert 'value="&lt;b&gt;&quot;nobody"' in nothing


def test_jobs_need_a_session(fleet):
    """M-407"""
    stranger = Client(fleet.console.port)
    assert stranger.get("/api/jobs").status == 401
    assert stranger.get("/jobs").status == 303
    fleet.console.login("admin", PASSWORD)


# ------------------------------------------------- a log of a million lines


@pytest.fixture(name="long", scope="module")
def fixture_long(fleet):
    """The job with the long log."""
    jobs = [j for page in range(1, 4) for j in
            fleet.jobs(f"?per_page=500&page={page}")["items"]]
    return next(j["id"] for j in jobs if j["log"]["lines"] == LINES)


def numbers(html):
    """Of the lines shown; their text says the same."""
    found = re.findall(
        r'<li id="L(\d+)"[^>]*><[ai][^>]*>(\d+)</[ai]><time>[^<]*</time> '
        r"<span>([^<]*)", html)
    assert all(a == b for a, b, _ in found)
    assert all(a == text for a, _, text in found if text.isdigit())
    return [int(a) for a, _, _ in found]


def link(html, words):
    """The address behind a link, without its fragment."""
    found = re.search(rf'<a href="([^"#]*)[^"]*"[^>]*>{words}</a>', html)
    return found and found.group(1)


def test_a_million_lines_by_windows(fleet, long):
    """M-143: the last 500, first, next and previous, and no line twice."""
    def window(query):
        answer = fleet.client.get(f"/jobs/{long}{query}")
        assert answer.status == 200 and len(answer.body) < 300000
        return answer.text
    html = window("")
    assert numbers(html) == list(range(LINES - WINDOW + 1, LINES + 1))
    assert link(html, "First lines") == "?from=1"
    html = window(link(html, "Older lines"))
    assert numbers(html) == list(range(LINES - 2 * WINDOW + 1,
                                       LINES - WINDOW + 1))
    html, at = window("?from=1"), 1
    for _ in range(4):
        assert numbers(html) == list(range(at, at + WINDOW))
        at += WINDOW
        html = window(link(html, "Newer lines"))
    middle = LINES // 2 + 13
    assert numbers(window(f"?from={middle}"))[0] == middle
    assert numbers(window(f"?from={LINES}")) == [LINES]
    # Past the end and nonsense: the end.
    for query in (f"?from={LINES + 1}", "?from=0", "?from=-1", "?from=x"):
        assert numbers(window(query))[-1] == LINES


def test_a_jump_leads_to_the_line(fleet, long):
    """The form and a link to a line work without scripts."""
    answer = fleet.client.get(f"/jobs/{long}?line=700000")
    assert answer.status == 303
    place = answer.headers["location"]
    assert place == f"/jobs/{long}?from=699980#L700000"
    assert 700000 in numbers(fleet.client.get(place.split("#")[0]).text)
    for bad in ("0", "-5", "x", "99999999999999999999"):
        assert fleet.client.get(f"/jobs/{long}?line={bad}").status == 200
    assert fleet.client.get("/jobs/nowhere?line=5").status == 404


def test_long_logs_do_not_fill_the_renderer(fleet, long):
    """Working memory is that of a window, not of the log."""
    pid = fleet.console.renderer_pid()
    for k in range(20):
        fleet.client.get(f"/jobs/{long}?from={1 + k * 49000}")
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        words = dict(line.split(":", 1) for line in status)
    assert int(words["RssAnon"].split()[0]) < 48 * 1024
