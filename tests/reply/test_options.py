"""What a run of `reply` is asked for: what excludes what, and which responder answers."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module

import pytest

from natscli.commands.reply import reply
from natscli.errors import InputError
from natscli.reply.numbers import Numbers
from natscli.reply.options import RESPONDERS, ReplyOptions, ResponderOption, check


def test_every_parameter_of_the_command_is_an_option_of_the_run() -> None:
    exposed = {param.name for param in reply.params if param.expose_value}
    assert exposed == {field.name for field in fields(ReplyOptions)}


def test_the_defaults_of_the_command_are_those_of_the_run() -> None:
    context = reply.make_context("reply", ["s"], resilient_parsing=True)
    assert ReplyOptions(**context.params) == ReplyOptions("s")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (ReplyOptions("s", body="", echo=True), "BODY and --echo"),
        (ReplyOptions("s", body="x", command="ls"), "BODY and --command"),
        (ReplyOptions("s", echo=True, command="ls"), "--echo and --command"),
        (ReplyOptions("s", body="", echo=True, command="ls"), "BODY and --echo and --command"),
        (ReplyOptions("s", upstream="t", mock="file"), "--upstream and --mock"),
        (ReplyOptions("s", upstream="t", header=("A:1",)), "--upstream and --header"),
        (ReplyOptions(mock="file", header=("A:1",)), "--mock and --header"),
    ],
)
def test_options_that_exclude_each_other_are_all_named(options: ReplyOptions, names: str) -> None:
    with pytest.raises(InputError, match=f"^{names} exclude each other$"):
        check(options)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (ReplyOptions("s", service="a b"), "a name has letters"),
        (ReplyOptions("s", service=""), "a name has letters"),
        (ReplyOptions("s", service="a", service_version="1.2"), "a service version is a semantic version"),
        (ReplyOptions("s", service="a", endpoint="b.c"), "a name has letters"),
        (ReplyOptions("s", service="a", metadata=("x",)), "expected KEY=VALUE, not 'x'"),
        (ReplyOptions("s", service="a", metadata=("=x",)), "expected KEY=VALUE, not '=x'"),
        (ReplyOptions("s", service_version="1.2.3"), "--service-version needs --service"),
        (ReplyOptions("s", endpoint="e"), "--endpoint needs --service"),
        (ReplyOptions("s", description="d"), "--description needs --service"),
        (ReplyOptions("s", metadata=("a=b",)), "--metadata needs --service"),
    ],
)
def test_what_a_service_cannot_be_is_refused(options: ReplyOptions, what: str) -> None:
    with pytest.raises(InputError, match=f"^{what}"):
        check(options)


@pytest.mark.parametrize(
    ("options", "group"),
    [
        (ReplyOptions("s"), "NATS-RPLY-22"),
        (ReplyOptions("s", service="a"), "q"),
        (ReplyOptions("s", service="a", queue="mine"), "mine"),
        (ReplyOptions("s", service="a", queue=""), ""),
        (ReplyOptions("s", queue=""), ""),
    ],
)
def test_services_have_a_queue_group_of_their_own_unless_one_is_given(
    options: ReplyOptions, group: str
) -> None:
    check(options)
    assert options.group == group


@pytest.mark.parametrize("option", RESPONDERS, ids=[option.name for option in RESPONDERS])
def test_every_responder_has_a_field_and_a_module_that_builds_it(option: ResponderOption) -> None:
    assert option.field in {field.name for field in fields(ReplyOptions)}
    assert callable(import_module(f"natscli.reply.{option.module}").build)


@pytest.mark.parametrize(
    ("options", "responder"),
    [
        (ReplyOptions("s"), "--echo"),
        (ReplyOptions("s", echo=True), "--echo"),
        (ReplyOptions("s", body=""), "BODY"),
        (ReplyOptions("s", command=""), "--command"),
        (ReplyOptions("s", pipe=""), "--pipe"),
        (ReplyOptions("s", handler=""), "--handler"),
        (ReplyOptions("s", upstream=""), "--upstream"),
        (ReplyOptions(mock=""), "--mock"),
    ],
)
def test_what_was_given_says_which_responder_answers(options: ReplyOptions, responder: str) -> None:
    assert options.responder.name == responder


def test_numbers_end_with_the_limit() -> None:
    numbers = Numbers(5)
    assert (numbers.take(3), numbers.exhausted) == (range(3), False)
    assert (numbers.take(3), numbers.exhausted) == (range(3, 5), True)
    assert (numbers.take(3), numbers.exhausted) == (range(5, 5), True)


def test_numbers_without_a_limit_have_no_end() -> None:
    numbers = Numbers()
    assert [numbers.take(2), numbers.take(1)] == [range(2), range(2, 3)]
    assert not numbers.exhausted


def test_commands_are_refused_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    check(ReplyOptions("s", body="x"))
    with pytest.raises(InputError, match="Windows cannot run a command"):
        check(ReplyOptions("s", command="ls"))
