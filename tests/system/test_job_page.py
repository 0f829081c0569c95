# SPDX-License-Identifier: GPL-3.0-or-later
"""One job's page, on real programs with a pretend restic: what failed and
why, what is left, the same by hand, its log while it grows."""
import re
import shutil
from html import unescape

import pytest

import lab as lab_module
from browser import Browser
from lab import PASSWORD, ROOT, wait_for
from test_jobs import Host as Talker
from test_jobs_pages import WINDOW, link

FAKE = ROOT / "tests/fake/restic"
# Longer than any test needs it: who runs it stops it.
LONG = {"lines": 20000, "delay_ms": 50}


class Host(Talker):
    def __init__(self, lab):  # pylint: disable=super-init-not-called
        self.lab = lab
        self.console = lab.controller().start()
        self.console.bootstrap()
        self.source = lab.path / "it's a <source> \u202e$(id)"
        self.source.mkdir()
        self.repo = lab.path / "repo"
        self.wish(lines=5)
        self.agent = lab.host(self.console, name="web-1", restic=FAKE,
                              paths=[self.source], repo=self.repo)
        self.id = self.agent.host_id

    def done(self, **words):
        return self.console.wait_job(self.run(**words))

    def stop(self, job):
        self.console.client.post(f"/api/jobs/{job}/cancel")
        return self.console.wait_job(job)

    def page(self, job, query=""):
        answer = self.console.client.get(f"/jobs/{job}{query}")
        assert answer.status == 200, answer.body[:300]
        return answer.text


@pytest.fixture(name="host", scope="module")
def fixture_host():
    with lab_module.Lab() as lab:
        yield Host(lab)


def shown(html):
    return [(int(n), text) for n, text in re.findall(
        r'<li id="L(\d+)".*?<span>([^<]*)', html)]


def test_a_failure_says_why_and_what_is_left(host):
    """M-143, M-403: the cause in words, the newest snapshot, how many in a
    row, the first error, the command."""
    assert host.done(lines=3)["status"] == "succeeded"
    snapshot = host.console.client.ok(
        "GET", f"/api/hosts/{host.id}/snapshots")["items"][0]["short_id"]
    host.done(exit=1)
    job = host.done(exit=1)
    assert job["status"] == "failed"
    html = host.page(job["id"])
    assert "restic reported an error" in html
    assert "Still protected until" in html
    assert f"#snapshot-{snapshot}" in html
    assert "<dt>Failed in a row</dt><dd>2</dd>" in html
    assert 'aria-current="page"' in html and 'href="/jobs"' in html
    # An administrator sees where the log lies; it is there.
    path = re.search(r"<code class=\"wrap\">(zstd)?cat ([^<]*)<", html).group(2)
    assert path.endswith((f"{job['id']}.log", f"{job['id']}.log.zst"))


def test_the_command_by_hand_is_safe_to_paste(host):
    """B-02: quoted for a shell, escaped for HTML, without a secret."""
    html = host.page(host.done(lines=3)["id"])
    command = re.search(r"<code>(restic [^<]*)</code>", html).group(1)
    assert "backup --tag=default" in command
    assert "\u202e" not in command and "&#39;" in command
    assert "$&#39;" in command and "\\342\\200\\256" in command
    assert "RESTIC_REPOSITORY, RESTIC_PASSWORD" in html
    assert PASSWORD not in html


def test_the_first_error_is_one_click_away(host):
    """Also when it lies far above what is shown."""
    config = host.repo / "config"
    kept = host.lab.path / "config-kept"
    shutil.move(config, kept)
    try:
        job = host.done(lines=3)
    finally:
        shutil.move(kept, config)
    assert job["cause"] == "no_repository"
    lines = shown(host.page(job["id"]))
    fatal = next(n for n, text in lines if text.startswith("Fatal:"))
    html = host.page(job["id"])
    assert f'<a href="#L{fatal}">First error is line {fatal}</a>' in html
    assert f'<li id="L{fatal}" class="bad"><a href="#L{fatal}"' in html
    # Odd lines, some of them errors, then many.
    job = host.done(odd=40, lines=1500)
    first = next(r["seq"] for r in host.console.log_lines(job["id"])
                 if r["stream"] == "stderr")
    html = host.page(job["id"])
    want = re.search(r'href="([^"]*)">First error is line (\d+)<', html)
    assert int(want.group(2)) == first
    page, anchor = want.group(1).split("#")
    assert f'<li id="{anchor}"' in host.page(job["id"], page)


def test_windows_join_while_the_job_runs(host):
    """No line is missing or twice across the border of two windows, also
    while the log grows."""
    job = host.run(**LONG)
    seen = []
    while len(seen) < 3 * WINDOW:
        wait_for("more lines", lambda: host.console.job(job)[
            "log"]["lines"] > len(seen))
        html = host.page(job, f"?from={len(seen) + 1}")
        assert ">Running</span>" in html
        lines = shown(html)
        assert [n for n, _ in lines] == list(
            range(len(seen) + 1, len(seen) + 1 + len(lines)))
        seen += lines
        assert link(html, "Newer lines") in (None, f"?from={len(seen) + 1}")
    host.stop(job)
    whole = [r["payload"] for r in host.console.log_lines(job)]
    assert [t for _, t in seen if t.startswith("pretend")] == [
        t for t in whole[:len(seen)] if t.startswith("pretend")]
    # Afterwards the compressed log gives the same lines.
    assert shown(host.page(job, "?from=1")) == seen[:WINDOW]


