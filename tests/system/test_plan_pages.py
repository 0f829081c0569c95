# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources and schedules by hand: forms with and without scripts, what they
show of themselves and of the agent.  The tests run in order."""
import pytest

import lab as lab_module
import walk
from browser import Browser
from lab import wait_for

HOOK = "echo canary-of-the-hook"
PRESET = 'input[name="preset"][value="{}"]'


class Site:
    def __init__(self, box):
        self.console = box.controller().start()
        self.console.bootstrap()
        source = box.sources("src")
        (source / ".pretend").write_text("lines=3")
        self.agent = box.host(self.console, name="app-01", paths=[source],
                              restic=walk.FAKE)
        self.path = f"/hosts/{self.agent.host_id}"
        self.client = self.console.client
        self.b = Browser(self.console.url)
        walk.sign_in(self.b)

    def scripts(self, on):
        walk.look(self.b, "light", 1440, scripts=on)

    def api(self, what):
        return self.client.ok(
            "GET", f"/api/hosts/{self.agent.host_id}/{what}")["items"]

    def group(self, name):
        return next(g for g in self.api("source-groups") if g["name"] == name)

    def make(self, what, **fields):
        self.client.ok("POST", f"/api/hosts/{self.agent.host_id}/{what}",
                       fields)

    # What a test that is selected alone does not find from those before it.

    def photos(self):
        if len(self.api("source-groups")) < 2:
            self.make("source-groups", name="photos",
                      includes=["/home/photos"])
        return self.group("photos")

    def schedule(self):
        self.photos()
        if not self.api("schedules"):
            self.make("schedules", cron="0 3 * * *", source_group_ids=[
                g["id"] for g in self.api("source-groups")])
        return self.api("schedules")[0]

    def submit(self):
        self.b.go("main form.panel .next .pri, main form.cols .next .pri")


@pytest.fixture(name="site", scope="module")
def fixture_site():
    with lab_module.Lab() as box:
        site = Site(box)
        yield site
        site.b.close()


def test_a_refused_source_keeps_what_was_typed(site):
    """M-171, M-320: the mistake is told at its field, which has the focus."""
    site.scripts(False)
    site.b.open(site.path + "/sources")
    site.b.go('footer a[href$="/sources/new"]')
    site.b.fill("#g-name", "photos")
    site.b.fill("#g-includes", "home/photos")
    site.b.fill("#g-excludes", "*.tmp")
    site.b.fill("#g-keep_daily", "14")
    site.submit()
    assert site.b.find("#g-includes").get_attribute("aria-invalid") == "true"
    assert site.b.text("#g-includes-error")
    assert site.b.find("#g-name").get_attribute("value") == "photos"
    assert site.b.find("#g-excludes").get_attribute("value") == "*.tmp"
    assert site.b.find("#g-keep_daily").get_attribute("value") == "14"
    site.b.fill("#g-includes", "/home/photos")
    site.submit()
    assert site.b.path().startswith(site.path + "/sources?")
    group = site.group("photos")
    row = site.b.text(f"#group-{group['id']}")
    assert "/home/photos" in row and "d=14" in row
    assert "no schedule uses it" in row


def test_a_usual_time_is_one_choice_without_scripts(site):
    """M-184: the preset counts, whatever stands beside it."""
    site.scripts(False)
    site.photos()
    site.b.open(site.path + "/schedules")
    assert "No schedule yet" in site.b.text()
    site.b.go('a[href$="?like=nightly"]')
    assert site.b.find(PRESET.format("0 3 * * *")).is_selected()
    for group in site.api("source-groups"):
        site.b.click(f'input[name="group-{group["id"]}"]')
    site.b.fill("#s-zone", "Atlantis/North")
    site.submit()
    assert site.b.text("#s-zone-error")
    assert len([box for box in site.b.all('.pick input')
                if box.is_selected()]) == 2
    site.b.fill("#s-zone", "Europe/Berlin")
    site.b.go('button[value="preview"]')
    assert "Europe/Berlin" in site.b.text('[data-live="schedule.preview"]')
    assert site.api("schedules") == []
    site.submit()
    text = site.b.text('[data-live="host.schedules"]')
    assert "Every day at 03:00" in text and "Europe/Berlin" in text
    schedule = site.api("schedules")[0]
    assert schedule["cron"] == "0 3 * * *" and schedule["enabled"]
    assert len(schedule["source_group_ids"]) == 2


def test_the_page_tells_once_the_agent_holds_the_plan(site):
    """M-176, W-24: on every tab, without loading the page again."""
    site.scripts(True)
    site.b.open(site.path)
    site.b.wait("the agent's answer", lambda: "agent in sync" in site.b.text(
        '[data-live="host.facts"]'))


def test_the_preview_follows_what_is_typed(site):
    site.scripts(True)
    site.b.errors()  # those of refused forms
    site.b.open(site.path + "/schedules/new")
    preview = '[data-live="schedule.preview"]'
    site.b.click('label:has(input[value="0 3 * * 0"])')
    site.b.wait("the preview", lambda: "Every Sunday at 03:00" in
                site.b.text(preview))
    site.b.click('label:has(input[name="preset"][value=""])')
    site.b.fill("#s-cron", "61 * * * *")
    site.b.wait("what is wrong", lambda: "61" in site.b.text(preview))
    assert site.b.errors() == []


def test_a_paused_schedule_runs_once_after_a_question(site):
    """M-185: running it does not resume it."""
    sid = site.schedule()["id"]
    site.b.open(site.path + "/schedules")
    site.b.go(f"#schedule-{sid} .switch")
    assert not site.api("schedules")[0]["enabled"]
    site.b.click(f"#schedule-{sid} .acts summary")
    site.b.go(f"#schedule-{sid} .acts details[open] .pri")
    assert "dispatched: " in site.b.text('[role="status"].banner')
    assert not site.api("schedules")[0]["enabled"]
    site.b.go(f"#schedule-{sid} .switch")
    assert site.api("schedules")[0]["enabled"]
    wait_for("the runs", lambda: all(
        j["status"] not in ("queued", "running") for j in site.client.ok(
            "GET", f"/api/hosts/{site.agent.host_id}/jobs")["items"]))


def test_the_dashboard_runs_the_schedule_that_covers_a_host(site):
    """M-310, M-311"""
    site.schedule()
    site.b.open("/")
    row = f"#host-{site.agent.host_id}"
    assert site.b.text(row + " .nxt").startswith("in ")
    site.b.go(row + ' [aria-label="Run all groups of app-01"]')
    assert site.b.path().startswith(site.path + "/schedules?")


def test_a_run_with_limits_of_its_own(site):
    """M-168: not in the way of who wants none."""
    gid = site.group("default")["id"]
    site.b.open(site.path + "/sources")
    assert not site.b.all(f"#group-{gid} details[open]")
    site.b.click(f"#group-{gid} summary[title^=Limit]")
    site.b.fill(f"#up-{gid}", "900")
    site.b.fill(f"#down-{gid}", "0")
    site.b.go(f"#group-{gid} details[open] .pri")
    assert site.b.path().startswith("/jobs/")
    site.b.wait("its end", lambda: site.client.ok(
        "GET", "/api" + site.b.path())["status"] == "succeeded")


def test_hooks_are_stored_and_never_shown(site):
    """M-189, M-195"""
    edit = f"{site.path}/sources/{site.photos()['id']}/edit"
    site.b.open(edit)
    site.b.fill("#h-pre", HOOK)
    site.b.go('form[action$="/hooks"] .pri')
    assert "A hook is stored" in site.b.text("#h-pre-hint")
    assert HOOK not in site.b.driver.page_source
    site.b.click('input[name="remove_pre_hook"]')
    site.b.go('form[action$="/hooks"] .pri')
    assert "None is stored" in site.b.text("#h-pre-hint")


def test_a_group_goes_once_no_schedule_uses_it(site):
    """M-163, M-183"""
    gid, sid = site.photos()["id"], site.schedule()["id"]
    site.b.open(site.path + "/sources")
    assert site.b.find(f"#group-{gid} .acts button:disabled").get_attribute(
        "title") == "A schedule uses it: take it out there first"
    site.b.open(site.path + "/schedules")
    site.b.click(f"#schedule-{sid} summary.bad")
    site.b.go(f"#schedule-{sid} .acts details[open] .solid")
    assert site.api("schedules") == []
    site.b.open(site.path + "/sources")
    site.b.click(f"#group-{gid} .acts > details summary")
    site.b.go(f"#group-{gid} .acts > details[open] .solid")
    assert [g["name"] for g in site.api("source-groups")] == ["default"]
