"""The program: `pynats`, or `python -m natscli`."""

from __future__ import annotations

import gc


def prepare() -> None:
    """Do what comes before all imports of a run."""
    # What is imported stays: to look for garbage meanwhile, as often as Python does, is a tenth of the start.
    gc.set_threshold(100_000, 20, 50)
    import signal

    # Until all is imported there is nothing to clean up, and nobody to show a traceback to.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from natscli.system.lazy import OF_OTHERS, LazyFinder

    LazyFinder(OF_OTHERS).__enter__()


def main() -> None:
    """Run `pynats` with the arguments of this process, and exit with its status."""
    prepare()
    from natscli.cli.root import main as run

    run()


if __name__ == "__main__":
    main()
