"""The soak (`make soak` takes ten minutes) for long enough to see each kind of fault, and what it would notice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.soak import account, grown, main


def test_every_request_of_a_short_soak_is_accounted_for(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--seconds", "20", "--rate", "300", "--every", "3", "--seed", "5"])
    shown = capsys.readouterr().out
    print(shown)
    assert status == 0, shown
    assert "every request is accounted for" in shown
    assert shown.count(" killed | ") >= 2


def test_a_request_that_is_missing_or_answered_twice_is_noticed(tmp_path: Path) -> None:
    requester, service = tmp_path / "request", tmp_path / "reply"
    lines = [{"request": n, "data": str(n)} for n in (1, 2, 2, 6)] + [{"request": 3, "error": "no reply"}]
    lines += [{"request": 5, "data": "4"}]
    requester.write_text("".join(json.dumps(line) + "\n" for line in lines))
    service.write_text("".join(json.dumps({"data": str(n)}) + "\n" for n in (1, 2, 6, 6)) + '{"data": "7')
    assert account(7, requester, [service]) == {
        "sent": 7, "answered": 4, "failed": 1, "missing": 2, "answered twice": 1, "answered with something else": 1,
        "handled twice": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("samples", "noticed"),
    [([50.0] * 40, False), ([50.0] * 20 + [60.0] * 20, False), ([50.0 + 2 * n for n in range(40)], True)],
    ids=["flat", "a little more", "more and more"],
)
def test_memory_that_grows_is_noticed(samples: list[float], noticed: bool) -> None:
    assert grown(samples) == noticed
