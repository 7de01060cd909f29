"""Headers of replies as templates: the lines of a header block, filled in for each request."""

from __future__ import annotations

from collections.abc import Callable

from natscli.message import headers
from natscli.message.templates import Facts, Template

HeaderTemplates = tuple[tuple[str, Template], ...]

START = headers.LINE + b"\r\n"
_ONE_LINE = bytes.maketrans(b"\r\n\0", b"   ")


def header_lines(header: HeaderTemplates) -> Template:
    """All headers as one template of whole lines. A request put into a header cannot end its line."""
    if all(template.is_static for _, template in header):
        return Template(b"".join([b"%b: %b\r\n" % (name.encode(), t.format) for name, t in header]))
    lines, fields = [], []
    for name, template in header:
        format = template.format.replace(b"%", b"%%") if template.is_static else template.format
        lines.append(b"%b: %b\r\n" % (name.encode().replace(b"%", b"%%"), format))
        fields += [_on_one_line(field) for field in template.fields]
    return Template(b"".join(lines), tuple(fields))


def header_block(lines: bytes) -> bytes | None:
    """The header block of these lines, or none without lines."""
    return b"%b%b\r\n" % (START, lines) if lines else None


def _on_one_line(field: Callable[[Facts], bytes]) -> Callable[[Facts], bytes]:
    return lambda facts: field(facts).translate(_ONE_LINE)
