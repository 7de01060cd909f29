"""Locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from natscli.system.locks import Lock, try_lock

HOLD = """
import sys, os
from natscli.system.locks import Lock, try_lock
fd = os.open(sys.argv[1], os.O_RDWR)
if sys.argv[2] == "whole":
    assert try_lock(fd)
else:
    Lock(fd, 1).__enter__()
print("locked", flush=True)
sys.stdin.read()
"""


def hold(path: Path, what: str) -> subprocess.Popen[bytes]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    return holder


def test_a_file_is_locked_until_its_holder_dies(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    descriptor = os.open(tmp_path / "f", os.O_RDWR)
    with hold(tmp_path / "f", "whole") as holder:
        assert not try_lock(descriptor)
        holder.kill()
        holder.wait()
        assert try_lock(descriptor)
    os.close(descriptor)


def test_locks_of_two_numbers_do_not_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    descriptor = os.open(tmp_path / "f", os.O_RDWR)
    with hold(tmp_path / "f", "1") as holder:
        with Lock(descriptor, 0):
            assert holder.poll() is None
        holder.kill()
        holder.wait()
        with Lock(descriptor, 1):
            pass
    os.close(descriptor)
