"""Write the table of findings/README.md: each script with the sentence that is its second line."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "findings"


def table() -> str:
    """The table."""
    rows = [
        f"| [{script.name}]({script.name}) | {script.read_text().splitlines()[1].removeprefix('# ')} |\n"
        for script in sorted(FOLDER.glob("*.sh"))
    ]
    return "".join(["| script | what it shows |\n|---|---|\n", *rows])


def main() -> int:
    """Write it; what stands above the table stays."""
    readme = FOLDER / "README.md"
    readme.write_text(readme.read_text().partition("| script |")[0] + table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
