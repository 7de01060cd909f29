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
    leave["a"].set()
    threads[0].join()
    threads.append(go("late"))
    assert len(seen) == 2
    leave["b"].set()
    until(lambda: len(seen) == 3, "the next")
    assert not set(seen[2:]) - {"alone", "late"}
    first, second = ("alone", "late") if seen[2] == "alone" else ("late", "alone")
    threads[1].join()
    assert seen[2:] == [first]
    leave[first].set()
    until(lambda: len(seen) == 4, "the last")
    leave[second].set()
    for thread in threads:
        thread.join()
