# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log on the real programs: what a thief or a vandal of the
database leaves behind (W-02), who may see what of it (M-438), filters, export
(M-298 to M-303)."""
import re

import pytest

from conftest import reports
from lab import Lab


@pytest.fixture(name="ctl", scope="module")
def a_controller():
    with Lab() as bench:
        made = bench.controller().start()
        made.bootstrap()
        yield made
        assert reports(bench) == []


def verify(ctl, expect=None):
    return ctl.client.ok("GET", "/api/audit/verify" +
                         (f"?expect={expect}" if expect else ""))


def heads(ctl):
    return re.findall(r"audit log head entries=(\d+) hash=([0-9a-f]{64})",
                      ctl.log.read_text())


def test_an_untouched_log_verifies_and_its_head_is_logged(ctl):
    """W-02: the chain fits, the seal fits, the controller's own log has the
    head at each start, and that hash is found later."""
    first = verify(ctl)
    assert first["ok"] and first["fault"] == "none"
    assert first["entries"] == first["sealed_entries"] >= 2
    assert first["entries_before_seal"] == 0 and first["row"] is None
    ctl.restart()
    entries, digest = heads(ctl)[-1]
    assert int(entries) == first["entries"] and digest == first["hash"]
    ctl.login()
    later = verify(ctl, digest)
    assert later["ok"] and later["expected_found"]
    assert later["entries"] == first["entries"] + 1
    other = verify(ctl, "00" * 32)
    assert not other["ok"] and other["fault"] == "none"
    assert other["expected_found"] is False
    assert ctl.client.get("/api/audit/verify?expect=abc").status == 422


def test_who_edits_the_database_is_found_out(ctl):
    """W-02: an entry edited in the file, and another key, are named."""
    data = ctl.data / "db/state/data.mdb"
    key = ctl.data / "secret.key"
    ctl.stop()
    clean, good = data.read_bytes(), key.read_bytes()
    assert clean.count(b"auth.bootstrap") >= 1
    data.write_bytes(clean.replace(b"auth.bootstrap", b"auth.bootstraq"))
    ctl.start()
    found = verify(ctl)
    assert not found["ok"] and found["fault"] == "edited"
    assert found["row"] == 1 and "entry 1" in found["message"]
    assert found["time"] and found["entry_id"]
    ctl.stop()
    data.write_bytes(clean)
    key.write_bytes(bytes(32))
    ctl.start()
    found = verify(ctl)
    assert found["fault"] == "seal_broken" and found["row"] is None
    assert "the audit log is not as it was left" in ctl.log.read_text()
    ctl.stop()
    data.write_bytes(clean)
    key.write_bytes(good)
    ctl.start()
    assert verify(ctl)["ok"]


def test_only_admins_verify(ctl):
    """M-438."""
    cookie, ctl.client.cookie = ctl.client.cookie, None
    assert ctl.client.get("/api/audit/verify").status == 401
    ctl.client.cookie = cookie
