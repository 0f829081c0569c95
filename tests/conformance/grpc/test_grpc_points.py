# SPDX-License-Identifier: GPL-3.0-or-later
"""gRPC over HTTP/2 (PROTOCOL-HTTP2.md) with the service of the controller,
byte by byte; tests/net and tests/system do it with a foreign library."""
import re

import pytest

import hpack
from peer import RST, Peer, setting, u32

SERVICE = "/resticmanager.v1.Agent/"
OK, INVALID, DEADLINE, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNKNOWN_TOKEN = (
    "0", "3", "4", "8", "12", "13", "16")


NOBODY = "A" * 43  # a token that was never given


def message(data, flag=0):
    return bytes([flag]) + u32(len(data)) + data


def enrolment(token, enrol_id="points"):
    """EnrollRequest, which needs nothing of protobuf but its strings."""
    fields = (token, enrol_id, "grpc-points", "linux", "amd64", "1", "")
    return b"".join(bytes([n << 3 | 2, len(text)]) + text.encode()
                    for n, text in enumerate(fields, 1))


@pytest.fixture(name="token", scope="session")
def fixture_token(console):
    return console.mint("grpc-points", "/somewhere").split(".")[0]


@pytest.fixture(name="p", params=["tls", "plain"])
def fixture_p(request, target):
    with Peer(target[request.param]) as p:
        yield p


def call(p, method="Enroll", *extra, stream=1, kind="application/grpc",
         te="trailers", path=None, verb="POST", end=False):
    fields = p.get_fields(path or SERVICE + method, verb)
    fields += [("te", te)] if te else []
    fields += [("content-type", kind)] if kind else []
    p.request(stream, [*fields, *extra], end=end)


def over(p, stream=1):
    """The status of a call, after what every answer must have."""
    s = p.answer(stream)
    assert s.status == "200"
    assert s.get("content-type") == ["application/grpc"]
    status, = s.get("grpc-status")
    assert re.fullmatch("0|[1-9][0-9]?", status)
    for text in s.get("grpc-message"):
        assert re.fullmatch("([ -$&-~]|%[0-9A-F]{2})*", text), text
    if s.trailers is None:
        assert not s.body, "a message needs trailers"
    return status


def test_an_answer_is_headers_message_trailers(p, token):
    """Responses: headers, one length-prefixed message, trailers with the
    status"""
    call(p)
    p.data(1, message(enrolment(token)), True)
    assert over(p) == OK
    s = p.streams[1]
    assert s.body[0] == 0
    assert int.from_bytes(s.body[1:5], "big") == len(s.body) - 5 > 0
    assert s.trailers and b"grpc-status" not in dict(s.fields)


def test_an_error_before_any_message_is_trailers_only(p):
    """Responses: an error without a message is one section"""
    call(p)
    p.data(1, message(enrolment(NOBODY)), True)
    assert over(p) == UNKNOWN_TOKEN
    s = p.streams[1]
    assert s.trailers is None and s.get("rm-error-code")


@pytest.mark.parametrize("kind", [
    "application/grpc", "application/grpc+proto", "application/grpc;v=1"])
def test_content_types_of_grpc(p, token, kind):
    """Content-Type: application/grpc, alone or with a subtype"""
    call(p, kind=kind)
    p.data(1, message(enrolment(token)), True)
    assert over(p) == OK


@pytest.mark.parametrize("kind", [
    "application/grpc-web", "application/grpc-web+proto",
    "application/grpcfoo"])
def test_content_types_that_only_look_like_it(p, kind):
    """Content-Type: others that begin with application/grpc get 415"""
    call(p, kind=kind)
    p.data(1, message(b""), True)
    assert p.answer(1).status == "415"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json"])
def test_no_grpc_at_all(p, kind):
    """Content-Type: without it the address is one of HTTP, and unknown"""
    call(p, kind=kind)
    p.data(1, message(b""), True)
    assert p.answer(1).status in ("404", "405", "415")


def test_te_may_be_missing(p, token):
    """TE: it is for finding proxies; a call without it is answered"""
    call(p, te=None)
    p.data(1, message(enrolment(token)), True)
    assert over(p) == OK


