"""Frozen objects with named fields, for what is made once a run: as frozen dataclasses, but cheap to define.

`@dataclass` writes and compiles the methods of each class whenever it is imported, which for options and settings took
2 to 12 million instructions a class, of the 39 that Python itself starts with. Here the methods are the same for all.
Making an object takes longer in return: what is made for each message is a NamedTuple or a class of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        return lambda kind: kind


T = TypeVar("T", bound="Frozen")


@dataclass_transform(frozen_default=True)
class Frozen:
    """Its fields are the annotations of the class, some with defaults, given by position or by name.

    Two of a class are equal if their fields are. It has no repr, which would show secrets in a traceback or a debugger.
    """

    _fields: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._fields = tuple(cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, kind = self._fields, type(self)
        given = dict(zip(fields, values, strict=False))
        odd = [name for name in named if name not in fields or name in given]
        if odd or len(values) > len(fields):
            raise TypeError(f"{kind.__name__}() got too many values, or twice or unknown: {', '.join(odd)}")
        given.update(named)
        missing = [name for name in fields if name not in given and not hasattr(kind, name)]
        if missing:
            raise TypeError(f"{kind.__name__}() misses {', '.join(missing)}")
        for name in fields:
            self.__dict__[name] = given[name] if name in given else getattr(kind, name)

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return cls._fields

    def replace(self: T, **changes: Any) -> T:
        """One with these fields, the others being the same."""
        if not changes:
            return self
        return type(self)(**{name: getattr(self, name) for name in self._fields} | changes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._fields))
