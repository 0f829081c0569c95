# SPDX-License-Identifier: GPL-3.0-or-later
"""What a soak has to hold, and whether it did."""
import os
import pathlib
import re
import statistics
import time

from measure import percentile

SETTLED_S = 20   # after a storm or a start
LEAST_SAMPLES = 4

# Memory of its own (PSS, anonymous) is judged by its floor, for what requests
# and commits borrow comes and goes.  In a short stretch: growth from its first
# third to its last, share and KiB.
GROWTH = {"controller": (0.05, 4096), "renderer": (0.05, 1024)}
# In a long one: slope after the warm-up, a minute, share and KiB.  What grows
# there without a leak is room in the heap between what lives longer and
# shorter, which comes to an end (docs/scaling.md).
LONG_MIN, WARM_UP, WINDOW_MIN = 15, 0.4, 2
SLOPE = {"controller": (0.0005, 32), "renderer": (0.0005, 16)}
DESCRIPTORS = 16

# Lines of the controller's log that a soak explains: all of its storms.
EXPLAINED = (
    r"job lost by the agent",  # runs that seed had left under way
    r"renderer (lost|ended)",  # killed
    r"similar records left out",
    # All come back at once, on processors that are shared with them.
    r"abuse (begins|ended) kind=(handshake|no_request)",
)


