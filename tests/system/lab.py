# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs in a folder of their own, for the system tests.

A Lab owns a temporary folder and every process it started; close() ends them
by pid.  Everything listens on loopback, on ports that were free.  Python's
standard library only.
"""
import contextlib
import crypt
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("RM_BIN_DIR", ROOT / "build/release/bin"))
TOOLS = pathlib.Path(os.environ.get("RM_TOOLS_DIR", ROOT / "build/tools"))
PASSWORD = "a long enough pass phrase"
REPORTS = ("Sanitizer", "runtime error:", "broken invariant")
# Where it is day and the date is that of UTC: what the controller starts by
# itself at night (forget, prune, check) does not come into a test.
ZONE = "Etc/GMT-8" if time.gmtime().tm_hour < 7 else "UTC"


def _ports():
    """Ports of this worker of pytest alone, below those that the kernel gives
    away by itself: what is free now is still free when a program listens."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", ""))
                 or 0) % 5
    first, count = 10000 + 4000 * worker, 4000
    start = random.randrange(count)
    while True:
        for k in range(count):
            yield first + (start + k) % count


_next_port = _ports()


def free_port():
    for _ in range(1000):
        port = next(_next_port)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def replace_text(path, text):
    """At once: whoever reads it meanwhile sees the old or the new text."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)


def wait_for(what, condition, seconds=60.0, step=0.05):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(step)


def clean_env(**extra):
    """The environment of a program under test: nothing of ours leaks in."""
    env = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR",
                                      "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                      "TSAN_OPTIONS") if k in os.environ}
    env.setdefault("HOME", "/tmp")
    env.update({k: str(v) for k, v in extra.items() if v is not None})
    return env


class Program:
    """One process with its output in a file."""

    last_signal = signal.SIGKILL  # what ends it when its lab closes

    def __init__(self, argv, env, log, cwd=None):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], env=env, cwd=cwd, stdout=out,
                stderr=out, stdin=subprocess.DEVNULL)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def kill(self, signum=signal.SIGKILL):
        if self.running():
            self.popen.send_signal(signum)

    def wait(self, seconds=60):
        return self.popen.wait(seconds)

    def stop(self, seconds=60):
        """SIGTERM; SIGKILL when that is not enough.  The exit code."""
        self.kill(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()
            raise AssertionError(f"{self.popen.args[0]} did not end by itself")

    def text(self):
        return self.log.read_text(errors="replace")


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Client:
    """HTTP/1.1 over TLS with a cookie jar of one cookie."""

    def __init__(self, port, timeout=60):
        self.port = port
        self.timeout = timeout
        self.cookie = None
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookie:
            headers.setdefault("Cookie", self.cookie)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        conn = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self.tls, timeout=self.timeout)
        try:
            conn.request(method, path, body, headers)
            response = conn.getresponse()
            answer = Answer(response, response.read())
        finally:
            conn.close()
        for value in answer.headers.get_all("Set-Cookie") or []:
            pair = value.split(";")[0]
            if pair.startswith("rm_session="):
                self.cookie = pair if len(pair) > len("rm_session=") else None
        return answer

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, {} if body is None else body, **kw)

    def ok(self, method, path, body=None):
        """The JSON of an answer that must be 2xx."""
        answer = self.request(method, path, body)
        assert 200 <= answer.status < 300, (method, path, answer.status,
                                            answer.body[:400])
        return answer.json() if answer.body else None


class Controller:
    """A controller in the all-in-one mode; its renderer is its child."""

    def __init__(self, lab, name="controller", render=True, **env):
        self.lab = lab
        self.data = lab.path / name
        self.run = lab.path / f"{name}.run"
        self.run.mkdir()
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.env = {
            "RM_LISTEN": f"127.0.0.1:{self.port}",
            "RM_BASE_URL": self.url,
            "RM_DATA_DIR": self.data,
            "RM_RUNTIME_DIR": self.run,
            "RM_BUNDLED_ASSETS_DIR": ROOT,
            "RM_TIMEZONE": ZONE,
            "RM_RENDER": BIN / "restic-manager-render" if render else None,
        }
        self.env.update(env)
        self.log = lab.path / f"{name}.log"
        self.program = None
        self.under = ()  # what it runs under: a program and its options
        self.client = Client(self.port)

    def seed(self, *options, **numbers):
        """Fills the data of a controller that does not run with a made-up
        fleet (bin/seed --help).  The counts, and each host's id, state,
        connection and name."""
        argv = [BIN / "seed", "--list", *options]
        for name, value in numbers.items():
            argv += [f"--{name}", str(value)]
        done = subprocess.run([*argv, self.data], capture_output=True,
                              text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        *hosts, counts = done.stdout.splitlines()
        return json.loads(counts), [line.split(" ", 3) for line in hosts]

    def start(self, wait=True):
        self.program = self.lab.start(
            [*self.under, BIN / "restic-manager-controller"],
            clean_env(**self.env), self.log)
        if wait:
            wait_for("the controller", self.healthy)
        return self

    def healthy(self):
        assert self.program.running(), self.program.text()[-2000:]
        try:
            return Client(self.port, 2).get("/healthz").status in (200, 204)
        except OSError:
            return False

    def stop(self):
        return self.program.stop()

    def kill(self):
        self.program.kill()
        self.program.wait()

    def restart(self):
        self.stop()
        return self.start()

    def renderer_pid(self):
        out = subprocess.run(["pgrep", "-P", str(self.program.pid)],
                             capture_output=True, text=True, check=False)
        pids = out.stdout.split()
        return int(pids[0]) if pids else None

    def bootstrap_token(self):
        return wait_for("the bootstrap token", lambda: (
            (self.run / "bootstrap-token").read_text().strip()
            if (self.run / "bootstrap-token").exists() else None))

    def bootstrap(self, username="admin", password=PASSWORD):
        self.client.ok("POST", "/api/bootstrap", {
            "token": self.bootstrap_token(), "username": username,
            "password": password})
        return self.login(username, password)

    def login(self, username="admin", password=PASSWORD):
        self.client.ok("POST", "/api/auth/login",
                       {"username": username, "password": password})
        return self.client

    # ------------------------------------------------------ short cuts

    def mint(self, hostname, repo_url, **more):
        body = {"hostname": hostname, "repo_url": repo_url}
        body.update(more)
        return self.client.ok("POST", "/api/enrollment-tokens", body)["token"]

    def host(self, host_id):
        return self.client.ok("GET", f"/api/hosts/{host_id}")

    def job(self, job_id):
        return self.client.ok("GET", f"/api/jobs/{job_id}")

    def run_group(self, host_id, **limits):
        groups = self.client.ok(
            "GET", f"/api/hosts/{host_id}/source-groups")["items"]
        return self.client.ok(
            "POST",
            f"/api/hosts/{host_id}/source-groups/{groups[0]['id']}/run",
            limits)["job_id"]

    def wait_job(self, job_id, seconds=120):
        def over():
            job = self.job(job_id)
            return job if job["status"] in ("succeeded", "failed",
                                            "cancelled") else None
        return wait_for(f"the end of job {job_id}", over, seconds)

    def wait_ready(self, host_id, seconds=120):
        return wait_for("the repository", lambda: (
            lambda h: h if h["repo_status"] == "ready" else None)(
                self.host(host_id)), seconds)

    def log_lines(self, job_id):
        answer = self.client.get(f"/api/jobs/{job_id}/log.ndjson")
        assert answer.status == 200, answer.body[:300]
        return [json.loads(line) for line in answer.text.splitlines()]


class Agent:
    """An agent with its own configuration and state."""

    def __init__(self, lab, controller, name="web-1", restic=None, port=None,
                 **env):
        self.lab = lab
        self.controller = controller
        self.name = name
        self.dir = lab.path / f"agent-{name}"
        self.dir.mkdir()
        self.config = self.dir / "agent.yaml"
        self.server = f"https://127.0.0.1:{port or controller.port}"
        self.env = {"RM_AGENT_CONFIG": self.config, "RM_STATE_DIR": self.dir}
        self.env.update(env)
        if restic:
            self.config.write_text(f"restic_path: {restic}\n")
            self.config.chmod(0o600)
        self.log = lab.path / f"agent-{name}.log"
        self.program = None
        self.host_id = None

    def enrol(self, token):
        done = subprocess.run(
            [BIN / "restic-manager-agent", "-enroll-server", self.server,
             "-enroll-token", token], env=clean_env(**self.env),
            capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        for line in self.config.read_text().splitlines():
            if line.startswith("host_id:"):
                self.host_id = line.split(":", 1)[1].strip().strip('"')
        assert self.host_id, self.config.read_text()
        return self

    def start(self):
        self.program = self.lab.start([BIN / "restic-manager-agent"],
                                      clean_env(**self.env), self.log)
        return self

    def stop(self):
        return self.program.stop(40)

    def kill(self):
        self.program.kill()
        self.program.wait()


class RestServer:
    """A real rest-server with users, append-only on demand."""

    def __init__(self, lab, append_only=True, private=True):
        self.users = {}
        self.path = lab.path / "rest"
        self.path.mkdir()
        self.htpasswd = lab.path / "htpasswd"
        self.port = free_port()
        argv = [TOOLS / "rest-server/usr/bin/restic-rest-server",
                "--path", self.path, "--listen", f"127.0.0.1:{self.port}",
                "--htpasswd-file", self.htpasswd]
        argv += ["--append-only"] if append_only else []
        argv += ["--private-repos"] if private else []
        self.argv, self.lab = argv, lab
        self.program = None

    def user(self, name, password):
        self.users[name] = crypt.crypt(
            password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
        self.htpasswd.write_text("".join(
            f"{n}:{h}\n" for n, h in self.users.items()))
        return f"rest:http://127.0.0.1:{self.port}/{name}/"

    def start(self):
        self.program = self.lab.start(self.argv, clean_env(),
                                      self.lab.path / "rest.log")
        wait_for("the rest-server", self._listens)
        return self

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0


class Proxy:
    """Forwards TCP to a port and can cut every connection at once."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = set()
        self.lock = threading.Lock()
        self.blocked = False
        self.closed = False
        self.chunk = 65536  # at most so many bytes at once
        self.flowing = threading.Event()
        self.flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closed:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.blocked:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.open |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b),
                                 daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(self.chunk)
                if not data:
                    break
                self.flowing.wait()
                sink.sendall(data)
        for s in (source, sink):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            with self.lock:
                self.open.discard(s)
            s.close()

    def cut(self):
        """Resets what is open; new connections are welcome."""
        with self.lock:
            victims = list(self.open)
        for s in victims:
            with contextlib.suppress(OSError):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\x01\0\0\0\0\0\0\0")
                s.shutdown(socket.SHUT_RDWR)

    def stall(self, seconds):
        """Nothing passes for a while, and nobody is told."""
        self.flowing.clear()
        time.sleep(seconds)
        self.flowing.set()

    def block(self, blocked=True):
        self.blocked = blocked
        if blocked:
            self.cut()

    def close(self):
        self.closed = True
        self.flowing.set()
        self.listener.close()
        self.cut()


