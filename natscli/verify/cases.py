"""What is sent again: the exchanges of the files, one after another, and what of them cannot be sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, cast

from natscli.errors import InputError
from natscli.message.exchange import Exchange
from natscli.message.records.content import RecordProblem
from natscli.message.records.reading import Found, Values, as_record, exchange_of, open_file
from natscli.message.subjects import check_publish_subject
from natscli.message.templates import Facts, Template
from natscli.text import exact


class Case(NamedTuple):
    """An exchange to verify, its `position` among the values of its file from 0, and where its request is sent."""

    file: str
    line: int
    position: int
    subject: bytes
    exchange: Exchange


class Cases:
    """The cases of files, each of which can be read twice; standard input is copied for that.

    `total` is how many there are, and `unfit` why others cannot be sent, once they were `checked`.
    """

    def __init__(self, paths: tuple[str, ...], to: Template | None, stdin: BinaryIO) -> None:
        self.total = 0
        self.unfit: Counter[str] = Counter()
        self._to = to
        self._files = [(path, _rereadable(open_file(path, "FILE", stdin))) for path in paths]

    def checked(self) -> Cases:
        """Read all files once.

        Raises:
            InputError: one cannot be read, has a mistake, or none has anything to send.
        """
        self.total = sum(1 for _ in self._read(self.unfit))
        if not self.total:
            why = "; ".join(f"{count} {reason}" for reason, count in self.unfit.items())
            raise InputError(f"no request to send{f': {why}' if why else ''}", where=self._files[0][0])
        return self

    def __iter__(self) -> Iterator[Case]:
        return self._read(Counter())

    def _read(self, unfit: Counter[str]) -> Iterator[Case]:
        for path, file in self._files:
            file.seek(0)
            for index, found in enumerate(Values(path, file)):
                case = _case(path, index, found, self._to)
                if isinstance(case, str):
                    unfit[case] += 1
                else:
                    yield case


def _case(path: str, index: int, found: Found, to: Template | None) -> Case | str:
    """What a value of a file asks for, or why it cannot be sent."""
    try:
        record = as_record(found.value)
        if isinstance(record, dict):
            if "subject" not in record:
                return "without a subject"
            if "request" not in record:
                return "rules without a request"
        exchange = exchange_of(record)
    except RecordProblem as problem:
        if problem.path == ("subject",):
            return "with a subject that nothing can be sent to"
        raise found.refuse(problem) from None
    subject = exchange.subject
    if to is not None:
        subject = to.fill(Facts(0, subject))
        try:
            check_publish_subject(exact(subject))
        except InputError:
            return "whose subject has too few tokens for --to"
    return Case(path, found.line, index, subject, exchange)


def _rereadable(file: BinaryIO) -> BinaryIO:
    """`file`, or a copy of a pipe."""
    if file.seekable():
        return file
    copy = cast(BinaryIO, TemporaryFile())  # noqa: SIM115
    while data := file.read(1 << 20):
        copy.write(data)
    return copy