def kib(path, word):
    for line in pathlib.Path(path).read_text("ascii").splitlines():
        if line.startswith(word + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {word} in {path}")


class Watch:
    """Memory and descriptors of controller and renderer through time."""

    def __init__(self, controller):
        self.controller = controller
        self.samples = []  # {at, name, pid, pss, own, fds, settled}

    def sample(self, storms, at):
        settled = time.monotonic() - storms.calm_since() > SETTLED_S
        for name, pid in (("controller", self.controller.program.pid),
                          ("renderer", self.controller.renderer_pid())):
            try:
                rollup = f"/proc/{pid}/smaps_rollup"
                row = {"at": at, "name": name, "pid": pid,
                       "settled": settled, "pss": kib(rollup, "Pss"),
                       "own": kib(rollup, "Pss_Anon"),
                       "fds": len(os.listdir(f"/proc/{pid}/fd"))}
            except (OSError, RuntimeError):
                continue  # it has just ended
            self.samples.append(row)

    def text(self):
        parts = []
        for name in GROWTH:
            rows = [row for row in self.samples if row["name"] == name]
            if rows:
                row = rows[-1]
                parts.append(f"{name} {row['pss'] / 1024:.1f} MB (own "
                             f"{row['own'] / 1024:.1f}) fds {row['fds']}")
        return "  ".join(parts)

    def stretch(self, name):
        """Samples of the last process of that name, in calm."""
        rows = [row for row in self.samples if row["name"] == name]
        rows = [row for row in rows if row["pid"] == rows[-1]["pid"]]
        return [row for row in rows if row["settled"] and
                row["at"] - rows[0]["at"] > SETTLED_S]

    def judge(self, name):
        """(whether it is flat, sentence)"""
        rows = self.stretch(name)
        if len(rows) < LEAST_SAMPLES:
            return True, f"{name}: too short a stretch to judge memory"
        if rows[-1]["at"] - rows[0]["at"] >= LONG_MIN * 60:
            return self.judge_long(name, rows)
        return self.judge_short(name, rows)

    def judge_long(self, name, rows):
        begin, end = rows[0]["at"], rows[-1]["at"]
        warm = begin + WARM_UP * (end - begin)
        floors = floor_of([row for row in rows if row["at"] >= warm])
        fds = [row["fds"] for row in rows if row["at"] >= warm]
        rise = slope(floors)
        share, least = SLOPE[name]
        bound = max(share * floors[0][1], least)
        good = rise <= bound and fds[-1] - fds[0] <= DESCRIPTORS
        first = floor_of([row for row in rows if row["at"] < warm])
        return good, (
            f"{name}: floor of own memory {first[0][1] / 1024:.1f} MB, after "
            f"{(warm - begin) / 60:.0f} min of warming up "
            f"{floors[0][1] / 1024:.1f}, {(end - warm) / 60:.0f} min later "
            f"{floors[-1][1] / 1024:.1f} MB: {rise:+.0f} KiB/min (allowed "
            f"{bound:.0f}), PSS {rows[0]['pss'] / 1024:.1f} -> "
            f"{rows[-1]['pss'] / 1024:.1f} MB, descriptors {fds[0]} -> "
            f"{fds[-1]}")

    @staticmethod
    def judge_short(name, rows):
        part = max(1, len(rows) // 3)
        ends = (rows[:part], rows[-part:])
        first, last = (percentile([row["own"] for row in some], 10)
                       for some in ends)
        fds = [statistics.median(row["fds"] for row in some)
               for some in ends]
        share, least = GROWTH[name]
        bound = max(share * first, least)
        minutes = (rows[-1]["at"] - rows[0]["at"]) / 60
        good = (last - first <= bound and
                fds[1] - fds[0] <= DESCRIPTORS)
        return good, (
            f"{name}: floor of own memory {first / 1024:.1f} -> {last / 1024:.1f} MB "
            f"in {minutes:.0f} min (allowed "
            f"+{bound / 1024:.1f} MB), PSS {rows[0]['pss'] / 1024:.1f} -> "
            f"{rows[-1]['pss'] / 1024:.1f} MB, descriptors {fds[0]:.0f} -> "
            f"{fds[1]:.0f}")


def floor_of(rows):
    """(minute, KiB): the least of each window."""
    windows = {}
    for row in rows:
        windows.setdefault(int(row["at"] / 60 / WINDOW_MIN), []).append(
            row["own"])
    return [(number * WINDOW_MIN, min(some))
            for number, some in sorted(windows.items())]


def slope(points):
    """KiB a minute: the median of all pairs' (Theil and Sen), so that one
    window with a storm's leftovers does not decide."""
    rises = [(y2 - y1) / (x2 - x1) for k, (x1, y1) in enumerate(points)
             for x2, y2 in points[k + 1:]]
    return statistics.median(rises) if rises else 0.0


def log_lines(path):
    """Warnings and errors that nobody explains, each kind once, counted."""
    known = [re.compile(pattern) for pattern in EXPLAINED]
    kinds = {}
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            if not re.search(r"\b(warn|error|fatal)\b|Sanitizer|invariant",
                             line[:60]):
                continue
            if any(pattern.search(line) for pattern in known):
                continue
            kind = re.sub(r"[0-9A-Z]{26}|[0-9a-f]{16,}|\d+", "#",
                          line.strip()[24:])
            count, first = kinds.get(kind, (0, line.strip()))
            kinds[kind] = (count + 1, first)
    return [f"{count} x {first[:300]}" for count, first in kinds.values()]


def tell(soak):
    """Prints what held and what did not; whether all did."""
    sights, watch = soak.crowd.sights, soak.watch
    wrong = list(soak.problems)
    calm = sorted(ms for at, _, ms in sights.times
                  if not soak.storms.touched(at - ms / 1000, at))
    wrong += [f"failed outside of storms: {f}" for f in sights.failures]
    if calm and percentile(calm, 99) > soak.options.p99_ms:
        wrong.append(f"answers in calm: p99 {percentile(calm, 99):.0f} ms, "
                     f"allowed {soak.options.p99_ms:.0f}")
    wrong += [f"job {job} ended twice" for job in soak.ledger.twice]
    wrong += [f"job {job} of the API never ended"
              for job in soak.crowd.jobs - set(soak.ledger.jobs)]
    wrong += soak.ledger.check_store(soak.controller.client, soak.since_ms)
    wrong += soak.ledger.check_spool(soak.controller.data)
    memory = [watch.judge(name) for name in GROWTH]
    wrong += [text for good, text in memory if not good]
    stats = soak.fleet.ask("stats")
    code = soak.controller.stop()
    if code != 0:
        wrong.append(f"the controller ended with {code}")
    wrong += [f"log: {line}" for line in log_lines(soak.controller.log)]
    print(f"storms: {', '.join(soak.storms.named) or 'none'}")
    print(f"jobs {len(soak.ledger.jobs)} ({len(soak.crowd.jobs)} by the API), "
          f"lines {soak.ledger.lines}, reconnections {stats['reconnects']}, "
          f"events {stats['events']} acknowledged {stats['acked']} sent "
          f"{stats['sent']}, commands sent twice {stats['duplicates']}")
    print(f"answers {len(sights.times)}, in calm p50 "
          f"{percentile(calm or [0], 50):.0f} p99 "
          f"{percentile(calm or [0], 99):.0f} ms; failed in storms "
          f"{sights.excused}; lines followed live {sights.followed}, to the "
          f"end of {sights.ended} jobs")
    for _, text in memory:
        print(text)
    for sentence in wrong[:40]:
        print(f"WRONG: {sentence}")
    if len(wrong) > 40:
        print(f"WRONG: {len(wrong) - 40} more")
    print("verdict: " + ("all held" if not wrong else f"{len(wrong)} wrong"))
    return not wrong
