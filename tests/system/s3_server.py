# SPDX-License-Identifier: GPL-3.0-or-later
"""A real S3-compatible server: OpenStack Swift with its s3api, one replica on
one folder, unpacked from Debian's packages.  restic's client sends payloads in
a way that Swift takes over TLS only, so TLS stands in front of it."""
import getpass
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

import lab as lab_module
from lab import TOOLS, free_port, wait_for

ROOT = TOOLS / "swift"
KINDS = ("account", "container", "object")

# Its log goes nowhere: a bare machine has no syslog, nor a name for localhost.
LAUNCH = """
import logging.handlers
import sys


class Nowhere(logging.handlers.SysLogHandler):
    def __init__(self, *args, **kwargs):
        logging.Handler.__init__(self)

    def emit(self, record):
        pass

    def close(self):
        logging.Handler.close(self)


logging.handlers.SysLogHandler = Nowhere
import swift.common.utils as utils
utils.SWIFT_CONF_FILE = sys.argv[1] + "/swift.conf"
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(f"{sys.argv[1]}/{sys.argv[2]}.conf",
                  sys.argv[2] + "-server", default_port=1))
"""
RINGS = """
import sys
from swift.common.ring import RingBuilder
for kind, port in zip(("account", "container", "object"), sys.argv[2:]):
    ring = RingBuilder(4, 1, 1)
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0,
                  "ip": "127.0.0.1", "port": int(port), "device": "disk",
                  "replication_ip": "127.0.0.1",
                  "replication_port": int(port)})
    ring.rebalance()
    ring.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
"""
COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {dir}
workers = 0
devices = {dir}/dev
mount_check = false
"""
STORE = COMMON + """[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = COMMON + """[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
{users}
[filter:slo]
use = egg:swift#slo
"""


def there():
    return (ROOT / "usr/bin/swift-proxy-server").exists()


class S3Server:
    """Users are {name: secret}; the key id of one is "lab:<name>"."""

    def __init__(self, lab, users):
        self.path = lab.path / "swift"
        (self.path / "dev/disk").mkdir(parents=True)
        libraries = ":".join(map(str, ROOT.glob("usr/lib/*-linux-gnu*")))
        self.env = lab_module.clean_env(
            PYTHONPATH=ROOT / "usr/lib/python3/dist-packages",
            LD_LIBRARY_PATH=libraries)
        self.lab = lab
        ports = {kind: free_port() for kind in (*KINDS, "proxy")}
        memcached = free_port()
        common = {"user": getpass.getuser(), "dir": self.path}
        (self.path / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = a\n"
            "swift_hash_path_prefix = b\n")
        for kind in KINDS:
            (self.path / f"{kind}.conf").write_text(STORE.format(
                kind=kind, port=ports[kind], **common))
        (self.path / "proxy.conf").write_text(PROXY.format(
            port=ports["proxy"], memcached=memcached, users="\n".join(
                f"user_lab_{n} = {s} .admin" for n, s in users.items()),
            **common))
        subprocess.run([sys.executable, "-c", RINGS, self.path,
                        *(str(ports[k]) for k in KINDS)], env=self.env,
                       check=True, capture_output=True)
        argv = [ROOT / "usr/bin/memcached", "-l", "127.0.0.1", "-U", "0",
                "-p", str(memcached)]
        argv += ["-u", getpass.getuser()] if os.geteuid() == 0 else []
        lab.start(argv, self.env, self.path / "memcached.log")
        for kind in (*KINDS, "proxy"):
            lab.start([sys.executable, "-c", LAUNCH, self.path, kind],
                      self.env, self.path / f"{kind}.log")
        for port in (*ports.values(), memcached):
            wait_for("the S3 server", lambda p=port: listens(p), 90)
        self.certificate = make_certificate(self.path)
        self.port = self._front(ports["proxy"])

    def url(self, bucket):
        return f"s3:https://127.0.0.1:{self.port}/{bucket}"

    def objects(self):
        """How many are stored, of all buckets."""
        return len(list((self.path / "dev").rglob("*.data")))

    def _front(self, target):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path / "cert.pem", self.path / "key.pem")
        listener = socket.create_server(("127.0.0.1", 0))
        self.lab.proxies.append(listener)  # closed with the lab

        def serve():
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=relay, daemon=True,
                                 args=(context, near, target)).start()
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True)
    return pathlib.Path(folder / "cert.pem").read_text()


def relay(context, near, target):
    try:
        near = context.wrap_socket(near, server_side=True)
        far = socket.create_connection(("127.0.0.1", target))
    except OSError:
        near.close()
        return
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    pump(far, near)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
