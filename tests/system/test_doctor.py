# SPDX-License-Identifier: GPL-3.0-or-later
"""restic-manager doctor on real broken hops."""
import re
import subprocess

import pytest

import lab as lab_module
from cli import Cli, pin_of
from lab import free_port
from peers import CONSOLE, Nginx

HOPS = ["config", "dns", "tcp", "tls", "certificate", "trust", "alpn",
        "proxy", "api", "clock", "token", "events"]

# TLS ends here, only HTTP/1.1 outside, and answers are collected whatever
# the controller asks for.
OLD_PROXY = """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {tls}/cert.pem;
    ssl_certificate_key {tls}/key.pem;
    location / {{
      proxy_pass https://127.0.0.1:{target};
      proxy_ssl_verify off;
      proxy_http_version 1.1;
      proxy_ignore_headers X-Accel-Buffering;
      proxy_buffering on;
    }}
  }}
"""


@pytest.fixture(scope="module")
def bench():
    with lab_module.Lab() as made:
        made.plain = free_port()
        made.controller_ = made.controller(
            RM_LISTEN_PLAIN=f"127.0.0.1:{made.plain}",
            RM_TRUSTED_PROXY="127.0.0.1").start()
        made.controller_.bootstrap()
        made.cli = Cli(made)
        made.cli.login(made.controller_)
        yield made


def look(cli, *more):
    """The checks by name, and whether all was well."""
    done = cli.run("doctor", "-o", "json", *more)
    sheet = done.json()
    assert sheet["ok"] == (done.code == 0)
    assert sheet["ok"] == all(c["status"] != "failed"
                              for c in sheet["checks"])
    assert all(c["advice"] for c in sheet["checks"]
               if c["status"] == "failed"), sheet
    return {c["check"]: c for c in sheet["checks"]}


def failed(checks):
    return [name for name, c in checks.items() if c["status"] == "failed"]


def script(bench, url, pin=None, name="script", **env):
    """Somebody with a good token and another way."""
    token = bench.controller_.client.ok("POST", "/api/tokens", {
        "name": name, "role": "viewer", "expires_in_days": 1})
    person = Cli(bench, name, RM_SERVER=url, RM_API_TOKEN=token["token"],
                 RM_SERVER_CERT_PIN_SHA256=pin, **env)
    person.token_id = token["id"]
    return person


def test_everything_is_well(bench):
    checks = look(bench.cli)
    assert list(checks) == HOPS
    assert failed(checks) == []
    assert "pinned" in checks["trust"]["detail"]
    assert "good until" in checks["token"]["detail"]
    text = bench.cli.ok("doctor").out
    assert "ok       token" in text and "\x1b" not in text


def test_no_configuration(bench):
    checks = look(Cli(bench, "bare"))
    assert list(checks) == ["config"] and failed(checks) == ["config"]


def test_a_name_nobody_knows(bench):
    checks = look(script(bench, "https://no-such-host.invalid"))
    assert failed(checks) == ["dns"]
    assert checks["tcp"]["status"] == "skipped"


def test_a_wrong_port(bench):
    checks = look(script(bench, f"https://127.0.0.1:{free_port()}"))
    assert failed(checks) == ["tcp"]
    assert checks["dns"]["status"] == "ok"


def test_a_port_without_tls(bench):
    checks = look(script(bench, f"https://127.0.0.1:{bench.plain}"))
    assert failed(checks) == ["tls"]


def test_a_wrong_pin(bench):
    checks = look(script(bench, bench.controller_.url, "ab" * 32))
    assert failed(checks) == ["trust", "api"]
    assert pin_of(bench.controller_) in checks["trust"]["detail"]


def test_a_key_nobody_vouches_for(bench):
    checks = look(script(bench, bench.controller_.url))
    assert failed(checks)[:1] == ["trust"]
    assert checks["certificate"]["status"] == "ok"


