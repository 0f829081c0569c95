#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the pictures of docs/screenshots from the real programs.

    tests/tools/screenshots.py [folder]

Controller, renderer and six agents run in a lab with a pretend restic, so
that every state is there; the browser is a real Chromium.
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import lab  # noqa: E402
from browser import Browser  # noqa: E402

FAKE = lab.ROOT / "tests/fake/restic"

# name, tags, what its pretend restic does, runs before the picture
HOSTS = (
    ("app-01", ["prod"], "lines=12", 2),
    ("db-01", ["prod", "db"], "lines=9000 delay_ms=20", 0),
    ("db-02", ["prod", "db"], "lines=8 exit=1", 1),
    ("fs-01", ["office"], "lines=25 exit=3", 1),
    ("mail-01", ["prod"], "lines=14", 1),
    ("web-01", ["prod", "web"], "lines=10", 1),
)


def populate(box, controller):
    agents = {}
    for name, tags, wish, runs in HOSTS:
        source = box.sources(f"src-{name}")
        (source / ".pretend").write_text(wish)
        agent = box.host(controller, name=name, paths=[source], restic=FAKE,
                         tags=tags)
        agents[name] = agent
        for _ in range(runs):
            agent.job = controller.run_group(agent.host_id)
            controller.wait_job(agent.job)
    agents["db-01"].job = controller.run_group(agents["db-01"].host_id)
    time.sleep(3)
    return agents


def shoot(controller, agents, folder):
    b = Browser(controller.url, width=1440, height=860)
    try:
        b.open("/login")
        b.fill("#login-username", "admin")
        b.fill("#login-password", lab.PASSWORD)
        b.go('form[action="/login"] button[type="submit"]')
        b.wait("the dashboard", lambda: b.path() == "/")
        for name, path in (
                ("dashboard", "/"),
                ("host", f"/hosts/{agents['app-01'].host_id}"),
                ("job-running", f"/jobs/{agents['db-01'].job}"),
                ("job-failed", f"/jobs/{agents['db-02'].job}"),
                ("add-host", "/hosts/new")):
            b.open(path)
            time.sleep(1)
            b.driver.save_screenshot(str(folder / f"{name}.png"))
            print(folder / f"{name}.png")
    finally:
        b.close()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                          lab.ROOT / "docs/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with lab.Lab() as box:
        controller = box.controller().start()
        controller.bootstrap()
        shoot(controller, populate(box, controller), folder)


main()