@pytest.mark.parametrize("path", [
    "/resticmanager.v1.Agent/Nothing", "/resticmanager.v2.Agent/Enroll",
    "/resticmanager.v1.Agent/enroll", "/resticmanager.v1.Agent/Enroll/",
    "/resticmanager.v1.Agent/Enroll?x=1", "/Enroll", "/", "*"])
def test_unknown_methods(p, path):
    """Path: unknown services and methods are UNIMPLEMENTED"""
    call(p, path=path, verb="OPTIONS" if path == "*" else "POST")
    p.data(1, message(b""), True)
    assert over(p) == UNIMPLEMENTED


def test_get_is_no_call(p):
    """Call-Definition: POST and nothing else"""
    call(p, verb="GET", end=True)
    assert over(p) == UNIMPLEMENTED


@pytest.mark.parametrize("value", ["1H", "2M", "3S", "99999999m",
                                   "99999999u"])
def test_timeouts_that_are_long_enough(p, token, value):
    """Timeout: every unit there is, and eight digits"""
    call(p, "Enroll", ("grpc-timeout", value))
    p.data(1, message(enrolment(token)), True)
    assert over(p) == OK


@pytest.mark.parametrize("value", ["30m", "30000u", "30000000n", "1n", "0m"])
def test_timeouts_that_pass(p, value):
    """Timeout: DEADLINE_EXCEEDED when it passed"""
    call(p, "Announce", ("grpc-timeout", value))
    assert over(p) == DEADLINE


@pytest.mark.parametrize("value", [
    "", "5", "S", "999999999S", "-1S", "1.5S", "1s", "1h", "1 S", "+1S",
    "0x1S"])
def test_timeouts_that_are_none(p, value):
    """Timeout: anything else ends the call with an error"""
    call(p, "Enroll", ("grpc-timeout", value))
    assert over(p) in (INVALID, INTERNAL)


def test_a_message_in_many_frames(p, token):
    """Data Frames: a message in frames of one byte, empty ones and padding
    among them"""
    call(p)
    for byte in message(enrolment(token)):
        p.data(1, bytes([byte]))
        p.data(1)
        p.put(0, 8, 1, b"\x02\0\0")
    p.data(1, b"", True)
    assert over(p) == OK


def test_two_messages_in_one_frame(p, token):
    """Data Frames: a unary call takes one message"""
    call(p)
    p.data(1, message(enrolment(token)) * 2, True)
    assert over(p) == INVALID


@pytest.mark.parametrize("body, status", [
    (b"", INVALID), (b"\0", INTERNAL), (b"\0\0\0\0", INTERNAL),
    (b"\0\0\0\0\x05abcd", INTERNAL)], ids=["nothing", "1", "4", "body"])
def test_a_call_that_ends_early(p, body, status):
    """Data Frames: END_STREAM inside a message or before one"""
    call(p)
    p.data(1, body, True)
    assert over(p) == status


def test_an_empty_message(p):
    """Data Frames: a message of no bytes is a message"""
    call(p)
    p.data(1, message(b""), True)
    assert over(p) not in (OK, INTERNAL, UNIMPLEMENTED)


def test_bytes_that_are_no_protobuf(p):
    """Message: what cannot be decoded is INVALID_ARGUMENT"""
    call(p)
    p.data(1, message(b"\xff" * 20), True)
    assert over(p) == INVALID


def test_a_compressed_message(p):
    """Compressed-Flag 1: UNIMPLEMENTED, and what would be understood"""
    call(p, "Enroll", ("grpc-encoding", "gzip"))
    p.data(1, message(b"\x1f\x8b", 1), True)
    assert over(p) == UNIMPLEMENTED
    assert p.streams[1].get("grpc-accept-encoding") == ["identity"]


def test_an_encoding_that_no_message_uses(p, token):
    """Compressed-Flag 0: grpc-encoding does not matter then"""
    call(p, "Enroll", ("grpc-encoding", "gzip"),
         ("grpc-accept-encoding", "identity,gzip"))
    p.data(1, message(enrolment(token)), True)
    assert over(p) == OK


