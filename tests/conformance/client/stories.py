# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers may do to the agent, and what none may.

Each story gets a Host of its own.  Behind every one that breaks something
the agent must come again, and bring the event that was not acknowledged.
"""
import hpack
from h2raw import (ACK, CONT, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                   PADDED, PING, PRIORITY, PUSH, RST, SETTINGS, WINDOW)
from peer import setting, u32

STORIES = {}
UNKNOWN = 0x42


def story(function):
    STORIES[function.__name__] = function
    return function


def owes(visit, version=1):
    """A session whose event was sent and not acknowledged."""
    stream = visit.session()
    hello = visit.hello(stream)
    visit.head(stream)
    visit.reply(stream, hello, version)
    event = visit.event(stream)
    assert event.config_ack.version == version
    return stream, event


def pays(host, owed):
    """The next connection brings it again."""
    visit = host.visit()
    stream = visit.session()
    hello = visit.hello(stream)
    assert hello.first_seq <= owed.seq < hello.next_seq, "an event was lost"
    visit.head(stream)
    visit.reply(stream, hello, owed.config_ack.version)
    event = visit.event(stream)
    assert event == owed, (event, owed)
    visit.message(stream, ack=visit.pb.Ack(seq=event.seq))
    visit.quiet()


# ------------------------------------------------------- what servers may do


@story
def plain(host):
    """3.4, 8.3.1: preface, SETTINGS, a request as gRPC wants it"""
    visit = host.visit()
    visit.works(1)
    assert visit.acked
    visit.quiet()


@story
def nothing_special(host):
    """4.1, 5.5, 6.7: unknown frames, flags and settings; PING answered"""
    visit = host.visit(setting(0x99, 1) + setting(3, 100))
    visit.put(UNKNOWN, 0xff, 0, b"new")
    stream = visit.session()
    visit.put(UNKNOWN, 0xff, stream, b"new")
    visit.put(PRIORITY, 0, stream, bytes(5))
    visit.put(PING, 0xf0, 0, b"flagbits")
    visit.put(WINDOW, 0xff, 0, u32(5))
    visit.works(1, stream)
    assert b"flagbits" in visit.pongs
    visit.quiet()


@story
def padding(host):
    """6.1, 6.2: padded HEADERS and DATA, empty DATA, one byte a frame"""
    visit = host.visit()
    stream = visit.session()
    hello = visit.hello(stream)
    visit.head(stream, padding=200)
    reply = visit.framed(visit.pb.ControllerMessage(
        hello=visit.pb.HelloReply(
            resume_seq=hello.first_seq, heartbeat_interval_ms=30000,
            config=visit.pb.Config(version=3))).SerializeToString())
    for byte in reply:
        visit.put(DATA, PADDED, stream, b"\x03" + bytes([byte]) + bytes(3))
        visit.put(DATA, 0, stream)
    assert visit.event(stream).config_ack.version == 3
    visit.quiet()


@story
def two_messages_in_one_frame(host):
    """gRPC: messages and frames have nothing to do with each other"""
    visit = host.visit()
    stream = visit.session()
    hello = visit.hello(stream)
    visit.head(stream)
    pb = visit.pb
    messages = [pb.ControllerMessage(hello=pb.HelloReply(
        resume_seq=hello.first_seq, heartbeat_interval_ms=30000,
        config=pb.Config(version=1)))]
    messages += [pb.ControllerMessage(config=pb.Config(version=v))
                 for v in (2, 3)]
    visit.put(DATA, 0, stream, b"".join(
        visit.framed(m.SerializeToString()) for m in messages))
    assert [visit.event(stream).config_ack.version for _ in range(3)] == [
        1, 2, 3]


@story
def sections_in_pieces(host):
    """6.10: a response in HEADERS and five CONTINUATION frames"""
    visit = host.visit()
    stream = visit.session()
    block = visit.encoder.encode([
        (":status", "200"), ("content-type", "application/grpc"),
        ("x-long", "v" * 300)])
    size = len(block) // 6 + 1
    visit.put(HEADERS, 0, stream, block[:size])
    for i in range(1, 6):
        visit.put(CONT, END_HEADERS if i == 5 else 0, stream,
                  block[i * size:(i + 1) * size])
    visit.works(1, stream, head=False)
    visit.quiet()


@story
def interim_responses(host):
    """8.1: 100 and 103 before the response are no response"""
    visit = host.visit()
    stream = visit.session()
    visit.head(stream, (":status", "100"))
    visit.head(stream, (":status", "103"), ("link", "</x>"))
    visit.works(1, stream)
    visit.quiet()


@story
def no_table(host):
    """7541 4.2: SETTINGS_HEADER_TABLE_SIZE of 0 is obeyed and told"""
    visit = host.visit(setting(1, 0))
    visit.works(1)
    assert not visit.decoder.table.entries


@story
def our_table_turns_over(host):
    """7541 2.2: a response that fills the agent's table many times"""
    visit = host.visit()
    stream = visit.session()
    hello = visit.hello(stream)
    visit.head(stream, (":status", "200"),
               ("content-type", "application/grpc"),
               *[(f"x-{i}", "v" * 900) for i in range(14)])
    visit.reply(stream, hello, 1)
    assert visit.event(stream).config_ack.version == 1
    visit.trailers(stream, 14, *[(f"x-{i}", "v" * 900) for i in range(14)])
    pays(host, visit.pb.Event.FromString(owed_bytes(visit, stream)))


