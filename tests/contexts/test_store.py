"""The store on disk: the Go CLI's files, private, never torn, never lost."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from natscli.contexts.format import Context, dump, parse
from natscli.contexts.names import validate_name
from natscli.contexts.store import ContextStore
from natscli.errors import InputError

INTEROP = Path(__file__).parent / "interop" / "nats"


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    return tmp_path / "config" / "nats"


@pytest.fixture
def store(config_dir: Path) -> ContextStore:
    return ContextStore(str(config_dir))


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def put(store: ContextStore, name: str, data: bytes) -> Path:
    """A context file with any contents."""
    store.save(name, Context())
    path = Path(store.path(name))
    path.write_bytes(data)
    return path


def test_the_folder_of_the_go_cli_is_read(tmp_path: Path) -> None:
    shutil.copytree(INTEROP, tmp_path / "nats")
    store = ContextStore(str(tmp_path / "nats"))
    assert store.names() == ["local", "secure"]
    assert (store.selected(), store.previous()) == ("secure", "local")
    assert store.load("local").url == "nats://127.0.0.1:14300"
    assert store.select_previous() == "local"
    assert (tmp_path / "nats" / "context.txt").read_bytes() == b"local"
    assert (tmp_path / "nats" / "previous-context.txt").read_bytes() == b"secure"


def test_a_folder_that_is_not_there_holds_nothing_and_is_not_made(
    store: ContextStore, config_dir: Path
) -> None:
    assert store.names() == []
    assert (store.selected(), store.previous()) == (None, None)
    assert store.unselect() is None
    assert not config_dir.exists()


@pytest.mark.parametrize("name", ["a", "a.b", "-", "a b", "ünï", "@"])
def test_good_names(name: str, store: ContextStore) -> None:
    store.save(name, Context(url=name))
    assert store.names() == [name]
    assert store.load(name).url == name


@pytest.mark.parametrize(
    "name", ["", "a/b", "a\\b", "..", "a..b", "a\0b", "a\n", "\x1b[2Ja", "a\tb", "a\x7f", "a\x9b", "a\udc9b"]
)
def test_bad_names_are_refused(name: str, store: ContextStore) -> None:
    for action in (validate_name, store.path, store.exists, store.read, store.remove, store.select):
        with pytest.raises(InputError, match="name"):
            action(name)
    with pytest.raises(InputError, match="name"):
        store.save(name, Context())


def test_what_is_no_context_is_not_listed(store: ContextStore) -> None:
    path = put(store, "good", b"{}")
    put(store, "broken", b"{")
    for name in ("empty.json", "a..b.json", "note.txt", ".json"):
        (path.parent / name).write_bytes(b"" if name == "empty.json" else b"{}")
    (path.parent / "folder.json").mkdir()
    assert store.names() == ["broken", "good"]


def test_an_empty_file_can_be_saved_over(store: ContextStore) -> None:
    put(store, "a", b"")
    assert store.update("a", lambda old: (old or Context()).replace(url="new")).url == "new"


def test_a_missing_context_suggests_the_near_name(store: ContextStore) -> None:
    store.save("production", Context())
    with pytest.raises(InputError, match="unknown context 'prodution'") as caught:
        store.load("prodution")
    assert "did you mean 'production'" in caught.value.hint
    with pytest.raises(InputError) as caught:
        store.select("zzz")
    assert caught.value.hint == "pynats context ls"


def test_a_selected_context_that_is_gone_is_said_clearly(store: ContextStore) -> None:
    store.save("a", Context())
    store.select("a")
    os.unlink(store.path("a"))
    with pytest.raises(InputError, match="the selected context 'a' does not exist") as caught:
        store.load("a")
    assert "pynats context unselect" in caught.value.hint


@pytest.mark.parametrize(("name", "pasted"), [("a b", "'a b'"), ("$(id)", "'$(id)'"), ("-x", "-- -x")])
def test_the_command_of_a_hint_can_be_pasted(store: ContextStore, name: str, pasted: str) -> None:
    put(store, name, b"{")
    with pytest.raises(InputError) as caught:
        store.load(name)
    assert caught.value.hint == f"pynats context edit {pasted}"


def test_a_corrupt_context_says_how_to_repair_it(store: ContextStore) -> None:
    path = put(store, "bad", b'{"url": }')
    with pytest.raises(InputError) as caught:
        store.load("bad")
    assert caught.value.where == f"{path}, line 1, column 9"
    assert caught.value.hint == "pynats context edit bad"
    with pytest.raises(InputError, match="invalid JSON"):
        store.update("bad", lambda old: Context())
    assert path.read_bytes() == b'{"url": }'


def test_selecting_remembers_the_one_before(store: ContextStore) -> None:
    for name in ("a", "b"):
        store.save(name, Context())
        store.select(name)
    store.select("b")  # again: the one before stays what it was
    assert (store.selected(), store.previous()) == ("b", "a")
    assert store.unselect() == "b"
    assert (store.selected(), store.previous()) == (None, "b")
    assert store.select_previous() == "b"


def test_without_a_previous_context_there_is_nothing_to_go_back_to(store: ContextStore) -> None:
    with pytest.raises(InputError, match="no previous context"):
        store.select_previous()


def test_removing_the_selected_context_unselects_it(store: ContextStore) -> None:
    store.save("a", Context())
    store.select("a")
    store.remove("a")
    assert store.selected() is None
    with pytest.raises(InputError, match="unknown"):
        store.remove("a")


def test_a_context_with_a_control_character_in_its_name_is_not_listed(store: ContextStore) -> None:
    (put(store, "b", b"{}").parent / "a\n.json").write_bytes(b"{}")
    assert store.names() == ["b"]


@pytest.mark.parametrize("new", ["c", "a b", "-"])
def test_a_renamed_context_stays_selected_or_previous(store: ContextStore, new: str) -> None:
    for name in ("a", "b"):
        store.save(name, Context(url=name))
        store.select(name)
    store.rename("b", new)
    assert (store.selected(), store.previous()) == (new, "a")
    store.rename("a", "d")
    assert (store.selected(), store.previous()) == (new, "d")
    assert store.names() == sorted([new, "d"])
    assert store.load(new).url == "b"


@pytest.mark.parametrize(
    ("name", "new", "error"),
    [
        ("x", "c", "unknown context 'x'"),
        ("a", "b", "'b' exists"),
        ("a", "a", "'a' has that name already"),
        ("a", "../c", "invalid"),
        ("a", "c\n", "control character"),
        ("a", "c ", "cannot be selected"),
    ],
)
def test_a_rename_that_cannot_be_changes_nothing(
    store: ContextStore, name: str, new: str, error: str
) -> None:
    for each in ("b", "a"):
        store.save(each, Context(url=each))
        store.select(each)
    with pytest.raises(InputError, match=error):
        store.rename(name, new)
    assert store.names() == ["a", "b"]
    assert (store.load("a").url, store.load("b").url) == ("a", "b")
    assert (store.selected(), store.previous()) == ("a", "b")


def test_a_name_that_the_selection_file_cannot_keep_is_not_selected(store: ContextStore) -> None:
    store.save(" a", Context())
    with pytest.raises(InputError, match="white space"):
        store.select(" a")


def test_files_and_folders_are_private_whatever_the_umask(
    store: ContextStore, config_dir: Path, umask: int
) -> None:
    store.save("a", Context(password="p"))
    store.save("b", Context())
    store.select("a")
    store.select("b")
    assert [mode(config_dir.parent), mode(config_dir), mode(config_dir / "context")] == [0o700] * 3
    files = [path for path in config_dir.rglob("*") if path.is_file()]
    assert len(files) == 5  # with the lock
    assert {mode(path) for path in files} == {0o600}


def test_a_readable_file_becomes_private_when_it_is_rewritten(store: ContextStore) -> None:
    path = put(store, "a", b"{}")
    path.chmod(0o644)
    store.save("a", Context())
    assert mode(path) == 0o600


def test_a_linked_context_stays_a_link(store: ContextStore, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "a.json"
    real.parent.mkdir()
    real.write_bytes(dump(Context(url="old")))
    link = put(store, "a", b"{}")
    link.unlink()
    link.symlink_to(real)
    store.update("a", lambda old: (old or Context()).replace(user="u"))
    assert link.is_symlink()
    assert parse(real.read_bytes(), "") == Context(url="old", user="u")
    assert os.listdir(real.parent) == ["a.json"]
    store.remove("a")
    assert real.exists()


def test_a_link_to_nothing_gets_its_target(store: ContextStore, tmp_path: Path) -> None:
    link = put(store, "a", b"{}")
    link.unlink()
    link.symlink_to(tmp_path / "target.json")
    store.update("a", lambda old: Context(url="none" if old is None else "some"))
    assert parse((tmp_path / "target.json").read_bytes(), "").url == "none"


def test_a_link_to_nothing_is_said_to_be_one(store: ContextStore, tmp_path: Path) -> None:
    link = put(store, "a", b"{}")
    link.unlink()
    link.symlink_to(tmp_path / "target.json")
    with pytest.raises(InputError, match="context 'a' is a broken symbolic link") as caught:
        store.load("a")
    assert (caught.value.where, caught.value.hint) == (str(link), "pynats context rm a")


def test_a_folder_that_cannot_be_searched_is_not_taken_for_an_empty_one(
    store: ContextStore, config_dir: Path
) -> None:
    config_dir.mkdir(parents=True)
    folder = config_dir / "context"
    folder.symlink_to(folder)  # for root too; bits that forbid it are not
    with pytest.raises(InputError, match="cannot read the context: too many levels of symbolic links"):
        store.exists("a")
    with pytest.raises(InputError, match="cannot read contexts: too many levels of symbolic links"):
        store.names()


def test_what_is_no_regular_file_is_refused_and_left_alone(store: ContextStore, tmp_path: Path) -> None:
    folder, device = put(store, "a", b"").parent, tmp_path / "device"
    os.mkfifo(folder / "fifo.json")
    os.mkfifo(device)
    (folder / "link.json").symlink_to(device)
    (folder / "folder.json").mkdir()
    (folder / "zero.json").symlink_to("/dev/zero")
    for name in ("folder", "fifo", "link", "zero"):
        with pytest.raises(InputError, match="not a regular file") as caught:
            store.load(name)
        assert caught.value.where == store.path(name)
    with pytest.raises(InputError, match="not a regular file"):
        store.update("link", lambda old: Context())
    assert stat.S_ISFIFO(device.stat().st_mode)


def test_a_file_that_is_too_large_is_refused(store: ContextStore) -> None:
    path = put(store, "a", b"{}".ljust(1 << 20))
    assert store.load("a") == Context()
    path.write_bytes(b"{}".ljust((1 << 20) + 1))
    with pytest.raises(InputError, match="more than 1 MiB") as caught:
        store.load("a")
    assert caught.value.where == str(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    store: ContextStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save("a", Context(url="old"))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space") as caught:
        store.save("a", Context(url="new"))
    monkeypatch.undo()
    assert caught.value.filename == store.path("a")
    assert store.load("a").url == "old"
    assert os.listdir(Path(store.path("a")).parent) == ["a.json"]


def test_a_save_over_what_another_program_changed_is_refused(store: ContextStore) -> None:
    store.save("a", Context(url="mine"))
    before = store.read("a")
    store.save("a", Context(url="theirs"))
    with pytest.raises(InputError, match="changed by another program"):
        store.save("a", Context(url="edited"), instead_of=before)
    assert store.load("a").url == "theirs"


_WRITER = """
import sys
from natscli.contexts.format import Context
from natscli.contexts.store import ContextStore
folder, number = sys.argv[1], sys.argv[2]
store = ContextStore(folder)
sys.stdin.read(1)
for turn in range(5):
    name = f"own-{number}-{turn}"
    store.save(name, Context(description="x" * 5000, url=name))
    store.select(name)
    store.update("shared", lambda old: old.replace(description=old.description + f"{number}.{turn} "))
