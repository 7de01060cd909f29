"""The file of a recording: whatever takes its place meanwhile, no line is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from natscli.errors import InputError
from natscli.message.records.appended import Appended
from natscli.system.locks import held

LINES = 3000
PROGRAM = f"""
import sys
from natscli.message.records.appended import Appended

file = Appended(sys.argv[1], lambda: print("moved"))
for number in range({LINES}):
    file.append(b"%d\\n" % number)
"""


def test_a_file_that_is_replaced_all_the_time_loses_no_line(tmp_path: Path) -> None:
    path, new = tmp_path / "file", tmp_path / "new"
    path.touch()
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE)
    replaced = 0
    while child.poll() is None:
        with path.open("r+b") as file, held(file.fileno()):
            new.write_bytes(file.read())
            new.replace(path)
            replaced += 1
    moved = child.communicate()[0].count(b"moved")
    assert (child.returncode, path.read_text().split()) == (0, [str(number) for number in range(LINES)])
    assert 0 < moved <= replaced


def test_lines_go_to_where_the_path_leads(tmp_path: Path) -> None:
    path, moved = tmp_path / "file", list[str]()
    file = Appended(str(path), lambda: moved.append("moved"))
    file.append(b"1\n")
    path.rename(tmp_path / "old")
    for line in (b"2\n", b"3\n"):
        assert file.append(line) == (2, None)
    path.unlink()
    file.append(b"4\n")
    assert [one.read_text() for one in (tmp_path / "old", path)] == ["1\n", "4\n"]
    assert (moved, path.stat().st_mode & 0o777) == (["moved"] * 2, 0o600)


def test_a_file_system_that_does_not_tell_files_apart_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("natscli.message.records.appended.is_at", lambda *_: False)
    path = tmp_path / "file"
    file = Appended(str(path), lambda: pytest.fail("nothing was moved"))
    for line in (b"1\n", b"2\n"):
        file.append(line)
    assert path.read_text() == "1\n2\n"


def test_a_new_file_that_cannot_be_appended_to_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    file = Appended(str(path), lambda: None)
    path.unlink()
    path.write_text("half")
    with pytest.raises(InputError, match="its last line is incomplete"):
        file.append(b"1\n")
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(InputError, match="no such file or directory"):
        file.append(b"1\n")


def test_devices_are_written_to() -> None:
    assert Appended(os.devnull, lambda: None).append(b"1\n") == (2, None)
    size, failure = Appended("/dev/full", lambda: None).append(b"1\n2\n")
    assert (size, failure is not None) == (0, True)
