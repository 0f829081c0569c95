# SPDX-License-Identifier: GPL-3.0-or-later
"""Storms: what they do, when they come, and when they are over."""
import contextlib
import os
import random
import signal
import threading
import time

from lab import Client

CALM_AFTER_S = 5  # what was under way when all was well again
PAUSE_S = 8


class Storms:
    """Windows of time in which a request may fail."""

    def __init__(self):
        self.lock = threading.Lock()
        self.windows = []  # [began, over]; None: still blowing
        self.named = []

    def begin(self, name):
        with self.lock:
            self.windows.append([time.monotonic(), None])
            self.named.append(name)

    def end(self):
        with self.lock:
            self.windows[-1][1] = time.monotonic() + CALM_AFTER_S
            return time.monotonic() - self.windows[-1][0]

    def blowing(self):
        return bool(self.windows) and self.windows[-1][1] is None

    def touched(self, began, ended):
        """Whether one blew in between."""
        with self.lock:
            return any(began <= (over or ended) and ended >= start
                       for start, over in self.windows)

    def calm_since(self):
        """When the last one was over; 0: there was none."""
        with self.lock:
            return (self.windows[-1][1] or float("inf")
                    if self.windows else 0.0)


# ------------------------------------------------------------ what they do

def cut_all(soak):
    """Every connection of an agent is cut."""
    soak.fleet.ask(f"drop {soak.agents}")


def cut_some(soak):
    """A fifth of them."""
    soak.fleet.ask(f"drop {max(1, soak.agents // 5)}")


def kill_controller(soak):
    """kill -9, and started again."""
    soak.controller.kill()
    soak.controller.start(wait=False)


def restart_controller(soak):
    """As an upgrade does."""
    soak.controller.stop()
    soak.controller.start(wait=False)


def kill_renderer(soak):
    """kill -9 of the renderer: pages are away, agents are not."""
    pid = soak.controller.renderer_pid()
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pause_controller(soak):
    """Nobody is served for a while, and nobody is told."""
    soak.controller.program.kill(signal.SIGSTOP)
    time.sleep(PAUSE_S)
    soak.controller.program.kill(signal.SIGCONT)


RESTARTS = (kill_controller, restart_controller)
OTHERS = (cut_all, kill_renderer, cut_some, pause_controller)


def plan(seconds, seed):
    """(when, storm): one every few minutes, restarts in the first half only,
    so that the second half is one long stretch of one process's memory."""
    chance = random.Random(f"{seed} storms")
    every = max(12.0, min(240.0, seconds / 6))
    times, at = [], every
    while at + every / 2 < seconds:
        times.append(at)
        at += every
    early = [t for t in times if t < seconds / 2]
    first = [RESTARTS[(k // 2) % 2] if k % 2 == 0 else None
             for k in range(len(early))]
    others = list(OTHERS)
    chance.shuffle(others)
    storms, k = [], 0
    for n, when in enumerate(times):
        storm = first[n] if n < len(first) and first[n] else None
        if storm is None:
            storm, k = others[k % len(others)], k + 1
        storms.append((when, storm))
    return storms


def over(soak):
    """Whether everybody is back and a page is served."""
    if soak.fleet.ask("stats")["live"] < soak.agents:
        return False
    try:
        client = Client(soak.controller.port, 5)
        client.cookie = soak.controller.client.cookie
        return client.get("/").status == 200
    except OSError:
        return False
