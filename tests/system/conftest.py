# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the system tests: a lab per test, and controllers in it.

The lab ends every process it started, by pid, whatever a test does.  With
RM_KEEP_LAB set the folder of a failed test stays.
"""
import os
import pathlib
import secrets
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import lab as lab_module  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.stash[FAILED] = True


FAILED = pytest.StashKey()


@pytest.fixture
def lab(request):
    bench = lab_module.Lab()
    yield bench
    failed = request.node.stash.get(FAILED, False)
    if failed:
        for program in bench.programs:
            print(f"--- {program.log.name}")
            print(program.text()[-4000:])
        bench.keep = bool(os.environ.get("RM_KEEP_LAB"))
    said = bench.reports()
    bench.close()
    assert said == []


@pytest.fixture
def controller(lab):
    """A controller with its renderer, before anybody has signed in."""
    return lab.controller().start()


@pytest.fixture
def console(controller):
    """The same with a first administrator, who is signed in."""
    controller.bootstrap()
    return controller


@pytest.fixture(name="ahead")
def fixture_ahead(lab):
    """Environment of a controller, and a setter of its clock."""
    library = lab.path / "shift_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library,
                    lab_module.ROOT / "tests/system/shift_clock.c"],
                   check=True)
    note = lab.path / "ahead"
    note.write_text("0")
    return ({"LD_PRELOAD": library, "RM_CLOCK_AHEAD": note},
            lambda seconds: lab_module.replace_text(note, str(seconds)))


@pytest.fixture
def canary():
    """Makes secrets that can be told from everything else; found() names
    the files below a folder that hold one."""
    return Canaries()


class Canaries:
    def __init__(self):
        self.texts = []

    def make(self, label):
        text = f"canary-{label}-{secrets.token_hex(12)}"
        self.texts.append(text)
        return text

    def found(self, folder):
        hits = []
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if not path.is_file():
                continue
            data = path.read_bytes()
            hits += [(str(path), t) for t in self.texts if t.encode() in data]
        return hits
