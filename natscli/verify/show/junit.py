"""Results as JUnit XML, which CI systems show: written as they come, so that any number takes no memory."""

from __future__ import annotations

import re
from itertools import chain
from xml.sax.saxutils import escape, quoteattr

from natscli.environment import Environment
from natscli.output.streams import write_file_parts
from natscli.system.scratch import Scratch
from natscli.text import exact, replaced, visible_line
from natscli.verify.counts import VerifiedCounts
from natscli.verify.verified import VerifiedCase

#: What XML 1.0 cannot hold, in any form.
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnit:
    """A test case for each result, a failure for each that differs, and an error if not all was verified.

    With `updates` the new replies are taken, so that only a missing or slow one is a failure.
    """

    def __init__(self, *, updates: bool = False) -> None:
        self._updates = updates
        self._cases = Scratch()
        self._total = self._failed = 0

    def add_all(self, results: list[VerifiedCase]) -> None:
        """Take some more."""
        for result in results:
            self._add(result)

    def _add(self, result: VerifiedCase) -> None:
        case, differences = result.case, result.differences
        self._total += 1
        updated = self._updates and result.updates
        self._failed += bool(differences) and not updated
        seconds = (result.answers[0].rtt_ns if result.answers else 0) / 1e9
        name = f"{exact(case.subject)} (line {case.line})"
        head = f'<testcase classname={_attribute(case.file)} name={_attribute(name)} time="{seconds:.6f}"'
        text = f"{head}/>\n"
        if differences:
            body = "\n".join(f"{d.kind}: {d.text}" for d in differences)
        if differences and updated:
            text = f"{head}><system-out>updated: {escape(_fit(body))}</system-out></testcase>\n"
        elif differences:
            said = "; ".join(f"{d.kind}: {d.text}" for d in differences)
            kind = _attribute(differences[0].kind)
            text = f"{head}><failure type={kind} message={_attribute(said)}>{escape(_fit(body))}</failure></testcase>\n"
        self._cases.write(text.encode())

    def write(self, path: str, counts: VerifiedCounts, seconds: float, environment: Environment) -> None:
        """Write the file, whole; `-` is stdout. What was not sent, or not verified, is only counted: as skipped.

        Raises:
            OSError: it could not be written.
        """
        error = _error(counts, environment) if counts.cut is not None else ""
        skipped, errors = counts.not_sent + counts.not_verified, int(bool(error))
        numbers = (
            f'tests="{self._total + skipped + errors}" failures="{self._failed}" errors="{errors}"'
            f' skipped="{skipped}" time="{seconds:.3f}"'
        )
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="pynats verify" {numbers}>\n'
        head += f'<testsuite name="pynats verify" {numbers}>\n'
        self._cases.seek(0)
        cases = iter(lambda: self._cases.read(1 << 20), b"")
        parts = chain([head.encode()], cases, [f"{error}</testsuite>\n</testsuites>\n".encode()])
        write_file_parts(path, parts, environment)


def _error(counts: VerifiedCounts, environment: Environment) -> str:
    """A test case of the whole run, which says why it did not come to its end."""
    assert counts.cut is not None
    why = environment.redactor.redact(counts.cut.message)
    said = f"{why}; not verified: {counts.not_verified:,}"
    head = '<testcase classname="pynats verify" name="all were verified" time="0">'
    return f"{head}<error type={_attribute(counts.cut.words)} message={_attribute(said)}/></testcase>\n"


def _fit(text: str) -> str:
    return _NO_XML.sub("\ufffd", replaced(text))


def _attribute(text: str) -> str:
    return quoteattr(_fit(visible_line(text)))
