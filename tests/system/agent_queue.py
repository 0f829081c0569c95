# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in an agent's queue, read as restic-manager-queue(5) says."""
import pathlib
import struct

HEAD = struct.Struct(">8sI16sQ")
RECORD = struct.Struct(">IIQQB")
LOG_TYPE = 2


def records(folder):
    """(number, type, payload) of every whole record, in order."""
    for path in sorted(pathlib.Path(folder).glob("seg-*")):
        if path.suffix == ".bad":
            continue
        data = path.read_bytes()
        if len(data) < HEAD.size or not data.startswith(b"RMQ-segm"):
            continue
        at = HEAD.size
        number = HEAD.unpack_from(data)[3]
        while at + RECORD.size <= len(data):
            size, _, seq, _, kind = RECORD.unpack_from(data, at)
            if seq != number or at + RECORD.size + size > len(data):
                break
            at += RECORD.size
            yield seq, kind, data[at:at + size]
            at += size
            number += 1


def last_lines(folder, pb):
    """Highest log line per job that the queue holds."""
    last = {}
    for _, kind, payload in records(folder):
        if kind != LOG_TYPE:
            continue
        event = pb.Event.FromString(payload)
        chunk = event.log
        last[chunk.job_id] = max(last.get(chunk.job_id, 0),
                                 chunk.first_line + len(chunk.lines) - 1)
    return last


def text(folder):
    """All payloads, for searches."""
    return b"\n".join(payload for _, _, payload in records(folder))
