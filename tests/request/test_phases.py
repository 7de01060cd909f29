"""`--timings`: how long each phase took, and whether the service or the network did."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from natscli.request.phases import lengths
from natscli.request.show import phases as output
from tests.certificates import Certificates
from tests.program import Run, Runner
from tests.proxies import proxy
from tests.request.responders import Answer, Request, Responders
from tests.request.terminals import run_on_terminal
from tests.servers import Server, free_port

Ask = Callable[..., Run]
MS = 1_000_000


def slow(request: Request) -> list[Answer]:
    return [Answer(b"first", after=0.3), Answer(b"second", after=0.2)]


def timings(run: Run) -> dict[str, int]:
    """The record of a run that was asked for it."""
    *_, last = run.objects
    found = last["timings"]
    assert isinstance(found, dict)
    return found


def check_sum(found: dict[str, int], expected: float) -> bool:
    """Whether the phases, which have no gap, are as long as it took from connecting to the last reply."""
    names = [name for name in found if name not in ("total_ns", "network_ns", "service_ns")]
    assert sum(found[name] for name in names) == found["total_ns"]
    return abs(found["total_ns"] - found["resolve_ns"] - expected) < 0.05 * expected


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("delay", [0.0, 0.025])
def test_the_phases_add_up_to_what_passes_between_connecting_and_the_last_reply(
    pynats: Runner, server_factory: Callable[..., Server], responders_on: Callable[..., Responders],
    certificates: Certificates, tls: bool, delay: float,
) -> None:  # fmt: skip
    server = server_factory(certificates.server_config() if tls else "")
    flags = ("--tlsca", str(certificates.ca)) if tls else ()
    options = {"tls": ssl.create_default_context(cafile=str(certificates.ca))} if tls else {}
    subject = responders_on(server, **options)(slow)
    seen = []
    for _ in range(3):
        with proxy(server.port, delay) as through:
            url = f"{'tls' if tls else 'nats'}://127.0.0.1:{through.port}"
            run = pynats("request", subject, "x", "--replies", "2", "--reply-timeout", "5s", "--json",
                         "--timings", *flags, server=url)  # fmt: skip
        found = timings(run)
        assert ("tls_ns" in found) == tls
        came = datetime.fromisoformat(run.objects[1]["time"].replace("Z", "+00:00"))
        expected = (came.timestamp() - through.accepted) * 1e9
        if check_sum(found, expected):
            return
        seen.append((found, expected))
    raise AssertionError(seen)


def test_a_slow_network_is_distinguished_from_a_slow_service(
    pynats: Runner, nats_server: Server, responders: Responders
) -> None:
    quick = responders()
    slow = responders(lambda request: [Answer(b"", after=0.05)])
    seen = []
    for _ in range(3):
        with proxy(nats_server.port, 0.025) as through:
            url = f"nats://127.0.0.1:{through.port}"
            network = timings(pynats("request", quick, "x", "--json", "--timings", server=url))
        service = timings(pynats("request", slow, "x", "--json", "--timings", server=nats_server))
        figures = [network["network_ns"], network["service_ns"], service["network_ns"], service["service_ns"]]
        if (
            50 * MS <= figures[0] < 70 * MS and figures[1] < 20 * MS
            and figures[2] < 20 * MS and 45 * MS <= figures[3] < 80 * MS
        ):  # fmt: skip
            return
        seen.append(figures)
    raise AssertionError(seen)


def test_a_table_is_on_stderr_without_bars_in_a_pipe(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "hi", "--timings")
    assert (run.status, run.stdout) == (0, b"hi\n")
    *_, resolve, connect, greeting, subscribe, first, total, answer = run.errors
    for line, name in (
        (resolve, "resolve"), (connect, "connect"), (greeting, "greeting"), (subscribe, "subscribe"),
        (first, "first reply"), (total, "total"),
    ):  # fmt: skip
        assert re.fullmatch(rf"{name} +[\d.]+(ns|µs|ms|s)", line)
    assert re.fullmatch(r"(service ~[\d.]+(ns|µs|ms|s), )?network ~[\d.]+(µs|ms|s)", answer)
    quiet = ask(responders(), "hi", "--timings", "--quiet")
    assert quiet.stderr == ""


def test_a_terminal_gets_bars_of_80_columns_at_most(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    subject = responders(slow)
    _, output = run_on_terminal(
        runner, "request", subject, "x", "--replies", "2", "--timings", "--color", "never", server=nats_server
    )
    lines = output.decode().splitlines()
    bars = [line for line in lines if "█" in line]
    assert [line.split()[:2] for line in bars][-2:] == [["first", "reply"], ["last", "reply"]]
    assert max(map(len, lines)) <= 80
    # A bar begins where the one before has ended.
    first, last = (re.search("█.*", line) for line in bars[-2:])
    assert first is not None
    assert last is not None
    assert abs(last.start() - len(first.group()) - first.start()) <= 1


def test_without_a_reply_there_are_the_phases_before_it(ask: Ask) -> None:
    found = timings(ask("nobody.there", "x", "--json", "--timings"))
    assert "first_reply_ns" not in found
    assert found["network_ns"] > 0
    assert found["service_ns"] == 0


def test_a_server_that_is_tried_first_in_vain_has_a_phase_of_its_own(
    pynats: Runner, nats_server: Server, responders: Responders
) -> None:
    url = f"nats://127.0.0.1:{free_port()},{nats_server.url}"
    found = timings(pynats("request", responders(), "x", "--json", "--timings", server=url))
    assert found["other_servers_ns"] > 0


def test_what_is_not_known_apart_is_one_phase() -> None:
    steps: dict[str, Any] = {"began": 5, "ready": 15, "sent": 18}
    assert lengths(steps) == {"connect": 10, "subscribe": 3}
    steps |= {"resolved": 6, "connected": 8, "tls_started": 10, "tls_done": 13, "first": 20, "last": 20}
    assert lengths(steps) == {
        "resolve": 1,
        "connect": 2,
        "TLS": 3,
        "greeting": 4,
        "subscribe": 3,
        "first reply": 2,
    }


def test_the_answer_names_what_is_known() -> None:
    text = output.table({"connect": 1_500_000}, 312_345, 11_812_345, columns=0, colored=False)
    assert text.splitlines()[-1] == "service ~11.8ms, network ~312µs"
    text = output.table({"connect": 1_500_000}, 312_345, 0, columns=0, colored=False)
    assert text.splitlines()[-1] == "network ~312µs"
    assert output.table({"connect": 1_500_000}, 0, 0, columns=0, colored=False).count("\n") == 2
