# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms that are sent too late."""
import re

import pytest
from test_edge import Browser, form_token


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


def test_a_form_of_an_earlier_session_says_what_to_do(console, browser):
    token = form_token(browser.get("/hosts/new"))
    later = Browser(console.port).sign_in()
    answer = later.send("/hosts/new", "/hosts/new", csrf=token,
                          hostname="web-1", repo_url="/srv/repo")
    assert answer.status == 403
    assert "This form is out of date" in words(answer)
    assert "Nothing was changed" in words(answer)