def owed_bytes(visit, stream):
    """The last event that was sent, as bytes."""
    call, at, last = visit.calls[stream], 0, b""
    while at < call.taken:
        size = int.from_bytes(call.data[at + 1:at + 5], "big")
        m = visit.pb.AgentMessage.FromString(
            call.data[at + 5:at + 5 + size])
        if m.WhichOneof("body") == "event":
            last = m.event.SerializeToString()
        at += 5 + size
    return last


@story
def no_window(host):
    """6.9.1: not a byte of DATA beyond the window of the stream"""
    visit = host.visit(setting(4, 0))
    stream = visit.session()
    visit.quiet()
    call = visit.calls[stream]
    assert call.data == b"" and visit.acked
    for size in (1, 4, 10):
        before = len(call.data)
        call.room += size
        visit.put(WINDOW, 0, stream, u32(size))
        visit.run(lambda w=before + size: len(call.data) >= w)
        visit.quiet()
        assert len(call.data) == before + size
    call.room += 65536
    visit.put(WINDOW, 0, stream, u32(65536))
    visit.works(1, stream)


@story
def no_streams_yet(host):
    """5.1.2: SETTINGS_MAX_CONCURRENT_STREAMS of 0, then 1"""
    visit = host.visit(setting(3, 0))
    visit.run(lambda: visit.acked)
    for _ in range(3):
        visit.quiet()
    assert not visit.calls
    visit.ours, visit.most = setting(3, 1), 1
    visit.put(SETTINGS, 0, 0, visit.ours)
    visit.works(1)


@story
def late_settings(host):
    """6.5.3: five SETTINGS during a session, each acknowledged"""
    visit = host.visit()
    stream, _ = visit.works(1)
    for value in (100000, 5, 65535):
        visit.ours, visit.acked = setting(4, value), False
        visit.put(SETTINGS, 0, 0, visit.ours)
        assert visit.run(lambda: visit.acked)
    visit.message(stream, config=visit.pb.Config(version=2))
    assert visit.event(stream).config_ack.version == 2


@story
def a_burst(host):
    """4.2, 6.9.1: 18 KB of events that waited for the window come in frames
    of at most 16,384 bytes"""
    visit = host.visit()
    stream, _ = visit.works(1)
    visit.ours, visit.acked = setting(4, 0), False
    visit.put(SETTINGS, 0, 0, visit.ours)
    assert visit.run(lambda: visit.acked)
    call, first, count = visit.calls[stream], 1 << 60, 520
    assert call.room <= 0
    for i in range(count):
        visit.message(stream, config=visit.pb.Config(version=first + i))
    visit.quiet()
    visit.put(WINDOW, 0, 0, u32(1 << 20))
    visit.put(WINDOW, 0, stream, u32(1 << 20))
    visit.room += 1 << 20
    call.room += 1 << 20
    versions = [visit.event(stream).config_ack.version for _ in range(count)]
    assert versions == list(range(first, first + count))


