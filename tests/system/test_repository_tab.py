# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab Repository in a real browser, over real restic and rest-server: an
append-only address for every day, and one that may delete for the admin slot.
The tests run in order."""
import re

import pytest

import a11y
import lab as lab_module
import walk
from browser import Browser
from lab import PASSWORD, TOOLS, Client, RestServer, wait_for

NEWER = TOOLS / "restic018/usr/bin/restic"
FORMS = {"connection": "/repo/credentials", "admin": "/admin-credentials",
         "variables": "/repo/variables", "bandwidth": "/repo/bandwidth",
         "maintenance": "/repo/maintenance", "hooks": "/repo/hooks"}

pytestmark = pytest.mark.skipif(
    not (TOOLS / "rest-server").exists() or not NEWER.exists(),
    reason="tools/get-test-tools was not run")


class Site:
    """One host, its two servers, and a browser that is signed in."""

    def __init__(self, lab):
        self.lab = lab
        self.daily = RestServer(lab)
        url = self.daily.user("web-1", "the server's word")
        self.daily.start()
        self.admin = RestServer.__new__(RestServer)
        self.admin.users, self.admin.lab = self.daily.users, lab
        self.admin.path = self.daily.path
        self.admin.htpasswd = self.daily.htpasswd
        self.admin.port = lab_module.free_port()
        self.admin.argv = [
            a if a != f"127.0.0.1:{self.daily.port}"
            else f"127.0.0.1:{self.admin.port}"
            for a in self.daily.argv if a != "--append-only"]
        self.admin.start()
        self.url, self.admin_url = url, url.replace(
            str(self.daily.port), str(self.admin.port))
        self.console = lab.controller().start()
        self.console.bootstrap()
        self.agent = lab.agent(self.console, restic=NEWER)
        self.agent.enrol(self.console.mint(
            "web-1", self.url, repo_username="", repo_password=PASSWORD,
            initial_paths=[str(lab.sources("src"))]))
        self.agent.start()
        self.browser = Browser(self.console.url)
        walk.look(self.browser, "light", 1440)
        walk.sign_in(self.browser)
        self.path = f"/hosts/{self.agent.host_id}"

    def host(self):
        return self.console.host(self.agent.host_id)

    def work(self):
        """The first test's variables, a repository and a backup, where a test
        is selected without it."""
        names = self.console.client.ok(
            "GET", f"/api{self.path}/repo-credentials")["extra_names"]
        if not names:
            self.console.client.ok(
                "PUT", f"/api{self.path}/repo-credentials", {"extra": {
                    "RESTIC_REST_USERNAME": "web-1",
                    "RESTIC_REST_PASSWORD": "the server's word"}})
        self.console.wait_ready(self.agent.host_id, 90)
        if self.host()["repo_size_bytes"] == 0:
            self.console.wait_job(
                self.console.run_group(self.agent.host_id), 90)

    def open(self, query=""):
        self.browser.open(self.path + "/repo" + query)

    def save(self, section, button='button[type="submit"]'):
        self.browser.go(f'form[action="{self.path}{FORMS[section]}"] {button}')

    def field(self, css):
        return self.browser.find(css).get_attribute("value")

    def notice(self):
        return self.browser.texts('.banner[role="status"], .toast')


def centre(browser, css):
    """Away from the bars above and below."""
    browser.driver.execute_script(
        "document.querySelector(arguments[0])"
        ".scrollIntoView({block: 'center'})", css)


@pytest.fixture(name="site", scope="module")
def fixture_site():
    with lab_module.Lab() as lab:
        site = Site(lab)
        yield site
        site.browser.close()


def test_variables_reach_restic(site):
    """X-05: the server's own password is a variable, apart from that of the
    repository; without it nothing opens, with it the repository is made."""
    failed = wait_for("the init to fail", lambda: (
        lambda h: h if h["repo_status"] == "init_failed" else None)(
            site.host()), 90)
    assert failed["repo_status_error"]
    site.open()
    b = site.browser
    b.click('form[action$="/repo/variables"] summary')
    b.click('form[action$="/admin-credentials"] summary')
    assert a11y.violations(b) == []
    b.fill("#variables-RESTIC_REST_USERNAME", "web-1")
    b.fill("#variables-RESTIC_REST_PASSWORD", "the server's word")
    site.save("variables")
    assert b.path().endswith("/repo?saved=variables")
    assert "Variables saved" in b.text("main")
    site.console.wait_ready(site.agent.host_id, 90)
    assert (site.daily.path / "web-1/config").exists()
    shown = site.console.client.ok(
        "GET", f"/api{site.path}/repo-credentials")
    assert shown["extra_names"] == ["RESTIC_REST_USERNAME",
                                    "RESTIC_REST_PASSWORD"]
    site.open()
    assert b.find("#variables-RESTIC_REST_PASSWORD").get_attribute(
        "placeholder")
    assert site.field("#variables-RESTIC_REST_PASSWORD") == ""
    assert "the server's word" not in b.driver.page_source
    end = site.console.wait_job(
        site.console.run_group(site.agent.host_id), 90)
    assert end["status"] == "succeeded", end


def test_the_trend_begins_with_a_dot(site):
    """M-225, M-226: one day known is one dot, as text and as a table; the
    ranges are links."""
    site.work()
    b = site.browser
    wait_for("the first figures", lambda: site.host()["repo_size_bytes"] > 0)
    site.open()
    plot = b.find(".chart svg")
    assert re.match(r"1 day\. Stored size: .*Snapshots: 1\.",
                    plot.get_attribute("aria-label"))
    assert b.find("path.l1").get_attribute("d").endswith("h0")
    b.click(".chart ~ footer summary, section > footer summary")
    assert len(b.all("figure ~ footer tbody tr, details[open] tbody tr")) == 1
    b.go('a[href$="range=365"]')
    assert b.find('.chips [aria-current="true"]').text == "1 y"
    assert a11y.violations(b) == []


def test_each_form_saves_alone(site):
    """M-317, M-198: what another form holds is not touched."""
    b = site.browser
    site.open()
    b.fill("#repo-url", "rest:http://127.0.0.1:9/not-saved/")
    b.fill("#bandwidth-up", "5000")
    site.save("bandwidth")
    assert b.path().endswith("/repo?saved=bandwidth")
    assert "Bandwidth saved" in b.text("main")
    assert site.field("#bandwidth-up") == "5000"
    assert site.field("#repo-url") == site.url
    host = site.host()
    assert host["bandwidth_up_kbps"] == 5000
    assert host["bandwidth_down_kbps"] == 0
    wait_for("the agent to hold it", lambda: (
        lambda h: h["config_version"] == h["applied_config_version"])(
            site.host()))


def test_a_refused_form_keeps_its_input(site):
    """M-320: 422, the sentence at the field, the focus on it, others as
    they were."""
    b = site.browser
    site.open()
    b.fill("#bandwidth-down", "a lot")
    site.save("bandwidth")
    assert site.field("#bandwidth-down") == "a lot"
    assert b.driver.switch_to.active_element.get_attribute(
        "id") == "bandwidth-down"
    assert b.find("#bandwidth-down").get_attribute("aria-invalid") == "true"
    assert "whole number" in b.text("#bandwidth-down-error")
    assert b.all("#repo-url-error, #admin-url-error") == []
    assert a11y.violations(b) == []
    assert site.host()["bandwidth_down_kbps"] == 0


def test_maintenance_is_set_by_its_form(site):
    """M-213"""
    b = site.browser
    site.open()
    b.fill("#prune-cadence", "61 4 * * 0")
    site.save("maintenance")
    assert site.field("#prune-cadence") == "61 4 * * 0"
    assert b.text("#prune-error")
    b.fill("#prune-cadence", "30 4 * * 0")
    b.click('input[name="forget_enabled"]')
    site.save("maintenance")
    assert b.path().endswith("?saved=maintenance")
    kept = site.console.client.ok(
        "GET", f"/api{site.path}/repo-maintenance")
    assert kept["prune_cadence"] == "30 4 * * 0" and kept["prune_enabled"]
    assert not kept["forget_enabled"]
    assert "switched off" in b.text('[data-live="repo.health"]')


def test_admin_credentials_by_form(site):
    """M-417, M-203, M-204, M-207, W-16: all blank is nothing; another server needs
    its password; with them prune is offered and works, without them not."""
    site.work()
    b = site.browser
    site.open()
    site.save("admin")
    assert "saved" not in b.path()
    assert not site.host()["has_admin_credentials"]
    refused = site.console.client.post(f"/api{site.path}/repo/prune")
    assert refused.status == 409
    assert refused.json()["code"] == "admin_creds_required"
    b.fill("#admin-url", site.admin_url)
    site.save("admin")
    assert site.field("#admin-url") == site.admin_url
    assert b.text("#admin-password-error")
    b.fill("#admin-password", PASSWORD)
    b.click('form[action$="/admin-credentials"] summary')
    b.fill("#admin-RESTIC_REST_USERNAME", "web-1")
    b.fill("#admin-RESTIC_REST_PASSWORD", "the server's word")
    site.save("admin")
    assert b.path().endswith("?saved=admin")
    assert "Admin credentials saved" in b.text("main")
    b.go('form[action$="/repo/prune"] button')
    job = b.path().rsplit("/", 1)[1].split("?")[0]
    end = site.console.wait_job(job, 90)
    assert end["status"] == "succeeded", (end, site.console.log_lines(job))
    assert PASSWORD not in site.agent.log.read_text()


def test_health_follows_the_work(site):
    """W-24: the panel of a page that stays open tells of a check that
    begins and ends elsewhere."""
    site.work()
    b = site.browser
    b.errors()  # what was refused before
    site.open()
    job = site.console.client.post(
        f"/api{site.path}/repo/check").json()["job_id"]
    end = site.console.wait_job(job, 90)
    assert end["status"] == "succeeded", end
    b.wait("the check", lambda: re.search(
        r"Check\s+OK", b.text('[data-live="repo.health"]')))
    assert "read back" in b.text('[data-live="repo.health"]')
    assert b.errors() == []


def test_without_scripts_on_a_phone(site):
    """Every form is there and saves; nothing scrolls sideways."""
    b = site.browser
    walk.look(b, "dark", 390, scripts=False)
    site.open()
    assert b.sideways() <= 0
    centre(b, "#bandwidth-up")
    b.fill("#bandwidth-up", "")
    centre(b, 'form[action$="/repo/bandwidth"] button')
    site.save("bandwidth")
    assert site.host()["bandwidth_up_kbps"] == 0
    site.open()
    for part in ("#d-forget", "#d-unlock"):
        centre(b, f"{part} summary")
        b.click(f"{part} summary")
    assert a11y.violations(b) == [] and b.sideways() <= 0
    centre(b, 'form[action$="/repo/unlock"] button')
    b.go('form[action$="/repo/unlock"] button')
    job = b.path().rsplit("/", 1)[1].split("?")[0]
    assert site.console.wait_job(job, 90)["kind"] == "unlock"
    walk.look(b, "light", 1440)


def test_a_repository_that_moves_leaves_its_secrets_behind(site):
    """Variables and admin credentials were for the place before."""
    site.work()
    b = site.browser
    site.open()
    assert "drops the variables" in b.text("#repo-url-hint")
    b.fill("#repo-url", str(site.lab.path / "elsewhere"))
    b.fill("#repo-password", "another word")
    site.save("connection")
    assert "variables and admin credentials of the one before were" in b.text("main")
    site.console.wait_ready(site.agent.host_id, 90)
    assert not site.host()["has_admin_credentials"]
    shown = site.console.client.ok(
        "GET", f"/api{site.path}/repo-credentials")
    assert shown["extra_names"] == []


def test_presence_and_many_hosts_at_once(site):
    """M-315, M-322, M-325, M-327, M-429: from the header and from the
    dashboard's ticked rows."""
    b = site.browser
    b.open(site.path)
    assert b.text('summary[aria-label^="Presence"]') == "24x7"
    b.click('summary[aria-label^="Presence"]')
    assert a11y.violations(b) == []
    b.click('input[name="always_on"]')
    b.fill("#host-age", "0x")
    b.go('form[action$="/mode"] button')
    assert b.text("#host-age-error") and site.field("#host-age") == "0x"
    assert site.host()["always_on"]
    b.fill("#host-age", "48")
    b.go('form[action$="/mode"] button')
    assert b.path().endswith("?saved=mode")
    host = site.host()
    assert not host["always_on"] and host["allowed_age_s"] == 48 * 3600
    assert b.text('summary[aria-label^="Presence"]') == "Free"
    b.open("/")
    tick = f'input[name="host-{site.agent.host_id}"]'
    b.click(tick)
    b.click(".bulk summary")
    assert a11y.violations(b) == []
    b.fill("#bulk-tags", "prod, web")
    b.go('.bulk button[value="add"]')
    assert "1 host was changed." in b.text("main")
    assert site.host()["tags"] == ["prod", "web"]
    b.click(tick)
    b.click(".bulk summary")
    b.go('.bulk button[name="always_on"][value="1"]')
    assert site.host()["always_on"]
    answer = site.console.client.ok("POST", "/api/hosts/tags", {
        "host_ids": [site.agent.host_id, "01ARZ3NDEKTSV4RRFFQ69G5FAV"],
        "remove": ["web"], "add": ["prod"]})
    assert answer["changed"] == [site.agent.host_id]
    assert len(answer["refused"]) == 1
    assert site.host()["tags"] == ["prod"]
    assert Client(site.console.port).post("/api/hosts/mode", {
        "host_ids": [site.agent.host_id], "always_on": True}).status == 401
