# SPDX-License-Identifier: GPL-3.0-or-later
"""A console in which every state is to be seen, the pages of it, and ways to
look at them: two colour schemes, two widths, scripts on and off."""
import re

import lab

FAKE = lab.ROOT / "tests/fake/restic"

# name, tags, what its pretend restic does, runs
HOSTS = (
    ("app-01", ["prod"], "lines=12", 2),
    ("db-01", ["prod", "db"], "lines=9000 delay_ms=200", 0),
    ("db-02", ["prod", "db"], "lines=8 exit=1", 1),
    ("fs-01", ["office"], "lines=25 exit=3", 1),
    ("mail-01", ["prod"], "lines=14", 1),
    ("web-01", ["prod", "web"], "lines=10", 1),
)

# Pages by the pattern of their route, with addresses in a populated console.
# A route of a page that is missing here fails test_walk.py.
PAGES = {
    "/": {"dashboard": "/"},
    "/hosts/new": {"add-host": "/hosts/new"},
    "/hosts/pending/{hash}": {"pending": "{pending}"},
    "/hosts/{id}": {"host": "/hosts/{app-01}", "host-failed": "/hosts/{db-02}"},
    "/hosts/{id}/jobs": {"host-jobs": "/hosts/{app-01}/jobs"},
    "/hosts/{id}/sources": {"host-sources": "/hosts/{app-01}/sources"},
    "/hosts/{id}/sources/new": {"source-new": "/hosts/{app-01}/sources/new"},
    "/hosts/{id}/sources/{gid}/edit": {
        "source-edit": "/hosts/{app-01}/sources/{group:app-01}/edit"},
    "/hosts/{id}/schedules": {"host-schedules": "/hosts/{app-01}/schedules",
                              "schedules-none": "/hosts/{db-02}/schedules"},
    "/hosts/{id}/schedules/new": {
        "schedule-new": "/hosts/{app-01}/schedules/new?like=nightly"},
    "/hosts/{id}/schedules/{sid}/edit": {
        "schedule-edit": "/hosts/{app-01}/schedules/{schedule}/edit"},
    "/hosts/{id}/repo": {"host-repo": "/hosts/{app-01}/repo?range=365"},
    "/audit": {"audit": "/audit", "audit-sorted": "/audit?action=job&sort=user",
               "audit-none": "/audit?user=nobody&from=2026-01-01"},
    "/settings": {},  # leads to one of the next
    "/settings/users": {"users": "/settings/users"},
    "/settings/users/new": {"user-new": "/settings/users/new"},
    "/settings/users/{id}": {},  # test_users.py looks at these
    "/settings/users/{id}/link": {},
    "/settings/account": {"account": "/settings/account"},
    "/settings/account/tokens/{id}": {},  # test_users.py looks at it
    "/search": {"search": "/search?q=db", "search-none": "/search?q=nobody",
                "search-empty": "/search"},
    "/jobs": {"jobs": "/jobs", "jobs-failed": "/jobs?state=failed&q=db",
              "jobs-none": "/jobs?q=nobody&since=2026-11-01"},
    "/jobs/{id}": {"job": "/jobs/{job:app-01}", "job-running": "/jobs/{job:db-01}",
                   "job-failed": "/jobs/{job:db-02}",
                   "job-incomplete": "/jobs/{job:fs-01}"},
}
# Pages before there is a session.
OPEN_PAGES = {
    "/login": {"login": "/login"},
    "/setup": {"setup-over": "/setup?token=none"},
    "/bootstrap": {},  # walked before the first user exists
}
ERRORS = {"error-404": "/nothing/here", "error-no-host": "/hosts/nowhere"}

# What a browser is sent to that is no page.
NO_PAGES = re.compile(r"/api/|/static/|/healthz|/events|.*\.csv$|.*\.json$"
                      r"|.*/awaiting$|.*/preview$|/search/hits$|/metrics$|/install/|/agent/binary")

LOOKS = [(scheme, width) for scheme in ("light", "dark")
         for width in (1440, 390)]


def populate(box, controller):
    """The agents by name, each with .job, its last one."""
    agents = {}
    client = controller.client
    for name, tags, wish, runs in HOSTS:
        source = box.sources(f"src-{name}")
        (source / ".pretend").write_text(wish)
        agent = box.host(controller, name=name, paths=[source], restic=FAKE,
                         tags=tags)
        agents[name] = agent
        agent.group = client.ok("GET", f"/api/hosts/{agent.host_id}"
                                "/source-groups")["items"][0]["id"]
        for _ in range(runs):
            agent.job = controller.run_group(agent.host_id)
            controller.wait_job(agent.job)
    agent = agents["app-01"]
    agent.schedule = client.ok(
        "POST", f"/api/hosts/{agent.host_id}/schedules",
        {"cron": "30 2 * * 1-5", "zone": "Europe/Berlin", "enabled": True,
         "jitter_seconds": 900, "source_group_ids": [agent.group]})["id"]
    agents["db-01"].job = controller.run_group(agents["db-01"].host_id)
    lab.wait_for("its start", lambda: controller.job(
        agents["db-01"].job)["status"] == "running")
    return agents


def addresses(agents, pending):
    """name -> path of everything that a signed-in administrator sees."""
    words = {"pending": pending, "schedule": agents["app-01"].schedule}
    for name, agent in agents.items():
        words[name] = agent.host_id
        words[f"job:{name}"] = agent.job
        words[f"group:{name}"] = agent.group
    def filled(path):
        return re.sub(r"{([^}]+)}", lambda m: words[m.group(1)], path)
    return {name: filled(path) for pages in (*PAGES.values(), ERRORS)
            for name, path in pages.items()}


def page_routes():
    """Patterns of the controller's table that are pages."""
    text = (lab.ROOT / "controller/route.c").read_text()
    found = re.findall(r'{ "GET",\s+"([^"]+)"', text)
    assert len(found) > 20
    return {p for p in found if not NO_PAGES.fullmatch(p)
            and not NO_PAGES.match(p)}


def sign_in(browser):
    browser.driver.delete_all_cookies()
    browser.open("/login")
    browser.fill("#login-username", "admin")
    browser.fill("#login-password", lab.PASSWORD)
    browser.go('form[action="/login"] button[type="submit"]')
    browser.wait("the dashboard", lambda: browser.path() == "/")


def pending(browser):
    """Adds a host by the form: the address of its page."""
    browser.open("/hosts/new")
    browser.fill('input[name="hostname"]', "new-01")
    browser.fill('input[name="repo_url"]', "rest:https://backup.example/new")
    browser.go('form[action="/hosts/new"] button[type="submit"]')
    return browser.path()


def look(browser, scheme, width, scripts=True):
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme},
                     {"name": "prefers-reduced-motion", "value": "reduce"}]})
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 860, "deviceScaleFactor": 1,
        "mobile": False})
    browser.driver.execute_cdp_cmd(
        "Emulation.setScriptExecutionDisabled", {"value": not scripts})


def shoot(browser, path):
    """A picture of the whole page."""
    height = browser.driver.execute_script(
        "return document.documentElement.scrollHeight")
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": browser.driver.execute_script("return innerWidth"),
        "height": min(max(height, 400), 4000), "deviceScaleFactor": 1,
        "mobile": False})
    browser.driver.save_screenshot(str(path))