# ------------------------------------------------------ how a session ends


def ends(host, how):
    visit = host.visit()
    stream, owed = owes(visit)
    how(visit, stream)
    visit.close()
    pays(host, owed)


@story
def goaway_and_trailers(host):
    """6.8: GOAWAY with the stream in it, which then ends in order"""
    def how(visit, stream):
        visit.put(GOAWAY, 0, 0, u32(stream) + u32(0))
        visit.quiet()
        visit.trailers(stream, 14, ("grpc-message", "stopping"))
        visit.end()

    ends(host, how)


@story
def goaway_without_the_stream(host):
    """6.8: GOAWAY that leaves the stream out"""
    ends(host, lambda visit, stream: (
        visit.put(GOAWAY, 0, 0, u32(0) + u32(0)), visit.end()))


@story
def goaway_before_the_stream(host):
    """6.8: GOAWAY instead of an answer to the preface"""
    visit = host.visit()
    visit.put(GOAWAY, 0, 0, u32(0) + u32(0))
    visit.end()
    host.visit().works(1)


@story
def notice_and_goaway(host):
    """6.8: the notice with 2^31-1, the PING, the GOAWAY behind it"""
    def how(visit, stream):
        visit.put(GOAWAY, 0, 0, u32(2**31 - 1) + u32(0))
        visit.quiet()
        visit.put(GOAWAY, 0, 0, u32(stream) + u32(0))
        visit.trailers(stream, 14)
        visit.end()

    ends(host, how)


def reset_story(name, code, text):
    def play(host):
        ends(host, lambda visit, stream: (
            visit.put(RST, 0, stream, u32(code)), visit.end()))

    play.__doc__ = f"6.4: RST_STREAM with {text}"
    play.__name__ = name
    story(play)


reset_story("reset_cancel", 8, "CANCEL")
reset_story("reset_refused", 7, "REFUSED_STREAM")
reset_story("reset_no_error", 0, "NO_ERROR")
reset_story("reset_future", 0xbeef, "an error nobody has defined")


@story
def trailers_only(host):
    """gRPC: an answer of one section, UNAVAILABLE"""
    visit = host.visit()
    stream = visit.session()
    visit.head(stream, (":status", "200"),
               ("content-type", "application/grpc"), ("grpc-status", "14"),
               ("grpc-message", "come%20again%E2%80%A6"), end=True)
    visit.end()
    assert "message=\"come again" in host.agent.text()
    host.visit().works(1)


@story
def no_status(host):
    """gRPC: trailers without grpc-status are an error, not an end"""
    ends(host, lambda visit, stream: (
        visit.head(stream, ("x-sum", "1"), end=True), visit.end()))


@story
def data_ends_the_stream(host):
    """gRPC: END_STREAM on DATA, no trailers at all"""
    ends(host, lambda visit, stream: (
        visit.put(DATA, END_STREAM, stream), visit.end()))


@story
def inside_a_message(host):
    """gRPC: status OK inside a message is an error"""
    ends(host, lambda visit, stream: (
        visit.put(DATA, 0, stream, b"\0\0\0\0\x09abc"),
        visit.trailers(stream, 0), visit.end()))


@story
def compressed(host):
    """gRPC: a compressed message that was not asked for"""
    ends(host, lambda visit, stream: (
        visit.put(DATA, 0, stream, b"\1\0\0\0\x02ab"), visit.end()))


@story
def too_large(host):
    """gRPC: a message of 2^32-1 bytes is not waited for"""
    ends(host, lambda visit, stream: (
        visit.put(DATA, 0, stream, b"\0\xff\xff\xff\xff"), visit.end()))


