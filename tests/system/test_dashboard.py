# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard over a made-up fleet: what it says, finds, sorts and starts."""
import pytest

import lab as lab_module

FLEET = 240


@pytest.fixture(scope="module")
def fleet():
    """A controller with 240 hosts, signed in; .counts and .hosts say what
    was put in."""
    with lab_module.Lab() as bench:
        controller = bench.controller()
        controller.counts, controller.hosts = controller.seed(
            hosts=FLEET, jobs=3, snapshots=2, logs=5)
        controller.start().bootstrap()
        yield controller


def test_seed_is_the_fleet_that_was_asked_for(fleet):
    """M-313, M-404: /api/hosts has every host of the made-up fleet, with the
    counts that the program told."""
    items = fleet.client.ok("GET", "/api/hosts?per_page=500")["items"]
    assert [i["name"] for i in items] == sorted(h[3] for h in fleet.hosts)
    assert len(items) == fleet.counts["hosts"] == FLEET
    summary = fleet.client.ok("GET", "/api/fleet/summary")
    assert summary["hosts"]["total"] == FLEET
    assert summary["snapshots"] == fleet.counts["snapshots"]
