"""The lines of `--pipe`: a request as a JSON object, and the object that an answer is."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from natscli.message.message import Message
from natscli.output.json_lines import Encoder
from natscli.text import exact

_ENCODER = Encoder(ascii_only=True)
_subject, _same_headers = lru_cache(256)(_ENCODER.decoded), lru_cache(256)(_ENCODER.headers)
#: Bytes of a header block, up to which it may be the same for many: then it is made into text once.
_COMMON = 1024
#: The beginning of a line that is too long to be read: whose answer it is.
_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,18})\s*,')


class NoAnswerError(Exception):
    """A line is not an answer, because of what the text says."""


def request_line(number: int, request: Message) -> str:
    """The line for a request, in ASCII: no line separator of Unicode in it may end a line in some language."""
    subject, _, block, payload = request
    headers = "{}"
    if block:
        headers = (_same_headers if len(block) <= _COMMON else _ENCODER.headers)(block)
    try:
        data = f'"data":{quote(payload.decode())}'
    except UnicodeDecodeError:
        data = f'"data_base64":"{b64encode(payload).decode()}"'
    return f'{{"id":{number},"subject":{_subject(subject)},"headers":{headers},{data}}}\n'


def answer_object(line: bytes) -> tuple[int, dict[str, Any]]:
    """The id and the rest of an answer. Bytes that are not UTF-8 are surrogates in its strings.

    It may be the request, changed: its subject is left out, and so are headers without any.

    Raises:
        NoAnswerError: it is none.
    """
    if not line.lstrip().startswith(b"{"):  # cheaper than to parse it, should there be many
        raise NoAnswerError("not an object of JSON")
    try:
        value = json.loads(exact(line))
    except (ValueError, RecursionError) as error:
        raise NoAnswerError(f"not JSON: {error}") from None
    number = value.pop("id", None)
    value.pop("subject", None)
    if not value.get("headers", True):
        del value["headers"]
    if type(number) is not int:
        raise NoAnswerError('"id" is not a number' if number is not None else 'no "id"')
    return number, value


def plain_payload(value: dict[str, Any]) -> bytes | None:
    """The payload of an answer that is text and nothing else, as nearly all are; None for any other."""
    data = value.get("data")
    if len(value) > 1 or type(data) is not str:
        return None
    try:
        return data.encode()
    except UnicodeEncodeError:
        return None


def id_of(start: bytes) -> int | None:
    """The id in the beginning of an answer, if it is the first of its keys."""
    match = _ID.match(start[:100])
    return int(match[1]) if match else None
