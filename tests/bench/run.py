#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs measurements: round by round, contender by contender, so that what
else happens on the machine meets all of them.

    tests/bench/run.py [--quick] [--write] [--list] [key...]

./bench builds what is needed first.  Results are kept in build/bench, one
file a key; docs/performance.md and the table of the README are made of them
when all keys were run, or with --write.  --quick runs one short round of each and keeps nothing.
"""
import argparse
import contextlib
import importlib
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[0] / "system")]
import machine  # noqa: E402
import measure  # noqa: E402
import page  # noqa: E402
import targets  # noqa: E402

KEPT = measure.ROOT / "build/bench"
ROUND_LIMIT_S = 600


def load(folder=HERE):
    """key -> Measurement of every rows_*.py: those the design asks for in
    its order, the others after them."""
    found = {}
    for path in sorted(folder.glob("rows_*.py")):
        for one in importlib.import_module(path.stem).MEASUREMENTS:
            assert one.key not in found, f"two measurements called {one.key}"
            found[one.key] = one
    order = {row[0]: k for k, row in reversed(list(enumerate(
        targets.TARGETS)))}
    return dict(sorted(found.items(),
                       key=lambda item: order.get(item[0], len(order) + 99)))


# ------------------------------------------------------------------ judging

def judge(figure, ours, theirs):
    """excellent, good or missed; "" where nothing is asked, or where the
    contender it is held to could not be measured.  theirs: name -> median."""
    if figure.good is None:
        return ""
    value = ours
    if figure.against:
        other = theirs.get(figure.against)
        if not other:
            return ""
        value = ours - other if figure.how == "excess" else ours / other
    sign = 1 if figure.better == "lower" else -1
    for word in ("excellent", "good"):
        if sign * value <= sign * getattr(figure, word):
            return word
    return "missed"


def times_better(figure, ours, theirs):
    """How many times better ours is; None when there is no such number."""
    best, worst = ((ours, theirs) if figure.better == "lower"
                   else (theirs, ours))
    return worst / best if best > 0 and worst > 0 else None


def summarise(one, values):
    """figure name -> {contender: (median, least, most)} and the verdict;
    values: contender -> figure -> list of numbers."""
    told = {}
    for figure in one.figures:
        medians = {}
        for contender in one.contenders:
            numbers = values.get(contender, {}).get(figure.name)
            if numbers:
                medians[contender] = (statistics.median(numbers),
                                      min(numbers), max(numbers))
        ours = medians.get(one.ours)
        told[figure.name] = {"of": medians, "verdict": judge(
            figure, ours[0], {k: v[0] for k, v in medians.items()})
            if ours else "not measured"}
    return told


def show(one, told):
    """One line a figure."""
    for figure in one.figures:
        row = told[figure.name]
        parts = []
        ours = row["of"].get(one.ours)
        for contender, (middle, least, most) in row["of"].items():
            text = (f"{contender} {page.number(middle)} {figure.unit} "
                    f"({page.number(least)}..{page.number(most)})")
            if contender != one.ours and ours:
                ratio = times_better(figure, ours[0], middle)
                text += f", ratio {ratio:.2f}" if ratio else ""
            parts.append(text)
        bounds = page.bounds(figure)
        print(f"{one.key} {figure.name}: " + "; ".join(parts or ["nothing"]) +
              (f"; {bounds}: {row['verdict']}" if bounds else ""), flush=True)


# ------------------------------------------------------------------ running

@contextlib.contextmanager
def limit(seconds, what):
    """A round that takes longer fails, and its cleanup still runs."""
    def late(_signum, _frame):
        raise TimeoutError(f"{what} took more than {seconds} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def one_round(function, build, tools, quick, what):
    """What the contender found in a folder of its own."""
    folder = tempfile.mkdtemp(prefix="rm-bench-")
    bench = measure.Bench(folder, build, tools, quick)
    try:
        with limit(ROUND_LIMIT_S, what):
            return function(bench)
    finally:
        try:
            bench.finish()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def run(one, build, tools, quick=False):
    """values (contender -> figure -> numbers), absent (contender -> why)."""
    values, absent = {}, {}
    known = {figure.name for figure in one.figures}
    for number in range(1 if quick else one.rounds):
        for contender, function in one.contenders.items():
            if contender in absent:
                continue
            what = f"{one.key}, {contender}, round {number + 1}"
            try:
                found = one_round(function, build, tools, quick, what)
            except measure.Absent as why:
                absent[contender] = str(why)
                continue
            strange = set(found) - known
            assert not strange, f"{what}: unknown figures {strange}"
            for name, value in found.items():
                values.setdefault(contender, {}).setdefault(
                    name, []).append(value)
    return values, absent


def keep(one, values, absent, folder=KEPT):
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"key": one.key, "values": values, "absent": absent,
                       **machine.moment()}, indent=1)
    path = folder / f"{one.key}.json"
    path.with_suffix(".new").write_text(text + "\n")
    path.with_suffix(".new").rename(path)


def kept(found, folder=KEPT):
    """key -> what was kept of it."""
    return {key: json.loads((folder / f"{key}.json").read_text())
            for key in found if (folder / f"{key}.json").exists()}


def write_page(found, folder=KEPT, into=page.PATH, readme=page.README):
    """docs/performance.md of all that was kept, and the README's rows."""
    rows = {key: (found[key], summarise(found[key], old["values"]), old)
            for key, old in kept(found, folder).items()}
    into.write_text(page.text(found, rows, machine.facts(),
                              machine.versions()))
    readme.write_text(page.readme(readme.read_text(), found, rows))
    print(f"wrote {into} and {readme}")


def arguments():
    parser = argparse.ArgumentParser(prog="./bench")
    parser.add_argument("--quick", action="store_true",
                        help="one short round of each, nothing kept")
    parser.add_argument("--write", action="store_true",
                        help="write docs/performance.md of what is kept")
    parser.add_argument("--list", action="store_true",
                        help="the keys and what they measure")
    parser.add_argument("key", nargs="*", help="what to measure: all of it")
    return parser.parse_args()


def main():
    options, found = arguments(), load()
    strange = [key for key in options.key if key not in found]
    if strange:
        sys.exit(f"bench: unknown: {' '.join(strange)}; "
                 f"known: {' '.join(found)}")
    if options.list:
        for key, one in found.items():
            print(key)
            for figure in one.figures:
                print(f"    {figure.name:14} {figure.title}")
        return 0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    build = measure.ROOT / "build/release"
    tools = pathlib.Path(os.environ.get("RM_TOOLS_DIR",
                                        measure.ROOT / "build/tools"))
    broken = []
    for key in options.key or found:
        began = time.monotonic()
        try:
            values, absent = run(found[key], build, tools, options.quick)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            print(f"{key}: failed", flush=True)
            broken.append(key)
            continue
        show(found[key], summarise(found[key], values))
        for contender, why in absent.items():
            print(f"{key}: {contender} was not measured: {why}", flush=True)
        print(f"{key}: {time.monotonic() - began:.0f} s", flush=True)
        if not options.quick:
            keep(found[key], values, absent)
    if options.write or not (options.key or options.quick or broken):
        write_page(found)
    if broken:
        print(f"bench: {len(broken)} failed: {' '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
