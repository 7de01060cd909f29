"""Tables of services."""

from __future__ import annotations

from natscli.message.micro import Endpoint, Instance
from natscli.output.tables import Screen
from natscli.services.gather import Located
from natscli.services.tables import info_blocks, list_table, stats_table

LONG = "cannot \x1b[2J divide " + "by zero " * 500
ENDPOINT = Endpoint("divide", num_requests=1_234_567, num_errors=1, last_error=LONG)
FOUND = [
    Located(
        Instance("calculator", "ABoVbW8XFs2W1G2SPXgqRt", "1.0.0", description=LONG, endpoints=(ENDPOINT,)), 1
    )
]


def test_a_long_description_or_error_does_not_fill_the_terminal() -> None:
    for table in (list_table, stats_table):
        shown = table(FOUND, Screen(terminal=True, color=False))
        assert "\x1b" not in shown
        assert shown.count("\n") < 20
        assert "…" in shown
        plain = table(FOUND, Screen(terminal=False, color=False))
        assert plain.count("\n") == 2
        assert plain.count("by zero") == 500
    assert "1,234,567" in stats_table(FOUND, Screen(terminal=False, color=False))
    assert info_blocks(FOUND, Screen(terminal=True, color=False)).count("zero") > 400


def test_an_endpoint_without_a_name_or_anything_is_a_row() -> None:
    found = [Located(Instance("n", "i", "1.0.0", endpoints=(Endpoint(""),)), 1)]
    for terminal in (True, False):
        screen = Screen(terminal=terminal, color=False)
        assert "n" in info_blocks(found, screen)
        assert "n" in stats_table(found, screen)


def test_a_name_of_any_length_is_one_row_of_a_terminal_and_whole_in_a_pipe() -> None:
    found = [
        Located(Instance("x" * 300_000, "i", "1.0.0"), 1),
        *[Located(Instance("n", "i", "1.0.0"), 1)] * 100,
    ]
    for table in (list_table, stats_table):
        assert len(table(found, Screen(terminal=True, color=False))) < 100_000
        plain = table(found, Screen(terminal=False, color=False))
        assert "x" * 300_000 in plain
        assert len(plain) < 400_000
