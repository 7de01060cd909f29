"""A process that is forked for a test is as one that Python is started for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.program import Runner

FACTS = """
import json, os, signal, sys

def stream(file):
    mode = os.fstat(file.fileno()).st_mode
    return [file.encoding, file.errors, file.line_buffering, file.fileno(), file.newlines, mode]

facts = {
    "argv": sys.argv[1:], "name": os.path.basename(sys.argv[0]), "path": sys.path[0], "flags": list(sys.flags),
    "main": sys.modules["__main__"].__spec__.name, "environ": dict(os.environ), "directory": os.getcwd(),
    "parent": os.getppid(), "group": os.getpgrp(), "session": os.getsid(0), "umask": os.umask(0o22),
    "streams": [stream(file) for file in (sys.__stdin__, sys.__stdout__, sys.__stderr__)],
    "descriptors": [int(name) for name in os.listdir("/proc/self/fd")],
    "signals": {name: repr(signal.getsignal(name)).split(" at ")[0] for name in signal.valid_signals()},
    "mask": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "zone": __import__("time").strftime("%Z"),
    "unused": sorted(name for name, module in sys.modules.items() if type(module).__name__ == "_Unused"),
    "finders": len(sys.meta_path), "garbage": __import__("gc").get_threshold(),
}
with open("facts.json", "w") as file:
    json.dump(facts, file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_it_has_all_that_it_would_have(runner: Runner, tmp_path: Path) -> None:
    def found(anew: bool) -> dict[str, Any]:
        run = runner(
            "reply", "ü", "--handler", "facts.py:anything", anew=anew, cwd=folder, stdin=b"x",
            env={"ODD": "\udcfe", "HOME": None, "TZ": "Asia/Kathmandu"},
        )  # fmt: skip
        assert run.status == 2
        return {"run": run, **json.loads((folder / "facts.json").read_text())}

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "facts.py").write_text(FACTS)
    forked, anew = found(False), found(True)
    assert forked["argv"] == ["reply", "ü", "--handler", "facts.py:anything"]
    assert (forked["environ"]["ODD"], "HOME" in forked["environ"]) == ("\udcfe", False)
    assert set(anew.pop("unused")) <= set(
        forked.pop("unused")
    )  # what is imported before is not executed either
    assert {name for name in anew if anew[name] != forked[name]} <= {"run"}, (anew, forked)
    assert (forked["run"].stdout, forked["run"].stderr) == (anew["run"].stdout, anew["run"].stderr)
