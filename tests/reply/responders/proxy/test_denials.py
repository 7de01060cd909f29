"""Which requests a refusal means, against a search of all in flight; no clock, no loop."""

from __future__ import annotations

from itertools import count
from random import Random

from natscli.reply.responders.proxy.denials import Denials


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
