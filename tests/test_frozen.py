"""Frozen objects: what frozen dataclasses would do."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Generic, TypeVar

import pytest

from natscli.frozen import Frozen

T = TypeVar("T")


class Point(Frozen):
    """A point with a name."""

    x: int
    y: int = 2
    name: str = ""

    @property
    def both(self) -> tuple[int, int]:
        """What is computed is no field."""
        return self.x, self.y


class Other(Frozen):
    """Has the same fields."""

    x: int
    y: int = 2
    name: str = ""


class Box(Frozen, Generic[T]):
    """Holds a value of a type."""

    value: T
    note: str = "none"


def test_fields_are_given_by_position_or_by_name_and_have_defaults() -> None:
    assert Point(1).field_names() == Point.field_names() == ("x", "y", "name")
    for point in (Point(1), Point(1, 2), Point(x=1), Point(1, name="", y=2)):
        assert (point.x, point.y, point.name, point.both) == (1, 2, "", (1, 2))
    assert (Box("v").value, Box(1, "n").note) == ("v", "n")


@pytest.mark.parametrize("values", [(), (1, 2, "", 4)])
def test_too_few_and_too_many_values_are_refused(values: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="Point"):
        Point(*values)


@pytest.mark.parametrize("named", [{"z": 1}, {"x": 2}])
def test_an_unknown_name_and_a_field_given_twice_are_refused(named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Point"):
        Point(1, **named)


def test_it_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="a Point cannot be changed"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="a Point cannot be changed"):
        del point.x
    with pytest.raises(AttributeError):
        point.new = 2
    assert point == Point(1)


def test_replace_gives_another_one() -> None:
    point = Point(1, name="a")
    assert point.replace(y=5) == Point(1, 5, "a")
    assert point == Point(1, 2, "a")
    with pytest.raises(TypeError, match="Point"):
        point.replace(z=1)


def test_two_are_equal_if_their_class_and_their_fields_are() -> None:
    assert Point(1) == Point(1, 2)
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert {Point(1), Point(1, 2)} == {Point(1)}


def test_a_copy_and_what_was_pickled_are_the_same() -> None:
    point = Point(1, name="a")
    assert pickle.loads(pickle.dumps(point)) == point == copy.deepcopy(point)


def test_it_shows_nothing_of_its_fields() -> None:
    assert "secret" not in repr(Point(1, name="secret"))
