# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole road in a real browser, with scripts and without."""
import pathlib

import pytest

from browser import Browser
from lab import PASSWORD, ROOT

FAKE = ROOT / "tests/fake/restic"
LONG_NAME = "web-" + "long" * 14
LONG_URL = "rest:https://" + "backup.example.net/" * 9


@pytest.fixture(name="open_browser")
def fixture_open_browser():
    opened = []

    def start(*args, **kw):
        opened.append(Browser(*args, **kw))
        return opened[-1]
    yield start
    for browser in opened:
        browser.close()


def submit(b, action):
    b.go(f'form[action="{action}"] button[type="submit"]')


def bootstrap(b):
    b.open("/")
    assert b.path() == "/bootstrap"
    assert "Minimum 12 characters" in b.text()
    b.fill('input[name="username"]', "Admin")
    b.fill('input[name="password"]', PASSWORD)
    submit(b, "/bootstrap")
    b.wait("the dashboard", lambda: b.path() == "/")


def add_host(b, name, repo, source):
    b.open("/hosts/new")
    b.fill('input[name="hostname"]', name)
    b.fill('input[name="repo_url"]', str(repo))
    b.fill('textarea[name="initial_paths"]', str(source))
    submit(b, "/hosts/new")
    b.wait("the pending page", lambda: b.path().startswith("/hosts/pending/"))
    return b.enrol_token()


def shown(b, job_rows):
    return [text.split("pretend line ")[1].split()[0]
            for text in b.texts(job_rows) if "pretend line " in text]


def test_the_road_with_scripts(lab, controller, open_browser):
    """M-006 to M-010, M-072, M-143: bootstrap to live log."""
    b = open_browser(controller.url)
    bootstrap(b)
    assert "No hosts yet" in b.text()
    source = lab.sources()
    (source / ".pretend").write_text("lines=120 delay_ms=150")
    token = add_host(b, "web-1", lab.path / "repo", source)
    agent = lab.agent(controller, restic=FAKE)
    agent.enrol(token)
    agent.start()
    b.wait("the way to the host", lambda: b.all('main a[href^="/hosts/0"]'))
    controller.login()
    controller.wait_ready(agent.host_id)
    b.open(f"/hosts/{agent.host_id}")
    b.go('form[action$="/run"] button[type="submit"]')
    b.wait("the job page", lambda: b.path().startswith("/jobs/"))
    job = b.path().split("/")[2].split("?")[0]
    b.wait("live lines", lambda: len(shown(b, ".log li")) > 5)
    assert controller.job(job)["status"] == "running"
    b.wait("the end", lambda: "Succeeded" in b.text() or "OK" in b.text(), 60)
    b.wait("the whole log", lambda: len(shown(b, ".log li")) == 120)
    assert shown(b, ".log li") == [str(n) for n in range(1, 121)]
    b.open(f"/hosts/{agent.host_id}")
    snapshot = controller.job(job)["stats"]["snapshot_id"]
    assert snapshot[:8] in b.text()
    b.open("/")
    assert "web-1" in b.text()
    assert b.errors() == []


def test_the_road_without_scripts(lab, controller, open_browser):
    """M-005: everything works with scripts off."""
    b = open_browser(controller.url, scripts=False)
    bootstrap(b)
    source = lab.sources()
    (source / ".pretend").write_text("lines=30 delay_ms=20")
    token = add_host(b, "web-1", lab.path / "repo", source)
    agent = lab.agent(controller, restic=FAKE)
    agent.enrol(token)
    agent.start()
    controller.login()
    controller.wait_ready(agent.host_id)
    b.open("/")
    b.go('main a[href^="/hosts/0"]')
    assert b.path() == f"/hosts/{agent.host_id}"
    b.go('form[action$="/run"] button[type="submit"]')
    b.wait("the job page", lambda: b.path().startswith("/jobs/"))
    job = b.path().split("/")[2].split("?")[0]
    controller.wait_job(job)
    b.open(f"/jobs/{job}")
    assert shown(b, ".log li") == [str(n) for n in range(1, 31)]
    b.click(".top details.menu summary")
    b.go('form[action="/logout"] button[type="submit"]')
    b.wait("the sign-in page", lambda: b.path() == "/login")
    b.fill("#login-username", "admin")
    b.fill("#login-password", "wrong password")
    submit(b, "/login")
    assert b.path() == "/login" and b.find("#login-username")
    b.fill("#login-username", "ADMIN")  # M-020
    b.fill("#login-password", PASSWORD)
    submit(b, "/login")
    b.wait("the dashboard", lambda: b.path() == "/")


def look(b, name, path, theme):
    """Opens a page, keeps a picture of it; it must fit."""
    b.open(path)
    assert b.driver.execute_script("return innerWidth") == b.width
    shots = pathlib.Path(ROOT / "build/screenshots")
    shots.mkdir(parents=True, exist_ok=True)
    b.driver.save_screenshot(str(shots / f"{name}-{b.width}-{theme}.png"))
    assert b.sideways() <= 0, path
    dark = b.driver.execute_script(
        "return matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (theme == "dark")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_no_page_scrolls_sideways(lab, controller, open_browser, width, theme):
    """Every page of the road, with honest and with hostile contents."""
    b = open_browser(controller.url, width=width, height=900,
                     dark=theme == "dark")
    look(b, "bootstrap", "/bootstrap", theme)
    controller.bootstrap()
    look(b, "login", "/login", theme)
    b.fill("#login-username", "admin")
    b.fill("#login-password", PASSWORD)
    submit(b, "/login")
    b.wait("the dashboard", lambda: b.path() == "/")
    look(b, "dashboard-empty", "/", theme)
    source = lab.sources()
    agent = lab.host(controller, name=LONG_NAME, restic=FAKE, paths=[source])
    job = controller.run_group(agent.host_id)
    controller.wait_job(job)
    (source / ".pretend").write_text("odd=64 lines=3 exit=1")
    odd = controller.run_group(agent.host_id)
    controller.wait_job(odd)
    token = controller.mint(LONG_NAME, LONG_URL, allow_duplicate=True)
    for name, path in (("dashboard", "/"), ("add-host", "/hosts/new"),
                       ("pending", f"/hosts/pending/{token}"),
                       ("host", f"/hosts/{agent.host_id}"),
                       ("host-jobs", f"/hosts/{agent.host_id}/jobs"),
                       ("job", f"/jobs/{job}"), ("job-odd", f"/jobs/{odd}"),
                       ("404", "/hosts/nowhere")):
        look(b, name, path, theme)
    assert [e for e in b.errors() if "404" not in e] == []
