# SPDX-License-Identifier: GPL-3.0-or-later
"""rsyslog over TLS into a file a job, and a sender that costs it nothing.

Lines go to both sides as they are (lines()); rsyslog gets them in RFC 5424
records with octet counting (RFC 5425), made before the clock starts.
"""
import contextlib
import itertools
import os
import pathlib
import socket
import ssl
import threading
import subprocess
import time

import measure
from rivals import servers

LINE_SIZE = 200
CHUNK_LINES = 20  # of one job, before the next one speaks

CONF = """
global(workDirectory="{dir}" maxMessageSize="64k"
       defaultNetstreamDriver="gtls"
       defaultNetstreamDriverCAFile="{cert}"
       defaultNetstreamDriverCertFile="{cert}"
       defaultNetstreamDriverKeyFile="{key}")
{queue}
module(load="imtcp" maxSessions="2000" streamDriver.name="gtls"
       streamDriver.mode="1" streamDriver.authMode="anon")
template(name="line" type="string"
         string="%timereported:::date-rfc3339% out  %msg%\\n")
template(name="file" type="string" string="{dir}/logs/%app-name%.log")
action(type="omfile" dynaFile="file" template="line"
       dynaFileCacheSize="2000"{action})
input(type="imtcp" address="127.0.0.1" port="{port}")
"""
IN_MEMORY = ""
# What is taken in is on disk before it is written to its file, and that file
# is synced as well.
SYNCED = """main_queue(queue.type="Disk" queue.fileName="main"
    queue.syncQueueFiles="on" queue.checkpointInterval="1"
    queue.maxDiskSpace="4g")"""


def line(number):
    """As restic prints them with --verbose=2, filled up to 200 bytes."""
    text = (f"unchanged /srv/data/projects/{number % 997:03d}/build/objects/"
            f"{number * 2654435761 % 2**32:08x}/part-{number % 89:02d}.bin, "
            f"saved in {number % 7}.{number % 1000:03d}s "
            f"({number % 900}.{number % 10} KiB added) line {number} ")
    return text.ljust(LINE_SIZE, ".")


def records(jobs, count):
    """Bytes of `count` lines of `jobs` jobs, chunk by chunk in turn."""
    out = []
    for number in range(count):
        job = number // CHUNK_LINES % jobs
        text = (f"<14>1 2026-11-20T20:43:11.{number % 1000:03d}Z host job-"
                f"{job:05d} - - - {line(number)}").encode()
        out.append(b"%d %s" % (len(text), text))
    return out


class Rsyslog:
    def __init__(self, b, queue=IN_MEMORY, action=""):
        tree = b.tools / "rsyslog"
        if not (tree / "usr/sbin/rsyslogd").exists():
            raise measure.Absent(
                "rsyslog is missing (tools/get-test-tools bench)")
        cert, key, _ = servers.certificate(b)
        self.port = servers.free_port()
        self.dir = pathlib.Path(b.folder) / f"rsyslog-{self.port}"
        self.logs = self.dir / "logs"
        self.logs.mkdir(parents=True)
        (self.dir / "conf").write_text(CONF.format(
            dir=self.dir, cert=cert, key=key, port=self.port, queue=queue,
            action=action))
        modules = next(tree.glob("usr/lib/*/rsyslog"))
        found = [str(modules.parent), *map(str, tree.glob("lib/*-linux-gnu*"))]
        self.server = servers.Server(
            b, self.dir.name,
            [tree / "usr/sbin/rsyslogd", "-n", "-i", self.dir / "pid", "-f",
             self.dir / "conf", "-M", modules],
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(found)})
        self.server.port = self.port
        self.server.wait_listening()
        self.pid = self.server.pid

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", self.port), 20)
        return context.wrap_socket(raw)

    def send(self, made, connections=10, part=1000):
        """Sends the records over connections in turn."""
        sockets = [self.connect() for _ in range(connections)]
        turn = itertools.cycle(sockets)
        for at in range(0, len(made), part):
            next(turn).sendall(b"".join(made[at:at + part]))
        for sock in sockets:
            sock.unwrap().close()

    def stored_in(self, made, seconds):
        """How many of more records than it can take are in their files after
        so many seconds."""
        def flood():
            with contextlib.suppress(OSError):  # its end
                self.send(made)
        threading.Thread(target=flood, daemon=True).start()
        time.sleep(seconds)
        return self.stored()

    def stored(self):
        """Lines in the files."""
        size = sum(f.stat().st_size for f in self.logs.iterdir())
        return size / self.line_bytes if size else 0

    @property
    def line_bytes(self):
        """Of the first line there is: all are as long."""
        first = next(self.logs.iterdir())
        with open(first, "rb") as file:
            return len(file.readline()) or 1

    def wait_stored(self, count, seconds=60):
        end = time.monotonic() + seconds
        while self.stored() < count:
            if time.monotonic() > end:
                raise RuntimeError(f"rsyslog stored {self.stored():.0f} of "
                                   f"{count} lines in {seconds} s")
            time.sleep(0.02)
