# SPDX-License-Identifier: GPL-3.0-or-later
"""What attackers cost: honest clients beside one attacker (tests/abuse), for
the kinds that cost most; tests/abuse/run.py has all of them."""
import sys

import measure
from measure import Figure, Measurement

KINDS = ("handshakes", "slow-read", "zero-window", "rapid-reset",
         "hpack-bomb", "sign-in")
OF_QUICK = KINDS[1:4]
WINDOWS, RIVAL_WINDOWS, SECONDS = 4, 2, 0.8


def parts():
    """Loaded when it is measured: gRPC is not there when keys are listed."""
    path = str(measure.ROOT / "tests/abuse")
    if path not in sys.path:
        sys.path.insert(0, path)
    import attacks
    import honest
    import lab
    import suffer
    return attacks, honest, lab, suffer


def ratio(row, grain):
    """The worst of what honest clients ask, attacked over calm."""
    return max(p99 / max(row["calm"][name][1], grain[name])
               for name, (_, p99, _) in row["hit"].items())


def figures_of(b, target, kind, windows):
    _, honest, _, suffer = parts()
    b.close(honest.no_real_time_all)
    row = suffer.suffer(target, kind, SECONDS,
                        min(2, windows) if b.quick else windows)
    failed = sum(n for _, _, n in row["hit"].values())
    return {kind: ratio(row, suffer.GRAIN_MS),
            f"{kind} memory": max(0.0, row["peak"]),
            f"{kind} failed": failed}


def ours(b):
    _, _, lab, suffer = parts()
    found = {}
    for kind in OF_QUICK if b.quick else KINDS:
        with lab.Lab() as box:
            target = suffer.Ours(box, kind)
            try:
                found.update(figures_of(b, target, kind, WINDOWS))
            finally:
                target.close()
    return found


def nginx(b):
    attacks, _, lab, suffer = parts()
    if not suffer.peers.NGINX.exists():
        raise measure.Absent("nginx is not unpacked (tools/get-test-tools)")
    found = {}
    with lab.Lab() as box:
        host = suffer.Ours(box, "beside")  # has the certificate
        b.close(host.close)
        for kind in OF_QUICK if b.quick else KINDS:
            if kind not in attacks.TRANSPORT:
                continue
            target = suffer.Nginx(box, host, kind)
            try:
                found.update(figures_of(b, target, kind, RIVAL_WINDOWS))
            finally:
                target.close()
    return found


def figures():
    for kind in KINDS:
        yield Figure(kind, f"{kind}: honest p99, attacked over calm", "times")
        yield Figure(f"{kind} memory", f"{kind}: memory of one attacker",
                     "MiB")
        yield Figure(f"{kind} failed", f"{kind}: honest requests that failed",
                     "requests")


MEASUREMENTS = (
    Measurement("abuse", tuple(figures()),
                {"restic-manager": ours, "nginx": nginx}, rounds=1,
                note="One attacker with up to 250 connections; nginx serves "
                "a 5 KB file with Debian's defaults. The p99 is that of the "
                "worst of page, JSON, gRPC, log line on disk and fresh "
                "connection (nginx: file, fresh connection), a calm one "
                "counted as what two calm runs differ by at least "
                "(tests/abuse/suffer.py). sign-in: the hash of a guess takes "
                "64 MiB."),
)
