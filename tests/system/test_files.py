"""Payloads in files: byte for byte, numbered, and whole whatever happens."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.errors import InputError
from natscli.request.events import Received
from natscli.request.show.saving import saver
from natscli.system.files import check_target, write_whole
from tests.program import Program, Runner
from tests.servers import Server


def reply(request: int, number: int) -> Received:
    return Received("s", request, number, 0, None, b"%d.%d" % (request, number), 0.0)


def test_a_file_is_replaced_whole_and_keeps_no_temporary_one(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    write_whole(str(file), bytes(range(256)))
    assert file.read_bytes() == bytes(range(256))
    assert os.listdir(tmp_path) == ["f"]


def test_the_file_that_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_file_that_cannot_be_replaced_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(str(tmp_path / "d"), b"x")
    assert os.listdir(tmp_path) == ["d"]


@pytest.mark.parametrize(
    ("many_requests", "many_replies", "names"),
    [
        (False, False, {"1": b"1.1"}),
        (True, False, {"1": b"1.1", "2": b"2.1"}),
        (False, True, {"1": b"1.1", "2": b"1.2"}),
        (True, True, {"1.1": b"1.1", "1.2": b"1.2", "2.1": b"2.1"}),
    ],
)
def test_several_are_numbered(
    tmp_path: Path, many_requests: bool, many_replies: bool, names: dict[str, bytes]
) -> None:
    save = saver(str(tmp_path / "{n}"), many_requests=many_requests, many_replies=many_replies)
    for content in names.values():
        assert save(reply(*map(int, content.split(b".")))) == b""
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == names


def test_the_permissions_of_the_old_file_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch(0o600)
    write_whole(str(file), b"new")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(("private", "mode"), [(False, 0o640), (True, 0o600)])
def test_the_owner_of_the_old_file_can_still_read_it(tmp_path: Path, private: bool, mode: int) -> None:
    file = tmp_path / "f"
    file.touch()
    os.chown(file, 1234, 2345)
    file.chmod(0o640)
    write_whole(str(file), b"new", private=private)
    state = file.stat()
    assert (file.read_bytes(), state.st_uid, state.st_gid, state.st_mode & 0o777) == (
        b"new",
        1234,
        2345,
        mode,
    )


@pytest.mark.skipif(len(os.getgroups()) < 2 and os.geteuid() != 0, reason="there is one group only")
def test_the_group_of_the_old_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch()
    group = next((group for group in os.getgroups() if group != os.getegid()), 2345)
    os.chown(file, -1, group)
    write_whole(str(file), b"new")
    assert file.stat().st_gid == group


def test_a_device_or_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for path in (str(pipe), os.devnull):
            check_target(path, "--output")
            write_whole(path, b"new")
        assert os.read(reader, 100) == b"new"
    finally:
        os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"]
    assert not any(os.path.isfile(path) for path in (pipe, os.devnull))


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="/dev/shm is a folder of Linux")
def test_a_file_below_dev_is_a_file(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        file = Path(folder) / "f"
        for data in (b"old", b"new"):
            check_target(str(file), "--output")
            write_whole(str(file), data)
        assert file.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_an_open_file_is_written_to_under_its_number(tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with (tmp_path / "f").open("ab") as file:
        path = name.format(file.fileno())
        if not os.path.exists(path):
            pytest.skip(f"this system has no {name}")
        inode = (tmp_path / "f").stat().st_ino
        (tmp_path / "link").symlink_to(path)
        for target in (path, str(tmp_path / "link")):
            write_whole(target, b"+new")
    assert (tmp_path / "f").read_bytes() == b"old+new+new"
    assert (tmp_path / "f").stat().st_ino == inode


def test_dev_stdout_is_written_to(spawn: Callable[..., Program], pynats: Runner, nats_server: Server) -> None:
    spawn("reply", "t.stdout", "there", server=nats_server)
    arguments = ("request", "t.stdout", "x", "--wait-for-responders", "10s", "-o", "/dev/stdout")
    run = pynats(*arguments, server=nats_server)
    assert (run.status, run.stdout) == (0, b"there")


def test_an_error_has_the_name_that_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(str(tmp_path / "f"), b"new")
    assert caught.value.filename == str(tmp_path / "f")
    assert (os.listdir(tmp_path), (tmp_path / "f").read_bytes()) == (["f"], b"old")


def test_an_error_of_a_device_has_its_name() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole("/dev/full", b"new")
    assert caught.value.filename == "/dev/full"


@pytest.mark.parametrize("path", ["", "-"])
def test_what_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="not the name of a file"):
        check_target(path, "--output")


@pytest.mark.parametrize("path", ["", "gone/f", "link"])
def test_a_file_that_cannot_be_written_is_found_before(tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "f")
    with pytest.raises(InputError, match="director"):
        check_target(str(tmp_path / path), "--output")


def test_a_file_that_is_read_only_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    # As for a user who is not root, who may write to everything.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file)
    with pytest.raises(InputError, match="cannot write to"):
        check_target(str(file), "--output")
    check_target(str(tmp_path / "other"), "--output")


def test_a_run_that_is_killed_leaves_the_old_file_or_a_new_one(
    spawn: Callable[..., Program], pynats: Runner, nats_server: Server, tmp_path: Path
) -> None:
    size = 400_000
    (tmp_path / "body").write_bytes(b"n" * size)
    (tmp_path / "out-1").write_bytes(b"o" * size)
    spawn("reply", "t.files", "--echo", server=nats_server)
    for moment in range(10):
        program = spawn("request", "t.files", "--body-file", str(tmp_path / "body"), "--count", "5000", "--quiet",
                        "-o", str(tmp_path / "out-{n}"), server=nats_server)  # fmt: skip
        program.wait_until(lambda: (tmp_path / "out-2").exists(), "a second file")
        time.sleep(0.002 * moment)
        program.send_signal(signal.SIGKILL)
        program.wait()
        for file in tmp_path.glob("out-*"):
            assert file.read_bytes() in (b"n" * size, b"o" * size)
            file.unlink()
        (tmp_path / "out-1").write_bytes(b"o" * size)
