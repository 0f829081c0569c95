# SPDX-License-Identifier: GPL-3.0-or-later
"""What one row of the tables is."""
import typing


class Point(typing.NamedTuple):
    id: str    # section and letter
    text: str  # what is sent
    send: typing.Callable
    # "connection ERROR", "stream ERROR", "closed", a status, "ignored"; the
    # required reaction first, behind " | " what the RFC allows as well.
    want: str
    why: str = ""         # the words that allow it
    watch: int = 1        # the stream whose fate is asked
    settings: bytes = b""
    start: bool = True    # the preface and SETTINGS are exchanged first


# RFC 9113, 5.4.1: an endpoint can end a connection at any time, and MAY
# treat a stream error as a connection error.
AS_CONNECTION = "5.4.1: a stream error may be treated as a connection error"
# 8.1.1, of malformed requests.
AS_ANSWER = "8.1.1: a server may send a response before it closes the stream"


def stream_error(name):
    return f"stream {name} | connection {name}"


def add(chapter):
    """A table and the function that fills it."""
    table = []

    def point(number, text, send, want, **more):
        if want.startswith("stream ") and " | connection" in want:
            more.setdefault("why", AS_ANSWER if " | 400" in want
                            else AS_CONNECTION)
        table.append(Point(f"{chapter}{number}", text, send, want, **more))

    return table, point