class Lab:
    def __init__(self, keep=False):
        # Short: a Unix socket's path has 107 bytes.
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="rm-lab-"))
        self.keep = keep
        self.programs = []
        self.proxies = []

    def start(self, argv, env, log):
        program = Program(argv, env, log)
        self.programs.append(program)
        return program

    def controller(self, **kw):
        return Controller(self, **kw)

    def agent(self, controller, **kw):
        return Agent(self, controller, **kw)

    def proxy(self, port):
        proxy = Proxy(port)
        self.proxies.append(proxy)
        return proxy

    def sources(self, name="src", files=None):
        """A folder with a few files to back up."""
        folder = self.path / name
        folder.mkdir()
        for path, content in (files or {"a": "one\n", "b/c": "two\n"}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return folder

    def host(self, controller, name="web-1", repo=None, paths=None,
             restic=None, port=None, **mint):
        """An enrolled, running agent whose repository is initialised."""
        agent = self.agent(controller, name=name, restic=restic, port=port)
        repo = repo or self.path / f"repo-{name}"
        paths = paths or [self.sources(f"src-{name}")]
        agent.enrol(controller.mint(
            name, str(repo), initial_paths=[str(p) for p in paths], **mint))
        agent.start()
        controller.wait_ready(agent.host_id)
        return agent

    def reports(self):
        """What sanitizers and assertions said, whatever became of the test."""
        return [line for program in self.programs if program.log.exists()
                for line in program.text().splitlines()
                if any(word in line for word in REPORTS)]

    def close(self):
        for program in reversed(self.programs):
            if program.running():
                program.kill(program.last_signal)
                program.wait()
        for proxy in self.proxies:
            proxy.close()
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.keep = self.keep or bool(kind and os.environ.get("RM_KEEP_LAB"))
        said = self.reports()
        self.close()
        assert kind or said == [], said
