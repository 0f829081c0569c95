# SPDX-License-Identifier: GPL-3.0-or-later
"""People, scripts and Prometheus at a console: pages open, logs followed,
jobs started.  One thread each; what they see goes into one Sights."""
import http.client
import json
import queue
import random
import threading
import time

from lab import PASSWORD, Client
from stream import Stream

METRICS_TOKEN = "a token for the scrapes of the soak"
STREAMS_OF_A_SESSION = 10
BROKEN = (OSError, http.client.HTTPException, AssertionError, ValueError)


class Sights:
    """What was seen: times of answers, failures, and those that a storm
    explains."""

    def __init__(self, storms):
        self.storms = storms
        self.lock = threading.Lock()
        self.times = []     # (when, what, ms)
        self.failures = []  # sentences
        self.excused = 0
        self.followed = 0   # lines of logs that were followed live
        self.ended = 0      # such logs, seen to their end

    def took(self, what, began):
        now = time.monotonic()
        with self.lock:
            self.times.append((now, what, (now - began) * 1000))

    def failed(self, began, sentence):
        with self.lock:
            if self.storms.touched(began, time.monotonic()):
                self.excused += 1
            else:
                self.failures.append(sentence)

    def since(self, when):
        with self.lock:
            return sorted(ms for at, _, ms in self.times if at >= when)


class Visitor(threading.Thread):
    """Does one round after the other until all is over.  A round that breaks
    is told; the next one begins anew."""

    def __init__(self, crowd, pause, number):
        super().__init__(daemon=True)
        self.crowd, self.pause = crowd, pause
        self.client = crowd.client(number)
        self.chance = random.Random(f"{crowd.seed} {type(self).__name__} "
                                    f"{number}")
        self.conn = None

    def run(self):
        # Not all at once.
        self.crowd.over.wait(self.chance.random() * max(self.pause, 0.5))
        while not self.crowd.over.is_set():
            began = time.monotonic()
            try:
                self.round()
            except BROKEN as why:
                self.hang_up()
                if not self.crowd.over.is_set():
                    self.crowd.sights.failed(
                        began, f"{type(self).__name__}: {why!r}"[:300])
                self.crowd.over.wait(0.5)
            self.crowd.over.wait(self.pause)
        self.hang_up()

    def round(self):
        raise NotImplementedError

    def hang_up(self):
        if self.conn:
            self.conn.close()
        self.conn = None

    def ask(self, method, path, body=None, headers=None):
        """Status and body, over a connection that stays open; one that the
        server has closed meanwhile is opened again, as browsers do."""
        head = {"Cookie": self.client.cookie, **(headers or {})}
        if body is not None:
            body = json.dumps(body)
            head["Content-Type"] = "application/json"
        for again in (False, True):
            kept = self.conn is not None
            if not kept:
                self.conn = http.client.HTTPSConnection(
                    "127.0.0.1", self.client.port, context=self.client.tls,
                    timeout=30)
            try:
                self.conn.request(method, path, body, head)
                answer = self.conn.getresponse()
                return answer.status, answer.read()
            except BROKEN:
                self.hang_up()
                if again or not kept or method != "GET":
                    raise
        raise AssertionError("not reached")


class Reader(Visitor):
    """Looks at pages, or polls the API."""

    def __init__(self, crowd, pause, number, what, paths):
        super().__init__(crowd, pause, number)
        self.what, self.paths = what, paths

    def round(self):
        path = self.chance.choice(self.paths)
        began = time.monotonic()
        status, body = self.ask("GET", path)
        assert status == 200 and body, f"{path}: {status} {body[:200]}"
        self.crowd.sights.took(self.what, began)


class Prometheus(Visitor):
    def round(self):
        began = time.monotonic()
        status, body = self.ask("GET", "/metrics", headers={
            "Authorization": f"Bearer {METRICS_TOKEN}"})
        assert status == 200 and b"rm_hosts_online" in body, (
            f"/metrics: {status} {body[:200]}")
        self.crowd.sights.took("metrics", began)


class Dashboard(Visitor):
    """A dashboard that is left open; its stream must never end by itself."""

    def round(self):
        stream = Stream(self.client, "/events?page=dashboard", timeout=90)
        try:
            assert stream.status == 200, f"/events: {stream.status}"
            while not self.crowd.over.is_set():
                if not stream.answer.readline():
                    raise AssertionError("a dashboard's stream ended")
        finally:
            stream.close()


