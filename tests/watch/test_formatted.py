"""`watch --format`: what is in the packets of a framework is shown as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.program import Runner

REQUEST = {"data": '{"pattern":"n.x","data":[1],"id":"a"}'}


def recording(path: Path, *packets: dict[str, Any]) -> str:
    """A file with an exchange for each packet."""
    records = [
        {"subject": "n.x", "request": REQUEST, "reply": {"data": json.dumps(packet, separators=(",", ":"))}}
        for packet in packets
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


@pytest.mark.parametrize("options", [(), ("--verbose",), ("--json",)])
def test_a_value_that_looks_like_an_acknowledgement_is_none(
    pynats: Runner, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = recording(
        tmp_path / "seen.jsonl", {"response": {"stream": "S", "seq": 1}, "isDisposed": True, "id": "a"}
    )
    run = pynats("watch", "--read", file, "--format", "nestjs", *options)
    assert "acknowledged" not in run.text
    assert "stream" in run.text


def test_errors_are_those_of_the_packets(pynats: Runner, tmp_path: Path) -> None:
    value = {"response": {"err": "field", "isDisposed": False}, "isDisposed": True, "id": "a"}
    error = {"err": {"code": 422, "message": "bad"}, "isDisposed": True, "id": "a"}
    file = recording(tmp_path / "seen.jsonl", value, error)
    asked = ("watch", "--read", file, "--format", "nestjs", "--json", "--where")
    assert [record["number"] for record in pynats(*asked, "error is None").objects] == [1]
    assert [record["number"] for record in pynats(*asked, "error == '422: bad'").objects] == [2]
