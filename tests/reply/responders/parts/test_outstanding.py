"""Requests that something else answers; no clock, no loop."""

from __future__ import annotations

from itertools import count
from random import Random

from natscli.reply.responders.parts.finished import Job
from natscli.reply.responders.parts.outstanding import Denials, Outstanding


def job(number: int) -> Job:
    return Job((b"s", b"i", None, b""), number, 0, lambda *given, more=False: None)


def given(outstanding: Outstanding[int]) -> list[int]:
    """The numbers of the jobs that can be given away now."""
    found = []
    while (pair := outstanding.give()) is not None:
        found.append(pair[1].number)
    return found


def test_jobs_are_given_in_order_and_found_by_their_key() -> None:
    outstanding = Outstanding(count(7))
    outstanding.add(map(job, range(3)), 0.0, 1.0)
    assert outstanding.end(7) is None  # not given yet
    assert given(outstanding) == [0, 1, 2]
    ended = outstanding.end(8)
    assert ended is not None
    assert ended.number == 1
    assert outstanding.end(8) is None


def test_no_more_than_most_are_given_at_once() -> None:
    outstanding = Outstanding(count(), 2)
    outstanding.add(map(job, range(4)), 0.0, 1.0)
    assert given(outstanding) == [0, 1]
    assert outstanding.end(1) is not None
    assert given(outstanding) == [2]


def test_the_time_of_what_waits_counts_from_its_arrival() -> None:
    outstanding = Outstanding(count(), 1)
    outstanding.add(map(job, range(3)), 0.0, 1.0)
    outstanding.add([job(3)], 0.5, 1.0)
    assert given(outstanding) == [0]
    assert outstanding.next_end == 1.0
    assert outstanding.expire(0.9) == []
    assert [late.number for late in outstanding.expire(1.0)] == [0, 1, 2]
    assert (given(outstanding), outstanding.next_end) == ([3], 1.5)


def test_what_is_given_can_be_lost_alone_or_with_what_waits() -> None:
    outstanding = Outstanding(count(), 1)
    outstanding.add(map(job, range(3)), 0.0, 1.0)
    assert given(outstanding) == [0]
    assert [lost.number for lost in outstanding.lose()] == [0]
    assert given(outstanding) == [1]
    assert [lost.number for lost in outstanding.clear()] == [1, 2]
    assert (given(outstanding), outstanding.next_end) == ([], None)


class InFlight(dict[int, bytes]):
    """The subjects of what waits for a reply, by keys; `looked` is how often it was asked whether a key is there."""

    looked = 0

    def waits(self, key: int) -> bool:
        self.looked += 1
        return key in self


def test_a_refusal_means_what_a_search_of_all_in_flight_finds() -> None:
    random, keys = Random(7), count()
    in_flight = InFlight()
    denials = Denials(in_flight.items, in_flight.waits)
    found = set()
    for turn in range(3000):
        subjects = random.choice([[b"real.A"], [b"real.b"], [b"real.A", b"real.b", b"real.c"]])
        sent = [(next(keys), random.choice(subjects)) for _ in range(random.randrange(20))]
        in_flight.update(sent)
        denials.sent(sent)
        denials.answered([(b"a", b"Corp.%d" % turn, None, b"")])
        for key in random.sample(list(in_flight), random.randrange(len(in_flight) + 1)):
            del in_flight[key]
        different = {subject.lower() for subject in in_flight.values()}
        only = next(iter(different)) if len(different) == 1 else None
        sent_to = random.choice(sorted(different)) if different else None
        names = {b"corp.%d" % turn: None, b"mapped.%d" % turn: only, sent_to or b"_inbox.1": sent_to}
        name = random.choice(list(names))
        subject = names[name]
        expected = None if subject is None else [k for k, to in in_flight.items() if to.lower() == subject]
        assert denials.meant(name) == expected
        found.add((name[:4], expected is None))
        for key in expected or ():
            del in_flight[key]
    assert found == {(b"corp", True), (b"mapp", True), (b"mapp", False), (b"real", False), (b"_inb", True)}
    assert in_flight.looked < 4 * next(keys)


def test_a_refusal_looks_at_few_of_many_in_flight() -> None:
    in_flight = InFlight((key, b"real.%d" % (key % 2)) for key in range(10_000))
    denials = Denials(in_flight.items, in_flight.waits)
    for number in range(1000):
        assert denials.meant(b"corp.%d" % number) is None
    assert in_flight.looked <= 2 * 1000
