"""Which server is tried next, and the pause before: no waiting, as time is an argument."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from natscli.wire.next_server import REACHED, SETTLED, UNREACHED, NextServer


def even() -> NextServer[str]:
    return NextServer(jitter=lambda: 1.0)


def pauses(servers: NextServer[str], tries: int, *, reached: bool) -> list[float]:
    found = []
    for _ in range(tries):
        server, pause = servers.choose(["a"])
        servers.failed(server, reached=reached)
        found.append(round(pause, 3))
    return found


def test_each_failure_doubles_the_pause() -> None:
    assert pauses(even(), 7, reached=False) == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, UNREACHED.longest]
    assert pauses(even(), 8, reached=True) == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, REACHED.longest]


def test_a_connection_that_dies_young_counts_as_a_failure() -> None:
    servers, now, seen = even(), 100.0, []
    for _ in range(6):
        _, pause = servers.choose(["a"])
        seen.append(pause)
        servers.made("a", now)
        now += SETTLED / 2
        servers.lost(now)
    assert seen == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6]


def test_a_connection_that_lasted_makes_all_good_again() -> None:
    servers = even()
    pauses(servers, 5, reached=True)
    servers.made("a", 100.0)
    servers.lost(100.0 + SETTLED)
    assert pauses(servers, 2, reached=True) == [0.0, 0.1]


def test_the_server_that_failed_least_is_tried_and_not_the_one_just_lost() -> None:
    servers = even()
    servers.made("a", 0.0)
    servers.lost(SETTLED)
    assert servers.choose(["a", "b"]) == ("b", 0.0)
    servers.failed("b", reached=False)
    assert servers.choose(["a", "b"]) == ("a", 0.0)
    servers.failed("a", reached=False)
    servers.failed("a", reached=False)
    assert servers.choose(["a", "b"])[0] == "b"


def test_servers_that_are_always_new_are_not_all_tried_at_once() -> None:
    """A cluster tells new addresses at each connection: each of them has never failed."""
    servers, total = even(), 0.0
    for number in range(100):
        server, pause = servers.choose([f"new {number}"])
        servers.failed(server, reached=True)
        total += pause
    assert total > 9


def test_the_jitter_spreads_the_tries_of_many() -> None:
    found = set()
    for _ in range(50):
        servers: NextServer[str] = NextServer()
        servers.failed("a", reached=True)
        found.add(servers.choose(["a"])[1])
    assert len(found) > 40
    assert all(0.07 < pause < 0.13 for pause in found)


@example(
    [
        ("lost", "a"),
        ("lost", "a"),
        ("lost", "a"),
        ("lasted", "a"),
        ("lost", "a"),
        ("lasted", "b"),
        ("failed", "c"),
    ]
)
@given(
    st.lists(st.tuples(st.sampled_from(["failed", "lost", "lasted"]), st.sampled_from("abc")), max_size=60)
)
def test_whatever_happens_no_server_is_tried_faster_than_its_failures_allow(
    events: list[tuple[str, str]],
) -> None:
    servers, now, failures = even(), 0.0, dict.fromkeys("abc", 0)
    for what, server in events:
        if what == "failed":
            servers.failed(server, reached=True)
            failures[server] += 1
            continue
        servers.made(server, now)
        now += SETTLED if what == "lasted" else SETTLED / 4  # binary fractions: sums of them are exact
        servers.lost(now)
        if what == "lasted":
            failures = dict.fromkeys("abc", 0)
        else:
            failures[server] += 1
    chosen, pause = servers.choose(list("abc"))
    assert failures[chosen] == min(failures.values())
    assert pause >= min(0.1 * 2 ** (failures[chosen] - 1), REACHED.longest) * bool(failures[chosen])


def test_new_servers_whose_connections_all_end_soon_are_met_with_growing_pauses() -> None:
    servers, now, found = even(), 100.0, []
    for number in range(16):
        server, pause = servers.choose([f"new {number}"])
        servers.made(server, now)
        servers.lost(now + 0.05)
        found.append(round(pause, 3))
    assert found == [0.0] * 8 + [0.1, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, REACHED.longest]
    servers.made("new", now)
    servers.lost(now + SETTLED)
    assert servers.choose(["another"]) == ("another", 0.0)


def test_many_servers_that_cannot_be_reached_are_all_tried_soon() -> None:
    servers, total = even(), 0.0
    names = [str(number) for number in range(30)]
    for _ in names:
        server, pause = servers.choose(names)
        servers.failed(server, reached=False)
        total += pause
    assert total < 3
