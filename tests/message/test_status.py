"""What a reply says of itself: statuses, service errors, acknowledgements of streams."""

from __future__ import annotations

import pytest

from natscli.message.headers import service_error
from natscli.message.headers import status as status_of
from natscli.message.status import Status, read_acknowledgement, read_problem, read_status

ACK = b'{"stream":"ORDERS","seq":17}'
REFUSED = (
    b'{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}'
)
NOT_FOUND = (
    b'{"type":"io.nats.jetstream.api.v1.stream_info_response","error":{"code":404,"err_code":10059,'
    b'"description":"stream not found"},"total":0,"offset":0,"limit":0}'
)


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"NATS/1.0 404 No Messages\r\n\r\n", Status(404, "No Messages")),
        (b"NATS/1.0 503\r\n\r\n", Status(503, "")),
        (b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 3\r\n\r\n", Status(100, "Idle Heartbeat")),
        (b"NATS/1.0 400\r\nDescription: Bad Request\r\n\r\n", Status(400, "Bad Request")),
        (b"NATS/1.0 409 \xff\r\n\r\n", Status(409, "\udcff")),
        (b"NATS/1.0\r\nStatus: 404\r\n\r\n", None),
        (b"NATS/1.0 12345\r\n\r\n", None),
        (b"NATS/1.0 5000 X\r\n\r\n", None),
        (b"NATS/1.0 abc\r\n\r\n", None),
        (b"NATS/1.0 abc def\r\n\r\n", None),
        (b"NATS/1.0 50\r\n\r\n", None),
        (b"NATS/1.0 ", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_status_line_has_a_code_and_a_description(block: bytes | None, status: Status | None) -> None:
    assert read_status(block) == status
    assert status_of(block) == ("" if status is None else str(status.code))


def test_errors_begin_at_400() -> None:
    assert [code for code in (100, 200, 399, 400, 404, 503) if Status(code, "").is_error] == [400, 404, 503]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"stream":"S"}',
        b'{"stream":"S","seq":"1"}',
        b'{"stream":1,"seq":1}',
        b'{"stream":"S","seq":true}',
        b'{"stream":"S","seq":1,"order":7}',
        b'{"stream":"S","seq":1',
        b'{"stream":' + b"[" * 900,
        b'{"error":{"code":1}}',
    ],
)
def test_what_is_no_acknowledgement_is_not_called_one(payload: bytes) -> None:
    assert read_acknowledgement(payload) is None
    assert read_problem(None, payload) is None


def test_acknowledgements_name_stream_and_sequence() -> None:
    assert read_acknowledgement(ACK) == ("ORDERS", 17, None)
    assert read_acknowledgement(b'{"stream":"S","domain":"d","seq":1,"duplicate":true}') == ("S", 1, None)
    assert read_acknowledgement(REFUSED) == ("S", 0, ("503", "maximum messages exceeded"))


@pytest.mark.parametrize(
    ("header", "payload", "shown"),
    [
        (service_error("no paper", 500), b"", "the service answered with error 500: no paper"),
        (b"NATS/1.0\r\nnats-service-error: low\r\n\r\n", b"", "the service answered with error: low"),
        (b"NATS/1.0\r\nNats-Service-Error: \r\n\r\n", b"", "the service answered with error"),
        (
            b"NATS/1.0\r\nNats-Service-Error: a\r\nNats-Service-Error: b\r\nNats-Service-Error-Code: 1\r\n\r\n",
            b"",
            "the service answered with error 1: a",
        ),
        (b"NATS/1.0 404 No Messages\r\n\r\n", b"", "the server answered with status 404 No Messages"),
        (None, REFUSED, "JetStream answered with error 503: maximum messages exceeded"),
        (None, NOT_FOUND, "JetStream answered with error 404: stream not found"),
    ],
)
def test_what_makes_a_reply_a_failure_is_said(header: bytes | None, payload: bytes, shown: str) -> None:
    assert str(read_problem(header, payload)) == shown


@pytest.mark.parametrize(
    "subject", ["$JS.API.CONSUMER.MSG.NEXT.S.C", "$JS.hub.API.DIRECT.GET.S.a", "$JS.ACK.S.C.1.2.3.4.5"]
)
def test_of_a_stored_message_only_a_status_says_that_it_is_a_failure(subject: str) -> None:
    for header, payload in ((service_error("no paper", 500), b""), (None, REFUSED), (None, NOT_FOUND)):
        assert read_problem(header, payload, subject) is None
    assert read_acknowledgement(ACK, subject) is None
    assert str(read_problem(b"NATS/1.0 404\r\n\r\n", b"", subject)) == "the server answered with status 404"


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (None, b"fine"),
        (None, ACK),
        (b"NATS/1.0 100 Idle Heartbeat\r\n\r\n", b""),
        (b"NATS/1.0\r\nA: b\r\n\r\n", b'{"type":"io.nats.jetstream.api.v1.x","error":null}'),
        (None, b'{"type":"io.nats.jetstream.api.' + b"x" * 70_000),
    ],
)
def test_everything_else_is_none(header: bytes | None, payload: bytes) -> None:
    assert read_problem(header, payload) is None
