# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs we are measured beside, started on loopback.

Each starter registers its end with the Bench and returns an object with
port, pid, pids (all its processes), pin and stop().
"""
from .servers import (GRPC_PASS, STATIC, certificate,  # noqa: F401
                      grpc_server, nginx)