@pytest.fixture(scope="module")
def authority(bench):
    """A CA of our own, and what it signs."""
    folder = bench.path / "ca"
    folder.mkdir()

    def run(*argv):
        subprocess.run(["openssl", *map(str, argv)], cwd=folder, check=True,
                       capture_output=True)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes"]
    run("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=test authority", "-days", "2", "-addext",
        "keyUsage=critical,keyCertSign")

    def sign(name, san, days):
        run("req", *new_key, "-keyout", f"{name}.key", "-out",
            f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "ext").write_text(f"subjectAltName={san}\n")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days",
            days, "-extfile", "ext")
        return {"RM_TLS_CERT": folder / f"{name}.pem",
                "RM_TLS_KEY": folder / f"{name}.key"}
    sign.ca = folder / "ca.pem"
    return sign


@pytest.mark.parametrize("name,san,days,hops", [
    ("good", "IP:127.0.0.1", "1", []),
    ("expired", "IP:127.0.0.1", "-1", ["certificate", "trust", "api"]),
    ("elsewhere", "DNS:other.example", "1", ["trust", "api"])])
def test_certificates_of_an_authority(bench, authority, name, san, days,
                                      hops):
    controller = bench.controller(name=name, **authority(name, san, days))
    controller.start()
    person = Cli(bench, f"home-{name}", RM_SERVER=controller.url)
    checks = look(person, "--ca-file", authority.ca)
    expected = hops + (["token"] if not hops else [])
    assert failed(checks) == expected, checks
    controller.stop()


def test_a_proxy_that_speaks_http_1_only_and_collects(bench):
    """Agents need HTTP/2; live streams need a proxy that passes them on."""
    nginx = Nginx(bench, bench.controller_, OLD_PROXY,
                  bench.controller_.port).start()
    checks = look(script(bench, nginx.url, pin_of(bench.controller_), "old"))
    assert failed(checks) == ["alpn", "events"], checks
    assert "nginx" in checks["proxy"]["detail"]
    assert "HTTP/1.1" in checks["proxy"]["detail"]
    nginx.program.stop()


def test_a_proxy_that_is_set_up_well(bench):
    nginx = Nginx(bench, bench.controller_, CONSOLE, bench.plain,
                  name="nginx2").start()
    checks = look(script(bench, nginx.url, pin_of(bench.controller_), "new"))
    assert failed(checks) == []
    assert "nginx" in checks["proxy"]["detail"]
    bench.controller_.stop()
    checks = look(script_again(bench, nginx, "new"))
    assert failed(checks) == ["api"]
    assert checks["tls"]["status"] == "ok"
    bench.controller_.start()
    nginx.program.stop()


def script_again(bench, nginx, name):
    return Cli(bench, name, RM_SERVER=nginx.url,
               RM_SERVER_CERT_PIN_SHA256=pin_of(bench.controller_))


def test_a_revoked_token(bench):
    person = script(bench, bench.controller_.url, pin_of(bench.controller_),
                    "revoked")
    assert failed(look(person)) == []
    assert bench.controller_.client.request(
        "DELETE", f"/api/tokens/{person.token_id}", {}).status == 204
    checks = look(person)
    assert failed(checks) == ["token"]
    assert checks["events"]["status"] == "skipped"
    assert "login" in checks["token"]["advice"]


def test_a_clock_that_is_wrong(bench, ahead):
    env, set_ahead = ahead
    set_ahead(3600)
    person = script(bench, bench.controller_.url, pin_of(bench.controller_),
                    "clock", **env)
    checks = look(person)
    assert failed(checks) == ["clock"], checks
    assert re.search(r"3[56]\d\d s ahead", checks["clock"]["detail"])


def test_a_proxy_of_the_environment_is_named(bench):
    person = script(bench, bench.controller_.url, pin_of(bench.controller_),
                    "envproxy",
                    https_proxy=f"http://127.0.0.1:{free_port()}")
    checks = look(person)
    assert checks["dns"]["status"] == "skipped"
    assert failed(checks) == ["api"]
    person.env["no_proxy"] = "127.0.0.1"
    assert failed(look(person)) == []


def test_a_stopped_controller(bench):
    person = script(bench, bench.controller_.url, pin_of(bench.controller_),
                    "stopped")
    bench.controller_.stop()
    checks = look(person)
    assert failed(checks) == ["tcp"]
    assert checks["trust"]["status"] == "skipped"
    bench.controller_.start()
    assert failed(look(person)) == []
