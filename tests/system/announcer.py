# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that announces itself, written only from proto/agent.proto.

grpcio speaks, OpenSSL makes the key and signs: nothing of ours is used.
"""
import base64
import hashlib
import queue
import ssl
import subprocess

import grpc

import foreign

# What precedes the 32 raw bytes in a public key's DER form.
DER_HEAD = 12


class Key:
    """An Ed25519 key in a file, used by the openssl program."""

    def __init__(self, folder, name):
        self.file = folder / f"{name}.pem"
        self.folder = folder
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.file)
        der = self.openssl("pkey", "-in", self.file, "-pubout",
                           "-outform", "DER")
        self.public = der[DER_HEAD:]
        assert len(self.public) == 32
        self.fingerprint = ("SHA256:" +
                            hashlib.sha256(self.public).hexdigest())

    @staticmethod
    def openssl(*args):
        return subprocess.run(["openssl", *map(str, args)], check=True,
                              capture_output=True).stdout

    def sign(self, message):
        text = self.folder / "message"
        text.write_bytes(message)
        return self.openssl("pkeyutl", "-sign", "-rawin", "-inkey",
                            self.file, "-in", text)

    def body(self, hostname, **more):
        """Of POST /api/agents/announce."""
        return dict({"hostname": hostname, "os": "linux", "arch": "amd64",
                     "agent_version": "0.0.1", "restic_version": "0.18.0",
                     "public_key": base64.b64encode(self.public).decode()},
                    **more)


class Stream:
    """One Announce stream; read() gives (kind, message) or raises."""

    def __init__(self, port, folder, seconds=40):
        self.pb, rpc = foreign.load(folder)
        pem = ssl.get_server_certificate(("127.0.0.1", port))
        self.pin = spki_pin(pem)
        self.channel = grpc.secure_channel(
            f"127.0.0.1:{port}", grpc.ssl_channel_credentials(pem.encode()))
        self.outgoing = queue.Queue()
        self.call = rpc.AgentStub(self.channel).Announce(
            iter(self.outgoing.get, None), timeout=seconds)

    def close(self):
        self.outgoing.put(None)
        self.call.cancel()
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self):
        message = next(self.call)
        kind = message.WhichOneof("body")
        return kind, getattr(message, kind)

    def announce(self, key, hostname, **more):
        facts = dict(hostname=hostname, os="linux", arch="amd64",
                     agent_version="0.0.1", restic_version="0.18.0",
                     public_key=key.public)
        facts.update(more)
        self.outgoing.put(self.pb.AnnounceMessage(
            announce=self.pb.AnnounceHost(**facts)))
        kind, pending = self.read()
        assert kind == "pending"
        return pending

    def message(self, pending, pin=None):
        pin = self.pin if pin is None else pin
        return (f"restic-manager announce v1\n{pending.pending_id}\n{pin}\n"
                .encode() + pending.nonce)

    def sign(self, signature):
        self.outgoing.put(self.pb.AnnounceMessage(
            signed_nonce=self.pb.SignedNonce(signature=signature)))

    def wait(self, key, hostname, **more):
        """Announces and signs; the pending message, once it waits."""
        pending = self.announce(key, hostname, **more)
        self.sign(key.sign(self.message(pending)))
        assert self.read()[0] == "waiting"
        return pending

    def refusal(self):
        """Reads until the end: status code and rm-error-code."""
        try:
            while True:
                self.read()
        except StopIteration:
            return grpc.StatusCode.OK, None
        except grpc.RpcError as e:
            code = dict(e.trailing_metadata()).get("rm-error-code")
            return e.code(), code


def spki_pin(pem):
    der = subprocess.run(
        ["openssl", "x509", "-pubkey", "-noout"], input=pem.encode(),
        capture_output=True, check=True).stdout
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=der,
        capture_output=True, check=True).stdout
    return hashlib.sha256(der).hexdigest()
