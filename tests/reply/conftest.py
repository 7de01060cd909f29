"""Fixtures of the responders."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def subject(tmp_path: Path) -> str:
    """A subject of the test's own."""
    return tmp_path.name
