# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent in Python, written only from proto/agent.proto.

It proves that the protocol needs nothing but a gRPC library: no queue on
disk, no restic; it keeps its events in memory and makes up what restic would
have said.
"""
import base64
import contextlib
import importlib
import pathlib
import queue
import secrets
import ssl
import sys
import threading
import time

import grpc
from grpc_tools import protoc

from lab import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(folder):
    """Generates and imports the modules of agent.proto."""
    folder = pathlib.Path(folder)
    if not (folder / "agent_pb2.py").exists():
        code = protoc.main([
            "protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}",
            f"--grpc_python_out={folder}", str(ROOT / "proto/agent.proto")])
        assert code == 0, "protoc failed"
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return (importlib.import_module("agent_pb2"),
            importlib.import_module("agent_pb2_grpc"))


def generated(lab):
    """The folder of a lab for what protoc makes."""
    folder = lab.path / "generated"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def enrolled(lab, console, kind=None, name="foreign", **mint):
    """A host whose agent polls when it is told to."""
    agent = (kind or ForeignAgent)(console.port, generated(lab))
    agent.enrol(console.mint(name, "/somewhere", **mint))
    try:
        yield agent
    finally:
        agent.close()


def now():
    return int(time.time() * 1000)


class ForeignAgent:
    def __init__(self, port, folder):
        self.pb, self.rpc = load(folder)
        pem = ssl.get_server_certificate(("127.0.0.1", port))
        self.channel = grpc.secure_channel(
            f"127.0.0.1:{port}",
            grpc.ssl_channel_credentials(pem.encode()))
        self.stub = self.rpc.AgentStub(self.channel)
        self.metadata = None
        self.host_id = None
        self.epoch = secrets.token_bytes(16)
        self.instance = secrets.token_bytes(32)
        self.events = []  # events[i] has the number i + 1
        self.acked = 0
        self.config_version = 0
        self.repo = None
        self.running = []

    def close(self):
        self.channel.close()

    # ---------------------------------------------------------- enrolment

    def enrol(self, token, enrol_id=None):
        reply = self.stub.Enroll(self.pb.EnrollRequest(
            token=token.split(".")[0], enrol_id=enrol_id or secrets.token_hex(8),
            hostname="foreign", os="linux", arch="amd64",
            agent_version="0.0.1", restic_version="0.18.0"), timeout=20)
        self.host_id = reply.host_id
        self.metadata = (("authorization", f"Bearer {reply.agent_token}"),)
        pin = base64.urlsafe_b64decode(token.split(".")[1] + "=").hex()
        assert reply.cert_pin_sha256 == pin
        return reply

    # -------------------------------------------------------------- events

    def put(self, **body):
        self.events.append(self.pb.Event(
            seq=len(self.events) + 1, at_ms=now(), **body))

    def hello(self):
        return self.pb.Hello(
            protocol_version=1, agent_version="0.0.1",
            restic_version="0.18.0", hostname="foreign", os="linux",
            arch="amd64", boot_time_ms=now() - 1000,
            instance_id=self.instance, epoch=self.epoch, first_seq=1,
            next_seq=len(self.events) + 1, running_job_ids=self.running,
            config_version=self.config_version)

    def take_config(self, config):
        if config.version == self.config_version or not config.version:
            return
        self.config_version = config.version
        self.repo = config.repo
        self.put(config_ack=self.pb.ConfigAck(version=config.version,
                                              applied_at_ms=now()))

    def run(self, command, lines=5):
        """The whole of a pretend job as events."""
        pb, job = self.pb, command.job_id
        self.put(job_started=pb.JobStarted(job_id=job, kind=command.kind,
                                           started_at_ms=now()))
        first = 1
        for n in range(lines):
            self.put(log=pb.LogChunk(job_id=job, first_line=first, lines=[
                pb.LogLine(ts_ms=now(), stream=pb.LOG_STREAM_STDOUT,
                           payload=f"foreign line {first}".encode())]))
            first += 1
        summary = None
        if command.kind == "backup":
            snapshot = secrets.token_hex(32)
            self.put(snapshots=pb.SnapshotsPart(
                report_id=job, n=0, last=True, snapshots=[pb.Snapshot(
                    id=snapshot, short_id=snapshot[:8], time_ms=now(),
                    hostname="foreign", paths=list(command.includes),
                    tags=[command.tag])]))
            summary = pb.BackupSummary(files_new=1, total_files_processed=1,
                                       snapshot_id=snapshot)
        self.put(job_finished=pb.JobFinished(
            job_id=job, status="succeeded", finished_at_ms=now(),
            log_lines=lines, summary=summary))

    def accept(self, command):
        return self.pb.CommandResult(job_id=command.run.job_id, accepted=True)

    # ---------------------------------------------------------- transports

    def polls_until(self, what, condition, wait_ms=200):
        """Its condition comes true by what it polls for."""
        return wait_for(f"{what} over Poll", lambda: (
            self.poll(wait_ms), condition())[1], 30)

    def polls_until_ready(self, console):
        self.polls_until("init", lambda: console.host(self.host_id)[
            "repo_status"] == "ready")

    def poll(self, wait_ms=2000):
        """One Poll; runs the commands it brings."""
        results = getattr(self, "results", [])
        reply = self.stub.Poll(self.pb.PollRequest(
            hello=self.hello(), events=self.events[self.acked:],
            results=results, wait_ms=wait_ms), metadata=self.metadata,
            timeout=40)
        self.results = []
        self.acked = max(self.acked, reply.acked_seq)
        if reply.hello.HasField("config"):
            self.take_config(reply.hello.config)
        for command in reply.commands:
            if command.HasField("run"):
                self.results.append(self.accept(command))
                self.run(command.run)
        return reply

    def session(self, until, seconds=30):
        """Holds a Session until until(self) is true."""
        outgoing = queue.Queue()
        message = self.pb.AgentMessage
        outgoing.put(message(hello=self.hello()))
        call = self.stub.Session(iter(outgoing.get, None),
                                 metadata=self.metadata, timeout=seconds)
        timer = threading.Timer(seconds, call.cancel)
        timer.start()
        sent = 0
        try:
            for m in call:
                kind = m.WhichOneof("body")
                if kind == "hello":
                    sent = m.hello.resume_seq - 1
                    if m.hello.HasField("config"):
                        self.take_config(m.hello.config)
                elif kind == "config":
                    self.take_config(m.config)
                elif kind == "ack":
                    self.acked = max(self.acked, m.ack.seq)
                elif kind == "command" and m.command.HasField("run"):
                    outgoing.put(message(result=self.accept(m.command)))
                    self.run(m.command.run)
                for event in self.events[sent:]:
                    outgoing.put(message(event=event))
                sent = len(self.events)
                if until(self):
                    break
        finally:
            timer.cancel()
            outgoing.put(None)
            call.cancel()
