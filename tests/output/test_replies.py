"""What is shown of a reply, apart from what the tests of `pynats request` see."""

from __future__ import annotations

import io
import time

import pytest

from natscli.environment import Environment
from natscli.output.replies import Reply, renderer


@pytest.mark.parametrize("color", ["never", "always"])
def test_the_time_shown_is_when_it_came(color: str) -> None:
    streams = io.BytesIO(), io.BytesIO(), io.BytesIO()
    render = renderer(
        Environment(*streams, {}, color=color),
        raw=False,
        as_json=False,
        many_requests=True,
        many_replies=False,
    )
    log, _ = render(Reply("x", 1, 1, 1000, None, b"", 1_700_000_000.9))
    assert time.strftime("%H:%M:%S", time.localtime(1_700_000_000)).encode() in log
