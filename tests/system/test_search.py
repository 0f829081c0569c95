# SPDX-License-Identifier: GPL-3.0-or-later
"""Search over hosts, jobs and snapshots: page, palette, JSON."""
import collections
import subprocess
from urllib.parse import quote

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

import lab as lab_module
from browser import Browser
from lab import BIN, PASSWORD, Client


@pytest.fixture(name="console", scope="module")
def fixture_console():
    with lab_module.Lab() as bench:
        console = bench.controller()
        subprocess.run(
            [BIN / "seed", "--hosts", "40", "--jobs", "5", "--snapshots",
             "60", console.data], check=True, stdout=subprocess.DEVNULL,
            timeout=60)
        console.start()
        console.bootstrap()
        yield console


@pytest.fixture(name="b", scope="module")
def fixture_b(console):
    browser = Browser(console.url)
    browser.open("/login")
    browser.fill("#login-username", "admin")
    browser.fill("#login-password", PASSWORD)
    browser.go('form[action="/login"] button[type="submit"]')
    yield browser
    browser.close()


def press(b, *keys):
    ActionChains(b.driver).send_keys(*keys).perform()


def ask(console, text):
    return console.client.ok("GET", f"/api/search?q={quote(text)}")


def test_each_kind_is_found_by_what_is_remembered(console):
    """Search: a part of a name, the beginning of an id."""
    host = console.client.ok("GET", "/api/hosts")["items"][3]
    found = ask(console, host["name"].upper())
    assert host["id"] in [h["id"] for h in found["hosts"]["items"]]
    job = console.client.ok("GET", "/api/jobs")["items"][7]
    found = ask(console, job["id"].lower())
    assert [j["id"] for j in found["jobs"]["items"]] == [job["id"]]
    assert found["jobs"]["items"][0]["host_name"] == job["host_name"]
    # Five characters are nine hours: those in which most jobs began.
    begins = collections.Counter(
        j["id"][:5] for j in console.client.ok(
            "GET", "/api/jobs?per_page=500")["items"])
    common, count = begins.most_common(1)[0]
    assert count > 10, begins
    found = ask(console, common)
    assert found["jobs"]["more"] and len(found["jobs"]["items"]) == 10
    snapshot = console.client.ok(
        "GET", f"/api/hosts/{host['id']}/snapshots")["items"][55]
    found = ask(console, snapshot["id"][:12])
    assert [s["id"] for s in found["snapshots"]["items"]] == [snapshot["id"]]
    html = console.client.get(f"/search?q={snapshot['short_id']}").text
    link = f'/hosts/{host["id"]}?page=2#snapshot-{snapshot["short_id"]}'
    assert f'href="{link}"' in html
    page = console.client.get(link.split("#")[0]).text
    assert f'id="snapshot-{snapshot["short_id"]}"' in page


def test_hostile_words_find_nothing_and_harm_nothing(console):
    """B-02"""
    for text in ("<img src=x>", "\"'&{{q}}", "%", "../../etc", "\u202egnp",
                 "x" * 200, "ä" * 100, "\x01\x7f"):
        page = console.client.get(f"/search?q={quote(text)}")
        assert page.status == 200 and "<img" not in page.text
        assert ask(console, text)["jobs"]["items"] == []
    assert console.client.get("/api/search?q=" + "x" * 201).status == 422
    assert ask(console, "") == ask(console, "   ") == {
        k: {"items": [], "more": False} for k in ("hosts", "jobs",
                                                  "snapshots")}
    stranger = Client(console.port)
    assert stranger.get("/api/search?q=a").status == 401
    assert stranger.get("/search/hits?q=a").status in (303, 401)


def test_the_palette_by_keyboard(console, b):
    """Search: / anywhere, type, arrow, Enter; Escape closes."""
    host = console.client.ok("GET", "/api/hosts")["items"][0]
    b.open("/jobs")
    press(b, "/")
    b.wait("the palette", lambda: b.find("dialog.palette[open]"))
    press(b, host["name"])
    b.wait("a hit", lambda: host["name"] in b.text("dialog .hits a"))
    assert "found" in b.texts("dialog .hits [role=status]")[0]
    press(b, Keys.ARROW_DOWN)
    b.wait("the focus", lambda: b.driver.execute_script(
        "return document.activeElement.matches('dialog .hits a')"))
    old = b.find("html")
    press(b, Keys.ENTER)
    b.wait("the host", lambda: b.gone(old))
    assert b.path().startswith("/hosts/")
    ActionChains(b.driver).key_down(Keys.CONTROL).send_keys("k").key_up(
        Keys.CONTROL).perform()
    b.wait("the palette", lambda: b.find("dialog.palette[open]"))
    press(b, Keys.ESCAPE)
    b.wait("its end", lambda: not b.all("dialog.palette[open]"))
    # Enter in the field loads the page, which says the same.
    press(b, "/")
    b.wait("the palette", lambda: b.find("dialog.palette[open]"))
    old = b.find("html")
    press(b, "nobody-has-this", Keys.ENTER)
    b.wait("the page", lambda: b.gone(old))
    assert b.path() == "/search?q=nobody-has-this"
    assert "Nothing found for “nobody-has-this”" in b.text()
    assert b.errors() == []
