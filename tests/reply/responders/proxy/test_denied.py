"""What a proxy may not pass on, beside replies of its own that the server refuses."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.asking import Asker
from tests.program import Program
from tests.reply.test_undelivered import ALL, AS_ALL, AS_U, records_of, totals_of, users
from tests.servers import Server

_MAPPED = 'mappings { "m.*": "n.{{wildcard(1)}}" }\n'


@pytest.mark.parametrize(
    ("permissions", "upstream"),
    [('publish: ["_INBOX.>"]', "real"), ('publish: {deny: "n.bad"}', "m.bad")],
    ids=["the subject", "what a mapping makes of it"],
)
def test_a_proxy_that_may_not_pass_on_says_so_at_once(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], permissions: str, upstream: str
) -> None:
    server = server_factory(_MAPPED + users(permissions))
    proxy = spawn("reply", "p", "--upstream", upstream, "--timeout", "20s", "--json", *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        asker.send("p", b"0", b"1")
        answers = asker.receive(2, timeout=5)
        answers += asker.ask("p", b"2")
    for answer in answers:
        assert b"Nats-Service-Error-Code: 403" in answer.lines
        assert b'Permissions Violation for Publish to "' in answer.header
    assert proxy.stop() == 0
    assert [record["outcome"] for record in records_of(proxy)] == ["error"] * 3
    totals = totals_of(proxy)
    assert (totals["answered"], totals["errors"], totals["undelivered"]) == (3, 3, 0)


def test_of_requests_passed_on_to_several_subjects_only_the_refused_fail(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('publish: {deny: "real.no"}'))
    proxy = spawn("reply", "p.*", "--upstream", "real.{{1}}", "--timeout", "20s", *AS_U, server=server)
    with Asker(server, **ALL) as service, Asker(server, **ALL) as asker:
        service.listen("real.*")
        asker.send("p.yes", b"0")
        asker.send("p.no", b"1")
        assert b"real.no" in asker.receive(1, timeout=5)[0].header
        service.write(service.request().answer(b"", b"answer"))
        assert asker.receive(1)[0].payload == b"answer"
    proxy.stop()


@pytest.mark.parametrize("inbox", ["_INBOX.no.1", "corp.no.1"])
def test_a_refused_reply_of_a_proxy_is_no_refused_request(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], inbox: str
) -> None:
    server = server_factory(users('publish: {deny: "*.no.>"}'))
    proxy = spawn("reply", "p", "--upstream", "real", "--json", *AS_U, server=server)
    with Asker(server, **ALL) as service, Asker(server, **ALL) as asker:
        service.listen("real")
        asker.send("p", b"0", reply=inbox.encode())
        first = service.request()
        asker.send("p", b"1")
        second = service.request()
        service.write(first.answer(b"", b"refused"))
        proxy.wait_for(f'for Publish to "{inbox}"')
        service.write(second.answer(b"", b"answer"))
        assert asker.receive(1)[0].payload == b"answer"
    proxy.stop()
    assert [record["outcome"] for record in records_of(proxy)] == ["undelivered", "answered"]


def test_refused_replies_to_some_of_requests_that_came_together_are_no_refused_requests(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('publish: {deny: "corp.>"}'))
    proxy = spawn("reply", "p", "--upstream", "real", "--json", *AS_U, server=server)
    with Asker(server, **ALL) as service, Asker(server, **ALL) as asker:
        service.listen("real")
        asker.send("p", b"0")
        inboxes = (b"ok.0", b"corp.1", b"Corp.2", b"corp.3")
        asker.write(b"".join(b"PUB p %b 1\r\nx\r\n" % inbox for inbox in inboxes))
        first, *others = [service.request() for _ in range(5)]
        for request in (others[1], others[3]):
            service.write(request.answer(b"", b"refused"))
        for inbox in ("corp.1", "corp.3"):
            proxy.wait_for(f'for Publish to "{inbox}"')
        for request in (others[0], others[2], first):
            service.write(request.answer(b"", b"answer"))
        assert asker.receive(1)[0].payload == b"answer"
        proxy.wait_until(lambda: len(records_of(proxy)) == 5, "five records")
    proxy.stop()
    assert sorted(record["outcome"] for record in records_of(proxy)) == ["answered"] * 3 + ["undelivered"] * 2


@pytest.mark.parametrize(
    ("options", "subject", "count"),
    [
        (["--service", "s"], "$SRV.PING.s", 1),
        (["--fail", "0.5", "--random-seed", "1"], "p", 16),
        ([], "p", 16_500),
    ],
    ids=["about the service", "a failure on purpose", "too many wait"],
)
def test_a_refused_reply_that_a_proxy_makes_itself_is_no_refused_request(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    options: list[str],
    subject: str,
    count: int,
) -> None:
    server = server_factory(users('publish: {deny: "corp.>"}'))
    proxy = spawn("reply", "p", "--upstream", "real", "--json", *options, *AS_U, server=server)
    with Asker(server, **ALL) as service, Asker(server, **ALL) as asker:
        service.listen("real")
        command = b"PUB %b corp.%%d 1\r\nx\r\n" % subject.encode()
        asker.write(b"PUB p yes 1\r\nx\r\n" * 20 + b"".join(command % n for n in range(count)))
        proxy.wait_for('for Publish to "corp.')
        service.write(service.request().answer(b"", b"answer"))
        proxy.wait_until(lambda: b'"answered"' in proxy.stdout_bytes(), "the answer")
        proxy.stop(signal.SIGKILL)  # many still wait
    assert b"Permissions Violation" not in proxy.stdout_bytes()


@pytest.mark.alone
@pytest.mark.parametrize("candidate", [[], ["--candidate", "new.{{1}}"]], ids=["alone", "with a candidate"])
def test_refused_replies_do_not_hold_up_a_proxy_with_many_requests_in_flight(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], candidate: list[str]
) -> None:
    server = server_factory(users('publish: {deny: "no.>"}'))
    proxy = spawn("reply", "p.*", "--upstream", "real.{{1}}", *candidate, *AS_U, server=server)
    spawn("reply", "real.fast", "answer", *AS_ALL, server=server)
    with Asker(server, **ALL) as silent, Asker(server, **ALL) as asker:
        silent.listen("real.slow")
        silent.listen("new.*")
        asker.write(b"PUB p.slow slow 1\r\nx\r\n" * 3000)
        asker.ask("p.fast", b"0")
        asker.write(b"".join(b"PUB p.fast no.%d 1\r\nx\r\n" % n for n in range(3000)))
        proxy.wait_for('for Publish to "no.0"')
        asker.send("p.fast", b"1")
        assert [answer.payload for answer in asker.receive(1, timeout=3)] == [b"answer"]
        proxy.wait_for('for Publish to "no.2999"')
        asker.send("p.fast", b"2")
        assert [answer.payload for answer in asker.receive(1, timeout=3)] == [b"answer"]
        proxy.stop(signal.SIGKILL)  # many still wait


def test_a_candidate_that_may_not_be_asked_is_not_asked(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('publish: {deny: "new"}'))
    proxy = spawn("reply", "p", "--upstream", "real", "--candidate", "new", *AS_U, server=server)
    with Asker(server, **ALL) as service, Asker(server, **ALL) as asker:
        service.listen("real")
        asker.send("p", b"0")
        service.write(service.request().answer(b"", b"answer"))
        assert asker.receive(1)[0].payload == b"answer"
        proxy.wait_for("the candidate is not asked")
    assert proxy.stop() == 0
    assert "Candidate: 1 not asked" in proxy.stderr_text()
    assert "undelivered" not in proxy.stderr_text()
