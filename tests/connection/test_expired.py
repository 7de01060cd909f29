"""A JWT that expires while a listener runs: what is in the file then is used, or the listener ends with 6."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.accounts import make_operator
from tests.program import Program
from tests.servers import Server


def test_a_jwt_that_has_expired_while_the_server_was_away_is_said_once(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    operator = make_operator("A")
    server = server_factory(operator.server_config)
    file = tmp_path / "a.creds"
    file.write_text(operator.accounts["A"].make_user().creds)
    program = spawn("reply", "a", "OK", "--creds", str(file), server=server)
    server.stop()
    # One that expired while the server still ran would be refused once by it, and ends the program.
    file.write_text(operator.accounts["A"].make_user(lifetime=-1).creds)
    program.wait_for("cannot reconnect")
    server.start()
    program.wait_for("still trying to reconnect")
    said = "the server refused the credentials: the user JWT expired at "
    tries = server.log().count("[ERR]")
    program.wait_until(lambda: server.log().count("[ERR]") > tries + 1, "two more tries")
    assert program.stderr_text().count(said) == 1
    file.write_text(operator.accounts["A"].make_user().creds)
    program.wait_for("Reconnected to")


def test_a_jwt_that_is_renewed_in_time_goes_on_and_one_that_is_not_ends_with_6(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    operator = make_operator("A")
    server = server_factory(operator.server_config)
    account = operator.accounts["A"]
    renewed, left = tmp_path / "renewed.creds", tmp_path / "left.creds"
    start = time.monotonic()
    assert spawn("reply", "a", "OK", server=server, ready="error: ").wait() == 6
    took = time.monotonic() - start
    for file in (renewed, left):
        file.write_text(account.make_user(lifetime=2 + 5 * took).creds)
    going_on = spawn("reply", "a", "OK", "--creds", str(renewed), server=server, ready="")
    ending = spawn("reply", "b", "OK", "--creds", str(left), server=server)
    going_on.wait_for("Listening on")
    renewed.write_text(account.make_user().creds)
    assert ending.wait(30) == 6
    assert "expired" in ending.stderr_text().lower()
    going_on.wait_for("Reconnected to")
    assert going_on.stop() == 0


def test_an_account_that_has_expired_is_said_to_be_one(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    start = time.monotonic()
    assert spawn("reply", "a", "OK", server="nats://127.0.0.1:1", ready="error: ").wait() == 5
    took = time.monotonic() - start
    creds = tmp_path / "a.creds"
    operator = make_operator("A", lifetime=3 + 5 * took)
    server = server_factory(operator.server_config)
    creds.write_text(operator.accounts["A"].make_user().creds)
    program = spawn("reply", "a", "OK", "--creds", str(creds), server=server)
    assert program.wait(60) == 6
    *_, error, hint = program.stderr_text().splitlines()
    assert "error: the server refused the credentials: account authentication expired (" in error
    assert hint == "  hint: the JWT of the account needs to be renewed, at the server, not that of the user"
