"""The vocabulary of NATS services, compared with what nats-py's own services use."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from nats.micro import service as nats_micro

from natscli.errors import InputError
from natscli.message import micro
from natscli.message.micro import Verb


def test_control_subjects_are_those_that_nats_py_services_listen_on() -> None:
    expected = {
        nats_micro.control_subject(nats_micro.ServiceVerb(verb.value), *which)
        for verb in Verb
        for which in ((None, None), ("calc", None), ("calc", "Ab1"))
    }
    subjects = micro.control_subjects("calc", "Ab1")
    assert {subject for _, subject in subjects} == expected
    assert all(verb.value in subject.split(".") for verb, subject in subjects)


def test_response_types_and_the_queue_group_are_those_of_nats_py() -> None:
    assert Verb.PING.response_type == nats_micro.PING_RESPONSE_TYPE
    assert Verb.INFO.response_type == nats_micro.INFO_RESPONSE_TYPE
    assert Verb.STATS.response_type == nats_micro.STATS_RESPONSE_TYPE
    assert micro.DEFAULT_QUEUE == nats_micro.DEFAULT_QUEUE_GROUP
    assert micro.PREFIX == nats_micro.DEFAULT_PREFIX


@pytest.mark.parametrize("name", ["calc", "Calc-2_x", "9"])
def test_a_name_of_letters_digits_dashes_and_underscores_passes(name: str) -> None:
    micro.check_name(name, "--service")
    assert nats_micro.NAME_REGEX.match(name)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a>", "ä", "a\n", "*"])
def test_any_other_name_is_refused_with_where_it_was_given(name: str) -> None:
    with pytest.raises(InputError) as caught:
        micro.check_name(name, "--service")
    assert caught.value.where == "--service"


@pytest.mark.parametrize("version", ["1.2.3", "0.0.0", "1.0.0-rc.1", "1.0.0-x-y.0+build.7", "10.20.30+a"])
def test_semantic_versions_pass(version: str) -> None:
    micro.check_version(version, "--service-version")
    assert nats_micro.SEMVER_REGEX.match(version)


@pytest.mark.parametrize(
    "version", ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3\n", "1.2.3-01", "1.2.٣"]
)
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(InputError):
        micro.check_version(version, "--service-version")


def test_a_response_of_a_nats_py_service_is_read() -> None:
    endpoint = nats_micro.EndpointStats(
        name="add", subject="calc.add", queue_group="q", num_requests=3, num_errors=1, last_error="bad",
        processing_time=3000, average_processing_time=1000, data={"any": [1]},
    )  # fmt: skip
    stats = nats_micro.ServiceStats(
        "Ab1", "calc", "1.0.0", datetime(2026, 11, 25, tzinfo=timezone.utc), [endpoint], {"region": "eu"}
    )
    instance = micro.read_response(Verb.STATS, json.dumps(stats.to_dict()).encode())
    assert instance is not None
    assert (instance.name, instance.id, instance.version) == ("calc", "Ab1", "1.0.0")
    assert instance.metadata == {"region": "eu"}
    assert instance.started.startswith("2026-11-25T00:00:00")
    [read] = instance.endpoints
    assert (read.num_requests, read.num_errors, read.last_error) == (3, 1, "bad")
    assert (read.processing_time, read.average_processing_time, read.data) == (3000, 1000, {"any": [1]})
    assert micro.read_response(Verb.PING, json.dumps(stats.to_dict()).encode()) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 5000,
        b'{"type": "io.nats.micro.v1.ping_response", "name": 1, "id": "x"}',
    ],
)
def test_what_is_no_response_is_none(payload: bytes) -> None:
    assert micro.read_response(Verb.PING, payload) is None


@pytest.mark.parametrize("number", ["1e400", "-1", '"7"', "true", "NaN", "[1]", "null"])
def test_a_number_that_is_none_is_left_out(number: str) -> None:
    payload = '{"type": "io.nats.micro.v1.stats_response", "name": "a", "id": "b", "endpoints": [{"num_requests": %s}]}'
    instance = micro.read_response(Verb.STATS, (payload % number).encode())
    assert instance is not None
    assert instance.endpoints[0].num_requests is None


@pytest.mark.parametrize("instance", ["", "a.b", "a b", "*", ">", "a\n", "\x1b"])
def test_an_id_is_one_token_of_a_subject(instance: str) -> None:
    micro.check_id("K6v1Sbhyf0uD7pVqk1RTSP", "ID")
    with pytest.raises(InputError):
        micro.check_id(instance, "ID")


def test_odd_numbers_and_deep_data_are_left_out_and_the_rest_is_kept() -> None:
    deep = "[" * 500 + "]" * 500
    answer = (
        '{"type": "io.nats.micro.v1.stats_response", "name": "n", "id": "i", "version": "1.0.0", "endpoints": ['
        f'{{"name": "e", "num_requests": 7, "processing_time": 1e999, "data": {{"a": NaN, "b": 1e999, "c": {deep}, '
        '"d": [1.5]}}]}'
    ).encode()
    instance = micro.read_response(Verb.STATS, answer)
    assert instance is not None
    (endpoint,) = micro.members(Verb.STATS, instance)["endpoints"]
    assert (endpoint["name"], endpoint["num_requests"], endpoint["processing_time"]) == ("e", 7, None)
    assert (endpoint["data"]["a"], endpoint["data"]["b"], endpoint["data"]["d"]) == (None, None, [1.5])
    assert json.loads(json.dumps(endpoint, allow_nan=False)) == endpoint
