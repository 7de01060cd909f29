"""Every command of docs/testing.md that a console shows is run and shows what is written there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.program import Runner
from tests.reply.test_docs import run_all
from tests.servers import Server
from tests.test_readme import ROOT


def test_a_service_is_recorded_mocked_and_verified_as_the_document_says(
    runner: Runner, nats_server: Server, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    for name, code in re.findall(r"^```python\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (runner.directory / name).write_text(code)
    blocks = re.findall(r"^```console\n.*?^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        run_all(block, runner, nats_server)
