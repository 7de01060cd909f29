"""The rules of docs/architecture.md, and that breaking one of them is noticed."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "natscli"

BAD_IMPORTS = {
    "message imports click": ("message/subjects.py", "import click", "natscli.message.subjects -> click"),
    "output imports nats-py": ("output/tables.py", "import nats", "natscli.output.tables -> nats"),
    "output imports wire": ("output/tables.py", "import natscli.wire.nats_py", "natscli.output is not allowed"),
    "output imports a feature": ("output/tables.py", "import natscli.rtt.table", "natscli.output is not allowed"),
    "contexts import click": ("contexts/store.py", "import click", "natscli.contexts.store -> click"),
    "secrets import nats-py": ("secrets/redaction.py", "import nats", "natscli.secrets.redaction -> nats"),
    "secrets import environment": (
        "secrets/redaction.py", "import natscli.environment", "natscli.secrets is not allowed"
    ),
    "system imports contexts": ("system/files.py", "import natscli.contexts.store", "natscli.system is not"),
    "text imports system": ("text.py", "import natscli.system.files", "natscli.text is not allowed"),
    "settings import connection": (
        "settings.py", "import natscli.connection.options", "natscli.settings is not allowed"
    ),
    "connection imports a feature": (
        "connection/connect.py", "import natscli.watch.run", "natscli.connection is not allowed"
    ),
    "request imports a command": (
        "request/requester.py",
        "import natscli.commands.request",
        "natscli.request is not allowed to import natscli.commands",
    ),
    "a command is imported in a function": (
        "connection/connect.py",
        "def late() -> None:\n    import natscli.commands.server",
        "natscli.connection is not allowed to import natscli.commands",
    ),
    "request imports reply": (
        "request/requester.py",
        "import natscli.reply.listener",
        "natscli.request is not",
    ),
    "an engine imports what is shown of it": (
        "watch/matcher.py",
        "import natscli.watch.show.table",
        "natscli.watch.matcher -> natscli.watch.show.table",
    ),
    "two files import each other": (
        "output/streams.py",
        "import natscli.output.pump",
        "No cycles are allowed in natscli.output",
    ),
}  # fmt: skip
#: Names that several classes have, because they are one idea in several rooms.
SHARED_NAMES = {
    "Assignment": "all that another process has to know of a run",
    "Endpoint": "what a service answers on",
    "Observer": "what an engine tells what happens",
    "Pace": "when the next is due",
    "Statistics": "what an engine counts",
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_import_keeps_to_the_rules() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("module", "line", "complaint"), BAD_IMPORTS.values(), ids=BAD_IMPORTS)
def test_a_bad_import_is_refused(tmp_path: Path, module: str, line: str, complaint: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "natscli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "natscli" / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout
    assert complaint in " ".join(done.stdout.split())


def test_check_runs_the_import_rules() -> None:
    check = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert "lint-imports" in check


def private_uses(source: str) -> set[str]:
    """Private attributes of other objects: `x._name`, where x is not of the same class: self, cls, other."""
    return {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls", "super()", "other")
    }


def test_private_names_of_others_are_used_in_wire_only() -> None:
    documented = {
        "_replace",
        "_asdict",
        "_exit",
        "_run_exitfuncs",
    }  # of named tuples, os and atexit: for others
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name != "wire":
            assert private_uses(path.read_text()) <= documented, path


def long_functions(source: str, most: int = 40) -> list[str]:
    """Functions of more lines than `most`, from `def` to the end; of a command, whose options are a table, its body."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            is_command = any(ast.unparse(d).startswith(("option(", "click.")) for d in node.decorator_list)
            first = node.body[0].lineno if is_command else node.lineno
            if (node.end_lineno or 0) - first >= most:
                found.append(node.name)
    return found


def test_no_function_is_longer_than_a_screen() -> None:
    assert long_functions("def f():\n" + "    x = 1\n" * 40) == ["f"]
    assert long_functions("def f():\n" + "    x = 1\n" * 39) == []
    found = {str(path): long_functions(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}


def test_no_module_is_longer_than_a_few_screens() -> None:
    lengths = {str(path): path.read_text().count("\n") for path in PACKAGE.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 360} == {}


def test_no_folder_is_a_heap() -> None:
    counts = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.parent.name != "commands")
    assert {str(folder): count for folder, count in counts.items() if count > 16} == {}


def test_a_name_of_a_class_means_one_thing() -> None:
    found: Counter[str] = Counter()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name] += 1
    assert {name for name, count in found.items() if count > 1} <= set(SHARED_NAMES)


def test_the_scripts_import_in_no_circle() -> None:
    imports = {
        path.stem: set(re.findall(r"(?:from scripts\.|from scripts import )(\w+)", path.read_text()))
        for path in (ROOT / "scripts").glob("*.py")
    }
    seen: dict[str, bool] = {}

    def visit(name: str) -> None:
        assert seen.get(name) is not False, f"{name} is part of a circle"
        if name not in seen:
            seen[name] = False
            for other in imports.get(name, ()):
                visit(other)
            seen[name] = True

    for name in imports:
        visit(name)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_the_pages_name_is_there(page: str) -> None:
    paths = re.findall(r"`((?:natscli/)?[a-z_]+(?:/[a-z_]+)*\.py)`", (ROOT / page).read_text())
    known = {path.name for path in PACKAGE.rglob("*.py")}
    missing = {
        path
        for path in paths
        if not ((PACKAGE / path).exists() or (ROOT / path).exists() or ("/" not in path and path in known))
    }
    assert paths
    assert missing == set()


def test_the_tree_names_every_folder() -> None:
    tree = (ROOT / "docs/architecture.md").read_text().partition("```text")[2].partition("```")[0]
    named = set(re.findall(r"([a-z]+)/ ", tree))
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= named
