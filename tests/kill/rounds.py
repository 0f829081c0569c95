#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly once, by machine.

    tests/kill/rounds.py [--rounds N] [--seed S] [--hosts H] [--poll]

Agents run jobs that print numbered lines while agents, controller and
renderer are killed with SIGKILL, stopped or frozen, and connections are cut
or stalled, at random instants.  Afterwards everything is brought back; then

- every job has its true end, none is stuck and none ran twice;
- its log is the lines 1..n once and in order: all of them where the job's own
  process was not killed, and where it was never fewer than its agent's queue
  held at that instant;
- a browser that followed the log meanwhile, and came back after each cut, saw
  each line once and in order;
- the job's page is there.

With --poll the agents sit behind a proxy on which Session does not work.
For thousands of rounds:  tests/kill/rounds.py --rounds 5000
Repeatable by seed as far as timing allows.  Prints one line a round and ends
with "N passed, N failed".
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import agent_queue  # noqa: E402
import foreign  # noqa: E402
import lab  # noqa: E402
import peers  # noqa: E402
import stream  # noqa: E402

FAKE = lab.ROOT / "tests/fake/restic"
FINAL = ("succeeded", "failed", "cancelled")
LINE = re.compile(r"pretend line (\d+)")
AWAY = (OSError, http.client.HTTPException, AssertionError)


class Follower(threading.Thread):
    """A browser on a job's live log that comes back after every cut."""

    def __init__(self, client, job_id):
        super().__init__(daemon=True)
        self.client = client
        self.job_id = job_id
        self.last_id = None
        self.seqs = []
        self.finished = False
        self.over = False

    def run(self):
        while not (self.finished or self.over):
            with contextlib.suppress(*AWAY):
                self.follow()
            time.sleep(0.1)

    def follow(self):
        live = stream.Stream(self.client,
                             f"/api/jobs/{self.job_id}/stream",
                             last_id=self.last_id, timeout=20)
        try:
            if live.status != 200:
                return
            for name, ident, data in live.events(120):
                if name == "log.stream":
                    self.seqs.append(json.loads(data)["seq"])
                self.last_id = ident
                self.finished = name == "job.finished"
                if self.finished or self.over:
                    return
        finally:
            live.close()


class Round:
    """What happens to one job of one host."""

    def __init__(self, host, job_id, lines, code):
        self.host = host
        self.job_id = job_id
        self.lines = lines
        self.code = code  # the pretend restic's exit code
        self.runs = host.runs()
        self.agent_killed = False
        self.cancelled = False
        self.held = 0  # lines in the queue when its agent was killed


