"""Any exception becomes one line and a status, and no secret gets through."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli import errors
from natscli.errors import ExitStatus, explain
from natscli.secrets.redaction import MASK, Redactor, redact_shapes


def test_the_exit_statuses_are_the_contract() -> None:
    assert {status.name: int(status) for status in ExitStatus} == {
        "OK": 0, "FAILURE": 1, "USAGE": 2, "NO_RESPONDERS": 3, "TIMEOUT": 4, "CONNECTION": 5, "REFUSED": 6,
        "SERVICE_ERROR": 7, "UNEXPECTED": 8, "INTERRUPTED": 130,
    }  # fmt: skip
    assert set(errors.EXIT_STATUS_HELP) == set(ExitStatus)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (errors.InputError("bad", where="--x"), 2, "bad (--x)"),
        (errors.NoRespondersError("none", where="a"), 3, "none (a)"),
        (errors.NoReplyError("late"), 4, "late"),
        (errors.ConnectionFailedError("away"), 5, "away"),
        (errors.RefusedError("no"), 6, "no"),
        (errors.ErrorReplyError("oops"), 7, "oops"),
        (errors.PynatsError("other"), 1, "other"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (click.UsageError("Missing argument 'SUBJECT'."), 2, "missing argument 'SUBJECT'"),
        (BrokenPipeError(32, "Broken pipe"), 1, "the output was closed by its reader"),
        (FileNotFoundError(2, "No such file or directory", "x.txt"), 1, "no such file or directory (x.txt)"),
        (ValueError("two\nlines"), 1, "ValueError: two lines"),
        (ZeroDivisionError(), 1, "ZeroDivisionError"),
    ],
)
def test_every_exception_has_a_message_and_a_status(error: BaseException, status: int, message: str) -> None:
    report = explain(error)
    assert (int(report.status), report.message) == (status, message)
    assert "\n" not in report.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nats://bob:hunter2@host:4222 x", f"nats://{MASK}@host:4222 x"),
        ("nats://tok@a,nats://b:p@c", f"nats://{MASK}@a,nats://{MASK}@c"),
        ("seed SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY.", f"seed {MASK}."),
        ("jwt eyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJYIn0.c2ln end", f"jwt {MASK} end"),
        ("data:;base64,LS0tLS1CRUdJTg==", f"data:;base64,{MASK}"),
        ("nats://host:4222/path", "nats://host:4222/path"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert redact_shapes(text) == shown


def test_a_creds_block_is_masked() -> None:
    text = "-----BEGIN USER NKEY SEED-----\nSUAM\n------END USER NKEY SEED------\n"
    assert "SUAM" not in redact_shapes(text)


@given(st.text(min_size=4), st.text(), st.text())
def test_a_known_secret_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret, None, "", "env://NAME")
    shown = redactor.redact(f"{before}{secret}{after}")
    assert secret not in shown.replace(MASK, "") or secret in before + after or "://" in secret


def test_of_a_secret_that_begins_with_another_nothing_is_left() -> None:
    redactor = Redactor()
    redactor.add("hunter", "hunter-and-more", "more")
    assert redactor.redact("a hunter-and-more b hunter") == f"a {MASK} b {MASK}"


def test_a_reference_is_no_secret() -> None:
    redactor = Redactor()
    redactor.add("env://NATS_PW")
    assert redactor.redact("cannot read env://NATS_PW") == "cannot read env://NATS_PW"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no responders on [a.b] (a)", "no responders on [a.b] (a)"),
        ("a password=a b", f"a password={MASK} b"),
        ('{"password": "a", "name": "a"}', f'{{"password": "{MASK}", "name": "a"}}'),
        ("--password a --user a", f"--password {MASK} --user a"),
        ("invalid token 'a'", f"invalid token '{MASK}'"),
        ("PASSWORD: abc", "PASSWORD: abc"),
        ("nats://u:a@host", f"nats://{MASK}@host"),
    ],
)
def test_a_secret_of_one_letter_is_masked_where_a_secret_can_stand(text: str, shown: str) -> None:
    redactor = Redactor()
    redactor.add("a")
    assert redactor.redact(text) == shown


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "Connection reset by peer"), ConnectionAbortedError("odd")]
)
def test_a_connection_that_breaks_exits_5(error: Exception) -> None:
    report = explain(error)
    assert report.status == ExitStatus.CONNECTION
    assert report.message.startswith("the connection was lost: ")
