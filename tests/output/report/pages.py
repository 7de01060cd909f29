"""What a page of a report has, as tests see it."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class ReadPage(HTMLParser):
    """What a page has: its figures by name, its elements, its text, and the lines of its charts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.figures: dict[str, set[str]] = {}
        self.tags: list[str] = []
        self.text = ""
        #: The points of each line, from the left and from the top.
        self.lines: list[list[tuple[float, float]]] = []
        #: What stands below each chart, from its beginning to its end.
        self.times = [
            re.findall(r"<span>(.*?)</span>", one) for one in re.findall(r'class="times">(.*?)</div>', html)
        ]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "path":
            points = re.findall(r"[ML]([\d.]+) ([\d.]+)", given["d"] or "")
            self.lines.append([(float(x), float(y)) for x, y in points])
        if tag == "data":
            self.figures.setdefault(given["data-name"] or "", set()).add(given["value"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data
