# SPDX-License-Identifier: GPL-3.0-or-later
"""The service units, as far as they can be judged without PID 1."""
import re
import shutil
import subprocess

import pytest

from lab import BIN, ROOT

UNITS = sorted((ROOT / "systemd").glob("*.service"))

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"),
                                reason="systemd is not installed")


@pytest.fixture(name="unit", params=UNITS, ids=lambda p: p.stem)
def fixture_unit(request, tmp_path):
    """A copy that starts our own programs: verify looks for them."""
    for path in UNITS:
        text = re.sub(r"/usr/(sbin|local/bin)", str(BIN), path.read_text())
        (tmp_path / path.name).write_text(text)
    return tmp_path / request.param.name


def analyse(*args):
    return subprocess.run(["systemd-analyze", *map(str, args)], check=False,
                          capture_output=True, text=True, timeout=60)


def test_units_are_well_formed(unit):
    done = analyse("verify", "--man=no", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_units_are_hardened(unit):
    """Agents run restic as root: only theirs may be as open as that."""
    limit = 95 if "agent" in unit.name else 20
    done = analyse("security", "--offline=yes", f"--threshold={limit}", unit)
    assert done.returncode == 0, done.stdout
