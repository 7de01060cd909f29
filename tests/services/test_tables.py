"""Tables of services."""

from __future__ import annotations

from natscli.message.micro import Endpoint, Instance
from natscli.output.tables import Screen
from natscli.services.gather import Answered
from natscli.services.tables import info_blocks, list_table, stats_table

LONG = "cannot \x1b[2J divide " + "by zero " * 500
ENDPOINT = Endpoint("divide", num_requests=1_234_567, num_errors=1, last_error=LONG)
FOUND = [
    Answered(
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
