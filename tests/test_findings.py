"""Every script in findings/ can be run by anyone, says what it is about, and is listed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from scripts.findings import table

FOLDER = Path(__file__).resolve().parent.parent / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_can_be_run_and_says_what_it_is(script: Path) -> None:
    text = script.read_text()
    lines = text.splitlines()
    assert os.access(script, os.X_OK)
    assert lines[0] == "#!/usr/bin/env bash"
    assert re.fullmatch(r"# .+\.", lines[1]), "the second line is the finding in a sentence"
    header = text[: text.index("\nset -euo pipefail\n")]
    assert re.search(r"^# Versions?: .*\d", header, re.MULTILINE)
    assert re.search(r"^# Output seen", header, re.MULTILINE)
    assert "trap" in text
    assert not re.search(r"\b(pynats|natscli)\b", text.replace("natscli #", ""))
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_all_findings_are_listed_by_their_sentence() -> None:
    assert (FOLDER / "README.md").read_text().endswith(f"\n\n{table()}"), "run make docs"


def test_a_finding_that_no_longer_holds_is_told(tmp_path: Path) -> None:
    runner = tmp_path / "run"
    runner.write_text((FOLDER / "run").read_text())
    for name, status in (("a.sh", 0), ("b.sh", 3)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho seen {name}\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(["bash", str(runner)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"holds    a\.sh \(\d s\)\nCHANGED  b\.sh \(\d s\)\n    seen b\.sh\n", done.stdout)
