#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The points and what came back, as a list.

    tests/conformance/report.py            prints it
    tests/conformance/report.py --write    puts it into README.md

Runs all of them, against the programs in $RM_BIN_DIR (build/release/bin).
"""
import collections
import pathlib
import re
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
STORIES = {}  # of client/stories.py, once pytest has found the folder
BEGIN, END = "<!-- points -->", "<!-- end of points -->"
CHAPTERS = (("HTTP/2, RFC 9113", r"h2/"), ("HPACK, RFC 7541", r"7541"),
            ("gRPC over HTTP/2", r"grpc/"), ("HTTP/1.1, RFC 9112", r"h1/"),
            ("The agent as a client of HTTP/2", r"client/"),
            ("Foreign clients", r"test_foreign"))


class Collector:
    """Takes each test's point, or its docstring, and its results."""

    def __init__(self):
        self.rows = collections.OrderedDict()
        self.bad = 0

    @staticmethod
    def pytest_collection_finish():
        import stories  # conftest.py has put its folder on the path
        STORIES.update(stories.STORIES)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = (yield).get_result()
        if report.when != "call":
            self.bad += report.failed
            return
        self.bad += report.failed
        point, got = item.stash.get(item.config.point_key, (None, None))
        told = item.function
        if hasattr(item, "callspec"):
            told = STORIES.get(item.callspec.params.get("name"), told)
        words = " ".join((told.__doc__ or "").split())
        number, text = (point.id, point.text) if point else \
            words.split(": ", 1)
        if number == "-":
            return
        where = item.nodeid.split("conformance/", 1)[1]
        row = self.rows.setdefault((self.chapter(number, where), number,
                                    text), (set(), set(), set()))
        row[0].add(got or "as it must")
        row[1].add(report.outcome)
        if point and got not in (None, point.want.split(" | ")[0]):
            row[2].add(point.why)

    @staticmethod
    def chapter(number, where):
        if where.startswith("test_hpack"):
            return "HPACK, RFC 7541"
        for title, pattern in reversed(CHAPTERS):
            if re.match(pattern, number) or re.match(pattern, where):
                return title
        return "Others"

    def text(self):
        total = len(self.rows)
        lines = [f"{total} points, {self.bad} failed runs.", ""]
        for title, _ in CHAPTERS:
            rows = [(k, v) for k, v in self.rows.items() if k[0] == title]
            if not rows:
                continue
            lines += [f"### {title}: {len(rows)}", "",
                      "| section | sent | came back | |", "|---|---|---|---|"]
            for (_, number, what), (got, outcomes, why) in rows:
                note = "; ".join(sorted(why))
                if outcomes != {"passed"}:
                    note = "**" + ", ".join(sorted(outcomes)) + "** " + note
                cells = [number.replace("7541 ", ""), what,
                         ", ".join(sorted(got)), note]
                lines.append("| " + " | ".join(
                    c.replace("|", "\\|") for c in cells) + " |")
            lines.append("")
        return "\n".join(lines)


def main():
    collector = Collector()
    code = pytest.main(["-q", "-p", "no:cacheprovider", "--no-summary",
                        str(HERE)], plugins=[collector])
    if sys.argv[1:] != ["--write"]:
        print(collector.text())
        return code
    page = HERE / "README.md"
    old = page.read_text()
    page.write_text(old[:old.index(BEGIN) + len(BEGIN)] + "\n" +
                    collector.text() + old[old.index(END):])
    return code


if __name__ == "__main__":
    sys.exit(main())