class Follower(Visitor):
    """Watches jobs live, each to its end, from where a cut left it: every
    line once, in order."""

    def round(self):
        try:
            job = self.crowd.to_follow.get(timeout=1)
        except queue.Empty:
            return
        seen, place, state = 0, None, None
        while state is None and not self.crowd.over.is_set():
            began = time.monotonic()
            try:
                seen, place, state = self.follow(job, seen, place)
            except OutOfOrder as why:
                with self.crowd.sights.lock:
                    self.crowd.sights.failures.append(str(why))
                return
            except BROKEN as why:
                seen, place = self.seen, self.place
                self.crowd.sights.failed(began, f"following {job}: {why!r}")
                self.crowd.over.wait(1)
        if state is not None:
            with self.crowd.sights.lock:
                self.crowd.sights.ended += 1

    def follow(self, job, seen, place):
        self.seen, self.place = seen, place
        stream = Stream(self.client, f"/api/jobs/{job}/stream",
                        last_id=place, timeout=90)
        try:
            assert stream.status == 200, f"stream: {stream.status}"
            for name, ident, data in stream.events(3600):
                self.place = ident or self.place
                event = json.loads(data)
                if name == "job.finished":
                    return self.seen, self.place, event["status"]
                if name == "log.stream":
                    self.line(job, event)
                if self.crowd.over.is_set():
                    break
        finally:
            stream.close()
        raise AssertionError("the stream ended before the job")

    def line(self, job, event):
        if event["seq"] != self.seen + 1:
            raise OutOfOrder(f"following {job}: line {event['seq']} came "
                             f"after line {self.seen}")
        self.seen = event["seq"]
        with self.crowd.sights.lock:
            self.crowd.sights.followed += 1


class OutOfOrder(Exception):
    pass


class Starter(Visitor):
    """Asks for backups by the API; every one taken must come to its end."""

    def round(self):
        if self.crowd.no_more_jobs.is_set():
            return
        host = self.chance.choice(self.crowd.hosts)
        began = time.monotonic()
        status, body = self.ask("POST", f"/api/hosts/{host}/jobs", {
            "kind": "backup", "args": [self.crowd.groups[host]]})
        if status in (200, 202):
            job = json.loads(body)["job_id"]
            self.crowd.started(job)
            self.crowd.sights.took("start", began)
        else:
            self.crowd.sights.failed(
                began, f"starting a job: {status} {body[:200]}")


class Crowd:
    """All of them.  hosts: those whose backups may be asked for."""

    def __init__(self, controller, storms, seed, hosts):
        self.controller, self.seed, self.hosts = controller, seed, hosts
        self.sights = Sights(storms)
        self.over = threading.Event()
        self.no_more_jobs = threading.Event()
        self.to_follow = queue.Queue(200)
        self.jobs = set()  # asked for by the API
        self.lock = threading.Lock()
        self.clients, self.visitors = [], []
        self.groups = {host: self._group(host) for host in hosts}

    def _group(self, host):
        rows = self.controller.client.ok(
            "GET", f"/api/hosts/{host}/source-groups")["items"]
        return rows[0]["name"]

    def client(self, number):
        """A session for so many visitors."""
        while len(self.clients) <= number // STREAMS_OF_A_SESSION:
            client = Client(self.controller.port)
            client.ok("POST", "/api/auth/login",
                      {"username": "admin", "password": PASSWORD})
            self.clients.append(client)
        return self.clients[number // STREAMS_OF_A_SESSION]

    def started(self, job):
        with self.lock:
            self.jobs.add(job)
        try:
            self.to_follow.put_nowait(job)
        except queue.Full:
            pass

    def come(self, pages, dashboards, followers, starts_per_s):
        host = self.hosts[0]
        html = ["/", "/?sort=name", "/jobs", f"/hosts/{host}",
                f"/hosts/{host}/jobs", "/audit", "/search?q=web",
                "/settings/account"]
        api = ["/api/fleet/summary", "/api/hosts?per_page=50", "/api/jobs",
               f"/api/hosts/{host}"]
        made = []
        made += [lambda n: Reader(self, 2, n, "page", html)] * pages
        made += [lambda n: Reader(self, 2, n, "api", api)] * pages
        made += [lambda n: Prometheus(self, 15, n)]
        made += [lambda n: Dashboard(self, 1, n)] * dashboards
        made += [lambda n: Follower(self, 0, n)] * followers
        made += [lambda n: Starter(self, 1 / starts_per_s, n)]
        self.visitors = [make(number) for number, make in enumerate(made)]
        for visitor in self.visitors:
            visitor.start()

    def leave(self, seconds=60):
        self.over.set()
        end = time.monotonic() + seconds
        for visitor in self.visitors:
            # One that waits for the next event of its stream is cut off.
            visitor.join(max(0.0, min(2.0, end - time.monotonic())))
