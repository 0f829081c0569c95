# SPDX-License-Identifier: GPL-3.0-or-later
"""What a measurement is, and what every measurement needs.

A module tests/bench/rows_<area>.py exports MEASUREMENTS, a tuple of
Measurement.  Ours is the first contender.  A contender is a function that
gets a Bench, does one round and returns {figure name: value}; one that cannot
run here raises Absent with a sentence.
"""
import dataclasses
import pathlib
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Absent(Exception):
    """This contender cannot be measured here, and why."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number of a measurement, and what is asked of ours.

    good and excellent are bounds of the median itself or, when `against`
    names a contender, of what `how` says: the ratio ours / theirs, or the
    excess ours - theirs.  Without bounds it is shown and not judged.
    """
    name: str
    title: str
    unit: str
    good: typing.Optional[float] = None
    excellent: typing.Optional[float] = None
    better: str = "lower"
    against: typing.Optional[str] = None
    how: str = "ratio"

    def __post_init__(self):
        assert self.better in ("lower", "higher"), self.better
        assert self.how in ("ratio", "excess"), self.how
        assert (self.good is None) == (self.excellent is None), self.name


@dataclasses.dataclass(frozen=True)
class Measurement:
    key: str
    figures: tuple
    contenders: dict
    rounds: int = 3
    note: str = ""  # what the rival does, in one or two sentences

    @property
    def ours(self):
        return next(iter(self.contenders))


class Bench:
    """What a contender gets for one round."""

    def __init__(self, folder, build, tools, quick):
        self.folder = pathlib.Path(folder)
        self.build = pathlib.Path(build)
        self.bin = self.build / "bin"
        self.tools = pathlib.Path(tools)
        self.quick = quick
        self._closing = []

    def close(self, function):
        """To be called at the end of the round, the last one first."""
        self._closing.append(function)
        return function

    def finish(self):
        """Runs all of them; the first failure is raised after the last."""
        first = None
        while self._closing:
            try:
                self._closing.pop()()
            except Exception as failure:  # pylint: disable=broad-except
                first = first or failure
        if first:
            raise first


# ------------------------------------------------- the kernel's accounting

def children(pid):
    """The processes that this one started and that are alive."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def cpu_us(*pids):
    """CPU time of all threads of the processes, in microseconds."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1000


def _kib(path, word):
    for line in pathlib.Path(path).read_text("ascii").splitlines():
        if line.startswith(word + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {word} in {path}")


def pss_kib(*pids):
    """Proportional share of memory: shared pages are counted once."""
    return sum(_kib(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids)


def own_kib(*pids):
    """Memory that is nobody else's and no file's: the heap, the stacks."""
    return sum(_kib(f"/proc/{pid}/status", "RssAnon") for pid in pids)


def rss_kib(*pids):
    return sum(_kib(f"/proc/{pid}/status", "VmRSS") for pid in pids)


def wakeups(*pids):
    """How often a thread of theirs went from sleeping to running."""
    return sum(_kib(task / "status", "voluntary_ctxt_switches")
               for pid in pids
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def percentile(values, percent):
    """The smallest value that so many per cent do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1,
                      max(0, -(-len(ranked) * percent // 100) - 1))]
