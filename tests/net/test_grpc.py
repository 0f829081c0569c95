# SPDX-License-Identifier: GPL-3.0-or-later
"""gRPC as Python's grpcio (gRPC core) speaks it."""
import threading
import time

import grpc
import pytest

TIMEOUT = 10
MIB = 1 << 20


@pytest.fixture(params=["tls", "plain"])
def channel(request, server):
    options = [("grpc.max_receive_message_length", 64 * MIB)]
    if request.param == "tls":
        creds = grpc.ssl_channel_credentials(server.cert.read_bytes())
        target = f"127.0.0.1:{server.tls}"
        chan = grpc.secure_channel(target, creds, options=options)
    else:
        chan = grpc.insecure_channel(f"127.0.0.1:{server.plain}",
                                     options=options)
    with chan:
        yield chan


def unary(channel, name):
    return channel.unary_unary(f"/echo.Echo/{name}")


def fails(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_unary(channel):
    assert unary(channel, "Unary")(b"hello", timeout=TIMEOUT) == b"hello"


def test_empty_message(channel):
    assert unary(channel, "Unary")(b"", timeout=TIMEOUT) == b""


def test_largest_message(channel):
    data = bytes(range(256)) * 16384
    assert unary(channel, "Unary")(data, timeout=TIMEOUT) == data


def test_oversize_message(channel):
    error = fails(lambda: unary(channel, "Unary")(
        bytes(4 * MIB + 1), timeout=TIMEOUT))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "4 MiB" in error.details()
    assert unary(channel, "Unary")(b"on", timeout=TIMEOUT) == b"on"


def test_bidi_answers_before_the_end(channel):
    sent, more = [], threading.Event()

    def requests():
        yield b"one"
        assert more.wait(TIMEOUT)
        yield b"two"

    call = channel.stream_stream("/echo.Echo/Bidi")(
        requests(), timeout=TIMEOUT)
    for message in call:
        sent.append(message)
        more.set()
    assert sent == [b"one", b"two"]
    assert call.code() == grpc.StatusCode.OK


def test_server_stream(channel):
    call = channel.unary_stream("/echo.Echo/Flood")(b"100", timeout=TIMEOUT)
    assert sum(len(m) for m in call) == 100 * 65536


def test_many_calls_at_once(channel):
    futures = [unary(channel, "Unary").future(b"%d" % i, timeout=TIMEOUT)
               for i in range(300)]
    assert [f.result() for f in futures] == [b"%d" % i for i in range(300)]


def test_status_message_and_code(channel):
    error = fails(lambda: unary(channel, "Fail")(
        b"", timeout=TIMEOUT, metadata=[("want-status", "9")]))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "müßig 100%\n"
    assert ("rm-error-code", "test_code") in error.trailing_metadata()


def test_unknown_method(channel):
    error = fails(lambda: unary(channel, "Nope")(b"", timeout=TIMEOUT))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_deadline(channel):
    began = time.monotonic()
    error = fails(lambda: unary(channel, "Never")(b"", timeout=0.3))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 3
    assert unary(channel, "Unary")(b"on", timeout=TIMEOUT) == b"on"


def test_cancel_reaches_the_server(channel):
    call = channel.stream_stream("/echo.Echo/Never")(iter([b"x"]))
    assert next(call) == b"x"
    call.cancel()
    for _ in range(50):
        text = unary(channel, "About")(b"", timeout=TIMEOUT)
        if b"cancelled=1" in text:
            return
        time.sleep(0.05)
    pytest.fail("the server does not know of the cancellation")


def test_metadata_and_peer(channel):
    text = unary(channel, "About")(
        b"", timeout=TIMEOUT, metadata=[("x-word", "grün".encode().hex())])
    assert b"peer=127.0.0.1" in text
    assert b"word=" + "grün".encode().hex().encode() in text


def test_compressed_message(channel):
    error = fails(lambda: unary(channel, "Unary")(
        b"a" * 10000, timeout=TIMEOUT, compression=grpc.Compression.Gzip))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_metadata_too_large(channel):
    error = fails(lambda: unary(channel, "Unary")(
        b"", timeout=TIMEOUT, metadata=[("x-big", "y" * 40000)]))
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED,
                            grpc.StatusCode.UNKNOWN,
                            grpc.StatusCode.INTERNAL)
    assert unary(channel, "Unary")(b"on", timeout=TIMEOUT) == b"on"


def test_a_slow_reader_does_not_fill_the_server(server):
    """6 GiB asked for, nothing read: the queue stays bounded."""
    with grpc.insecure_channel(f"127.0.0.1:{server.plain}") as channel:
        before = server.rss_kib()
        call = channel.unary_stream("/echo.Echo/Flood")(b"100000")
        next(call)
        time.sleep(1)
        assert server.rss_kib() - before < 16 * 1024
        call.cancel()


def test_shutdown_ends_streams_with_a_status(start):
    server = start()
    with grpc.insecure_channel(f"127.0.0.1:{server.plain}") as channel:
        call = channel.stream_stream("/echo.Echo/Never")(iter([b"x"]))
        assert next(call) == b"x"
        server.terminate()
        error = fails(lambda: next(call))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert error.details() == "the server is shutting down"
    assert server.proc.wait(10) == 0


def test_shutdown_lets_calls_finish(start):
    server = start()
    with grpc.insecure_channel(f"127.0.0.1:{server.plain}") as channel:
        go = threading.Event()

        def requests():
            yield b"one"
            assert go.wait(TIMEOUT)
            yield b"two"

        call = channel.stream_stream("/echo.Echo/Bidi")(requests())
        assert next(call) == b"one"
        server.terminate()
        time.sleep(0.3)
        go.set()
        assert list(call) == [b"two"]
        assert call.code() == grpc.StatusCode.OK


def test_reload_keeps_streams(start, certs, tmp_path):
    cert, key = tmp_path / "c.pem", tmp_path / "c.key"
    for target, source in zip((cert, key), certs["one"]):
        target.write_bytes(source.read_bytes())
    server = start(cert=(cert, key))
    old = grpc.ssl_channel_credentials(cert.read_bytes())
    go = threading.Event()

    def requests():
        yield b"one"
        assert go.wait(TIMEOUT)
        yield b"two"

    with grpc.secure_channel(f"127.0.0.1:{server.tls}", old) as channel:
        call = channel.stream_stream("/echo.Echo/Bidi")(requests())
        assert next(call) == b"one"
        for target, source in zip((cert, key), certs["two"]):
            target.write_bytes(source.read_bytes())
        server.reload()
        new = grpc.ssl_channel_credentials(cert.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{server.tls}", new) as other:
            assert unary(other, "Unary")(b"new", timeout=TIMEOUT) == b"new"
        go.set()
        assert list(call) == [b"two"]
