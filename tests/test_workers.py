"""A test that is marked `alone` runs while no other does."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from tests.leftovers import VARIABLE
from tests.program import until
from tests.workers import turn


@pytest.mark.skipif(sys.platform == "win32", reason="there is no flock(2) on Windows")
def test_one_alone_waits_for_those_who_are_in_and_keeps_the_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    seen, leave = list[str](), {name: threading.Event() for name in ("a", "b", "alone", "late")}

    def go(name: str) -> threading.Thread:
        def run() -> None:
            with turn(alone=name == "alone"):
                seen.append(name)
                leave[name].wait(20)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    threads = [go("a"), go("b")]
    until(lambda: sorted(seen) == ["a", "b"], "two together")
    threads.append(go("alone"))
    until(lambda: _is_locked(tmp_path / "door"), "the door is closed")
    leave["a"].set()
    threads[0].join()
    threads.append(go("late"))
    assert len(seen) == 2
    leave["b"].set()
    until(lambda: len(seen) == 3, "the next")
    threads[1].join()
    assert seen[2:] == ["alone"]
    leave["alone"].set()
    until(lambda: len(seen) == 4, "the last")
    leave["late"].set()
    for thread in threads:
        thread.join()


def _is_locked(path: Path) -> bool:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock

    with path.open("ab") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        flock(file, LOCK_UN)
    return False
