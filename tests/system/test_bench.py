# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench framework: what it makes of numbers.  Nothing is measured here."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

import lab

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))
import measure  # noqa: E402
import page  # noqa: E402
import run  # noqa: E402
import rivals  # noqa: E402
import targets  # noqa: E402
from measure import Figure, Measurement  # noqa: E402


def script(*values):
    """A contender that finds these values, round by round."""
    left = list(values)
    return lambda b: left.pop(0)


def fake(**more):
    cpu = Figure("cpu", "CPU for a thing", "us", 10, 5)
    rate = Figure("rate", "things", "/s", 100, 300, better="higher")
    return Measurement("fake", (cpu, rate), {
        "ours": script({"cpu": 4, "rate": 200}, {"cpu": 9, "rate": 150},
                       {"cpu": 5, "rate": 900}),
        "theirs": script({"cpu": 20}, {"cpu": 10}, {"cpu": 30}), **more})


def test_medians_spread_ratios_and_verdicts(tmp_path, capsys):
    def missing(_b):
        raise measure.Absent("not in this test")
    one = fake(other=missing)
    values, absent = run.run(one, tmp_path, tmp_path)
    assert values["ours"] == {"cpu": [4, 9, 5], "rate": [200, 150, 900]}
    assert absent == {"other": "not in this test"}
    told = run.summarise(one, values)
    assert told["cpu"] == {"of": {"ours": (5, 4, 9), "theirs": (20, 10, 30)},
                           "verdict": "excellent"}
    assert told["rate"]["verdict"] == "good"
    run.show(one, told)
    cpu, rate = capsys.readouterr().out.splitlines()
    assert cpu == ("fake cpu: ours 5.00 us (4.00..9.00); theirs 20.0 us "
                   "(10.0..30.0), ratio 4.00; good <= 10, excellent <= 5: "
                   "excellent")
    assert rate.endswith("good >= 100, excellent >= 300: good")


def test_contenders_take_turns(tmp_path):
    seen = []
    one = Measurement("fake", (Figure("x", "x", "s"),), {
        name: lambda b, n=name: seen.append(n) or {"x": 1}
        for name in ("ours", "theirs")}, rounds=2)
    run.run(one, tmp_path, tmp_path)
    assert seen == ["ours", "theirs", "ours", "theirs"]
    run.run(one, tmp_path, tmp_path, quick=True)
    assert seen[4:] == ["ours", "theirs"]


@pytest.mark.parametrize("figure, ours, theirs, verdict", [
    (Figure("x", "x", "s"), 1, {}, ""),
    (Figure("x", "x", "s", 2, 1), 2, {}, "good"),
    (Figure("x", "x", "s", 2, 1), 2.01, {}, "missed"),
    (Figure("x", "x", "s", 1, 2, better="higher"), 2, {}, "excellent"),
    (Figure("x", "x", "s", 1, 2, better="higher"), 0.9, {}, "missed"),
    (Figure("x", "x", "s", 1, 0.5, against="r"), 5, {"r": 10}, "excellent"),
    (Figure("x", "x", "s", 1, 0.5, against="r"), 9, {"r": 10}, "good"),
    (Figure("x", "x", "s", 1, 0.5, against="r"), 9, {}, ""),
    (Figure("x", "x", "s", 2, 1, against="r", how="excess"), 11.5,
     {"r": 10}, "good"),
    (Figure("x", "x", "s", 2, 1, against="r", how="excess"), 12.5,
     {"r": 10}, "missed"),
])
def test_verdicts(figure, ours, theirs, verdict):
    assert run.judge(figure, ours, theirs) == verdict


def test_a_round_cleans_up_whatever_happens(tmp_path):
    left = []

    def breaks(b):
        left.append(b.folder)
        (b.folder / "file").write_text("x")
        b.close(lambda: left.append("first"))
        b.close(lambda: 1 / 0)
        b.close(lambda: left.append("last"))
        raise RuntimeError("broken")
    one = Measurement("fake", (Figure("x", "x", "s"),), {"ours": breaks})
    with pytest.raises((RuntimeError, ZeroDivisionError)):
        run.run(one, tmp_path, tmp_path)
    assert left[1:] == ["last", "first"] and not left[0].exists()


def test_a_round_has_a_time_limit():
    with pytest.raises(TimeoutError, match="a thing took more than 1 s"):
        with run.limit(1, "a thing"):
            while True:
                pass


def test_strange_figures_are_refused(tmp_path):
    one = Measurement("fake", (Figure("x", "x", "s"),),
                      {"ours": script({"y": 1})})
    with pytest.raises(AssertionError, match="unknown figures"):
        run.run(one, tmp_path, tmp_path)


