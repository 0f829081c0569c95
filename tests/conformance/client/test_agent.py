# SPDX-License-Identifier: GPL-3.0-or-later
"""The stories, played at the same time because most of each is waiting for
the agent to come again."""
import base64
import concurrent.futures
import functools
import traceback

import pytest

import host as host_module
from stories import STORIES

AT_ONCE = 8


def play(name, make):
    """None, or what went wrong."""
    host = make(name)
    try:
        STORIES[name](host)
        said = host.agent.text()
        code = host.close()
        assert code == 0, f"the agent ended with {code}"
        return None
    except Exception:  # pylint: disable=broad-except
        said = host.agent.text()
        return f"{traceback.format_exc()}\n--- agent\n{said[-3000:]}"
    finally:
        host.agent.kill()


@pytest.fixture(name="played", scope="session")
def fixture_played(request, lab, console, tmp_path_factory):
    wanted = sorted({item.callspec.params["name"]
                     for item in request.session.items
                     if item.fspath.basename == "test_agent.py"})
    token = console.mint("stories", "/somewhere")
    pin = base64.urlsafe_b64decode(token.split(".")[1] + "=").hex()
    make = functools.partial(
        host_module.Host, lab, host_module.load(tmp_path_factory.mktemp(
            "proto")), console.data / "tls", pin)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(
            lambda name: play(name, make), wanted)))


@pytest.mark.parametrize("name", STORIES)
def test_story(played, name):
    if played[name] is not None:
        pytest.fail(played[name], pytrace=False)
