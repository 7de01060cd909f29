"""What the workers of a run have to do with each other.

Tests that compare what they measure run alone: `@pytest.mark.alone` keeps the other workers between two tests. And one
collects before the others do, which then need not compile what it has compiled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.leftovers import VARIABLE


@contextmanager
def turn(alone: bool) -> Iterator[None]:
    """The time for one test: that of other workers' tests too, or for this one `alone`.

    Who wants to be alone closes the door and waits until all others are out; nobody comes in meanwhile.
    """
    session = os.environ.get(VARIABLE)
    if session is None or sys.platform == "win32":
        yield
        return
    from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock

    with Path(session, "door").open("ab") as door, Path(session, "room").open("ab") as room:
        flock(door, LOCK_EX)
        flock(room, LOCK_EX if alone else LOCK_SH)
        flock(door, LOCK_UN)
        try:
            yield
        finally:
            flock(room, LOCK_UN)  # also when a child has inherited it


@contextmanager
def behind_the_first() -> Iterator[None]:
    """The time for what the first worker does alone, and the others together when it is done."""
    session = os.environ.get(VARIABLE)
    if session is None or sys.platform == "win32" or sys.dont_write_bytecode:
        yield
        return
    from fcntl import LOCK_EX, LOCK_UN, flock

    with Path(session, "first").open("ab") as file:
        flock(file, LOCK_EX)
        if file.tell():
            flock(file, LOCK_UN)
        try:
            yield
        finally:
            file.write(b"done")
            file.flush()
            flock(file, LOCK_UN)
