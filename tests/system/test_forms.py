# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms that are sent too late."""
import re

import pytest
from web import Browser, form_token


@pytest.fixture(name="browser")
def fixture_browser(console):
    browser = Browser(console.port)
    browser.sign_in()
    return browser


def words(page):
    return " ".join(re.sub("<[^>]+>", " ", page.text).split())


def test_a_form_without_a_session_says_that_nothing_was_changed(console,
                                                                browser):
    page = browser.get("/hosts/new")
    late = Browser(console.port)
    answer = late.request("POST", "/hosts/new", "csrf=" + form_token(page) +
                          "&hostname=web-1&repo_url=/srv/repo",
                          {"Content-Type":
                           "application/x-www-form-urlencoded"})
    assert answer.status == 303
    page = late.get(answer.headers["Location"])
    assert "nothing was changed" in words(page)
    assert "nothing was changed" not in words(late.get("/login"))
    # Who wanted to sign out has what they wanted.
    answer = late.request("POST", "/logout", "csrf=x", {
        "Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status, answer.headers["Location"]) == (303, "/login")


def test_a_form_of_an_earlier_session_says_what_to_do(console, browser):
    token = form_token(browser.get("/hosts/new"))
    later = Browser(console.port).sign_in()
    answer = later.send("/hosts/new", "/hosts/new", csrf=token,
                          hostname="web-1", repo_url="/srv/repo")
    assert answer.status == 403
    assert "This form is out of date" in words(answer)
    assert "Nothing was changed" in words(answer)


FIELDS = {"includes": "/etc", "name": "default", "retry_max": "0",
          "retry_backoff_seconds": "0"}


def seen(page):
    return re.search(r'name="seen" value="(\d+)"', page.text).group(1)


def test_two_who_edit_the_same_do_not_overwrite_each_other(console, lab,
                                                           browser):
    """A second click is no conflict; who saw the other's change may go on."""
    agent = lab.agent(console)
    agent.enrol(console.mint("web-1", "/srv/repo", initial_paths=["/etc"]))
    where = f"/hosts/{agent.host_id}"
    group = console.client.ok("GET", f"/api{where}/source-groups")["items"][0]
    edit = f"{where}/sources/{group['id']}/edit"

    def save(at, **words):
        return browser.send(edit, edit, **FIELDS, seen=at, **words)
    at = seen(browser.get(edit))
    for _ in range(2):
        assert save(at, excludes="*.first").status == 303
    answer = save(at, excludes="*.second")
    assert answer.status == 409
    assert "Somebody changed it while this form was open" in words(answer)
    assert "*.second" in answer.text
    now = console.client.ok("GET", f"/api{where}/source-groups")["items"][0]
    assert now["excludes"] == ["*.first"]
    assert save(seen(answer), excludes="*.second").status == 303

    made = console.client.ok("POST", f"/api{where}/schedules", {
        "cron": "0 3 * * *", "source_group_ids": [group["id"]]})
    edit = f"{where}/schedules/{made['id']}/edit"
    form = {f"group-{group['id']}": "1", "enabled": "1",
            "seen": seen(browser.get(edit))}
    assert browser.send(edit, edit, cron="0 4 * * *", **form).status == 303
    answer = browser.send(edit, edit, cron="0 5 * * *", **form)
    assert answer.status == 409 and "0 5 * * *" in answer.text
    form["seen"] = seen(answer)
    assert browser.send(edit, edit, cron="0 5 * * *", **form).status == 303
