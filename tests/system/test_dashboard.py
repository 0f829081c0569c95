# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard over a made-up fleet: what it says, finds, sorts and starts."""
import csv
import io
import re

import pytest

import lab as lab_module

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