@story
def a_proxy_answers(host):
    """gRPC: 502 with a page is UNAVAILABLE"""
    visit = host.visit()
    stream = visit.session()
    visit.head(stream, (":status", "502"), ("content-type", "text/html"))
    visit.put(DATA, END_STREAM, stream, b"<h1>Bad Gateway</h1>")
    visit.end()
    host.visit().works(1)


@story
def cut_inside_a_frame(host):
    """5.4: the connection ends in the middle of a frame"""
    ends(host, lambda visit, stream: visit.send(b"\0\1\0\0\0\0\0\0\1abc"))


# ----------------------------------------------------- what none may do


def hostile(name, text, send, *codes):
    """The agent ends the connection with one of the codes."""
    def play(host):
        visit = host.visit()
        stream, owed = owes(visit)
        send(visit, stream)
        code = visit.end()
        assert code in codes, f"GOAWAY with {code}, not {codes}"
        pays(host, owed)

    play.__doc__ = text
    play.__name__ = name
    story(play)


PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION = 1, 3, 5, 6, 9
hostile("push", "8.4: PUSH_PROMISE, which the agent has switched off",
        lambda v, s: v.put(PUSH, END_HEADERS, s, u32(2) + v.encoder.encode(
            [(":method", "GET"), (":scheme", "https"), (":path", "/"),
             (":authority", "x")])), PROTOCOL)
hostile("data_on_idle", "5.1: DATA on a stream nobody opened",
        lambda v, s: v.put(DATA, 0, 99, b"x"), PROTOCOL)
hostile("headers_on_idle", "5.1: HEADERS on a stream nobody opened",
        lambda v, s: v.head(99), PROTOCOL)
hostile("headers_of_its_own", "5.1.1: a stream that the server opens",
        lambda v, s: v.head(2), PROTOCOL)
hostile("frame_too_large", "4.2: a frame above SETTINGS_MAX_FRAME_SIZE",
        lambda v, s: v.put(DATA, 0, s, bytes(20000)), SIZE)
hostile("bad_section", "4.3: a section that cannot be decoded",
        lambda v, s: v.put(HEADERS, END_HEADERS, s, b"\xff" * 9),
        COMPRESSION)
hostile("table_too_large", "7541 4.2: a table above the agent's limit",
        lambda v, s: v.put(HEADERS, END_HEADERS | END_STREAM, s,
                           hpack.size_update(1 << 20)), COMPRESSION)
hostile("window_overflow", "6.9.1: the connection's window above 2^31-1",
        lambda v, s: v.put(WINDOW, 0, 0, u32(2**31 - 1)), FLOW)
hostile("window_of_zero", "6.9: an increment of 0",
        lambda v, s: v.put(WINDOW, 0, 0, u32(0)), PROTOCOL)
hostile("settings_size", "6.5: SETTINGS of five bytes",
        lambda v, s: v.put(SETTINGS, 0, 0, bytes(5)), SIZE)
hostile("settings_window", "6.5.2: an initial window of 2^31",
        lambda v, s: v.put(SETTINGS, 0, 0, setting(4, 2**31)), FLOW)
hostile("settings_push", "6.5.2: ENABLE_PUSH of 1 from a server",
        lambda v, s: v.put(SETTINGS, 0, 0, setting(2, 1)), PROTOCOL)
hostile("settings_ack", "6.5: an acknowledgement with a payload",
        lambda v, s: v.put(SETTINGS, ACK, 0, setting(4, 1)), SIZE)
hostile("ping_size", "6.7: PING of seven bytes",
        lambda v, s: v.put(PING, 0, 0, bytes(7)), SIZE)
hostile("interleaved", "6.10: PING inside a section",
        lambda v, s: (v.put(HEADERS, END_STREAM, s,
                            hpack.literal("x-a", "1")),
                      v.put(PING, 0, 0, bytes(8))), PROTOCOL)
hostile("lonely_continuation", "6.10: CONTINUATION alone",
        lambda v, s: v.put(CONT, END_HEADERS, s, b"\x88"), PROTOCOL)
