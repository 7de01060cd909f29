"""HTML that is put together of text, which is always escaped, and of other HTML."""

from __future__ import annotations

from html import escape
from typing import NewType

from natscli.text import visible_line

Html = NewType("Html", str)
"""HTML: made by `text` and `element` only."""

#: Elements without an end. Those of SVG have one.
_VOID = frozenset(("meta",))


def text(value: str) -> Html:
    """Any text as HTML: nothing in it is markup, controls are shown as escapes."""
    return Html(escape(visible_line(value)))


def element(tag: str, *children: Html, **attributes: str) -> Html:
    """An element with `children` and `attributes`; `class_` is class, other underscores are hyphens."""
    names = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    given = "".join(f' {name}="{text(value)}"' for name, value in names)
    return Html(f"<{tag}{given}>" + ("" if tag in _VOID else f"{''.join(children)}</{tag}>"))
