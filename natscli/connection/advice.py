"""What to do about a login that was refused: never what was done already."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from natscli.contexts.kinds import PARTS

if TYPE_CHECKING:
    from natscli.connection.failures import CredentialsRefusedError
    from natscli.connection.options import Plan


def advise(error: CredentialsRefusedError, plan: Plan, now: float) -> None:
    """Say in `error` why the credentials of `plan` are not valid at `now`; hint at where they are from."""
    problem = plan.credentials.validity.problem(now)
    if problem:
        error.what = f"{error.what}: {problem}"
    error.hint = _hint(plan, problem)


def _hint(plan: Plan, problem: str) -> str:
    sources = list(dict.fromkeys(plan.given[part.setting] for part in PARTS if part.setting in plan.given))
    if not sources and any("@" in server for server in plan.servers):
        sources = [plan.given.get("server", "the server URL")]
    if any(source.startswith("context ") for source in sources):
        return f"pynats context info {quote(plan.context)}"
    if not sources:
        give = "give --user and --password, --token or --creds"
        return f"{give}; context {plan.context!r} has no credentials" if plan.context else give
    named = " and ".join(sources)
    return (
        f"get a new user JWT for {named}" if problem else f"check {named}, and that this is the server for it"
    )