def test_the_page_tells_what_was_kept(tmp_path, monkeypatch):
    one = fake()
    monkeypatch.setattr(targets, "TARGETS", (("fake", "cpu", 10, 5),
                                             ("late", "x", 2, 1)))
    late = Measurement("late", (Figure("x", "the late one", "s", 2, 1),),
                       {"ours": script()})
    values, absent = run.run(one, tmp_path, tmp_path)
    run.keep(one, values, absent, tmp_path)
    assert json.loads((tmp_path / "fake.json").read_text())["values"] == values
    into, readme = tmp_path / "page.md", tmp_path / "README.md"
    readme.write_text("before\n" + "\nold\n".join(page.MARKS) + "\nafter\n")
    for _ in range(2):
        run.write_page({"fake": one, "late": late}, tmp_path, into, readme)
    assert readme.read_text().splitlines() == [
        "before", page.MARKS[0],
        "| what | restic-manager | beside us | asked |",
        "| --- | --- | --- | --- |",
        "| CPU for a thing | 5.00 us | theirs 20.0 | good <= 10, excellent "
        "<= 5: excellent |", page.MARKS[1], "after"]
    lines = into.read_text().splitlines()
    assert ("| CPU for a thing | 5.00 us (4.00 to 9.00) | theirs 20.0 | "
            "good <= 10, excellent <= 5 | excellent | `fake` |") in lines
    assert ("| the late one | - |  | good <= 2, excellent <= 1 | "
            "not measured | `late` |") in lines
    assert ("| things | 200 /s (150 to 900) |  | good >= 100, excellent >= 300 "
            "| good | `fake` |") in lines
    asked, other = lines.index("## What was asked for"), lines.index(
        "## What else was measured")
    assert asked < lines.index(next(x for x in lines if "late one" in x)) \
        < other < lines.index(next(x for x in lines if "| things" in x))
    assert "1 excellent, 1 not measured." in lines
    text = into.read_text()
    assert os.uname().nodename not in text.split()
    assert str(measure.ROOT) not in text


def test_every_row_of_the_design_has_its_measurement():
    """A bound cannot be moved in one place alone."""
    found = run.load()
    keys = list(found)
    for key, name, good, excellent in targets.TARGETS:
        if key not in found:
            continue
        figure = next(f for f in found[key].figures if f.name == name)
        assert (figure.good, figure.excellent) == (good, excellent), key
        assert figure.against in (None, *found[key].contenders), key
    wanted = list(dict.fromkeys(row[0] for row in targets.TARGETS))
    asked = [key for key in wanted if key in found]
    assert keys[:len(asked)] == asked
    areas = {f"rows_{area}" for area in ("agent", "connect", "intake",
                                         "pages")}
    if areas <= {path.stem for path in BENCH.glob("rows_*.py")}:
        assert asked == wanted
    for key, one in found.items():
        names = [figure.name for figure in one.figures]
        assert len(set(names)) == len(names), key


def test_numbers_are_short():
    assert [page.number(x) for x in (0.01234, 1.234, 12.34, 123.4, 12345.6,
                                     None)] == [
        "0.012", "1.23", "12.3", "123", "12,346", "-"]


def test_a_rival_starts_serves_and_goes(tmp_path):
    if not (lab.TOOLS / "nginx").exists():
        pytest.skip("tools/get-test-tools was not run")
    (tmp_path / "www").mkdir()
    (tmp_path / "www/page.html").write_text("hello")
    bench = measure.Bench(tmp_path, tmp_path, lab.TOOLS, True)
    server = rivals.nginx(bench, rivals.STATIC, root=tmp_path / "www")
    pids = server.pids
    answer = lab.Client(server.port).get("/page.html")
    assert (answer.status, answer.text) == (200, "hello")
    assert len(pids) == 2 and measure.pss_kib(*pids) > 0
    before = measure.cpu_us(*pids)
    lab.Client(server.port).get("/page.html")
    assert measure.cpu_us(*pids) > before
    bench.finish()
    assert not [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]
    with pytest.raises(measure.Absent):
        rivals.grpc_server(bench)  # nothing is built in tmp_path


def test_the_command_lists_its_keys_and_refuses_others():
    told = subprocess.run([measure.ROOT / "bench", "--list"], check=True,
                          capture_output=True, text=True, timeout=20).stdout
    assert [line for line in told.splitlines()
            if not line.startswith(" ")] == list(run.load())
    refused = subprocess.run(
        [sys.executable, BENCH / "run.py", "nonsense"], check=False,
        capture_output=True, text=True, timeout=20)
    assert refused.returncode and "unknown: nonsense" in refused.stderr
