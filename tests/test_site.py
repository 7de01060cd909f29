"""The web site: built of the same pages, with every page in its navigation, and no link that leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.site import NAVIGATION, broken_links, build, pages, title

ROOT = Path(__file__).resolve().parent.parent


def test_every_page_is_in_the_navigation_once() -> None:
    listed = [name for names in NAVIGATION.values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(pages()) <= set(listed)
    assert all(title(text) for text in pages().values())


def test_it_is_built_without_a_warning_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    build(tmp_path / "site")
    assert list(broken_links(tmp_path / "site")) == []
    built = {path.parent.name for path in (tmp_path / "site").rglob("index.html")}
    assert {name for name in pages() if name != "index"} <= built
    text = (tmp_path / "site" / "reply" / "index.html").read_text()
    assert "Answering requests" in text
    for scheme in ('data-md-color-scheme="default"', 'data-md-color-scheme="slate"'):
        assert scheme in text
    assert "search" in text


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("other.html", False),
        ("other.html#there", False),
        ("other.html#nowhere", True),
        ("gone.html", True),
        ("#here", False),
        ("#nowhere", True),
        ("https://example.com/", False),
    ],
)
def test_a_broken_link_is_found(tmp_path: Path, link: str, is_broken: bool) -> None:
    (tmp_path / "index.html").write_text(f'<p id="here"><a href="{link}">x</a></p>')
    (tmp_path / "other.html").write_text('<p id="there">x</p>')
    assert list(broken_links(tmp_path)) == ([f"index.html: {link}"] if is_broken else [])
