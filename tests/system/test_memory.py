"""Memory of large messages is reused."""

from __future__ import annotations

import platform
import subprocess
import sys

FAULTS = """
import resource, sys
from natscli.system.memory import keep_large_blocks

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        first, second = b"x" * 1_000_000, b"y" * 1_000_000
        del first, second
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_large_blocks()
faults()
print(faults())
"""


def test_large_blocks_are_not_fetched_anew_where_the_c_library_can_keep_them() -> None:
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    if platform.libc_ver()[0] == "glibc":
        assert int(run.stdout) < 1000  # of 24,000
