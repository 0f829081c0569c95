# SPDX-License-Identifier: GPL-3.0-or-later
"""What the design asks for, in its order: key, figure, good, excellent.

Written here and in the Figure of the measurement on purpose:
tests/system/test_bench.py holds one to the other, so that no bound moves
unseen.  Bounds of rows marked by a contender are of the ratio to it or the
excess over it (measure.Figure says which).
"""

TARGETS = (
    ("agent-memory", "pss", 30, 16),          # KiB
    ("handshakes", "rate", 2000, 3800),       # /s and core
    ("heartbeat-cpu", "cpu", 20, 13),         # us
    ("dispatch", "p50", 2, 0.5),              # ms over fsync
    ("dispatch", "p99", 2, 0.5),              # ms over fsync
    ("log-intake", "rate", 100000, 300000),   # lines/s
    ("log-ack", "quiet", 300, 110),           # ms
    ("log-ack", "busy", 800, 220),            # ms
    ("event-durable", "p99", 10, 4.5),        # ms
    ("event-durable", "stall", 5, 0.5),       # ms
    ("log-cpu", "cpu", 1, 0.334),             # of rsyslog's
    ("dashboard", "page", 10, 2),             # ms
    ("dashboard", "unchanged", 1, 0.1),       # ms
    ("agent-idle", "rss", 8, 4),              # MB
    ("agent-idle", "wakeups", 10, 4),         # a minute
    ("backup-overhead", "wall", 1.03, 1.01),  # of bare restic's
    ("backup-overhead", "cpu", 1.03, 1.01),   # of bare restic's
    ("reconnect", "seconds", 30, 15),         # s
)
