"""NestJS microservices: `{"pattern", "data", "id"}` asks; packets with that id answer, until one is the last.

A request without an id is an event to NestJS, and gets no reply.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.formats.format import Asked, Content, Format, Piece, only_ends, parse_json
from natscli.message.formats.patterns import route
from natscli.message.status import ReplyProblem, read_packet_error
from natscli.text import exact_bytes, replaced

_SEPARATORS = (",", ":")


class NestJS(Format):
    """Packets as @nestjs/microservices 11 and 12 write them."""

    several = True
    silence = "a NestJS handler of an event (@EventPattern), or one that never ends, sends no last reply"

    def __init__(self) -> None:
        self._run = uuid4().hex[:22]

    def subject(self, subject: str) -> str:
        """A pattern that is an object is written with its keys sorted, and without blanks.

        Raises:
            InputError: it is not JSON.
        """
        if not subject.lstrip().startswith("{") or subject.startswith("{{"):  # a template
            return subject
        return route(_pattern_object(subject))

    def request(self, subject: str, number: int, content: Content) -> Content:
        pattern = _dump(_pattern_object(subject)) if subject.startswith("{") else _dump(subject)
        data = ""
        if content.payload:
            try:
                parse_json(content.payload)
            except ValueError as error:
                hint = "the data of a NestJS request is JSON; of a text, with quotes: '\"text\"'"
                raise InputError(
                    f"the payload is not JSON: {error}", where="--format nestjs", hint=hint
                ) from None
            data = f'"data":{content.payload.decode().strip()},'
        return Content(content.header, f'{{"pattern":{pattern},{data}"id":"{self._id(number)}"}}'.encode())

    def read_reply(self, number: int, content: Content) -> Piece | None:
        packet = _packet(content.payload)
        if packet is None:  # from something else than NestJS: shown as it is
            return Piece(content.payload)
        if packet.get("id", self._id(number)) != self._id(number):
            return None
        error = packet.get("err")
        if error is not None:
            return Piece(_dump(error).encode(), problem=read_packet_error(packet))
        payload = _dump(packet["response"]).encode() if "response" in packet else None
        return Piece(payload, last=bool(packet.get("isDisposed")))

    def read_request(self, content: Content) -> Asked:
        packet = _object(content.payload)
        if packet is None or not {"pattern", "data"} & packet.keys():
            return Asked(content.payload)
        data = _dump(packet["data"]).encode() if "data" in packet else b""
        return Asked(data, packet.get("id"))

    def reply(self, asked: Asked, answer: Content, *, first: bool = True, last: bool = True) -> Content:
        packet = {} if only_ends(answer, first=first, last=last) else _answer(answer)
        end = {"isDisposed": True} if last else {}
        own = {} if asked.memory is None else {"id": asked.memory}
        return Content(_without_error(answer.header), _dump(packet | end | own).encode())

    def asked_by(self, reply: Content) -> Asked | None:
        packet = _packet(reply.payload)
        return None if packet is None else Asked(b"", packet.get("id"))

    def belongs(self, request: Content, reply: Content) -> bool:
        packet = _packet(reply.payload)
        own = (_object(request.payload) or {}).get("id") if packet is not None else None
        return packet is None or own is None or packet.get("id", own) == own

    def shown(self, content: Content) -> bytes:
        packet = _object(content.payload)
        if packet is None:
            return content.payload
        if packet.get("err") is not None:
            return _dump(packet["err"]).encode()
        for name in ("response", "data"):
            if name in packet:
                return _dump(packet[name]).encode()
        return b"" if {"isDisposed", "pattern"} & packet.keys() else content.payload

    def recorded(self, reply: Content) -> Content:
        packet = _packet(reply.payload)
        if packet is None:
            return reply
        problem = read_packet_error(packet)
        if problem is None:
            return reply._replace(payload=self.shown(reply))
        header = _with_error(reply.header, problem)
        plain = _answer(Content(header, b""))["err"] == packet["err"]
        return Content(header, b"" if plain else _dump(packet["err"]).encode())

    def _id(self, number: int) -> str:
        return f"{self._run}{number}"


def _pattern_object(text: str) -> dict[str, Any]:
    try:
        value = parse_json(exact_bytes(text))
    except ValueError as error:
        raise InputError(f"the pattern is not JSON: {error}", where="SUBJECT") from None
    return value if isinstance(value, dict) else {}


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        value = parse_json(payload)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _packet(payload: bytes) -> dict[str, Any] | None:
    """The packet that a reply is; None for anything else."""
    packet = _object(payload)
    return packet if packet is not None and {"err", "response", "isDisposed"} & packet.keys() else None


def _answer(answer: Content) -> dict[str, Any]:
    failed = headers.read_service_error(answer.header)
    if failed is not None:
        return {"err": _error(answer.payload, *failed)}
    if not answer.payload:
        return {"response": None}
    try:
        return {"response": parse_json(answer.payload)}
    except ValueError:
        pass
    try:
        return {"response": answer.payload.decode()}
    except UnicodeDecodeError:
        raise ValueError("the answer is neither JSON nor text") from None


def _error(payload: bytes, code: str, text: str) -> Any:
    """What a service error is in a packet: the payload, where that says the same, as in a recording."""
    try:
        value = parse_json(payload) if payload else None
    except ValueError:
        value = None
    problem = read_packet_error({"err": value})
    if problem is not None and (problem.code, _one_line(problem.text)) == (code, text):
        return value
    number = {"code": int(code)} if code.isascii() and code.isdecimal() and len(code) < 10 else {}
    return {"status": "error", **number, "message": text}


def _with_error(block: bytes | None, problem: ReplyProblem) -> bytes:
    """The headers `block` with those of a service error; it has no code if the problem has none."""
    code = [(headers.SERVICE_ERROR_CODE, problem.code)] if problem.code else []
    own = [(headers.SERVICE_ERROR, _one_line(problem.text)), *code]
    return headers.encode([*own, *headers.decode(_without_error(block))])


def _one_line(text: str) -> str:
    return " ".join(replaced(text).replace("\0", " ").split())


def _without_error(block: bytes | None) -> bytes | None:
    """The headers that say nothing which the packet says already."""
    names = (headers.SERVICE_ERROR.lower(), headers.SERVICE_ERROR_CODE.lower())
    return headers.encode(pair for pair in headers.decode(block) if pair[0].lower() not in names) or None


def _dump(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=_SEPARATORS)
    # Half a surrogate pair stays an escape: it is no UTF-8.
    return text if text.isascii() or _is_utf8(text) else json.dumps(value, separators=_SEPARATORS)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


new = NestJS
