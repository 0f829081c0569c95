# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as OpenSSL speaks it, and bytes that are no TLS at all."""
import os
import socket
import ssl
import subprocess

import pytest


def context(server, alpn=()):
    ctx = ssl.create_default_context(cafile=server.cert)
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    return ctx


def connect(server, ctx):
    raw = socket.create_connection(("127.0.0.1", server.tls), 5)
    return ctx.wrap_socket(raw, server_hostname="localhost")


def s_client(server, *args):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.tls}",
         *args], input=b"", capture_output=True, timeout=20)


@pytest.mark.parametrize("offer, chosen", [
    (["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"),
    (["grpc-exp", "h2"], "h2"), ([], None)])
def test_alpn(server, offer, chosen):
    with connect(server, context(server, offer)) as sock:
        assert sock.selected_alpn_protocol() == chosen
        assert sock.version() == "TLSv1.3"


def test_unknown_alpn_is_refused_with_an_alert(server):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        connect(server, context(server, ["foo"]))


def test_no_alpn_is_http_1_1(server):
    with connect(server, context(server)) as sock:
        sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"tls=1 h2=0" in sock.recv(65536)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(server, version):
    out = s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert b"Cipher is (NONE)" in out.stdout


def test_tls_1_2_with_a_good_cipher(server):
    out = s_client(server, "-tls1_2")
    assert b"Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in out.stdout


@pytest.mark.parametrize("cipher", [
    "eNULL", "aNULL", "ECDHE-ECDSA-NULL-SHA", "RC4", "3DES",
    "ECDHE-ECDSA-AES128-SHA", "kRSA"])
def test_weak_ciphers_are_refused(server, cipher):
    out = s_client(server, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert b"Cipher is (NONE)" in out.stdout or out.returncode != 0
    assert b"Cipher is ECDHE" not in out.stdout


@pytest.mark.parametrize("group", ["P-256", "X25519"])
def test_groups(server, group):
    assert b"TLSv1.3" in s_client(server, "-groups", group).stdout


def resumed(server, tmp_path, first=True):
    """Whether OpenSSL resumes the session it got from the server before."""
    file = tmp_path / "session.pem"
    script = "(sleep 0.3; printf 'GET /about HTTP/1.0\\r\\n\\r\\n'; sleep 0.3)"
    option = "-sess_out" if first else "-sess_in"
    out = subprocess.run(
        f"{script} | openssl s_client -connect 127.0.0.1:{server.tls} "
        f"{option} {file}", shell=True, capture_output=True, timeout=20)
    return b"Reused, TLSv1.3" in out.stdout


def test_tickets_resume_within_a_context(server, tmp_path):
    assert not resumed(server, tmp_path)
    assert resumed(server, tmp_path, first=False)


def test_tickets_resume_over_reload_and_restart(start, tmp_path):
    tickets = f"tickets={tmp_path / 'tickets.key'}"
    server = start(tickets)
    assert not resumed(server, tmp_path)
    server.reload()
    assert resumed(server, tmp_path, first=False)
    server.finish()
    server = start(tickets)
    assert resumed(server, tmp_path, first=False)


def test_other_keys_mean_a_full_handshake(start, tmp_path):
    assert not resumed(start(), tmp_path)
    assert not resumed(start(), tmp_path, first=False)


def test_key_update_is_survived(server):
    out = subprocess.run(
        f"(echo 'K'; sleep 0.3; echo 'K'; sleep 0.3; "
        f"printf 'GET /about HTTP/1.1\\r\\nHost: x\\r\\nConnection: close"
        f"\\r\\n\\r\\n'; sleep 0.5) | "
        f"openssl s_client -connect 127.0.0.1:{server.tls}",
        shell=True, capture_output=True, timeout=20)
    assert b"method=GET" in out.stdout


GARBAGE = {
    "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(10000),
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "huge record": b"\x16\x03\x01\xff\xff" + b"\x01" * 70000,
    "short hello": b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    "application data first": b"\x17\x03\x03\x00\x10" + bytes(16),
    "hello cut off": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" +
                     bytes(100),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_ends_the_connection(start, name):
    server = start("header_ms=1000")
    with socket.create_connection(("127.0.0.1", server.tls), 10) as sock:
        sock.sendall(GARBAGE[name])
        try:
            while sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert server.settles("tls_failed", 1)
    assert server.settles("open", 0) and server.settles("handshaking", 0)


def test_random_garbage(server):
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", server.tls), 5) as sock:
            sock.sendall(b"\x16\x03\x01" + os.urandom(300))
    with connect(server, context(server)) as sock:
        sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in sock.recv(65536)


def test_reload_changes_the_certificate(start, certs, tmp_path):
    cert, key = tmp_path / "c.pem", tmp_path / "c.key"
    for target, source in zip((cert, key), certs["one"]):
        target.write_bytes(source.read_bytes())
    server = start(cert=(cert, key))
    old_ctx = context(server)
    with connect(server, old_ctx) as before:
        for target, source in zip((cert, key), certs["two"]):
            target.write_bytes(source.read_bytes())
        server.reload()
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(server, old_ctx)
        with connect(server, context(server)):
            pass
        before.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in before.recv(65536)
