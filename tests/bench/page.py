# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/performance.md, made of what was measured."""
import targets
from measure import ROOT

PATH = ROOT / "docs/performance.md"
README = ROOT / "README.md"
MARKS = ("<!-- written by ./bench -->", "<!-- end -->")
PROSE = ROOT / "tests/bench/performance.md"


def number(value):
    """Three digits that matter, thousands with commas."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if size >= least:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"


def bounds(figure):
    """What is asked, in words; "" when nothing is."""
    if figure.good is None:
        return ""
    sign = "<=" if figure.better == "lower" else ">="
    tail = ""
    if figure.against:
        tail = (f" times {figure.against}" if figure.how == "ratio"
                else f" over {figure.against}")
    return (f"good {sign} {figure.good:g}, "
            f"excellent {sign} {figure.excellent:g}{tail}")


def _cells(*cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def _row(one, figure, told, old):
    """The cells of one figure."""
    ours = told["of"].get(one.ours)
    others = []
    for contender, (middle, _, _) in told["of"].items():
        if contender != one.ours:
            others.append(f"{contender} {number(middle)}")
    for contender, _ in sorted(old["absent"].items()):
        others.append(f"{contender} not at hand")
    value = f"{number(ours[0])} {figure.unit}" if ours else "-"
    if ours and ours[1] != ours[2]:
        value += f" ({number(ours[1])} to {number(ours[2])})"
    return value, ", ".join(others), bounds(figure), told["verdict"]


def _target_rows(found, rows):
    for key, name, *_ in targets.TARGETS:
        if key not in found:
            continue
        one = found[key]
        figure = next(f for f in one.figures if f.name == name)
        if key in rows:
            _, told, old = rows[key]
            yield _cells(figure.title, *_row(one, figure, told[name], old),
                         f"`{key}`")
        else:
            yield _cells(figure.title, "-", "", bounds(figure),
                         "not measured", f"`{key}`")


def _count(rows):
    """How many of them are what, in a sentence."""
    words = [rows[key][1][name]["verdict"] if key in rows else "not measured"
             for key, name, *_ in targets.TARGETS]
    return ", ".join(f"{words.count(word)} {word}" for word in
                     ("excellent", "good", "missed", "not measured")
                     if word in words).capitalize() + "."


def _other_rows(rows):
    asked = {row[:2] for row in targets.TARGETS}
    for key, (one, told, old) in rows.items():
        for figure in one.figures:
            if (key, figure.name) not in asked:
                yield _cells(figure.title, *_row(one, figure,
                                                 told[figure.name], old),
                             f"`{key}`")


def text(found, rows, machine, versions):
    """The whole page; rows: key -> (Measurement, summary, what was kept)."""
    head = [_cells("what", "ours: median (range)", "beside us", "asked",
                   "verdict", "key"), _cells(*["---"] * 6)]
    lines = ["# Performance", "",
             "Written by `./bench`; the prose is `tests/bench/performance.md`.",
             "", PROSE.read_text().strip(), "", "## What was asked for", "",
             *head, *_target_rows(found, rows), "", _count(rows), "",
             "## What else was measured", "",
             *head, *_other_rows(rows), ""]
    notes = [f"* `{key}`: {one.note}" for key, (one, *_) in rows.items()
             if one.note]
    if notes:
        lines += ["## What the others do", "", *notes, ""]
    lines += ["## Where", "", _cells("what", "which"), _cells("---", "---"),
              *(_cells(*item) for item in machine.items()),
              *(_cells(name, version) for name, version in versions.items()),
              "", "## When", "", _cells("commit", "date", "keys"),
              _cells("---", "---", "---"), *_moments(rows), ""]
    return "\n".join(lines)


def readme(before, found, rows):
    """The README with the rows that were asked for between its marks."""
    head, _, rest = before.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    assert rest and tail, "README.md has lost the marks of ./bench"
    lines = [_cells("what", "restic-manager", "beside us", "asked"),
             _cells(*["---"] * 4)]
    for key, name, *_ in targets.TARGETS:
        if key in rows:
            one, told, old = rows[key]
            figure = next(f for f in one.figures if f.name == name)
            _, others, asked, verdict = _row(one, figure, told[name], old)
            ours = told[name]["of"].get(one.ours)
            lines.append(_cells(
                figure.title, f"{number(ours[0])} {figure.unit}" if ours
                else "-", others, f"{asked}: {verdict}"))
    return "\n".join([head + MARKS[0], *lines, MARKS[1] + tail])


def _moments(rows):
    """Which keys were measured with which commit, on which day."""
    grouped = {}
    for key, (_, _, old) in rows.items():
        grouped.setdefault((old["date"], old["commit"]), []).append(key)
    for (date, commit), keys in sorted(grouped.items()):
        yield _cells(commit, date, " ".join(f"`{key}`" for key in keys))
