# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that others wrote: curl, nghttp and h2load of Debian."""
import re
import shutil
import subprocess

import pytest

from lab import clean_env

NGHTTP = pytest.mark.skipif(not shutil.which("h2load"),
                            reason="nghttp2-client is not installed")


@pytest.fixture(name="url", params=["tls", "plain"])
def fixture_url(request, console):
    return (console.url if request.param == "tls"
            else f"http://127.0.0.1:{console.plain}")


def said(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                          check=False, env=clean_env())
    assert done.returncode == 0, done.stderr
    return done.stdout


@NGHTTP
@pytest.mark.parametrize("version", [(), ("--h1",)], ids=["h2", "h1"])
def test_h2load(url, version):
    """foreign: h2load, every request succeeds"""
    out = said("h2load", *version, "-n", "1000", "-c", "10", "-m",
               "1" if version else "20", f"{url}/static/style.css")
    assert "1000 succeeded, 0 failed, 0 errored" in out, out


@NGHTTP
@pytest.mark.parametrize("options", [
    (), ("-w", "10", "-W", "10"), ("--header-table-size=0",),
    ("--encoder-header-table-size=0",), ("-b", "16"), ("--no-dep",),
    ("--peer-max-concurrent-streams=1",)], ids=" ".join)
def test_nghttp(url, options):
    """foreign: nghttp with small windows, no table, padding, priorities"""
    out = said("nghttp", "-nas", *options, f"{url}/login")
    answers = re.findall(r" (\d{3}) +\S+ /\S*\n", out)
    assert answers and set(answers) == {"200"}, out


@pytest.mark.parametrize("options, version", [
    (("--http2-prior-knowledge",), "2"), (("--http1.1",), "1.1"),
    (("--http1.0",), "1.1"), (("--no-alpn",), "1.1")], ids=lambda o: o[-1]
    if isinstance(o, tuple) else "")
def test_curl(url, options, version):
    """foreign: curl, in every version it has"""
    out = said("curl", "-sSk", *options, "-w", "%{http_version} %{http_code}",
               "-o", "/dev/null", f"{url}/static/style.css")
    assert out == f"{version} 200"


@pytest.mark.parametrize("options", [
    ("-H", "Expect: 100-continue"), ("-H", "Transfer-Encoding: chunked"),
    ("--http1.1", "-H", "Expect: 100-continue"),
    ("--http1.1", "-H", "Transfer-Encoding: chunked")], ids=" ".join)
def test_curl_sends_a_body(url, options):
    """foreign: curl sends a body, chunked or behind 100-continue"""
    out = said("curl", "-sSk", *options, "-H",
               "content-type: application/json", "-d", '{"token":"x"}',
               "-w", " %{http_code}", f"{url}/api/agents/enroll")
    assert out.endswith(" 422"), out
