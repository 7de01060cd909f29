"""What a run of requests is asked for: what excludes what, and what each request waits for."""

from __future__ import annotations

import pytest

from natscli.commands.request import request
from natscli.errors import InputError
from natscli.request.options import Expectation, RequestOptions, check, expectation


def test_every_parameter_of_the_command_is_an_option_of_the_run() -> None:
    exposed = {param.name for param in request.params if param.expose_value}
    assert exposed == set(RequestOptions.field_names())


def test_the_defaults_of_the_command_are_those_of_the_run() -> None:
    context = request.make_context("request", ["s"], resilient_parsing=True)
    assert vars(RequestOptions(**context.params)) == vars(RequestOptions("s"))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (RequestOptions("s", raw=True, as_json=True), "--raw and --json"),
        (RequestOptions("s", body="", body_file="f"), "BODY and --body-file"),
        (RequestOptions("s", body_file="f", force_stdin=True), "--body-file and --force-stdin"),
        (RequestOptions("s", body_file="f", send_on="newline"), "--body-file and --send-on newline"),
        (RequestOptions("s", query="1", as_json=True), "--query and --json"),
        (RequestOptions("s", query="1", translate="cat"), "--query and --translate"),
        (RequestOptions("s", query="1", count=2, processes=2), "--query and --processes"),
        (RequestOptions("s", query="1", record="-"), "--record - and --query"),
        (RequestOptions("s", raw=True, report="-", count=2), "--report - and --raw"),
    ],
)
def test_options_that_exclude_each_other_are_both_named(options: RequestOptions, names: str) -> None:
    with pytest.raises(InputError, match=f"^{names} exclude each other$"):
        check(options)


def test_what_goes_together_passes() -> None:
    check(RequestOptions("s", force_stdin=True, send_on="newline", raw=True, reply_timeout=0.1))
    check(RequestOptions("s", as_json=True, translate="cat"))
    check(RequestOptions("s", raw=True, query="1"))
    check(RequestOptions("s", output="f", query="1"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (RequestOptions("s"), Expectation(1, 5.0, 0.3)),
        (RequestOptions("s", reply_timeout=9.0), Expectation(1, 9.0, 9.0)),
        (RequestOptions("s", replies=3, reply_timeout=9.0), Expectation(3, 5.0, 9.0)),
        (RequestOptions("s", replies=0), Expectation(0, 5.0, 0.3)),
        (RequestOptions("s", wait_for_empty=True), Expectation(1, 5.0, 0.3, until_empty=True)),
    ],
)
def test_one_reply_is_waited_for_as_long_as_the_reply_timeout(
    options: RequestOptions, expected: Expectation
) -> None:
    assert expectation(options, 5.0) == expected