class World:
    def __init__(self, box, hosts, rng, poll=False):
        self.rng = rng
        self.controller = box.controller().start()
        self.controller.bootstrap()
        generated = box.path / "generated"
        generated.mkdir()
        self.pb = foreign.load(generated)[0]
        target = self.controller.port
        if poll:
            target = peers.Nginx(box, self.controller, peers.POLL_ONLY,
                                 target).start().port
        self.proxy = box.proxy(target)
        self.agents = [self.host(box, n) for n in range(hosts)]

    def host(self, box, n):
        source = box.sources(f"source-{n}")
        repo = box.path / f"repo-{n}"
        agent = box.host(self.controller, name=f"host-{n}", repo=repo,
                         paths=[source], restic=FAKE, port=self.proxy.port)
        agent.source = source
        agent.runs = lambda: ((repo / "runs").stat().st_size
                              if (repo / "runs").exists() else 0)
        return agent

    # ------------------------------------------------------- misfortunes

    def kill_agent(self, jobs):
        self.end_agent(jobs, lab.Agent.kill)

    def stop_agent(self, jobs):
        self.end_agent(jobs, lab.Agent.stop)

    def end_agent(self, jobs, how):
        agent = self.rng.choice(self.agents)
        how(agent)
        held = agent_queue.last_lines(agent.dir / "queue", self.pb)
        for job in jobs:
            if job.host is agent:
                job.agent_killed = True
                job.held = max(job.held, held.get(job.job_id, 0))
        time.sleep(self.rng.random() * 0.3)
        agent.start()

    def kill_controller(self, jobs):
        self.controller.kill()
        time.sleep(self.rng.random() * 0.3)
        self.controller.start(wait=False)

    def stop_controller(self, jobs):
        self.controller.stop()
        self.controller.start(wait=False)

    def kill_both(self, jobs):
        self.controller.kill()
        self.kill_agent(jobs)
        self.controller.start(wait=False)

    def freeze(self, jobs):
        program = self.rng.choice(
            [self.controller, *self.agents]).program
        program.kill(signal.SIGSTOP)
        time.sleep(self.rng.random() * 0.8)
        program.kill(signal.SIGCONT)

    def kill_renderer(self, jobs):
        pid = self.controller.renderer_pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cut(self, jobs):
        self.proxy.cut()

    def block(self, jobs):
        self.proxy.block()
        time.sleep(self.rng.random() * 0.5)
        self.proxy.block(False)

    def stall(self, jobs):
        self.proxy.stall(self.rng.random() * 0.8)

    def cancel(self, jobs):
        job = self.rng.choice(jobs)
        try:
            answer = self.controller.client.post(
                f"/api/jobs/{job.job_id}/cancel")
            job.cancelled = job.cancelled or answer.status == 202
        except (OSError, http.client.HTTPException):
            job.cancelled = True  # it may have got through

    # ------------------------------------------------------------- rounds

    def start_job(self, agent):
        """Its agent may still be on its way back from the last round."""
        lines = self.rng.randint(1, 400)
        if self.rng.random() < 0.05:
            lines = self.rng.randint(5000, 30000)
        code = self.rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 3))
        seconds = self.rng.uniform(0.1, 2.0)
        delay = min(200, int(10000 * seconds / lines))
        (agent.source / ".pretend").write_text(
            f"lines={lines} delay_ms={delay} exit={code}")
        lab.wait_for(f"{agent.name} online", lambda: self.controller.host(
            agent.host_id)["status"] == "online", 90, 0.02)
        return Round(agent, self.controller.run_group(agent.host_id), lines,
                     code)

    def wreck(self, jobs):
        moves = [self.kill_agent, self.kill_controller, self.kill_renderer,
                 self.kill_both, self.stop_agent, self.stop_controller,
                 self.freeze, self.stall, self.cut, self.cut, self.block,
                 self.cancel]
        told = []
        for _ in range(self.rng.randint(1, 3)):
            time.sleep(self.rng.random() * 0.5)
            move = self.rng.choice(moves)
            told.append(move.__name__)
            move(jobs)
        return told

    def check_lines(self, job, end):
        """What is wrong with one job's log, as a list of sentences."""
        wrong = []
        rows = self.controller.log_lines(job.job_id)
        numbers = [int(m.group(1)) for m in
                   (LINE.fullmatch(r["payload"]) for r in rows) if m]
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"lines are not 1..n once and in order: {numbers}")
        seqs = [r["seq"] for r in rows]
        if seqs != list(range(1, len(seqs) + 1)):
            wrong.append("seq of the download is not 1..n")
        # The first line of the file is the controller's; theirs are 2..
        if len(rows) - 1 < job.held:
            wrong.append(f"{len(rows)} lines, the queue held {job.held}")
        whole = end["status"] == "succeeded" or (
            end["status"] == "failed" and end["cause"] != "agent_restarted")
        if whole and len(numbers) != job.lines:
            wrong.append(f"{end['status']} with {len(numbers)} of "
                         f"{job.lines} lines")
        return wrong

    def check_end(self, job, end):
        wrong = []
        ran = job.host.runs() - job.runs
        by_us = end["cause"] == "agent_restarted" and job.agent_killed
        if end["status"] == "failed" and job.code != 1 and not by_us:
            wrong.append(f"failed without a reason of ours: {end['error']}")
        if end["status"] == "succeeded":
            if ran != 1 or job.code == 1:
                wrong.append(f"succeeded with {ran} runs, exit {job.code}")
            # Stopped while it listed what it had made: never shown as green.
            unlisted = end["cause"] == "not_verified" and job.agent_killed
            if end["incomplete"] != (job.code == 3 or unlisted):
                wrong.append(f"incomplete is {end['incomplete']} with exit "
                             f"{job.code}")
        if end["status"] == "cancelled" and not job.cancelled:
            wrong.append("cancelled, but nobody asked")
        if ran > 1:
            wrong.append(f"ran {ran} times")
        return wrong

    def check_follower(self, follower):
        follower.join(30)
        if not follower.finished:
            follower.over = True
            return ["the live log had no end"]
        if follower.seqs != list(range(1, len(follower.seqs) + 1)):
            return [f"the live log was not 1..n: {follower.seqs}"]
        rows = len(self.controller.log_lines(follower.job_id))
        if len(follower.seqs) != rows:
            return [f"{len(follower.seqs)} live lines, {rows} in the log"]
        return []

    def check_page(self, job):
        """The renderer may be about to come back."""
        page = f"/jobs/{job.job_id}"
        try:
            lab.wait_for("the page", lambda: self.controller.client.get(
                page).status == 200, 15)
        except AssertionError as e:
            return [str(e)]
        return []

    def nothing_stuck(self):
        hosts = self.controller.client.ok("GET", "/api/hosts")["items"]
        stuck = []
        for host in hosts:
            for job in self.controller.client.ok(
                    "GET", f"/api/hosts/{host['id']}/jobs")["items"]:
                if job["status"] not in FINAL:
                    stuck.append(f"job {job['id']} is still {job['status']}")
        return stuck

    def judge(self, jobs, follower):
        lab.wait_for("the controller", self.controller.healthy, 30)
        wrong, ends = [], []
        for job in jobs:
            try:
                end = self.controller.wait_job(job.job_id, 120)
            except AssertionError as e:
                wrong.append(str(e))
                continue
            ends.append(end["status"])
            wrong += [f"{job.job_id}: {w}" for w in
                      self.check_lines(job, end) + self.check_end(job, end)]
        wrong += self.check_follower(follower)
        wrong += self.check_page(jobs[0])
        return ends, wrong + self.nothing_stuck()

    def one(self):
        """One round: what was done, how the jobs ended, what is wrong."""
        jobs = [self.start_job(agent) for agent in self.agents]
        follower = Follower(self.controller.client, jobs[0].job_id)
        follower.start()
        told = self.wreck(jobs)
        ends, wrong = self.judge(jobs, follower)
        return told, ends, wrong


def run(box, rounds, seed, hosts=3, poll=False, say=print):
    """Plays rounds; the number of them that failed."""
    rng = random.Random(seed)
    world = World(box, hosts, rng, poll)
    failed = 0
    for n in range(1, rounds + 1):
        begin = time.monotonic()
        told, ends, wrong = world.one()
        say(f"round {n}: {' '.join(told)} -> {' '.join(ends)}"
            f" {time.monotonic() - begin:.1f} s")
        for sentence in wrong:
            say(f"  WRONG: {sentence}")
        failed += bool(wrong)
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--poll", action="store_true")
    args = parser.parse_args()

    def say(text):
        print(text, flush=True)

    say(f"seed {args.seed}")
    with lab.Lab() as box:
        failed = run(box, args.rounds, args.seed, args.hosts, args.poll, say)
        if failed:
            box.keep = True
            say(f"kept: {box.path}")
    say(f"{args.rounds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
