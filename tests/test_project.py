"""What the project says about itself in several files says the same in all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.test_all import VERSIONS

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_the_same_pythons_are_tested_and_declared() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    declared = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    tested = re.search(r"^ +python: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    assert tested
    assert declared == list(VERSIONS) == re.findall(r"[\d.]+", tested[1])
    assert f'requires-python = ">={VERSIONS[0]}"' in project


@pytest.mark.parametrize("workflow", ["ci", "release"])
def test_actions_are_pinned_by_commit_and_may_only_read(workflow: str) -> None:
    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text()
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action)] == []
    assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)


def test_a_release_is_published_from_a_tag_only_without_a_token() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "if: github.event_name == 'push'" in text.partition("\n  publish:")[2]
    assert text.count("id-token: write") == 1
    assert "secrets." not in text


def test_what_the_workflow_runs_exists() -> None:
    for path in re.findall(r"tests/[\w/]+\.py", WORKFLOW):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text()
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    verbs = re.findall(r"(?:run|entry): make (\w+)", WORKFLOW + hooks)
    assert {"check", "test"} <= set(verbs)
    for verb in verbs:
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb


def test_the_documents_link_to_what_exists() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(((?!http)[^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_what_the_tests_need_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements-dev.txt").read_text()
    locked = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=\w)", lock, flags=re.MULTILINE) if block)
    assert "://" not in lock
    project = (ROOT / "pyproject.toml").read_text()
    needed = project[project.index("\ndependencies = [") : project.index("[project.urls]")]
    needed = re.sub(r"^interop = \[.*?^\]", "", needed, flags=re.MULTILINE | re.DOTALL)  # no part of dev
    names = re.findall(r'(?:^ +|= \[|, )"([\w.-]+)', needed, re.MULTILINE)
    assert len(names) > 15
    missing = {name.lower().replace("_", "-") for name in names} - locked - {"pynats-cli"}
    assert not missing, "run make lock"
