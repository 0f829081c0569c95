# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are told from everything else, and ways to look for them:
below a folder, in pages, in what processes are given."""
import base64
import pathlib
import re
import secrets
import subprocess
import threading
import time
import urllib.parse


def forms(secret):
    """A secret as it is, and as it might be dressed; of one that was made
    here its digits will do, which HTML and JSON write as they are."""
    raw = secret.encode()
    core = re.search(rb"canary-[0-9a-f]{16}", raw)
    return {core.group() if core else raw, urllib.parse.quote(secret, safe="").encode(),
            urllib.parse.quote(secret).encode(),
            urllib.parse.quote_plus(secret).encode(),
            base64.b64encode(raw).rstrip(b"="),
            base64.urlsafe_b64encode(raw).rstrip(b"="),
            raw.hex().encode()}


class Secrets:
    """Named secrets, and where they turn up."""

    def __init__(self):
        self.known = {}

    def add(self, name, value=None):
        value = value or f"canary-{secrets.token_hex(8)} p@ss:w/rd%20&\"x\""
        self.known[name] = value
        return value

    def within(self, data):
        """Names of the secrets in the data."""
        return {name for name, value in self.known.items()
                if any(form in data for form in forms(value))}

    def below(self, folder):
        """{file: names}; job logs are unpacked."""
        hits = {}
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            data = path.read_bytes()
            if path.suffix == ".zst":
                data += subprocess.run(["zstdcat", path], check=True,
                                       capture_output=True).stdout
            if names := self.within(data):
                hits[str(path.relative_to(folder))] = names
        return hits


def family(pid):
    """A process and all below it, as far as they live."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += [int(p) for p in subprocess.run(
            ["pgrep", "-P", str(pid)], capture_output=True, text=True,
            check=False).stdout.split()]
    return found


class Watcher(threading.Thread):
    """Gathers what programs and their children are called with: argument
    vectors, and pairs of those and an environment."""

    def __init__(self, *programs):
        super().__init__(daemon=True)
        self.programs = programs
        self.seen = set()
        self.given = set()
        self.over = False

    def run(self):
        while not self.over:
            for program in self.programs:
                for pid in family(program.pid):
                    self.look(pathlib.Path(f"/proc/{pid}"))
            time.sleep(0.02)

    def look(self, proc):
        try:
            words = (proc / "cmdline").read_bytes()
            self.seen.add(words)
            self.given.add((words, (proc / "environ").read_bytes()))
        except OSError:
            pass  # it has ended


def crawl(client, starts):
    """Every page and document that links lead to: {path: bytes}."""
    seen, todo = {}, list(starts)
    while todo:
        path = todo.pop()
        if path in seen or path.startswith("/static/"):
            continue
        answer = client.get(path)
        seen[path] = str(answer.headers).encode() + answer.body
        if answer.headers.get_content_type() == "text/html":
            todo += [link.replace("&amp;", "&") for link in re.findall(
                r'href="(/[^"#]*)', answer.text)]
    return seen


def documents(host, jobs):
    """What the API and the console have on a host."""
    api = f"/api/hosts/{host}"
    paths = ["/", "/nowhere", "/api/hosts", "/api/fleet/summary", api,
             f"{api}/snapshots", f"{api}/source-groups", f"{api}/jobs"]
    for job in jobs:
        paths += [f"/jobs/{job}", f"/api/jobs/{job}",
                  f"/api/jobs/{job}/log.txt", f"/api/jobs/{job}/log.ndjson",
                  f"/api/jobs/{job}/stream"]
    return paths


def jobs_of(console, host):
    return [job["id"] for job in console.client.ok(
        "GET", f"/api/hosts/{host}/jobs")["items"]]


def yaml_value(path, key):
    return re.search(rf'^{key}: "?([^"\n]+)', path.read_text(), re.M).group(1)
