# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention as we decide it and as restic does, on the same snapshots."""
import datetime
import json
import random
import shutil
import subprocess
import zoneinfo

import pytest

import craft
from lab import BIN, TOOLS, clean_env

NEWER = TOOLS / "restic018/usr/bin/restic"
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
PASSWORD = "retention"
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
         "Pacific/Kiritimati", "America/St_Johns")

pytestmark = pytest.mark.skipif(
    not NEWER.exists(), reason="tools/get-test-tools was not run")


def times(dice, zone, count):
    """Dense in the last days, then thinner, with the ends of years and the
    changes of clocks; no two in one millisecond."""
    now = datetime.datetime(2026, 3, 30, 12, tzinfo=datetime.timezone.utc)
    ago = {dice.randrange(3 * 86400) for _ in range(count // 3)}
    ago |= {dice.randrange(90 * 86400) for _ in range(count // 3)}
    ago |= {dice.randrange(4 * 366 * 86400) for _ in range(count // 3)}
    edges = [datetime.datetime(year, *rest) for year in range(2022, 2027)
             for rest in ((1, 1), (1, 4), (3, 29, 2), (10, 25, 2))]
    for edge in edges:
        local = int((now - edge.replace(tzinfo=zone)).total_seconds())
        ago |= {max(1, local + dice.randrange(-7200, 7200)) for _ in range(2)}
    return [(now - datetime.timedelta(seconds=s, milliseconds=dice.randrange(
        1000))).astimezone(zone) for s in sorted(ago)]


def stays(snapshots, policy):
    """{id: its reasons} by our own program."""
    lines = "".join(
        f"{int(t.timestamp() * 1000)} {int(t.utcoffset().total_seconds())} "
        f"{name}\n" for name, t in snapshots.items())
    done = subprocess.run([BIN / "retention", *map(str, policy)], text=True,
                          input=lines, capture_output=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {row[0]: sorted(row[1:]) for row in rows}


def restic_keeps(program, repo, host, policy):
    """The same by restic, in a zone that is nobody's."""
    flags = [f"--keep-{rule}={n}" for rule, n in zip(RULES, policy) if n]
    done = subprocess.run(
        [str(program), "forget", "--dry-run", "--json", "--no-lock",
         "--group-by", "", "--host", host, *flags], text=True,
        capture_output=True, check=True, timeout=60,
        env=clean_env(RESTIC_REPOSITORY=repo, RESTIC_PASSWORD=PASSWORD,
                      TZ="Asia/Tokyo", XDG_CACHE_HOME=repo.parent))
    group = json.loads(done.stdout)[0]
    return {row["snapshot"].get("id"): sorted(row["matches"])
            for row in group["reasons"]}, {
                s["id"] for s in group["keep"]}


def policies(dice):
    yield (1, 0, 0, 0, 0, 0)
    yield (0, 0, 7, 4, 12, 3)
    yield (0, 0, 0, 0, 0, 100)
    yield (10000, 0, 0, 0, 0, 0)
    for rule in range(1, 6):
        yield tuple(dice.choice((1, 3, 30)) if k == rule else 0
                    for k in range(6))
    for _ in range(6):
        yield tuple(dice.choice((0, 0, 1, 2, 5, 24, 400)) if k != 2 else 3
                    for k in range(6))


@pytest.mark.parametrize("seed", range(2))
def test_restic_would_keep_the_same(lab, seed):
    """keep.h against 0.14 and 0.18, kept snapshots and their reasons."""
    dice = random.Random(seed)
    repo, snapshots = lab.path / "repo", {}
    older = shutil.which("restic")
    subprocess.run([older, "init"], check=True, capture_output=True,
                   env=clean_env(RESTIC_REPOSITORY=repo,
                                 RESTIC_PASSWORD=PASSWORD))
    crafted = craft.Repo(repo, PASSWORD)
    for name in dice.sample(ZONES, 3):
        made = times(dice, zoneinfo.ZoneInfo(name), 90)
        ids = crafted.add([{"time": t.isoformat(timespec="milliseconds"),
                            "hostname": name, "tags": ["t"]} for t in made])
        snapshots[name] = dict(zip(ids, made))
    for policy in policies(dice):
        host = dice.choice(sorted(snapshots))
        ours = stays(snapshots[host], policy)
        for program in (older, NEWER):
            reasons, kept = restic_keeps(program, repo, host, policy)
            if program is NEWER:
                assert ours == reasons, (host, policy)
                assert set(ours) == kept
            else:  # which knows no rule for the oldest, nor names reasons
                assert {name for name, why in ours.items() if any(
                    not w.startswith("oldest ") for w in why)} == kept, (
                        host, policy)
