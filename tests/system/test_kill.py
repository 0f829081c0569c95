# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly once under SIGKILL and cut connections; see tests/kill/rounds.py,
which plays thousands: tests/kill/rounds.py --rounds 5000."""
import os
import sys

from lab import ROOT

sys.path.insert(0, str(ROOT / "tests/kill"))
import plans  # noqa: E402
import rounds  # noqa: E402

SEED = int(os.environ.get("RM_KILL_SEED", "20261121"))


def test_a_hundred_rounds(lab):
    assert rounds.run(lab, 100, SEED, hosts=2) == 0


def test_plans_under_fire(lab):
    """Agents that back up by themselves; see tests/kill/plans.py."""
    count, wrong = plans.run(lab, 12, SEED)
    assert count > 4 and wrong == []


def test_rounds_with_poll_alone(lab):
    """Behind a proxy on which Session does not work."""
    assert rounds.run(lab, 15, SEED, hosts=2, poll=True) == 0
