# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of attack for a moment, one after the other, on one controller.

tests/abuse/run.py measures; here is what must hold on any machine: memory
stays bounded, honest clients are answered, the log names the attacker and
does not fill up."""
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "abuse"),
                str(pathlib.Path(__file__).parents[1] / "bench")]
import attacks  # noqa: E402
import honest  # noqa: E402
import measure  # noqa: E402

SECONDS = 0.6
AGAIN = 20       # an attacker gets little done: under load, or in debt for
                 # up to 10 s (admit.c) by the attacks before
MEMORY_MIB = 64   # what one attacker may leave behind or hold
ANSWER_S = 10.0   # an honest client's patience, on a machine under load
ABUSE_LINES = 40  # twenty-odd kinds: begins, and some end
# Of these the address must be named; the others may end too soon.
NAMED = {"ping": "frames", "empty-frames": "frames", "headers": "headers",
         "hpack-bomb": "headers", "views": "views"}


@pytest.fixture(scope="module")
def victim():
    import lab as lab_module  # pylint: disable=import-outside-toplevel
    with lab_module.Lab() as box:
        controller = box.controller()
        controller.seed(hosts=20)
        controller.start().bootstrap()
        yield controller
        assert controller.program.running(), controller.program.text()[-2000:]


class Honest(threading.Thread):
    """A signed-in browser and a stranger; what their slowest answer took."""

    def __init__(self, controller):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.kept = honest.Kept(controller.port, controller.client.cookie)
        self.port = controller.port
        self.answers, self.slowest, self.failure = 0, 0.0, None

    def run(self):
        while not self.over.is_set() or not self.answers:
            began = time.monotonic()
            try:
                self.kept.get("/")
                honest.fresh(self.port, "/healthz")
            except Exception as failure:  # pylint: disable=broad-except
                self.failure = failure
                return
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.over.wait(0.05)


def guess(controller, source, name, took):
    body = json.dumps({"username": name, "password": "wrong"}).encode()
    raw = socket.create_connection(("127.0.0.1", controller.port), 30,
                                   source_address=(source, 0))
    began = time.monotonic()
    with honest.TLS.wrap_socket(raw) as sock:
        sock.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-"
                     b"Type: application/json\r\nContent-Length: %d\r\n\r\n"
                     b"%s" % (len(body), body))
        took.append((int(sock.recv(4096).split()[1]),
                     time.monotonic() - began))


def test_who_is_known_signs_in_before_strangers(victim):
    """However many strangers wait for the hash of their guess."""
    took = []
    strangers = [threading.Thread(target=guess, args=(
        victim, f"127.0.0.{70 + n % 4}", f"nobody{n}", took))
        for n in range(16)]
    for thread in strangers:
        thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    victim.login()
    mine = time.monotonic() - began
    for thread in strangers:
        thread.join(60)
    assert {status for status, _ in took} <= {401, 503}
    assert mine < max(seconds for _, seconds in took) / 2


def attack(controller, kind):
    options = ([f"cookie={controller.client.cookie}"]
               if kind == "views" else [])
    subprocess.run([sys.executable, attacks.__file__, kind,
                    str(controller.port), str(SECONDS), *options],
                   check=True, timeout=30, stdout=subprocess.DEVNULL)


def begins(controller, kind):
    """How often the log names the attacker for that."""
    return controller.program.text().count(
        f"abuse begins kind={NAMED[kind]} peer={attacks.SOURCE}")


@pytest.mark.parametrize("kind", [
    k for k in attacks.KINDS
    if k not in ("nothing", "log-bomb", "log-flood")  # test_foreign.py has a bomb
    and not k.startswith("tool-")])
def test_an_attack_is_survived(victim, kind):
    pid = victim.program.pid
    sanitised = "asan" in str(victim.program.popen.args[0])
    before, lines = measure.pss_kib(pid), victim.program.text().count("\n")
    client = Honest(victim)
    client.start()
    for _ in range(AGAIN):
        attack(victim, kind)
        if kind not in NAMED or begins(victim, kind):
            break
    grown = (measure.pss_kib(pid) - before) / 1024
    client.over.set()
    client.join(30)
    assert client.failure is None, client.failure
    assert client.answers and client.slowest < ANSWER_S
    assert grown < MEMORY_MIB or sanitised
    text = victim.program.text()
    abuse = [line for line in text.splitlines() if " abuse " in line]
    assert len(abuse) <= ABUSE_LINES
    told = [line for line in text.splitlines()[lines:]
            if attacks.SOURCE in line and "user=admin" not in line]
    assert len(told) <= 160, told[:5]  # controller/quota.h, and a few
    if kind in NAMED:
        assert begins(victim, kind) == 1, [
            line.split("abuse ")[1] for line in abuse]
