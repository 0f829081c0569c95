# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the tables, over TLS and over the plain port."""
import pytest

import ch3_4_framing
import ch5_streams
import ch6_frames
import ch8_http
import hpack_points
from peer import Peer

POINTS = [point for table in (ch3_4_framing, ch5_streams, ch6_frames,
                              ch8_http, hpack_points)
          for point in table.POINTS]


def test_points_have_names_of_their_own():
    """-: every point is listed once"""
    names = [point.id for point in POINTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("port", ["tls", "plain"])
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.id)
def test_point(target, port, point, result):
    wanted = point.want.split(" | ")
    with Peer(target[port], point.settings, preface=point.start) as p:
        point.send(p)
        got = p.fate(point.watch, patient="ignored" not in wanted)
    result(point, got)
    assert got in wanted, (p.goaway, point.text)
