# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page, as people with good and weak eyes, small screens, keyboards and
switched-off scripts meet it.  The tests run in order."""
import base64
import os

import pytest

import a11y
import lab as lab_module
import walk
from browser import Browser


@pytest.fixture(name="box", scope="module")
def fixture_box():
    with lab_module.Lab() as lab:
        yield lab


@pytest.fixture(name="b", scope="module")
def fixture_b(box):
    console = box.controller().start()
    browser = Browser(console.url)
    browser.console = console
    yield browser
    browser.close()


@pytest.fixture(name="paths", scope="module")
def fixture_paths(box, b):
    if b.console.client.cookie is None:
        b.console.bootstrap()
    agents = walk.populate(box, b.console)
    walk.look(b, "light", 1440)
    walk.sign_in(b)
    return walk.addresses(agents, walk.pending(b))


def looked_at(b, name, path):
    """What is wrong with a page, in every look."""
    wrong = []
    for scheme, width in walk.LOOKS:
        walk.look(b, scheme, width)
        b.open(path)
        wrong += [f"{name} {scheme} {width}: {w}" for w in a11y.violations(b)]
        if b.sideways() > 0:
            wrong.append(f"{name} {width}: scrolls sideways")
    walk.look(b, "light", 320)
    b.open(path)
    if b.sideways() > 0:
        wrong.append(f"{name} 320: scrolls sideways by {b.sideways()}")
    walk.look(b, "light", 1440, scripts=False)
    b.open(path)
    wrong += [f"{name} without scripts: {w}" for w in a11y.names(b)]
    walk.look(b, "light", 1440)
    return wrong


def test_every_page_is_on_the_walk():
    """A page that lands without being looked at fails here."""
    walked = set(walk.PAGES) | set(walk.OPEN_PAGES)
    assert walk.page_routes() <= walked, "add them to walk.PAGES"
    assert walked <= walk.page_routes(), "these are gone"


BAD = """
  <h1>One</h1><h3>Skipped</h3><p id=a>x</p><p id=a>y</p>
  <button></button><button><a href="/x">in</a></button><input>
  <p class=pale>pale</p><a class=tiny href="/y">y</a><a class=tiny href="/y">y</a><a href="#no">no</a>
  <ul><p>p</p></ul><svg role="img"></svg><i aria-hidden=true><a href="/z">z</a></i>
  <style>.pale {color: #999} .tiny {display: block; width: 9px; height: 9px;
    overflow: hidden}</style>"""


def test_the_checks_find_what_is_wrong(b):
    """Each on a page that is bad on purpose."""
    b.driver.get("about:blank")
    b.driver.execute_script("document.body.innerHTML = arguments[0]", BAD)
    said = "\n".join(a11y.violations(b))
    for words in ("no language", "no title", "0 of main", "level is skipped",
                  "id a is there 2 times", "control within a control",
                  "field without a label", "contrast 2.85", "target is 9 x 9",
                  "leads nowhere (#no)", "list holds what is no item",
                  "focus goes into what is hidden", "button has no name",
                  "textbox has no name"):
        assert words in said, (words, said)


def test_the_doors(b):
    """M-006, M-029: first run and sign-in, before there is anybody."""
    wrong = looked_at(b, "bootstrap", "/bootstrap")
    b.console.bootstrap()
    wrong += looked_at(b, "login", "/login")
    assert wrong == []


def test_the_empty_console(b):
    """M-312."""
    walk.sign_in(b)
    assert looked_at(b, "dashboard-empty", "/") == []


def test_hosts_that_wait_for_approval(b):
    """M-097, M-098: two of one name, closed and with both forms open."""
    walk.sign_in(b)
    client = b.console.client
    for _ in range(2):
        client.ok("POST", "/api/agents/announce", {
            "hostname": "a-host-with-a-long-name.example.internal",
            "os": "linux", "arch": "amd64",
            "public_key": base64.b64encode(os.urandom(32)).decode()})
    wrong = looked_at(b, "dashboard-waiting", "/")
    for width in (1440, 320):
        walk.look(b, "light", width)
        b.open("/")
        b.driver.execute_script(
            "for (const d of document.querySelectorAll('.decide details'))"
            " d.open = true")
        wrong += [f"forms {width}: {w}" for w in a11y.violations(b)]
        if b.sideways() > 0:
            wrong.append(f"forms {width}: scrolls sideways")
    walk.look(b, "light", 1440)
    for row in client.ok("GET", "/api/pending-hosts")["items"]:
        client.ok("POST", f"/api/pending-hosts/{row['id']}/reject", {})
    assert wrong == []


def test_every_page(b, paths):
    """M-494 to M-502: names, roles, contrast, targets, width."""
    wrong = []
    for name, path in paths.items():
        wrong += looked_at(b, name, path)
    assert wrong == []


def test_the_focus_goes_as_one_reads(b, paths):
    """Each stop is seen, none comes before the one before."""
    wrong = []
    for name, path in paths.items():
        b.open(path)
        bad, way = a11y.tab_round(b)
        # A log that grows moves what stands below it.
        wrong += [f"{name}: {w}" for w in bad
                  if name != "job-running" or "outside" not in w]
        assert len(way) >= 2, name
    assert wrong == []


def test_live_updates_move_nothing(b, paths):
    """No layout shift while regions are renewed."""
    for name in ("dashboard", "job-running", "host"):
        b.open(paths[name])
        shift = b.driver.execute_async_script("""
            const done = arguments[0];
            let sum = 0;
            new PerformanceObserver(list => {
              for (const e of list.getEntries()) sum += e.value;
            }).observe({type: 'layout-shift', buffered: true});
            setTimeout(() => done(sum), 3000);""")
        assert shift < 0.01, (name, shift)
