# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign servers in front of the controller, or scraping it."""
import json
import signal
import subprocess
import urllib.request

import pytest

import nginx_base
from lab import TOOLS, clean_env, free_port, wait_for

NGINX = TOOLS / "nginx/usr/sbin/nginx"
PROMETHEUS = TOOLS / "prometheus/usr/bin/prometheus"

# What an administrator would write: HTTPS outside, plain HTTP inside.
CONSOLE = """
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {tls}/cert.pem;
    ssl_certificate_key {tls}/key.pem;
    location / {{
      proxy_pass http://127.0.0.1:{target};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffering off;
    }}
  }}
"""

# A middlebox that knows unary gRPC only; the key is the controller's own, so
# that agents' pins hold.
POLL_ONLY = """
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {tls}/cert.pem;
    ssl_certificate_key {tls}/key.pem;
    grpc_ssl_verify off;
    grpc_read_timeout 60s;
    client_max_body_size 8m;
    location /resticmanager.v1.Agent/Session {{ return 502; }}
    location / {{ grpc_pass grpcs://127.0.0.1:{target}; }}
  }}
"""


class Nginx:
    """Debian's nginx in a folder of its own."""

    def __init__(self, lab, controller, body, target, name="nginx"):
        if not NGINX.exists():
            pytest.skip("tools/get-test-tools was not run")
        self.lab = lab
        self.dir = lab.path / name
        self.dir.mkdir()
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        (self.dir / "nginx.conf").write_text(nginx_base.conf(
            self.dir, body.format(
                port=self.port, tls=controller.data / "tls", target=target)))
        self.program = None

    def start(self):
        self.program = self.lab.start(
            [NGINX, "-p", self.dir, "-c", self.dir / "nginx.conf"],
            clean_env(), self.lab.path / "nginx.log")
        self.program.last_signal = signal.SIGTERM  # its worker goes as well
        wait_for("nginx", lambda: nginx_base.serves(self.port))
        return self


class Prometheus:
    """Debian's Prometheus with two scrapes of the controller: over HTTP/2
    and over HTTP/1.1."""

    CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: h2
    scheme: https
    enable_http2: true
    metrics_path: {path}
    tls_config: {{ insecure_skip_verify: true }}
    static_configs: [{{ targets: ["127.0.0.1:{target}"] }}]
  - job_name: h1
    scheme: https
    enable_http2: false
    metrics_path: {path}
    tls_config: {{ insecure_skip_verify: true }}
    static_configs: [{{ targets: ["127.0.0.1:{target}"] }}]
"""

    def __init__(self, lab, target, path):
        if not PROMETHEUS.exists():
            pytest.skip("tools/get-test-tools was not run")
        folder = lab.path / "prometheus"
        folder.mkdir()
        config = folder / "prometheus.yml"
        config.write_text(self.CONFIG.format(target=target, path=path))
        self.port = free_port()
        self.program = lab.start(
            [PROMETHEUS, f"--config.file={config}",
             f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}",
             "--web.console.templates=/nonexistent",
             "--web.console.libraries=/nonexistent"],
            clean_env(), lab.path / "prometheus.log")
        wait_for("Prometheus", self._ready)

    def _ready(self):
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def targets(self):
        """What Prometheus thinks of each scrape, by job name."""
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/api/v1/targets",
                timeout=10) as answer:
            data = json.loads(answer.read())["data"]["activeTargets"]
        return {t["scrapePool"]: t for t in data}


def curl(*args, check=True):
    """curl's standard output."""
    done = subprocess.run(["curl", "-sS", "--insecure", "--max-time", "30",
                           *map(str, args)], capture_output=True,
                          text=True, check=False, env=clean_env())
    assert not check or done.returncode == 0, done.stderr
    return done.stdout
