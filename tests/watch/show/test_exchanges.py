"""How exchanges are shown."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from natscli.environment import Environment
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.status import ReplyProblem
from natscli.output.columns import width_of
from natscli.output.live import Live
from natscli.output.tables import Screen
from natscli.watch.show.exchanges import preview, renderer
from natscli.watch.show.table import table
from natscli.watch.statistics import StatisticsRow


def rendered(exchange: Exchange, *, color: str = "never", **how: Any) -> str:
    environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {}, color=color)
    render = renderer(environment, **{"as_json": False, "verbose": False, "timeout": 5.0, **how})
    log, data = render([exchange])
    assert log == b""
    return data.decode()


def exchange(*answers: Answer, outcome: Outcome = Outcome.ANSWERED, **fields: Any) -> Exchange:
    given = {
        "number": 7,
        "came": 0.25,
        "subject": b"a.b",
        "reply": b"_INBOX.1",
        "header": None,
        "payload": b"hello",
    }
    return Exchange(**{**given, **fields}, answers=answers, outcome=outcome)


def test_a_line_is_one_line_whatever_comes() -> None:
    line = rendered(
        exchange(Answer(412_300, None, b"x\r\n\x1b[2J" + b"y" * 500), payload="é\n\u202e".encode())
    )
    assert line.count("\n") == 1
    assert re.match(r"\d\d:\d\d:\d\d \[#7\] a\.b  412\.3µs  6 B -> 507 B  ", line)
    assert line.endswith(f"é\\n\\u202e -> x\\r\\n\\x1b[2J{'y' * 27}…\n")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.UNANSWERED, "unanswered after 5s"), (Outcome.NO_RESPONDERS, "no responders")],
)
def test_a_request_without_a_reply_says_why(outcome: Outcome, state: str) -> None:
    assert f"a.b  {state}  5 B  hello\n" in rendered(exchange(outcome=outcome))
    assert f"{state[0].upper()}{state[1:]}\n" in rendered(exchange(outcome=outcome), verbose=True)
    record = json.loads(rendered(exchange(outcome=outcome), as_json=True))
    assert (record["outcome"], record["rtt_ns"], record["replies"]) == (outcome.value, None, [])


def test_several_replies_errors_and_statuses_are_in_the_line() -> None:
    error = headers.service_error("bad", 400)
    line = rendered(
        exchange(
            Answer(1000, error, b""),
            Answer(2000, None, b""),
            outcome=Outcome.ERROR,
            error=ReplyProblem("service", "400", "bad"),
        )
    )
    assert "  1µs, 2 replies, error 400: bad  " in line
    status = exchange(
        Answer(1000, b"NATS/1.0 404 No Messages\r\n\r\n", b""),
        outcome=Outcome.ERROR,
        error=ReplyProblem("status", "404", "No Messages"),
    )
    assert "  1µs, status 404 No Messages  " in rendered(status)
    assert "[#7] Reply after 1µs, status 404 No Messages\n" in rendered(status, verbose=True)
    record = json.loads(rendered(status, as_json=True))
    assert (record["code"], record["message"]) == (404, "No Messages")
    [reply] = record["replies"]
    assert (reply["status"], reply["description"]) == (404, "No Messages")


def test_the_acknowledgement_of_a_stream_is_called_one() -> None:
    taken = exchange(Answer(1000, None, b'{"stream":"ORDERS","seq":17}'))
    assert "  1µs, acknowledged by stream ORDERS, 17  " in rendered(taken)
    assert "[#7] Reply after 1µs, acknowledged by stream ORDERS, 17\n" in rendered(taken, verbose=True)
    [reply] = json.loads(rendered(taken, as_json=True))["replies"]
    assert reply["acknowledged"] == {"stream": "ORDERS", "seq": 17}
    refused = exchange(
        Answer(1000, None, b'{"error":{"code":503},"stream":"S","seq":0}'),
        outcome=Outcome.ERROR,
        error=ReplyProblem("stream", "503", "no"),
    )
    assert "  1µs, JetStream error 503: no  " in rendered(refused)


def test_a_stored_message_is_called_no_acknowledgement() -> None:
    stored = exchange(
        Answer(1000, None, b'{"stream":"S","seq":17}'), subject=b"$JS.API.CONSUMER.MSG.NEXT.S.C"
    )
    for verbose, as_json in ((False, False), (True, False), (False, True)):
        assert "acknowledged" not in rendered(stored, verbose=verbose, as_json=as_json)


def test_a_long_error_is_cut_in_a_line_and_whole_elsewhere() -> None:
    text = "cannot divide " + "by zero " * 500
    answer = Answer(5000, headers.service_error(text, 500), b"")
    failed = exchange(answer, outcome=Outcome.ERROR, error=ReplyProblem("service", "500", text))
    line = rendered(failed)
    assert len(line) < 200
    assert ", error 500: cannot divide by zero by zero" in line
    assert "…  5 B -> 0 B  hello" in line
    assert rendered(failed, as_json=True).count("by zero") >= 500
    assert rendered(failed, verbose=True).count("by zero") >= 500


def test_in_full_has_headers_payloads_and_the_time_of_each_reply() -> None:
    block = headers.encode([("Trace", "1\x1b")])
    text = rendered(
        exchange(Answer(1000, None, b'{"a": 1}'), Answer(2_000_000, None, b"two"), header=block),
        verbose=True,
    )
    assert "[#7] Request on [a.b], replies on [_INBOX.1]\nTrace: 1\\x1b\nhello\n\n" in text
    assert '[#7] Reply 1 after 1µs\n{\n  "a": 1\n}\n\n' in text
    assert "[#7] Reply 2 after 2ms\ntwo\n\n" in text


def test_json_has_the_request_and_its_replies() -> None:
    record = json.loads(
        rendered(
            exchange(
                Answer(1000, None, b'{"a": 1}'),
                payload=b"\xff",
                outcome=Outcome.ERROR,
                error=ReplyProblem("service", "x", "bad\udcff"),
            ),
            as_json=True,
        )
    )
    reply = {
        "rtt_ns": 1000,
        "headers": {},
        "data": '{"a": 1}',
        "encoding": "utf-8",
        "size": 8,
        "json": {"a": 1},
    }
    assert record == {
        "time": "1970-01-01T00:00:00.250000Z",
        "number": 7,
        "subject": "a.b",
        "reply_to": "_INBOX.1",
        "outcome": "error",
        "rtt_ns": 1000,
        "headers": {},
        "data": "/w==",
        "encoding": "base64",
        "size": 1,
        "replies": [reply],
        "code": "x",
        "message": "bad\ufffd",
    }


def test_colour_is_only_by_our_own_codes() -> None:
    text = rendered(exchange(Answer(1000, None, b"\x1b[31m")), color="always")
    assert "\x1b[32m" in text
    assert "\x1b[31m" not in text


def test_a_preview_does_not_cut_characters() -> None:
    assert preview("日本語".encode(), 6) == "日本語"
    assert preview("日本語日".encode(), 6) == "日本…"
    assert preview("日本語日".encode(), 8) == "日本語日"
    assert preview(b"\xff\x00", 40) == "\\xff\\x00"


def test_a_live_table_is_drawn_over_the_one_before_and_fits_the_terminal() -> None:
    rows = [StatisticsRow(f"s.{n}", 1, 1.0, 0, 0, 0, 1000, 1000, 1000) for n in range(100)]
    live = Live(io.BytesIO())  # 80 columns and 24 lines, as where it is not known

    def draw(columns: int) -> str:
        screen = Screen(terminal=True, color=False)
        return live.fitting(lambda shown: table(shown, "Title", screen, columns), rows)

    first, second = live.frame(draw), live.frame(draw)
    height = first.count(b"\n")
    assert height == 23
    assert second == b"\x1b[%dF\x1b[J" % height + first
    assert live.wrap(b"a line of the log\n") == b"\x1b[%dF\x1b[Ja line of the log\n" % height + first


@pytest.mark.parametrize(
    ("columns", "missing"), [(60, ["Rate/s", "p50", "max"]), (80, ["max"]), (100, []), (200, [])]
)
@pytest.mark.parametrize(
    "subject", ["orders.of.a.customer.with.a.long.name", "漢字" * 20, "x\x1b[2J\u202e" * 9]
)
def test_a_row_of_statistics_takes_one_line_of_the_terminal(
    columns: int, missing: list[str], subject: str
) -> None:
    ms = 1_000_000
    rows = [
        StatisticsRow(subject, 1_234_567, 12345.6, 17, 4, 12, 340_256, 9 * ms, 12_345 * ms),
        StatisticsRow("short", 2, 0.35961, 0, 0, 0, None, None, None),
    ]
    *_, last = shown = table(rows, "T", Screen(terminal=True, color=False), columns).splitlines()
    assert len(shown) == 7
    assert max(map(width_of, shown)) <= columns
    assert [name for name in ("Total", "Rate/s", "Unanswered", "Errors", "p50", "p99", "max")
            if f" {name} " not in shown[2]] == missing  # fmt: skip
    assert ("…" in shown[4]) == (columns < 200)
    assert all(f" {value} " in shown[4] for value in ("1,234,567", "21", "12", "9ms"))
    assert (" 12,346 " in shown[4]) == (columns > 60)
    assert (" 0.36 " in shown[5]) == (columns > 60)
    assert "\x1b" not in "".join(shown)
    assert last[0] == "╰"
