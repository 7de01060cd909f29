"""The time to connect is that of --timeout, and a server that is waited for is not asked faster than pauses allow."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from natscli.connection.connect import Pauses
from tests.odd_servers import Serve, answer, info, odd_server, silent
from tests.program import Program, Runner


@pytest.mark.parametrize(
    ("scheme", "options"), [("nats", ()), ("tls", ("--tlsfirst",)), ("wss", ())], ids=["nats", "tls", "wss"]
)
def test_servers_that_say_nothing_share_the_time(
    pynats: Runner, scheme: str, options: tuple[str, ...]
) -> None:
    with ExitStack() as stack:
        ports = [stack.enter_context(odd_server(silent)).port for _ in range(4)]
        urls = ",".join(f"{scheme}://127.0.0.1:{port}" for port in ports)
        run = pynats("request", "a", "x", "--timeout", "500ms", *options, "-s", urls, within=2)
    assert run.status == 5
    assert "no answer from the server within 500ms (nor could 3 more be reached)" in run.errors[0]


def test_validating_a_context_takes_no_longer(pynats: Runner) -> None:
    with ExitStack() as stack:
        urls = ",".join(stack.enter_context(odd_server(silent)).url for _ in range(4))
        assert pynats("context", "add", "slow", "--server", urls).status == 0
        run = pynats("context", "validate", "slow", "--connect", "--timeout", "500ms", within=2)
    assert run.status == 5


def mute_after_login(client: socket.socket, number: int) -> None:
    answer(client, until=b"CONNECT")
    client.sendall(b"PONG\r\n")
    while client.recv(65536):
        pass


@pytest.mark.parametrize(
    "command",
    [("subscribe", "a"), ("watch", "a"), ("reply", "a", "x"), ("publish", "a", "x")],
    ids=lambda command: command[0],
)
def test_a_server_that_says_nothing_after_the_login_has_the_same_time(
    pynats: Runner, command: tuple[str, ...]
) -> None:
    with odd_server(mute_after_login) as server:
        run = pynats(*command, "--timeout", "500ms", server=server.url, within=3)
    assert run.status == 5
    assert "pynats: error: the server does not answer" in run.stderr


# -- waiting -----------------------------------------------------------------------------------------------------


def test_pauses_grow_where_something_answers_and_stay_short_where_nothing_is() -> None:
    pauses = Pauses(factor=lambda: 1.0)
    assert [round(pauses.next(reached=True), 2) for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert max(pauses.next(reached=False) for _ in range(20)) == 0.25
    assert len({Pauses().next(reached=True) for _ in range(50)}) > 40


def saying(words: bytes) -> Serve:
    """As a server that refuses the login with these words."""

    def serve(client: socket.socket, number: int) -> None:
        client.sendall(info())
        client.recv(65536)
        client.sendall(b"-ERR '%s'\r\n" % words)

    return serve


def closing(client: socket.socket, number: int) -> None:
    """As a port that is forwarded to where nothing listens yet."""


REFUSING: dict[str, Serve] = {
    "closes": closing,
    "closes after INFO": lambda client, number: client.sendall(info()),
    "throttles": saying(b"Connection throttling is active. Please try again later."),
    "is full": saying(b"Maximum Connections Exceeded"),
}
#: In the three seconds that are waited, pauses of 0.1, 0.2, 0.4 ... and their jitter leave room for so many tries, and
#: one to look at what listens there at the end.
MOST = 9


@pytest.mark.parametrize("what", REFUSING)
def test_a_server_that_is_waited_for_and_answers_is_asked_with_growing_pauses(
    spawn: Callable[..., Program], what: str
) -> None:
    for_a_server, for_responders = ("reply", "a", "x", "--wait", "3s"), ("request", "a", "x")
    waiting = [for_a_server, (*for_responders, "--wait-for-responders", "3s")]
    with odd_server(REFUSING[what]) as one, odd_server(REFUSING[what]) as two:
        programs = [
            spawn(*command, server=server.url, ready="Waiting")
            for command, server in zip(waiting, (one, two), strict=True)
        ]
        assert [program.wait() for program in programs] == [5, 5]
        assert all(4 <= len(server.times) <= MOST for server in (one, two)), (one.times, two.times)


def test_a_websocket_port_that_closes_is_asked_with_growing_pauses_too(
    spawn: Callable[..., Program],
) -> None:
    with odd_server(closing) as server:
        program = spawn(
            "reply", "a", "x", "--wait", "3s", server=f"ws://127.0.0.1:{server.port}", ready="Waiting"
        )
        assert program.wait() == 5
        assert 4 <= len(server.times) <= 2 * MOST  # aiohttp asks once more when it gets no answer


def test_a_cluster_that_always_tells_of_new_servers_is_asked_with_growing_pauses(
    spawn: Callable[..., Program],
) -> None:
    """Each of them closes the connection soon after it was made."""

    def serve(client: socket.socket, number: int) -> None:
        told = [f"127.{number}.{n}.1:{server.port}" for n in range(1, 4)]
        client.sendall(info(connect_urls=told))
        ends = time.monotonic() + 0.05
        while (left := ends - time.monotonic()) > 0:
            client.settimeout(left)
            client.sendall(b"PONG\r\n" * client.recv(65536).count(b"PING\r\n"))

    with odd_server(serve, host="0.0.0.0") as server:
        program = spawn("subscribe", "a", server=server.url, ready="Disconnected")
        time.sleep(4)
        program.stop()
        assert 8 <= len(server.times) <= 15, server.times
