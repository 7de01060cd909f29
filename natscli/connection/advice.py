"""What to do about a login that was refused: never what was done already."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from natscli.contexts.kinds import PARTS

if TYPE_CHECKING:
    from natscli.connection.failures import CredentialsRefusedError
    from natscli.connection.options import Plan


#: What the server says, in lower case, when it is not the user whose JWT has expired.
_OF_ACCOUNT = "account authentication expired"


def advise(error: CredentialsRefusedError, plan: Plan, now: float) -> None:
    """Say in `error` why the credentials of `plan` are not valid at `now`; hint at where they are from."""
    problem = plan.credentials.validity.problem(now)
    if problem:  # which says more than the server
        error.what = f"{error.what.partition(': ')[0]}: {problem}"
    if _OF_ACCOUNT in error.what:
        error.hint = "the JWT of the account needs to be renewed, at the server, not that of the user"
    else:
        error.hint = _hint(plan, problem, early=plan.credentials.validity.begins > now)


def _hint(plan: Plan, problem: str, *, early: bool) -> str:
    sources = list(dict.fromkeys(plan.given[part.setting] for part in PARTS if part.setting in plan.given))
    if not sources and any("@" in server for server in plan.servers):
        sources = [plan.given.get("server", "the server URL")]
    if early:
        return "wait until then, or check the clock of this machine"
    if any(source.startswith("context ") for source in sources):
        return f"pynats context info {quote(plan.context)}"
    if not sources:
        give = "give --user and --password, --token or --creds"
        return f"{give}; context {plan.context!r} has no credentials" if plan.context else give
    named = " and ".join(sources)
    return (
        f"get a new user JWT for {named}" if problem else f"check {named}, and that this is the server for it"
    )
