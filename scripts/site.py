"""Builds the web site of the documentation, of the same pages that the repository shows: `make site`.

The pages are those of docs/, and README.md is the first. Every link is followed once the site is built: one that leads
nowhere fails it. The generator is Zensical, which has followed MkDocs and its Material theme.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "site"
#: The sections and their pages, in order, by the names of the files in docs/; some of the pages are beside README.md.
NAVIGATION = {
    "Start": ("index", "install", "learn"),
    "Use": ("request", "reply", "handlers", "watch", "pubsub", "trace", "rtt", "load", "scripts", "python"),
    "Connect": ("contexts", "tls", "connections"),
    "Test": ("testing", "reliability", "interoperability"),
    "Reference": ("commands", "templates", "differences", "performance", "CHANGELOG"),
    "Develop": ("architecture", "CONTRIBUTING", "SECURITY"),
}
#: Pages beside README.md.
BESIDE = ("CHANGELOG", "CONTRIBUTING", "SECURITY")
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_CONFIG = """\
[project]
site_name = "pynats"
site_description = "NATS request/reply for the terminal, in Python"
site_url = "https://pynats.invalid/"
docs_dir = "docs"
site_dir = "site"
nav = [
{nav}]

[project.theme]
language = "en"
features = ["content.code.copy", "navigation.footer", "navigation.sections", "navigation.top", "search.highlight"]
font = false

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/sun"
toggle.name = "Dark"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/moon"
toggle.name = "Light"

[project.markdown_extensions]
tables = {{}}
toc.permalink = true
pymdownx.superfences = {{}}
pymdownx.highlight = {{}}
"""


def pages() -> dict[str, str]:
    """The text of every page by its name; the links of README.md and the pages beside it lead to where they are."""
    found = {path.stem: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
    found["index"] = (ROOT / "README.md").read_text()
    found.update((name, (ROOT / f"{name}.md").read_text()) for name in BESIDE)
    return {name: _LINK.sub(_moved, text) for name, text in found.items()}


def _moved(link: re.Match[str]) -> str:
    """A link between pages, all of which are in one folder."""
    before, target, after = link.groups()
    if urlsplit(target).scheme or target.startswith("#"):
        return link[0]
    target = target.removeprefix("../").removeprefix("docs/")
    return f"{before}{re.sub(r'^README[.]md', 'index.md', target)}{after}"


def title(text: str) -> str:
    """The first heading of a page."""
    return next(line[2:].strip() for line in text.splitlines() if line.startswith("# "))


def config(texts: dict[str, str]) -> str:
    """The generator's configuration: the pages that are there, by section."""
    nav = ""
    for section, names in NAVIGATION.items():
        entries = [f'{{ "{title(texts[name])}" = "{name}.md" }}' for name in names if name in texts]
        nav += f'  {{ "{section}" = [{", ".join(entries)}] }},\n' if entries else ""
    return _CONFIG.format(nav=nav)


def build(target: Path) -> None:
    """Build the site into `target`, whose contents are replaced.

    Raises:
        subprocess.CalledProcessError: the generator fails, or warns.
    """
    texts = pages()
    with tempfile.TemporaryDirectory(prefix="pynats-site-") as name:
        folder = Path(name)
        (folder / "docs").mkdir()
        for page, text in texts.items():
            (folder / "docs" / f"{page}.md").write_text(text)
        for image in (ROOT / "docs").glob("*.[sp][vn]g"):
            shutil.copy(image, folder / "docs")
        (folder / "zensical.toml").write_text(config(texts))
        program = Path(sys.executable).with_name("zensical")
        subprocess.run([program, "build", "--strict"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "site", target)


class _Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(site: Path) -> Iterator[str]:
    """The links between pages that lead nowhere, each with its page."""
    read: dict[Path, _Links] = {}
    for path in sorted(site.rglob("*.html")):
        read[path] = _Links()
        read[path].feed(path.read_text())
    for path, page in read.items():
        if path.name == "404.html":
            continue  # its links are absolute: it is shown at any address
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            aim = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            aim = aim / "index.html" if aim.is_dir() else aim
            known = read.get(aim)
            if not aim.is_file() or (
                parts.fragment and known and unquote(parts.fragment) not in known.anchors
            ):
                yield f"{path.relative_to(site)}: {link}"


def main() -> int:
    """Build the site and follow its links; 1 if one is broken."""
    build(TARGET)
    broken = list(dict.fromkeys(broken_links(TARGET)))
    for line in broken:
        print(f"site: broken link: {line}", file=sys.stderr)
    print(f"site: {len(list(TARGET.rglob('*.html')))} pages in {TARGET.name}/")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
