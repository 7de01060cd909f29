"""What is in flight, on a clock that the tests move."""

from __future__ import annotations

from itertools import count, islice

from hypothesis import given, settings
from hypothesis import strategies as st

from natscli.message.in_flight import InFlight, random_tokens

#: Seconds that entries may have: as in a run of requests, for a first reply and for each later one.
LIVES = (0.25, 1.0, 5.0)

#: Steps of a schedule: how long after the one before, what happens, to which or how many entries, with how much time.
STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.1, 0.125, 0.3, 1.0, 2.0)),
        st.sampled_from(("add", "add", "extend", "extend all", "remove", "remove all")),
        st.integers(0, 50),
        st.sampled_from(LIVES),
    ),
    max_size=120,
)


class Schedule:
    """A table on a clock of its own, and what must become of each entry: `must_end` by key, `ended` by entry."""

    def __init__(self) -> None:
        self.table: InFlight[int, str] = InFlight(count(7, 3))
        self.now = 0.0
        self.must_end: dict[int, float] = {}
        self.ended: dict[str, float] = {}
        self.added = 0

    def wait_until(self, time: float) -> None:
        """Expire as a timer does: when `next_end` says so, or at once if that is over."""
        while (end := self.table.next_end) is not None and end <= time:
            self.now = max(self.now, end)
            due = {f"entry {key}": key for key, end in self.must_end.items() if end <= self.now}
            over = self.table.expire(self.now)
            assert over
            assert sorted(over) == sorted(due)
            for entry in over:
                del self.must_end[due[entry]]
                self.ended[entry] = self.now
        self.now = max(self.now, time)

    def take(self, what: str, which: int, since: float, life: float) -> None:
        living = list(self.must_end)
        if what == "add":
            entries = [f"entry {7 + 3 * number}" for number in range(self.added, self.added + which % 4)]
            keys = self.table.add(entries, since, life)
            assert [f"entry {key}" for key in keys] == entries
            self.added += len(entries)
            self.must_end.update(dict.fromkeys(keys, since + life))
        elif what == "extend all":
            self.table.extend_all(living[which:], since, life)
            self.must_end.update(dict.fromkeys(living[which:], since + life))
        elif what == "remove all":
            self.table.remove_all(living[which:])
            for key in living[which:]:
                del self.must_end[key]
        elif living:
            key = living[which % len(living)]
            if what == "extend":
                self.table.extend(key, since, life)
                self.must_end[key] = since + life
            else:
                assert self.table.remove(key) == f"entry {key}"
                del self.must_end[key]
                assert (self.table.remove(key), self.table.get(key)) == (None, None)


@given(STEPS, st.sampled_from((0.0, 0.2, 3.0)))
@settings(max_examples=300, deadline=None)
def test_each_ends_when_it_must_whatever_is_added_extended_and_removed(
    steps: list[tuple[float, str, int, float]], waited: float
) -> None:
    """`waited` is how long entries waited before they were added: their time counts from their arrival."""
    schedule = Schedule()
    for pause, what, which, life in steps:
        schedule.wait_until(schedule.now + pause)
        schedule.take(what, which, schedule.now - waited, life)
        assert schedule.table.next_end == min(schedule.must_end.values(), default=None)
        assert sorted(schedule.table) == sorted(f"entry {key}" for key in schedule.must_end)
        assert all(schedule.table.get(key) == f"entry {key}" for key in schedule.must_end)
    schedule.wait_until(schedule.now + max(LIVES))
    assert (len(schedule.table), schedule.must_end) == (0, {})


def test_what_is_sent_later_does_not_give_time_to_what_was_sent_before() -> None:
    table: InFlight[int, str] = InFlight(count())
    table.add(["first"], 0.0, 1.0)
    table.add(["second"], 0.9, 1.0)
    assert table.next_end == 1.0
    assert table.expire(1.0) == ["first"]
    table.add(["third"], 1.0, 1.0)  # as a requester does with what became free
    assert table.next_end == 1.9
    assert table.expire(1.95) == ["second"]
    assert table.next_end == 2.0


def test_what_is_empty_takes_no_room() -> None:
    table: InFlight[int, int] = InFlight(count())
    for number in range(1_000):  # as many times to live
        table.remove(*table.add([number], 0.0, 1.0 + number))
    table.expire(0.0)
    assert not table._lanes


def test_clear_gives_what_was_left() -> None:
    table: InFlight[bytes, str] = InFlight(random_tokens())
    keys = table.add(["a", "b", "c"], 5.0, 1.0)
    assert table.remove(keys[1]) == "b"
    assert table.clear() == ["a", "c"]
    assert (len(table), table.next_end, table.expire(100.0)) == (0, None, [])


def test_tokens_are_not_to_be_guessed() -> None:
    tokens = list(islice(random_tokens(), 10_000))
    assert len(set(tokens)) == len(tokens)
    assert {len(token) for token in tokens} == {16}
    assert set(tokens).isdisjoint(islice(random_tokens(), 10_000))
    ones = sum(int(token, 16).bit_count() for token in tokens)
    assert abs(ones / (64 * len(tokens)) - 0.5) < 0.01  # half of all bits: five standard deviations are 0.003
