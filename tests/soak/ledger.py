# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be there in the end: every job with its end, every line of it
once and in order, in the store and on disk."""
import datetime
import pathlib
import re
import subprocess
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LINE = re.compile(rb"^\S+ out  line (\d+) ")
HEAD = re.compile(rb"^\S+ sys  job (\S+) ")
FILES_AT_ONCE, TRIES = 200, 10


def ulid_ms(ulid):
    """Its time, in ms since 1970."""
    ms = 0
    for letter in ulid[:10]:
        ms = ms * 32 + ALPHABET.index(letter)
    return ms


def spool_path(data, job):
    """Of its log, packed or not; None: there is none."""
    at = datetime.datetime.fromtimestamp(ulid_ms(job) / 1000,
                                         datetime.timezone.utc)
    folder = pathlib.Path(data, "spool/jobs", at.strftime("%Y/%m/%d/%H"))
    for ending in (".log.zst", ".log"):
        path = folder / (job + ending)
        if path.exists():
            return path
    return None


class Ledger:
    def __init__(self):
        self.jobs = {}  # id -> lines
        self.lines = 0
        self.twice = []

    def ended(self, rows):
        """As load_fleet tells them: id, host, lines."""
        for job, _, lines in rows:
            if job in self.jobs:
                self.twice.append(job)
            self.jobs[job] = lines
            self.lines += lines

    # ------------------------------------------------------------- on disk

    def check_spool(self, data):
        """Sentences about what is wrong there."""
        wrong, jobs, seen = [], sorted(self.jobs), {}
        for k in range(0, len(jobs), FILES_AT_ONCE):
            wrong += self._read_batch(data, jobs[k:k + FILES_AT_ONCE], seen)
        for job, lines in self.jobs.items():
            if job in seen and seen[job] != (lines, True):
                wrong.append(f"job {job} printed {lines} lines; its log has "
                             f"{seen[job][0]}, in order: {seen[job][1]}")
        return wrong

    def _read_batch(self, data, jobs, seen):
        """Which have no log.  One that is packed right now goes away between
        the look and the reading: then all of them are looked for again."""
        for _ in range(TRIES):
            found = {job: spool_path(data, job) for job in jobs}
            if self._read([path for path in found.values() if path], seen):
                return [f"job {job} has no log"
                        for job, path in found.items() if not path]
            time.sleep(1)
        return [f"logs around job {jobs[0]} cannot be read"]

    @staticmethod
    def _read(paths, seen):
        """job -> (how many numbered lines, whether they are 1 to that).
        False: not all could be read."""
        if not paths:
            return True
        with subprocess.Popen(["zstdcat", "-f", "-q", *map(str, paths)],
                              stdout=subprocess.PIPE) as reader:
            job, count, good = None, 0, True
            for line in reader.stdout:
                hit = LINE.match(line)
                if hit:
                    count += 1
                    good = good and int(hit.group(1)) == count
                    continue
                head = HEAD.match(line)
                if head:
                    if job:
                        seen[job] = (count, good)
                    job, count, good = head.group(1).decode(), 0, True
            if job:
                seen[job] = (count, good)
        return reader.returncode == 0

    # ------------------------------------------------------------ the store

    def check_store(self, client, since_ms):
        """Sentences about jobs since then that are not as they should be."""
        # What seed left queued is brought to its end too.
        oldest = min([since_ms, *map(ulid_ms, self.jobs)])
        wrong, stored = [], self._stored(client, oldest)
        for job, lines in self.jobs.items():
            row = stored.pop(job, None)
            if row is None:
                wrong.append(f"job {job} is not in the store")
            elif row["status"] != "succeeded" or not row["log"]["closed"]:
                wrong.append(f"job {job} is {row['status']}, cause "
                             f"{row['cause']}, log {row['log']}")
            elif row["log"]["damaged"] or row["log"]["truncated"]:
                wrong.append(f"job {job}: log {row['log']}, of {lines} lines")
        # Repositories of new hosts are initialised by the controller.
        wrong += [f"job {job} is {row['status']} and nobody's"
                  for job, row in stored.items()
                  if ulid_ms(job) >= since_ms and
                  (row["kind"] != "init" or row["status"] != "succeeded")]
        return wrong

    @staticmethod
    def _stored(client, since_ms):
        """By slices of time, each short enough to be paged through."""
        stored, until = {}, None
        while True:
            query = f"/api/jobs?per_page=500&since={stamp(since_ms)}"
            query += f"&until={until}" if until else ""
            page, oldest = 1, None
            while True:
                rows = client.ok("GET", f"{query}&page={page}")["items"]
                stored.update((row["id"], row) for row in rows)
                oldest = rows[-1]["id"] if rows else oldest
                page += 1
                if len(rows) < 500 or page > 20:
                    break
            if len(rows) < 500:
                return stored
            until = stamp(ulid_ms(oldest) + 1)


def stamp(ms):
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"
