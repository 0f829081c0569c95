# SPDX-License-Identifier: GPL-3.0-or-later
"""The first hour without a pointer: only Tab, Enter, Space and letters."""
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import pytest

from browser import Browser
from lab import PASSWORD, ROOT

FAKE = ROOT / "tests/fake/restic"

FOCUSED = """
const e = document.activeElement;
if (!e || e === document.body) return null;
return {tag: e.localName, name: e.name || '', href: e.getAttribute('href'),
        words: (e.ariaLabel || e.textContent || '').trim().replace(/\\s+/g, ' '),
        action: e.form?.getAttribute('action') || ''};"""


@pytest.fixture(name="b")
def fixture_b(controller):
    browser = Browser(controller.url)
    yield browser
    browser.close()


def press(b, *keys):
    ActionChains(b.driver).send_keys(*keys).perform()


def tab_to(b, what, wanted):
    """Tab until the focus is where it is wanted."""
    for _ in range(120):
        at = b.driver.execute_script(FOCUSED)
        if at and wanted(at):
            return at
        press(b, Keys.TAB)
    raise AssertionError(f"{what} cannot be reached by Tab")


def follow(b, what, wanted):
    """Goes to a control by Tab, presses Enter, waits for the next page."""
    tab_to(b, what, wanted)
    old = b.find("html")
    press(b, Keys.ENTER)
    b.wait(f"the page after {what}", lambda: b.gone(old))


def type_into(b, field, text):
    tab_to(b, field, lambda at: at["name"] == field)
    press(b, text)


def test_the_first_hour_by_keyboard(lab, controller, b):
    """M-006, M-070, M-167: first run, add a host, back up, read, sign out."""
    source = lab.sources()
    (source / ".pretend").write_text("lines=12")
    b.open("/")
    type_into(b, "username", "admin")
    type_into(b, "password", PASSWORD)
    follow(b, "the first-run form", lambda at: at["tag"] == "button"
           and at["action"] == "/bootstrap")
    assert b.path() == "/"
    follow(b, "add host", lambda at: at["href"] == "/hosts/new")
    type_into(b, "hostname", "web-1")
    type_into(b, "repo_url", str(lab.path / "repo"))
    type_into(b, "initial_paths", str(source))
    follow(b, "the form", lambda at: at["tag"] == "button"
           and at["action"] == "/hosts/new")
    assert b.path().startswith("/hosts/pending/")
    agent = lab.agent(controller, restic=FAKE)
    agent.enrol(b.enrol_token())
    agent.start()
    controller.login()
    controller.wait_ready(agent.host_id)
    b.open("/")
    follow(b, "the host", lambda at: at["href"] == f"/hosts/{agent.host_id}")
    tab_to(b, "the skip link", lambda at: at["href"] == "#tabs")
    press(b, Keys.ENTER, Keys.TAB)
    assert b.driver.execute_script(FOCUSED)["words"].startswith("Snapshots")
    b.open(f"/hosts/{agent.host_id}")
    follow(b, "back up now", lambda at: at["tag"] == "button"
           and at["action"].endswith("/run"))
    assert b.path().startswith("/jobs/")
    b.wait("the end", lambda: "Succeeded" in b.text() or "OK" in b.text())
    tab_to(b, "the account menu", lambda at: at["tag"] == "summary"
           and at["words"].startswith("Account"))
    press(b, Keys.ENTER)
    press(b, Keys.ESCAPE)
    assert not b.all("details.menu[open]")
    assert b.driver.execute_script(FOCUSED)["tag"] == "summary"
    press(b, Keys.ENTER)
    follow(b, "sign out", lambda at: at["tag"] == "button"
           and at["action"] == "/logout")
    assert b.path() == "/login"
