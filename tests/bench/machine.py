# SPDX-License-Identifier: GPL-3.0-or-later
"""Where and when something was measured: the machine in words that name no
path and no host, versions, commit and date."""
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile
import time

from measure import ROOT

UNPACKED = ("tools/get-test-tools", "--env")

# name | what it is asked with | what of the answer is the version
VERSIONS = (
    ("gRPC C++", ["dpkg-query", "-W", "-f", "${Version}", "libgrpc++-dev"],
     r"^(\d[\d.]*)"),
    ("nginx", [*UNPACKED, "nginx", "nginx", "-v"], r"nginx/(\d[\d.]*)"),
    ("rsyslog", [*UNPACKED, "rsyslog", "rsyslogd", "-v"],
     r"rsyslogd\s+(\d[\d.]*)"),
    ("node_exporter", [*UNPACKED, "node-exporter", "prometheus-node-exporter",
                       "--version"], r"version (\d[\d.]*)"),
    ("slowhttptest", [*UNPACKED, "slowhttptest", "slowhttptest", "-h"],
     r"version (\d[\d.]*)"),
    ("restic", ["restic", "version"], r"restic (\d[\d.]*)"),
    ("gcc", ["gcc", "-dumpfullversion"], r"^(\d[\d.]*)"),
)


def said(argv):
    """What a program writes; "" when there is none."""
    try:
        done = subprocess.run([str(a) for a in argv], cwd=ROOT, timeout=20,
                              capture_output=True, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def versions():
    """name -> version of what is measured beside us."""
    found = {}
    for name, argv, pattern in VERSIONS:
        match = re.search(pattern, said(argv))
        found[name] = match.group(1) if match else "not at hand"
    return found


def _field(path, word):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.lower().startswith(word):
            return re.split(r"[:=]", line, 1)[1].strip().strip('"')
    return "unknown"


def disk():
    """The kind of the disk below temporary files, and its file system."""
    where = os.stat(tempfile.gettempdir()).st_dev
    number = f"{os.major(where)}:{os.minor(where)}"
    kind = "memory or network"
    block = pathlib.Path("/sys/dev/block") / number
    if block.exists():
        block = block.resolve()
        whole = block if (block / "queue").exists() else block.parent
        rotates = (whole / "queue/rotational").read_text().strip() == "1"
        kind = ("NVMe" if whole.name.startswith("nvme") else
                "virtual disk" if whole.name.startswith(("vd", "xvd")) else
                "rotating disk" if rotates else "SSD")
    system = "unknown"
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if words[2] == number:
            system = words[words.index("-") + 1]
    return f"{kind}, {system}, fdatasync of 4 KiB {sync_ms():.2f} ms"


def sync_ms():
    """The median of appending a page and syncing it."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(60):
            file.write(b"x" * 4096)
            file.flush()
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)


def facts():
    """what -> words, of this machine."""
    memory = int(_field("/proc/meminfo", "memtotal").split()[0]) / 2**20
    model = _field("/proc/cpuinfo", "model name")
    return {
        "Processor": f"{model}, {len(os.sched_getaffinity(0))} cores",
        "Memory": f"{memory:.0f} GiB",
        "Disk": disk(),
        "Kernel": platform.release().split("-")[0],
        "Distribution": _field("/etc/os-release", "pretty_name"),
    }


def moment():
    """When, and what of ours: the commit, with + when files differ."""
    commit = said(["git", "rev-parse", "--short=10", "HEAD"]).strip()
    changed = said(["git", "status", "--porcelain",
                    "--untracked-files=no"]).strip()
    today = datetime.datetime.now(datetime.timezone.utc)
    return {"commit": (commit or "unknown") + ("+" if changed else ""),
            "date": today.strftime("%Y-%m-%d")}
