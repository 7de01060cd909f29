"""What a page of a report has, as tests see it."""

from __future__ import annotations

from html.parser import HTMLParser


class ReadPage(HTMLParser):
    """What a page has: its figures by name, its elements, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.figures: dict[str, set[str]] = {}
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "data":
            self.figures.setdefault(given["data-name"] or "", set()).add(given["value"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data
