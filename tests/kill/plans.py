#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans under fire: every due time at most once, every run with one end.

    tests/kill/plans.py [--seconds N] [--seed S] [--hosts H]

Agents back up by their own schedules every few seconds, with hooks around it
and forget between, while agents, controller and renderer are killed, stopped
or frozen and connections are cut.  Afterwards everything is brought back,
schedules go off, and the ledgers are compared:

- every job has its end; the agent's own note of it, in jobs/<id>, says the
  same as the controller;
- no due time has two successes, and only a failure is followed by another
  run of the same due time;
- hooks ran at most once a job, and around each that was not cut off; the
  post-hook was told how the job ended;
- a log is the lines 1..n once and in order, all of them where the job ended
  by itself;
- and schedules went on by themselves after the last blow.

Ends with "N jobs, M wrong".
"""
import argparse
import collections
import importlib
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import lab  # noqa: E402
from grpc_tools import protoc  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rounds  # noqa: E402

LINES = 40
CRONS = ("@every 4s", "@every 9s")
HOOKS = {"pre_hook": "echo $RM_JOB_ID >>{0}/pre",
         "post_hook": "echo $RM_JOB_ID $RM_JOB_STATUS >>{0}/post"}


def store_messages(folder):
    code = protoc.main([
        "protoc", f"-I{lab.ROOT / 'proto'}", f"--python_out={folder}",
        str(lab.ROOT / "proto/store.proto")])
    assert code == 0, "protoc failed"
    return importlib.import_module("store_pb2")


class World(rounds.World):
    def __init__(self, box, hosts, rng):
        super().__init__(box, hosts, rng)
        self.rec = store_messages(box.path / "generated")

    def host(self, box, n):
        agent = super().host(box, n)
        client, api = self.controller.client, f"/api/hosts/{agent.host_id}"
        group = client.ok("GET", api + "/source-groups")["items"][0]["id"]
        agent.notes = box.path / f"notes-{n}"
        agent.notes.mkdir()
        (agent.source / ".pretend").write_text(f"lines={LINES} delay_ms=60")
        client.ok("PUT", api + "/hooks", {
            name: text.format(agent.notes) for name, text in HOOKS.items()})
        client.ok("PUT", f"{api}/source-groups/{group}", {
            "retention_policy": {"keep_last": 3}, "retry_max": 1,
            "retry_backoff_seconds": 1})
        agent.schedules = [client.ok("POST", api + "/schedules", {
            "cron": cron, "source_group_ids": [group]})["id"]
            for cron in CRONS]
        return agent

    # ------------------------------------------------------------ the storm

    def forget(self, _):
        agent = self.rng.choice(self.agents)
        try:
            self.controller.client.post(f"/api/hosts/{agent.host_id}/jobs",
                                        {"kind": "forget"})
        except rounds.AWAY:
            pass  # it may be away, and need not be asked again

    def storm(self, seconds, say):
        moves = [self.kill_agent, self.kill_agent, self.kill_controller,
                 self.kill_both, self.stop_agent, self.stop_controller,
                 self.kill_renderer, self.freeze, self.cut, self.block,
                 self.stall, self.forget, self.forget]
        told = collections.Counter()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self.rng.random() * 2.5)
            move = self.rng.choice(moves)
            told[move.__name__] += 1
            move([])
        say("storm: " + ", ".join(f"{n} {name}" for name, n in
                                  sorted(told.items())))

    # ------------------------------------------------------------ afterwards

    def jobs(self, agent):
        client, rows, page = self.controller.client, [], 1
        while True:
            got = client.ok("GET", f"/api/hosts/{agent.host_id}/jobs"
                            f"?page={page}&limit=100")["items"]
            rows += got
            if len(got) < 100:
                break
            page += 1
        return [self.controller.job(row["id"]) for row in
                sorted(rows, key=lambda row: row["id"])]

    def settle(self):
        """Schedules go on, then off, and all that is open ends."""
        lab.wait_for("the controller", self.controller.healthy, 30)
        client = self.controller.client
        for agent in self.agents:
            since = lab.wait_for(f"{agent.name} online", lambda: (
                self.controller.host(agent.host_id)["status"] == "online"
                and time.time()), 90)
            lab.wait_for(f"a run of {agent.name} by itself", lambda: any(
                j["status"] == "succeeded" and j["actor_kind"] == "schedule"
                and rounds_time(j["started_at"]) > since
                for j in self.jobs(agent)[-8:]), 60, 0.5)
            for schedule in agent.schedules:
                client.ok("PUT", f"/api/hosts/{agent.host_id}/schedules/"
                          f"{schedule}", {"enabled": False})
        for agent in self.agents:
            lab.wait_for(f"the ends of {agent.name}", lambda: all(
                j["status"] in rounds.FINAL for j in self.jobs(agent)), 90,
                0.5)
            lab.wait_for("the ends on disk", lambda: all(
                note.ended for note in self.noted(agent).values()), 30, 0.5)

    def noted(self, agent):
        """jobs/<id> of the agent."""
        found = {}
        for path in (agent.dir / "jobs").iterdir():
            if len(path.name) == 26:
                note = self.rec.AgentJob.FromString(path.read_bytes())
                note_end = self.pb.JobFinished.FromString(note.end)
                note.refused = note_end.status
                found[path.name] = note
        return found

    def check_due(self, jobs):
        """Of one schedule and due time, oldest first."""
        states = [j["status"] for j in jobs]
        if states.count("succeeded") > 1 or "succeeded" in states[:-1]:
            return [f"due {jobs[0]['due_at']} ran again after a success: "
                    + " ".join(f"{j['id']} {j['status']} {j['attempt']}"
                               f" {j['catch_up']}" for j in jobs)]
        return []

    def check_hooks(self, agent, jobs):
        wrong = []
        pre = (agent.notes / "pre").read_text().split()
        post = dict(line.split() for line in
                    (agent.notes / "post").read_text().splitlines())
        if len(pre) != len(set(pre)):
            wrong.append("a pre-hook ran twice")
        if len(post) != len((agent.notes / "post").read_text().splitlines()):
            wrong.append("a post-hook ran twice")
        for j in jobs:
            if j["cause"] == "agent_restarted":
                continue
            if j["id"] not in pre or post.get(j["id"]) != j["status"]:
                wrong.append(f"{j['id']} {j['status']} {j['cause']}: hooks "
                             f"{j['id'] in pre} {post.get(j['id'])}")
        return wrong

    def check_log(self, job):
        rows = self.controller.log_lines(job["id"])
        numbers = [int(m.group(1)) for m in (
            rounds.LINE.fullmatch(r["payload"]) for r in rows) if m]
        if numbers != list(range(1, len(numbers) + 1)):
            return [f"{job['id']}: lines are not 1..n: {numbers}"]
        if [r["seq"] for r in rows] != list(range(1, len(rows) + 1)):
            return [f"{job['id']}: seq is not 1..n"]
        if job["status"] == "succeeded" and len(numbers) != LINES:
            return [f"{job['id']}: succeeded with {len(numbers)} lines"]
        return []

    def check(self, agent):
        jobs, wrong, due = self.jobs(agent), [], collections.defaultdict(list)
        noted = self.noted(agent)
        for j in jobs:
            if j["due_at"]:
                due[j["schedule_id"], j["due_at"]].append(j)
            note = noted.pop(j["id"], None)
            if note is not None and note.refused != j["status"]:
                wrong.append(f"{j['id']}: {j['status']} here, "
                             f"{note.refused} at the agent")
        wrong += [f"the controller does not know {name}" for name in noted]
        for same in due.values():
            wrong += self.check_due(same)
        backups = [j for j in jobs if j["kind"] == "backup"]
        wrong += self.check_hooks(agent, backups)
        for j in backups:
            wrong += self.check_log(j)
        for j in jobs:
            if j["status"] != "succeeded" and j["cause"] not in (
                    "agent_restarted", "lost"):
                wrong.append(f"{j['id']} {j['kind']}: {j['status']} "
                             f"{j['cause']} {j['error']}")
        return len(jobs), wrong


def rounds_time(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - \
        time.timezone


def run(box, seconds, seed, hosts=2, say=print):
    """A storm of so long; what is wrong afterwards."""
    world = World(box, hosts, random.Random(seed))
    world.storm(seconds, say)
    world.settle()
    count, wrong = 0, []
    for agent in world.agents:
        n, found = world.check(agent)
        count += n
        wrong += [f"{agent.name}: {sentence}" for sentence in found]
    for sentence in wrong:
        say(f"  WRONG: {sentence}")
    say(f"{count} jobs, {len(wrong)} wrong")
    return count, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--hosts", type=int, default=2)
    args = parser.parse_args()

    def say(text):
        print(text, flush=True)

    say(f"seed {args.seed}")
    with lab.Lab() as box:
        _, wrong = run(box, args.seconds, args.seed, args.hosts, say)
        if wrong:
            box.keep = True
            say(f"kept: {box.path}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
