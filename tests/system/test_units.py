# SPDX-License-Identifier: GPL-3.0-or-later
"""How open the service units leave the machine (tests/check_units.sh looks
at their form)."""
import shutil
import subprocess

import pytest

from lab import ROOT

UNITS = sorted((ROOT / "systemd").glob("*.service"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"),
                    reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda p: p.stem)
def test_units_are_hardened(unit):
    """M-124: agents run restic as root: only theirs may be as open as that."""
    limit = 95 if "agent" in unit.name else 20
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes",
         f"--threshold={limit}", str(unit)], check=False,
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