@pytest.mark.parametrize("flag", [2, 128, 255])
def test_flags_nobody_has_defined(p, flag):
    """Compressed-Flag: 0 or 1, anything else is an error"""
    call(p)
    p.data(1, message(b"", flag), True)
    assert over(p) == INTERNAL


@pytest.mark.parametrize("size", [(4 << 20) + 1, 2**31, 2**32 - 1])
def test_a_message_too_large(p, size):
    """Message-Length: RESOURCE_EXHAUSTED by the length alone, the bytes are
    not waited for"""
    call(p)
    p.data(1, b"\0" + u32(size))
    assert over(p) == EXHAUSTED


def test_metadata(p, token):
    """Custom-Metadata: -bin with padding and without, lists, duplicates,
    names of the future"""
    call(p, "Enroll", ("x-trace-bin", "AAECAw=="), ("x-trace-bin", "AAECAw"),
         ("x-list-bin", "AA,AQ,"), ("x-odd-bin", "no base64!"),
         ("grpc-trace-bin", "AAA"), ("grpc-future", "1"), ("x-a", "1"),
         ("x-a", "2"), ("grpc-status", "0"))
    p.data(1, message(enrolment(token)), True)
    assert over(p) == OK


def test_trailers_of_a_client(p, token):
    """Requests: END_STREAM may come with trailers, which mean nothing"""
    call(p)
    p.data(1, message(enrolment(token)))
    p.request(1, [("grpc-status", "9"), ("x-late", "1")])
    assert over(p) == OK


def test_calls_without_a_bearer(p):
    """Authorisation: UNAUTHENTICATED, and the connection goes on"""
    for stream, method in ((1, "Session"), (3, "Poll"), (5, "Check")):
        call(p, method, stream=stream)
        p.data(stream, message(b""), True)
        assert over(p, stream) == UNKNOWN_TOKEN
    call(p, "Check", ("authorization", "Basic eDp5"), stream=7)
    p.data(7, message(b""), True)
    assert over(p, 7) == UNKNOWN_TOKEN


def test_a_call_given_up(p, token):
    """Cancellation: RST_STREAM at any moment, others are not touched"""
    whole = message(enrolment(token))
    for i, size in enumerate((0, 3, 5, len(whole) - 1, len(whole))):
        call(p, stream=4 * i + 1)
        p.data(4 * i + 1, whole[:size])
        p.put(RST, 0, 4 * i + 1, u32(8))
        call(p, stream=4 * i + 3)
        p.data(4 * i + 3, whole, True)
        assert over(p, 4 * i + 3) == OK


def test_trailers_wait_for_the_window(target, token):
    """Flow control: the message waits for the window, the trailers for the
    message"""
    with Peer(target["tls"], setting(4, 3)) as p:
        call(p)
        p.data(1, message(enrolment(token)), True)
        s = p.streams[1]
        p.run(lambda: len(s.body) == 3)
        p.barrier()
        assert s.trailers is None and s.fields
        p.window(1, 1000)
        assert over(p) == OK and s.trailers


def test_answers_do_not_mix(p, token):
    """Streams: forty calls at once, each with its own answer"""
    for i in range(40):
        call(p, stream=2 * i + 1)
    for i in range(40):
        p.data(2 * i + 1, message(enrolment(token if i % 2 else NOBODY)), True)
    for i in range(40):
        assert over(p, 2 * i + 1) == (OK if i % 2 else UNKNOWN_TOKEN)


def test_the_bearer_is_not_indexed(p, token):
    """7541 7.1.3: a secret that the peer marks so is taken as such"""
    block = p.encoder.encode(p.get_fields(SERVICE + "Check", "POST", [
        ("content-type", "application/grpc"), ("te", "trailers")]))
    p.put(1, 4, 1, block + hpack.literal("authorization", "Bearer x",
                                         hpack.NEVER, huff=True))
    p.data(1, message(b""), True)
    assert over(p) == UNKNOWN_TOKEN
