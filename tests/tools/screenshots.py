#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pictures of the real programs.

    tests/tools/screenshots.py [folder]         those of docs/screenshots
    tests/tools/screenshots.py --walk folder    every page, light and dark, 1440
                                                and 390 px, scripts on and off

Controller, renderer and six agents run in a lab with a pretend restic, so
that every state is there; the browser is a real Chromium.
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import lab  # noqa: E402
import walk  # noqa: E402
from browser import Browser  # noqa: E402

DOCS = ("dashboard", "host", "job-running", "job-failed", "add-host")


def shoot_docs(b, paths, folder):
    for name in DOCS:
        b.open(paths[name])
        time.sleep(1)
        b.driver.save_screenshot(str(folder / f"{name}.png"))
        print(folder / f"{name}.png")


def shoot_all(b, paths, folder):
    for name, path in paths.items():
        for scheme, width in walk.LOOKS:
            for scripts in (True, False):
                walk.look(b, scheme, width, scripts)
                b.open(path)
                picture = folder / (f"{name}-{scheme}-{width}"
                                    f"{'' if scripts else '-plain'}.png")
                time.sleep(0.3)
                walk.shoot(b, picture)
                print(picture)


def main():
    args = sys.argv[1:]
    every = args[:1] == ["--walk"]
    if "-h" in args or "--help" in args or len(args) > 1 + every:
        sys.exit(__doc__)
    folder = pathlib.Path(args[every] if len(args) > every else
                          lab.ROOT / "docs/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with lab.Lab() as box:
        controller = box.controller(RM_TIMEZONE="UTC").start()
        controller.bootstrap()
        agents = walk.populate(box, controller)
        b = Browser(controller.url, width=1440, height=860)
        try:
            walk.sign_in(b)
            paths = walk.addresses(agents, walk.pending(b))
            (shoot_all if every else shoot_docs)(b, paths, folder)
        finally:
            b.close()


main()
