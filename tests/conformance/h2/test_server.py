# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server sends by itself.  The peer checks each of its frames in
every test; here are the points that need a story."""
import signal

import pytest

from lab import wait_for
from peer import Peer, SETTINGS, WINDOW, setting, u32

LARGE = "/static/style.css"


@pytest.fixture(name="peer", params=["tls", "plain"])
def fixture_peer(request, target):
    """peer(settings) connects."""
    peers = []

    def connect(settings=b"", **kw):
        peers.append(Peer(target[request.param], settings, **kw))
        return peers[-1]

    yield connect
    for p in peers:
        p.close()


def body_grows_to(p, stream, size):
    """So much has come, and when a PING has gone round no more."""
    s = p.streams[stream]
    p.run(lambda: len(s.body) >= size)
    p.barrier()
    assert len(s.body) == size
    p.pongs.clear()


def test_settings_first_and_acknowledged_at_once(peer):
    """3.4, 6.5.3: the server's SETTINGS come first, ours are acknowledged
    before anything that was sent behind them is answered"""
    p = peer(greet=False)
    p.ping(b"behind 1")
    p.run(lambda: p.pongs)
    assert p.theirs is not None and not p.unacked
    assert set(p.theirs) == {3, 4, 6}


def test_the_window_of_a_stream_to_the_byte(peer):
    """6.9.1: not a byte more than the stream's window"""
    p = peer(setting(4, 10))
    p.request(1, p.get_fields(LARGE))
    body_grows_to(p, 1, 10)
    for size in (1, 1, 5, 100, 16385):
        before = len(p.streams[1].body)
        p.window(1, size)
        body_grows_to(p, 1, before + size)
    p.window(1, 1 << 20)
    assert p.answer(1).status == "200"


def test_the_window_of_the_connection(peer):
    """6.9.1: three streams share the connection's window"""
    p = peer(setting(4, 1 << 20))
    for stream in (1, 3, 5):
        p.request(stream, p.get_fields(LARGE))
    p.run(lambda: p.room == 0)
    p.barrier()
    assert p.room == 0 and not p.streams[5].ended
    p.window(0, 7)
    p.run(lambda: p.room == 0)
    p.window(0, 1 << 20)
    bodies = {p.answer(stream).body for stream in (1, 3, 5)}
    assert len(bodies) == 1


def test_a_window_below_zero(peer):
    """6.9.2: a smaller initial window makes one negative, and it is made
    good before anything flows"""
    p = peer(setting(4, 20000))
    p.request(1, p.get_fields(LARGE))
    body_grows_to(p, 1, 20000)
    p.settings(setting(4, 5000))
    p.run(lambda: not p.unacked)
    p.window(1, 15000)
    body_grows_to(p, 1, 20000)
    p.window(1, 1)
    body_grows_to(p, 1, 20001)
    p.settings(setting(4, 5010))
    body_grows_to(p, 1, 20011)
    p.window(1, 1 << 20)
    assert p.answer(1).status == "200"


def test_headers_do_not_wait_for_a_window(peer):
    """6.9: only DATA is counted; an empty answer needs no window"""
    p = peer(setting(4, 0))
    p.request(1, p.get_fields("/healthz"))
    assert p.answer(1).status == "204"
    p.request(3, p.get_fields(LARGE, "HEAD"))
    assert p.answer(3).get("content-length") != []


def test_no_frame_is_larger_than_allowed(peer):
    """4.2: SETTINGS_MAX_FRAME_SIZE is the most, not the least"""
    p = peer(setting(4, 1 << 20))
    p.request(1, p.get_fields(LARGE))
    assert max(p.answer(1).chunks) <= 16384
    p.window(0, 1 << 20)
    p.settings(setting(5, 2**24 - 1))
    p.request(3, p.get_fields(LARGE))
    assert p.answer(3).body == p.streams[1].body


def test_end_stream_comes_once(peer):
    """8.1: with content-length and without, HEAD, 204 and 304; the peer
    fails on anything behind END_STREAM"""
    p = peer()
    p.request(1, p.get_fields(LARGE))
    tag = p.answer(1).get("etag")[0]
    for stream, path, method, extra, status in (
            (3, LARGE, "HEAD", (), "200"), (5, "/healthz", "GET", (), "204"),
            (7, LARGE, "GET", [("if-none-match", tag)], "304"),
            (9, "/login", "GET", (), "200"),
            (11, "/nowhere/at/all", "GET", (), "404"),
            (13, "/api/nowhere", "HEAD", (), "404")):
        p.request(stream, p.get_fields(path, method, extra))
        assert p.answer(stream).status == status, path
    assert p.fate(0) == "ignored"


