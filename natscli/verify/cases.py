"""What is sent again: the exchanges of the files, one after another, and what of them cannot be sent."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

from natscli.errors import InputError
from natscli.message.exchange import Exchange
from natscli.message.records.content import RecordProblem, Unfit
from natscli.message.records.left_out import UNFIT_SUBJECT, LeftOut
from natscli.message.records.reading import Found, Values, as_record, exchange_of, open_file
from natscli.message.subjects import check_publish_subject
from natscli.message.templates import SubjectTemplate
from natscli.system.scratch import Scratch
from natscli.text import exact
from natscli.verify.as_read import AsRead

#: Cases that are written to the file and read together.
_PART = 64


class Case(NamedTuple):
    """An exchange to verify, its `position` among the values of its file from 0, and where its request is sent."""

    file: str
    line: int
    position: int
    subject: bytes
    exchange: Exchange


class Cases:
    """The cases of files: `total` of them, why others cannot be sent (`unfit`), and what was read of each file.

    A file is read once, whole, before anything is sent. What was read waits in a temporary file, in any number.
    """

    def __init__(self, paths: tuple[str, ...], to: SubjectTemplate | None, stdin: BinaryIO) -> None:
        """Read them.

        Raises:
            InputError: one cannot be read, has a mistake, or none has anything to send.
            OSError: the temporary file takes no more.
        """
        self.total = 0
        self.unfit = LeftOut()
        self.read: dict[str, AsRead] = {}
        self._kept = Scratch()
        cases = self._read(paths, to, stdin)
        while part := list(islice(cases, _PART)):
            self._kept.write(pickle.dumps(part, pickle.HIGHEST_PROTOCOL))
            self.total += len(part)
        self._kept.seek(0)  # so that what it does not take is known before anything is sent
        if not self.total:
            raise nothing_to_send(self.unfit, paths[0])

    def __iter__(self) -> Iterator[Case]:
        self._kept.seek(0)
        left = self.total
        while left > 0:
            part = pickle.load(self._kept)
            left -= len(part)
            yield from part

    def _read(self, paths: tuple[str, ...], to: SubjectTemplate | None, stdin: BinaryIO) -> Iterator[Case]:
        for path in paths:
            read = self.read[path] = AsRead()
            for index, found in enumerate(Values(path, open_file(path, "FILE", stdin))):
                read.add(found)
                case = _case(path, index, found, to)
                if isinstance(case, str):
                    self.unfit.add(case, found.first_line)
                else:
                    yield case


def nothing_to_send(unfit: LeftOut, path: str) -> InputError:
    """What is wrong with a file of which nothing can be sent."""
    why = f": {unfit}" if unfit else ""
    return InputError(f"no request to send{why}", where="" if path in why else path)


def _case(path: str, index: int, found: Found, to: SubjectTemplate | None) -> Case | str:
    """What a value of a file asks for, or why it cannot be sent."""
    try:
        record = as_record(found.value)
        if isinstance(record, dict):
            if "subject" not in record:
                return "without a subject"
            if "request" not in record:
                return "without a request, as rules are"
        exchange = exchange_of(record)
    except Unfit as unfit:
        return unfit.why
    except RecordProblem as problem:
        raise found.refuse(problem) from None
    subject = exchange.subject
    if to is not None:
        filled = to.of(subject)
        if filled is None:
            return "whose subject has too few tokens for --to"
        subject = filled
        try:
            check_publish_subject(exact(subject))
        except InputError:
            return UNFIT_SUBJECT
    return Case(path, found.line, index, subject, exchange)