def test_stopping_twice_does_no_harm(host):
    """M-133: a second click, and one that comes too late."""
    job = host.run(**LONG)
    wait_for("its start", lambda: host.console.job(job)["log"]["lines"] > 3)
    html = host.page(job)
    assert '<meta http-equiv="refresh" content="10">' in html
    csrf = re.search(r'name="csrf" value="([^"]+)"', html).group(1)

    def stop():
        return host.console.client.request(
            "POST", f"/jobs/{job}/cancel", f"csrf={csrf}",
            {"Content-Type": "application/x-www-form-urlencoded",
             "Accept": "text/html"})
    first, second = stop(), stop()
    assert [a.status for a in (first, second)] == [303, 303]
    assert first.headers["location"] == f"/jobs/{job}"
    assert host.console.wait_job(job)["status"] == "cancelled"
    late = stop()
    assert (late.status, late.headers["location"]) == (303, f"/jobs/{job}")
    html = host.page(job)
    assert ">Cancelled</span>" in html and "/cancel" not in html
    assert "<meta http-equiv" not in html


# -------------------------------------------------------------- in a browser


@pytest.fixture(name="b", scope="module")
def fixture_b(host):
    browser = Browser(host.console.url, height=860)
    browser.open("/login")
    browser.fill("#login-username", "admin")
    browser.fill("#login-password", PASSWORD)
    browser.go('form[action="/login"] button[type="submit"]')
    yield browser
    browser.close()


def test_the_jobs_page_lives(host, b):
    """A job comes, gets on and goes without the page being loaded again."""
    b.open("/jobs")
    b.wait("the stream", lambda: "Live" in b.text("[data-stream]"))
    b.driver.execute_script("window.same = true")
    job = host.run(**LONG)
    b.wait("the job", lambda: f"/jobs/{job}" in b.find(
        '[data-live="jobs.running"]').get_attribute("innerHTML"))
    b.wait("the headline", lambda: b.text(
        '[data-live="jobs.headline"] h1') == "1 job running")
    host.stop(job)
    b.wait("its end", lambda: b.text(
        '[data-live="jobs.running"]') == "Nothing runs.")
    b.wait("the headline", lambda: b.text(
        '[data-live="jobs.headline"] h1') == "No job is running")
    assert b.driver.execute_script("return window.same")
    assert b.errors() == []


def test_lines_are_copied_as_lines(host, b):
    """What is pasted into a ticket has a line for a line, without numbers."""
    job = host.done(lines=3)["id"]
    b.open(f"/jobs/{job}")
    copied = b.driver.execute_script("""
        getSelection().selectAllChildren(document.querySelector('.log ol'));
        return getSelection().toString();""").splitlines()
    lines = [text for _, text in shown(host.page(job))]
    assert len(copied) == len(lines) > 3
    for got, text in zip(copied, lines):
        assert re.fullmatch(r"\d\d:\d\d:\d\d " + re.escape(
            unescape(text)), got.strip()), got


def test_the_log_follows_only_at_its_end(host, b):
    """M-143: who reads further up is left there, and comes back to it."""
    job = host.run(**LONG)
    wait_for("lines", lambda: host.console.job(job)["log"]["lines"] > 100)
    b.open(f"/jobs/{job}")

    def last():
        return int(b.driver.execute_script(
            "return document.querySelector('.log li:last-child')"
            ".id.slice(1)"))

    def lies(line):
        """How far below the top of the log it is seen."""
        return b.driver.execute_script(
            "const l = document.getElementById(arguments[0]),"
            " t = document.querySelector('.log');"
            "return l.getBoundingClientRect().top"
            " - t.getBoundingClientRect().top", f"L{line}")

    def seen(line):
        return 0 <= lies(line) < b.find(".log").size["height"]

    begin = last()
    b.wait("new lines", lambda: last() > begin + 20)
    assert seen(last())
    b.driver.execute_script(
        "document.querySelector('.log').scrollTop = -600")
    middle, now = last() - 30, last()
    place = lies(middle)
    b.wait("new lines", lambda: last() > now + 20)
    assert abs(lies(middle) - place) < 3
    b.driver.execute_script("document.querySelector('.log').scrollTop = 0")
    now = last()
    b.wait("new lines", lambda: last() > now + 10)
    assert seen(last())
    host.stop(job)


def test_a_link_to_a_line_that_is_not_shown(host, b):
    """#L8 leads to line 8 wherever it is."""
    job = host.done(lines=1200)["id"]
    b.open("/")
    b.open(f"/jobs/{job}#L8")
    b.wait("the line", lambda: b.path() == f"/jobs/{job}?from=1#L8")
    assert b.driver.execute_script(
        "return document.querySelector(':target').id") == "L8"
    # What is behind the end leads to the end, and not round and round.
    b.open("/")
    b.open(f"/jobs/{job}#L99999")
    b.wait("the end", lambda: "from=" in b.path() and b.all("#L1203"))
    assert b.errors() == []
