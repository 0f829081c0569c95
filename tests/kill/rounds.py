#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly once, by machine.

    tests/kill/rounds.py [--rounds N] [--seed S] [--hosts H]

Agents run jobs that print numbered lines while agents, controller and
renderer are killed with SIGKILL and connections are cut at random instants.
After each round everything is brought back; then every job must have its true
end, and its log must be lines 1..n once and in order: all of them where the
job's own process was not killed, and without a gap where it was.
Repeatable by seed as far as timing allows.  Prints one line a round and ends
with "N passed, N failed".
"""
import argparse
import pathlib
import random
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import lab  # noqa: E402

FAKE = lab.ROOT / "tests/fake/restic"
FINAL = ("succeeded", "failed", "cancelled")


class Round:
    """What happens to one job of one host."""

    def __init__(self, host, job_id, lines):
        self.host = host
        self.job_id = job_id
        self.lines = lines
        self.agent_killed = False
        self.cancelled = False


class World:
    def __init__(self, box, hosts, rng):
        self.rng = rng
        self.controller = box.controller().start()
        self.controller.bootstrap()
        self.proxy = box.proxy(self.controller.port)
        self.agents = []
        for n in range(hosts):
            source = box.sources(f"source-{n}")
            agent = box.host(self.controller, name=f"host-{n}",
                             paths=[source], restic=FAKE, port=self.proxy.port)
            agent.source = source
            self.agents.append(agent)

    # ------------------------------------------------------- misfortunes

    def kill_agent(self, jobs):
        agent = self.rng.choice(self.agents)
        for job in jobs:
            if job.host is agent:
                job.agent_killed = True
        agent.kill()
        time.sleep(self.rng.random() * 0.3)
        agent.start()

    def kill_controller(self, jobs):
        self.controller.kill()
        time.sleep(self.rng.random() * 0.3)
        self.controller.start(wait=False)

    def kill_renderer(self, jobs):
        pid = self.controller.renderer_pid()
        if pid:
            try:
                lab.os.kill(pid, lab.signal.SIGKILL)
            except ProcessLookupError:
                pass

    def cut(self, jobs):
        self.proxy.cut()

    def block(self, jobs):
        self.proxy.block()
        time.sleep(self.rng.random() * 0.5)
        self.proxy.block(False)

    def cancel(self, jobs):
        job = self.rng.choice(jobs)
        try:
            answer = self.controller.client.post(
                f"/api/jobs/{job.job_id}/cancel")
            job.cancelled = job.cancelled or answer.status == 202
        except OSError:
            job.cancelled = True  # it may have got through

    # ------------------------------------------------------------- rounds

    def start_jobs(self):
        jobs = []
        for agent in self.agents:
            lines = self.rng.randint(1, 400)
            (agent.source / ".pretend").write_text(
                f"lines={lines} delay_ms={self.rng.randint(0, 25)}")
            jobs.append(Round(agent, self.controller.run_group(agent.host_id),
                              lines))
        return jobs

    def wreck(self, jobs):
        moves = [self.kill_agent, self.kill_controller, self.kill_renderer,
                 self.cut, self.cut, self.block, self.cancel]
        told = []
        for _ in range(self.rng.randint(1, 3)):
            time.sleep(self.rng.random() * 0.6)
            move = self.rng.choice(moves)
            told.append(move.__name__)
            move(jobs)
        return told

    def settle(self, jobs):
        lab.wait_for("the controller", self.controller.healthy, 30)
        return [self.controller.wait_job(job.job_id, 120) for job in jobs]

    def check(self, job, end):
        """What is wrong with one job, as a list of sentences."""
        wrong = []
        rows = self.controller.log_lines(job.job_id)
        numbers = [int(m.group(1)) for m in
                   (re.fullmatch(r"pretend line (\d+)", r["payload"])
                    for r in rows) if m]
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"lines are not 1..n once and in order: {numbers}")
        seqs = [r["seq"] for r in rows]
        if seqs != list(range(1, len(seqs) + 1)):
            wrong.append("seq of the download is not 1..n")
        if end["status"] == "succeeded" and len(numbers) != job.lines:
            wrong.append(f"succeeded with {len(numbers)} of {job.lines} lines")
        if end["status"] == "failed" and not job.agent_killed:
            wrong.append(f"failed without a reason of ours: {end['error']}")
        if end["status"] == "cancelled" and not job.cancelled:
            wrong.append("cancelled, but nobody asked")
        return wrong

    def nothing_stuck(self):
        hosts = self.controller.client.ok("GET", "/api/hosts")["items"]
        stuck = []
        for host in hosts:
            for job in self.controller.client.ok(
                    "GET", f"/api/hosts/{host['id']}/jobs")["items"]:
                if job["status"] not in FINAL:
                    stuck.append(f"job {job['id']} is still {job['status']}")
        return stuck

    def one(self):
        jobs = self.start_jobs()
        told = self.wreck(jobs)
        ends = self.settle(jobs)
        wrong = [w for job, end in zip(jobs, ends)
                 for w in self.check(job, end)]
        return told, [e["status"] for e in ends], wrong + self.nothing_stuck()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--hosts", type=int, default=3)
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    rng = random.Random(args.seed)
    passed = failed = 0
    with lab.Lab() as box:
        world = World(box, args.hosts, rng)
        for n in range(1, args.rounds + 1):
            told, ends, wrong = world.one()
            print(f"round {n}: {' '.join(told)} -> {' '.join(ends)}",
                  flush=True)
            for sentence in wrong:
                print(f"  WRONG: {sentence}", flush=True)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                box.keep = True
                print(f"  kept: {box.path}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
