"""The end of a process that does not take the interpreter apart."""

from __future__ import annotations


def run_exit_functions() -> None:
    """Run what was registered with `atexit`, which `os._exit` does not; what a handler registered is among it."""
    import atexit

    atexit._run_exitfuncs()