def test_the_size_of_the_peers_table(peer):
    """7541 4.2: a table of 0, of 100 and of 4,096 bytes; the change is told
    first"""
    p = peer(setting(1, 0))
    for stream in (1, 3):
        p.request(stream, p.get_fields("/login"))
        assert p.answer(stream).status == "200"
    assert p.decoder.table.entries == []
    p.settings(setting(1, 100))
    p.run(lambda: not p.unacked)
    for stream in (5, 7):
        p.request(stream, p.get_fields("/login"))
        assert p.answer(stream).status == "200"
        assert p.decoder.table.size() <= 100
    p.settings(setting(1, 0) + setting(1, 4096))
    p.run(lambda: not p.unacked)
    for stream in (9, 11):
        p.request(stream, p.get_fields("/login"))
        assert p.answer(stream).status == "200"


def test_secrets_are_never_indexed(peer):
    """7541 7.1.3: what sets a cookie is kept in no table"""
    p = peer()
    p.request(1, p.get_fields("/login"))
    p.answer(1)
    told = {name for name, _ in p.decoder.never}
    assert {name for name, _ in p.streams[1].fields
            if name == b"set-cookie"} <= told
    assert b"set-cookie" not in {n for n, _ in p.decoder.table.entries}


def test_the_last_identifier(peer):
    """5.1.1: 2^31-1 is a stream like others"""
    p = peer()
    p.request(2**31 - 1)
    assert p.answer(2**31 - 1).status == "200"


def test_unwanted_data_gives_its_window_back(peer):
    """6.9, 5.1: bytes of a stream that was answered or reset count for the
    connection, whose window is opened again"""
    p = peer()
    given = []
    check = p._on_window
    p.CHECKS = {**p.CHECKS, WINDOW: lambda self, flags, stream, payload: (
        check(flags, stream, payload), given.append((stream, payload)))}
    for i in range(1, 161, 2):
        p.post(i)
        p.data(i, bytes(12000))
        p.put(3, 0, i, u32(8))
        p.barrier()
        p.pongs.clear()
    back = sum(int.from_bytes(v, "big") for s, v in given if s == 0)
    assert back > 80 * 12000 // 2
    assert p.fate(0) == "ignored"


def test_a_malformed_request_costs_only_its_stream(peer):
    """8.1.1, 5.4.2: the others go on, before it and behind it"""
    p = peer(setting(4, 0))
    p.request(1, p.get_fields(LARGE))
    p.raw(3, *p.get_fields(), ("Upper", "1"))
    p.request(5, p.get_fields(LARGE))
    assert p.wait(3).reset == 1
    for stream in (0, 1, 5):
        p.window(stream, 1 << 20)
    assert p.answer(1).body == p.answer(5).body


def test_requests_that_come_in_one_piece(peer):
    """5.1.2: fifty requests in one write, each answered"""
    p = peer()
    out = []
    p.send, send = out.append, p.send
    for stream in range(1, 101, 2):
        p.request(stream)
    p.send = send
    p.send(b"".join(out))
    bodies = {p.answer(stream).body for stream in range(1, 101, 2)}
    assert len(bodies) == 1


def test_byte_by_byte(peer):
    """3.4, 4.1: frames may come in any pieces"""
    p = peer(preface=False)
    out = []
    p.send, send = out.append, p.send
    out.append(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    p.settings()
    p.request(1)
    p.send = send
    for byte in b"".join(out):
        p.send(bytes([byte]))
    assert p.answer(1).status == "200"


def test_a_stop_is_told(make, target):
    """6.8, 8.7: first a notice with the largest identifier, then the last
    stream; what is open ends in order, what comes late is not touched"""
    controller = make("stopping")
    ports = ((controller.port, target["tls"][1]), (controller.plain, None))
    peers = [Peer(port, setting(4, 0)) for port in ports]
    for p in peers:
        p.request(1, p.get_fields(LARGE))
        p.run(lambda s=p.streams[1]: s.fields)
    controller.program.kill(signal.SIGTERM)
    for p in peers:
        p.run(lambda p=p: p.goaway is not None)
        assert p.goaway[:2] == (2**31 - 1, 0)
        p.request(3, p.get_fields("/healthz"))  # crossed the notice
    for p in peers:
        assert p.answer(3).status == "204"
        p.run(lambda p=p: p.goaway[0] != 2**31 - 1)
        assert p.goaway[:2] == (3, 0)
        p.request(5, p.get_fields("/healthz"))
        p.window(1, 1 << 20)
    for p in peers:
        assert p.answer(1).status == "200"
        assert p.run(lambda p=p: p.streams[5].fields) is False
        p.close()
    wait_for("the end", lambda: not controller.program.running())
    assert controller.program.wait() == 0


def test_an_unread_setting_is_not_waited_for(peer):
    """6.5.3: the server lives with a peer that is slow to acknowledge"""
    p = peer(greet=False)
    p.request(1)
    assert p.answer(1).status == "200"
    p.put(SETTINGS, 1)
    assert p.fate(0) == "ignored"


def test_the_encoder_of_the_peer_is_believed(peer):
    """7541 2.2: a table that turns over many times stays the same on both
    sides"""
    p = peer()
    for i in range(60):
        stream = 2 * i + 1
        p.request(stream, p.get_fields(extra=[
            ("x-turn", str(i % 7) * (40 * (i % 5) + 1)),
            ("x-long", "v" * (i * 61 % 1500))]))
        assert p.answer(stream).status == "200"
