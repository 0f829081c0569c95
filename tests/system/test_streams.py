# SPDX-License-Identifier: GPL-3.0-or-later
"""Live logs and live regions of a real job, as a browser gets them."""
import http.client
import json
import threading
import time

import pytest

from lab import ROOT, wait_for

LINES = 3000


class Stream:
    """An event stream that is read in the background."""

    def __init__(self, console, path, last_event_id=None, pause=0.0):
        headers = {"Cookie": console.client.cookie,
                   "Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        self.events = []
        self.ended = False
        self.pause = pause
        self.conn = http.client.HTTPSConnection(
            "127.0.0.1", console.port, timeout=60, context=console.client.tls)
        self.conn.request("GET", path, headers=headers)
        self.response = self.conn.getresponse()
        assert self.response.status == 200, self.response.read()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        name, data, ident = "message", [], None
        try:
            for raw in self.response:
                field, _, value = raw.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field.rstrip(":") == "data":
                    data.append(value)
                elif field == "id":
                    ident = value
                elif not field and data:
                    self.events.append((name, "\n".join(data), ident))
                    name, data = "message", []
                    time.sleep(self.pause)
        except (OSError, http.client.HTTPException, ValueError,
                AttributeError):
            pass
        self.ended = True

    def of(self, name):
        return [e for e in list(self.events) if e[0] == name]

    def lines(self):
        return [json.loads(data) for _, data, _ in self.of("log.stream")]

    def wait_end(self, seconds=60):
        wait_for("the end of the stream", lambda: self.ended, seconds)
        return self

    def close(self):
        self.conn.sock.close()


@pytest.fixture
def talker(console, lab):
    """A host whose backups print many lines over two or three seconds."""
    return lab.host(console, restic=ROOT / "tests/fake/restic", paths=[
        lab.sources("talk", {".pretend": f"lines={LINES} delay_ms=6"})])


def words(lines):
    return [(l["seq"], l["ts"], l["stream"], l["payload"]) for l in lines]


def test_every_reader_gets_every_line_once(console, talker):
    """M-142, W-06: early, late, slow and broken-off readers alike."""
    job = console.run_group(talker.host_id)
    path = f"/api/jobs/{job}/stream"
    early = Stream(console, path)
    slow = Stream(console, path, pause=0.001)
    wait_for("the first lines", lambda: len(early.lines()) > LINES // 4)
    late = Stream(console, path)
    broken = Stream(console, path)
    wait_for("some lines", lambda: len(broken.lines()) > LINES // 4)
    broken.close()
    seen = broken.of("log.stream")
    resumed = Stream(console, path, last_event_id=seen[-1][2])
    for stream in (early, slow, late, resumed):
        stream.wait_end()
    assert console.wait_job(job)["status"] == "succeeded"
    stored = words(console.log_lines(job))
    assert len(stored) >= LINES
    assert [s[0] for s in stored] == list(range(1, len(stored) + 1))
    for stream in (early, slow, late):
        assert words(stream.lines()) == stored
        assert len(stream.of("job.started")) == 1
        finished, = stream.of("job.finished")
        assert json.loads(finished[1])["status"] == "succeeded"
    first = [json.loads(data) for _, data, _ in seen]
    assert words(first + resumed.lines()) == stored
    progress = [json.loads(p[1])["percent_done"]
                for p in early.of("job.progress")]
    assert progress and progress == sorted(progress)
    again = Stream(console, path).wait_end()
    assert words(again.lines()) == stored


def test_a_restart_in_between_loses_no_line(console, talker):
    job = console.run_group(talker.host_id)
    path = f"/api/jobs/{job}/stream"
    before = Stream(console, path)
    wait_for("some lines", lambda: len(before.lines()) > 100)
    console.kill()
    before.wait_end()
    console.start()
    seen = before.of("log.stream")
    after = Stream(console, path, last_event_id=seen[-1][2]).wait_end()
    stored = words(console.log_lines(job))
    assert words([json.loads(d) for _, d, _ in seen] + after.lines()) == stored


def regions(stream):
    found = {}
    for _, html, _ in stream.of("fragment"):
        name = html.split('data-live="', 1)[1].split('"', 1)[0]
        found.setdefault(name, []).append(html)
    return found


def test_live_regions_follow_a_job(console, talker):
    """design.md, 8: rates, and only what differs."""
    fleet = Stream(console, f"/events?page=dashboard&rows={talker.host_id}")
    host = Stream(console, f"/events?page=host_jobs&id={talker.host_id}")
    begin = time.monotonic()
    job = console.run_group(talker.host_id)
    page = Stream(console, f"/events?page=job&id={job}")
    console.wait_job(job)
    wait_for("the row at rest", lambda: any(
        job in html for html in regions(host).get("host.jobs", [])))
    wait_for("a reload of the job's page", lambda: page.of("reload"))
    seconds = time.monotonic() - begin
    rows = regions(fleet)["host.row"]
    assert len(rows) > 1 and len(rows) <= seconds + 2
    assert all(f'id="host-{talker.host_id}"' in row for row in rows)
    assert len(regions(fleet)["fleet.stats"]) <= seconds / 2 + 2
    assert len(regions(page)["job.progress"]) <= 2 * seconds + 2
    for stream in (fleet, host, page):
        for sent in regions(stream).values():
            by_id = {}
            for html in sent:
                key = html.split(" id=", 1)[-1].split(">", 1)[0]
                assert by_id.get(key) != html
                by_id[key] = html
        stream.close()


def test_new_hosts_appear(console, lab):
    """design.md, 8: a browser that shows no row is told that there is one."""
    fleet = Stream(console, "/events?page=dashboard&rows=-")
    lab.host(console, restic=ROOT / "tests/fake/restic")
    wait_for("the sentence", lambda: any(
        "1 host changed" in html for html in regions(fleet).get("hosts", [])))
    assert "host.row" not in regions(fleet)
    fleet.close()


def test_signing_out_ends_the_streams(console):
    stream = Stream(console, "/events?page=dashboard")
    assert console.client.post("/api/auth/logout").status == 204
    stream.wait_end(25)
