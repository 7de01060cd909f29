"""The program: `pynats`, or `python -m natscli`."""

from __future__ import annotations

import gc
import signal


def main() -> None:
    """Run `pynats` with the arguments of this process, and exit with its status."""
    # Until all is imported there is nothing to clean up, and nobody to show a traceback to.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What is imported stays, and messages are freed as they go: looking for garbage as often as Python does by
    # default is a tenth of the start-up time.
    gc.set_threshold(100_000, 20, 50)
    from natscli.system.lazy import OF_OTHERS, LazyFinder

    LazyFinder(OF_OTHERS).__enter__()
    from natscli.cli.root import main as run

    run()


if __name__ == "__main__":
    main()
