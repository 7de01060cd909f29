"""`server check` and `server info`: what is connected to, for people and for monitoring."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable

import pytest

from natscli.server.check import CheckVerdict, Levels, Measure, State
from tests.program import Runner
from tests.servers import Server, free_port


def verdict(seconds: float, warning: float, critical: float) -> CheckVerdict:
    return CheckVerdict([Measure("rtt", "rtt time", seconds, Levels(warning, critical))])


@pytest.mark.parametrize(
    ("seconds", "warning", "critical", "state"),
    [
        (0.1, 0.2, 0.3, State.OK),
        (0.2, 0.2, 0.3, State.WARNING),
        (0.3, 0.2, 0.3, State.CRITICAL),
        (9.0, 0.0, 0.0, State.OK),
        (9.0, 0.2, 0.0, State.WARNING),
    ],
)
def test_the_state_is_the_worst_limit_that_is_reached(
    seconds: float, warning: float, critical: float, state: State
) -> None:
    found = verdict(seconds, warning, critical)
    assert found.state == state
    assert found.nagios().startswith(f"{state.name} Connection ")
    assert json.loads(found.json())["state"] == state.name


def test_the_line_has_the_form_of_a_plugin(pynats: Runner, nats_server: Server) -> None:
    done = pynats("server", "check", "connection", server=nats_server)
    assert (done.status, done.stderr) == (0, "")
    time, figure = r"[\d.]+(ns|µs|ms|s)", r"0\.\d{4}s;0\.5000;1\.0000"
    assert re.fullmatch(
        rf"OK Connection OK:connected to nats://127\.0\.0\.1:\d+ in {time} "
        rf"OK:rtt time {time} OK:round trip took {time} "
        rf"\| connect_time={figure} rtt={figure} request_time={figure}\n",
        done.text,
    ), done.text


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("--rtt-warn", "1ns"), 1),
        (("--connect-critical", "1ns", "--connect-warn", "0"), 2),
        (("--req-warn", "1ns"), 1),
    ],
)
def test_a_limit_that_is_reached_is_the_status(
    pynats: Runner, nats_server: Server, options: tuple[str, ...], status: int
) -> None:
    done = pynats("server", "check", *options, "--format", "json", server=nats_server)
    assert done.status == status
    found = json.loads(done.stdout)
    assert found["status"] == status
    assert found["rtt"]["ns"] > 0


def test_no_server_is_critical(pynats: Runner) -> None:
    done = pynats("server", "check", server=f"nats://bob:pass4you@127.0.0.1:{free_port()}")
    assert (done.status, done.stderr) == (2, "")
    assert done.text.startswith("CRITICAL Connection Crit:nothing listens there")
    assert "pass4you" not in done.text


def test_a_server_that_hangs_is_critical(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory()
    os.kill(server.pid, signal.SIGSTOP)
    try:
        done = pynats("server", "check", "--timeout", "300ms", server=server)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert done.status == 2
    assert done.text.startswith("CRITICAL Connection Crit:")


def test_limits_that_contradict_each_other_are_refused(pynats: Runner) -> None:
    done = pynats("server", "check", "--rtt-warn", "2s", "--rtt-critical", "1s")
    assert (done.status, done.stdout) == (2, b"")
    assert "--rtt-warn is more than --rtt-critical" in done.stderr


def test_info_says_what_is_connected_to(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory(
        'server_name: east\naccounts { APP: { users: [{user: bob, password: "pass4you"}] } }\nmax_payload: 2048'
    )
    who = ("--user", "bob", "--password", "pass4you")
    found = json.loads(pynats("server", "info", "--json", *who, server=server).stdout)
    assert (found["server_name"], found["account"], found["max_payload"]) == ("east", "APP", 2048)
    assert found["url"] == server.url
    assert (found["jetstream"], found["tls"], found["headers"], found["auth_required"]) == (
        False,
        False,
        True,
        True,
    )
    assert found["rtt_ns"] > 0
    done = pynats("server", "info", *who, server=server)
    assert done.status == 0
    assert "pass4you" not in done.text
    assert re.search(r"^Account +APP$", done.text, re.MULTILINE)


def test_info_without_a_server_exits_5(pynats: Runner) -> None:
    assert pynats("server", "info", server=f"127.0.0.1:{free_port()}").status == 5
