#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A console under everyday load and worse, for as long as you like.

    tests/soak/soak.py [--minutes 60] [--agents 10000] [--lines 2000]
                       [--seed 1]

A controller with its renderer; agents (tests/load/load_fleet) that print
lines of jobs they or the API started; pages, streams, polls and scrapes; every
few minutes a storm: all connections cut, kill -9 of the controller or of the
renderer, a restart, a pause.  In the end every line that was acknowledged
must be in the spool once and in order, every job in the store with its end,
memory and descriptors flat, and the log without a word that nobody can
explain.  One line a minute, then the verdict; exit code 0: all held.  The same seed makes
the same choices.

Needs build/release (tests/load_fleet too).  nice it: it takes what it gets.
"""
import argparse
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder)
                for folder in ("soak", "load", "system", "bench")]
import lab as lab_module  # noqa: E402
import load  # noqa: E402
import storms as storms_module  # noqa: E402
import verdict  # noqa: E402
from ledger import Ledger  # noqa: E402
from measure import percentile  # noqa: E402
from visitors import METRICS_TOKEN, Crowd  # noqa: E402

SAMPLE_S, MINUTE_S = 5, 60
BACK_S = 180       # after a storm
LAST_JOBS_S = 240  # those of the API, when no more are asked for
CANDIDATES = 200   # hosts whose backups the API asks for


class Soak:
    def __init__(self, lab, options):
        self.options, self.agents = options, options.agents
        self.storms, self.ledger = storms_module.Storms(), Ledger()
        self.site = load.Site(lab, hosts=options.agents, render=True,
                              env={"RM_METRICS_TOKEN": METRICS_TOKEN},
                              jobs=0, snapshots=2, logs=0)
        self.controller = self.site.controller
        self.controller.bootstrap()
        self.since_ms = int(time.time() * 1000)
        self.fleet = self.site.fleet()
        self.watch = verdict.Watch(self.controller)
        self.problems = []
        self.crowd = Crowd(self.controller, self.storms, options.seed,
                           self.some_hosts())
        self.began = self.line_at = time.monotonic()
        self.lines_before = self.failures_told = 0

    def some_hosts(self):
        """Whose repository is ready: hosts as seed's --list tells them."""
        chance = random.Random(f"{self.options.seed} hosts")
        ready = [row[0] for row in self.site.hosts
                 if row[1] in ("ok", "failed", "incomplete", "stale")]
        return chance.sample(ready, min(CANDIDATES, len(ready) // 2))

    def say(self, text):
        print(f"{(time.monotonic() - self.began) / 60:5.1f} min  {text}",
              flush=True)

    # --------------------------------------------------------------- work

    def begin(self):
        o = self.options
        took = self.fleet.ask(f"connect {self.agents} 0", 400)
        assert took["live"] == self.agents, took
        self.say(f"{self.agents} agents connected in "
                 f"{took['took_ms'] / 1000:.1f} s, pin {self.site.pin[:8]}")
        self.fleet.ask(f"soak {o.lines} {o.jobs} {o.lines_of_job} {o.seed}")
        self.crowd.come(o.pages, o.dashboards, o.followers, o.starts)
        self.began = self.line_at = time.monotonic()

    def gather(self):
        told = self.fleet.ask("soak-ended")
        self.ledger.ended(told["ended"])
        return told

    def storm(self, storm):
        self.storms.begin(storm.__name__)
        self.say(f"storm: {storm.__name__.replace('_', ' ')}")
        storm(self)

    def watch_storm(self):
        if not self.storms.blowing():
            return
        if storms_module.over(self):
            self.say(f"all back after {self.storms.end():.1f} s")
        elif time.monotonic() - self.storms.windows[-1][0] > BACK_S:
            self.storms.end()
            self.problems.append(f"after {self.storms.named[-1]} not all were "
                                 f"back in {BACK_S} s: "
                                 f"{self.fleet.ask('stats')}")

    def minute(self):
        told, stats = self.gather(), self.fleet.ask("stats")
        sights, now = self.crowd.sights, time.monotonic()
        times = sights.since(self.line_at) or [0.0]
        rate = (told["lines"] - self.lines_before) / (now - self.line_at)
        self.lines_before = told["lines"]
        for failure in sights.failures[self.failures_told:]:
            self.say(f"failed: {failure}")
        self.failures_told = len(sights.failures)
        self.say(f"live {stats['live']}  lines/s {rate:.0f}  jobs "
                 f"{len(self.ledger.jobs)} (API {len(self.crowd.jobs)})  "
                 f"unacked {stats['events'] - stats['acked']}  answers "
                 f"{len(times)} p50 {percentile(times, 50):.0f} p99 "
                 f"{percentile(times, 99):.0f} ms  failed "
                 f"{len(sights.failures)} excused {sights.excused}  "
                 f"{self.watch.text()}")
        self.line_at = now

    def run(self):
        seconds = self.options.minutes * 60
        plan = storms_module.plan(seconds, self.options.seed)
        every = min(MINUTE_S, seconds / 8)
        next_sample, next_minute = 0.0, every
        while (at := time.monotonic() - self.began) < seconds:
            if plan and at >= plan[0][0] and not self.storms.blowing():
                self.storm(plan.pop(0)[1])
            self.watch_storm()
            if at >= next_sample:
                next_sample = at + SAMPLE_S
                self.watch.sample(self.storms, at)
                self.gather()
            if at >= next_minute:
                next_minute = at + every
                self.minute()
            time.sleep(0.5)
        while self.storms.blowing():
            self.watch_storm()
            time.sleep(0.5)

    def finish(self):
        """Lets all that is under way come to its end."""
        self.crowd.no_more_jobs.set()
        end = time.monotonic() + LAST_JOBS_S
        while self.crowd.jobs - set(self.ledger.jobs):
            self.gather()
            if time.monotonic() > end:
                break
            time.sleep(0.5)
        told = self.fleet.ask("soak-stop", 300)
        if told["unacked"] or told["live"] < self.agents:
            self.problems.append(f"in the end: {told}")
        while self.gather()["ended"]:
            continue
        self.crowd.leave()
        self.watch.sample(self.storms, time.monotonic() - self.began)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--agents", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=2000,
                        help="lines a second, of all jobs")
    parser.add_argument("--jobs", type=int, default=100, help="at a time")
    parser.add_argument("--lines-of-job", type=int, default=250)
    parser.add_argument("--p99-ms", type=float, default=1000,
                        help="of answers outside of storms")
    parser.add_argument("--starts", type=float, default=0.5,
                        help="jobs a second that the API asks for")
    parser.add_argument("--pages", type=int, default=4,
                        help="readers of pages, and as many of the API")
    parser.add_argument("--dashboards", type=int, default=12)
    parser.add_argument("--followers", type=int, default=12)
    options = parser.parse_args()
    with lab_module.Lab(keep=True) as lab:
        soak = Soak(lab, options)
        soak.begin()
        soak.run()
        soak.finish()
        good = verdict.tell(soak)
        lab.keep = not good
        if lab.keep:
            print(f"kept: {lab.path}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