"""


def test_twenty_processes_at_once_lose_and_tear_nothing(store: ContextStore, config_dir: Path) -> None:
    store.save("shared", Context())
    processes = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(config_dir), str(n)], stdin=subprocess.PIPE)
        for n in range(20)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go")
        process.stdin.close()
    running = True
    while running:  # a reader sees whole files at any moment
        running = any(process.poll() is None for process in processes)
        for name in store.names():
            assert store.load(name).url in (name, "")
        assert store.selected() is None or store.exists(store.selected() or "")
    assert [process.wait() for process in processes] == [0] * 20

    turns = {f"{n}.{turn}" for n in range(20) for turn in range(5)}
    assert set(store.load("shared").description.split()) == turns
    assert set(store.names()) == {"shared"} | {f"own-{t.replace('.', '-')}" for t in turns}
    assert (store.selected() or "").startswith("own-")
    assert (store.previous() or "").startswith("own-")
    assert store.selected() != store.previous()
    assert not [n for n in os.listdir(config_dir / "context") if not n.endswith(".json")]


def test_a_rename_that_has_no_room_changes_nothing(
    store: ContextStore, config_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save("a", Context(url="nats://a"))
    store.select("a")
    real = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.rename("a", "b")
    assert (store.names(), store.selected()) == (["a"], "a")
    assert sorted(entry.name for entry in config_dir.rglob("*") if entry.suffix == ".tmp") == []
