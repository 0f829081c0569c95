#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What attackers pay, with honest clients measured beside them.

    tests/abuse/run.py [--quick] [--no-nginx] [--seconds N] [--write] [KIND...]

For each kind a controller with its renderer is started; honest clients ask
for a page, for JSON, by gRPC, for a log line to be on disk and on fresh
connections, in turns alone and while one attacker (attacks.py) is at work.
The same attack on nginx, serving a file with Debian's defaults, stands beside.

So that the figures measure the server and not the machine: server and honest
clients run with real-time priority where that is allowed, the attacker does
not, and its rates are bounded.  Memory is PSS of the server.
"""
import argparse
import os
import pathlib
import platform
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import attacks  # noqa: E402
import suffer  # noqa: E402
from suffer import ROOT, lab_module, peers  # noqa: E402

WINDOWS, RIVAL_WINDOWS, SECONDS = 4, 2, 3.0   # calm and attacked, each
QUICK = 2, 1, 0.8


# ------------------------------------------------------------- the document

COLUMNS = 12
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"


def cell(row, name):
    if row is None or name not in row["calm"]:
        return "-"
    return f"{row['calm'][name][1]:.1f} / {row['hit'][name][1]:.1f}"


def table_row(bad, ours, nginx):
    return (f"| {ours['kind']} | {cell(ours, 'page')} | {cell(ours, 'api')} | "
            f"{cell(ours, 'rpc')} | {cell(ours, 'line')} | "
            f"{cell(ours, 'fresh')} | {ours['peak']:.1f} | "
            f"{suffer.named(ours)} | {'; '.join(bad) or 'holds'} | "
            + (f"{cell(nginx, 'page')} | {cell(nginx, 'fresh')} | "
               f"{nginx['peak']:.1f} |" if nginx else "- | - | - |"))


def write(rows, quick):
    """The table of docs/security.md; kinds that were not run keep their
    row."""
    path = ROOT / "docs/security.md"
    before, rest = path.read_text().split(BEGIN)
    old, after = rest.split(END)
    lines = {line.split("|")[1].strip(): line + "\n"
             for line in old.splitlines()
             if line.count("|") == COLUMNS + 1}
    lines.update({row[1]["kind"]: table_row(*row) + "\n" for row in rows})
    head = ("p99 in ms of the quietest window, calm / attacked, and memory in "
            f"MiB beyond the calm value; {platform.machine()}, "
            f"{os.cpu_count()} cores, kernel {platform.release()}, "
            f"{time.strftime('%Y-%m-%d')}"
            f"{', a quick run' if quick else ''}:\n\n"
            "| attack | page | JSON | gRPC | log line on disk | fresh "
            "connection | memory | lines that name it | verdict | nginx: "
            "file | nginx: fresh | nginx: memory |\n|" + "---|" * COLUMNS + "\n")
    path.write_text(before + BEGIN + head + "".join(
        lines[kind] for kind in attacks.KINDS if kind in lines) +
        END + after)


def one(box, kind, args):
    ours, other = suffer.Ours(box, kind), None
    windows, less, seconds = (QUICK if args.quick else
                              (WINDOWS, RIVAL_WINDOWS, args.seconds))
    try:
        row = suffer.suffer(ours, kind, seconds, windows)
        suffer.show(ours, row)
        bad = suffer.verdicts(row)
        print(f"{kind}: {'holds' if not bad else '; '.join(bad)}", flush=True)
        if not args.no_nginx and kind in attacks.TRANSPORT and peers.NGINX.exists():
            rival = suffer.Nginx(box, ours, kind)
            try:
                other = suffer.suffer(rival, kind, seconds, less)
                suffer.show(rival, other)
            finally:
                rival.close()
    finally:
        ours.close()
    return bad, row, other


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    args.add_argument("--quick", action="store_true")
    args.add_argument("--no-nginx", action="store_true")
    args.add_argument("--seconds", type=float, default=SECONDS,
                      help="of a window; a longer one has more samples")
    args.add_argument("--write", action="store_true",
                      help="into docs/security.md")
    args.add_argument("kind", nargs="*", choices=[*attacks.KINDS, []])
    args = args.parse_args()
    failed = 0
    for kind in args.kind or attacks.KINDS:
        if kind.startswith("tool-") and not attacks.slowhttptest():
            print(f"{kind}: no slowhttptest (tools/get-test-tools bench)")
            continue
        with lab_module.Lab() as box:
            row = one(box, kind, args)
        failed += bool(row[0])
        if args.write:
            write([row], args.quick)
    print(f"{failed} kinds of attack are felt more than they should")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
