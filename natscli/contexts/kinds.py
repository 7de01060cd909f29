"""The kinds of credentials, one row each: their options, variables, keys in a context file, and what the values are.

Everything that treats kinds differently reads it here; how nats-py gets them is in connection/credentials.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from natscli.frozen import Frozen


class Holds(Enum):
    """What the value of a setting is."""

    NAME = "a name, which is no secret"
    SECRET = "the secret itself, or a reference to it"
    FILE = "a path, or a reference to what the file would hold"
    PROFILE = "what names the rest to `nsc`"


class Part(Frozen):
    """A setting of a kind: its field in `Settings`, which is its option too, and its key in a context file.

    `metavar` and `help` are those of the option; without `help` there is none. With `asked` the value `-` asks for it
    on the terminal; `embedded` is what `--embed` puts into the context file.
    """

    setting: str
    key: str
    holds: Holds
    label: str
    variable: str = ""
    metavar: str = ""
    help: str = ""
    asked: bool = False
    embedded: bool = False


class Kind(Frozen):
    """A kind of credentials, named by the first of its parts.

    It excludes all others but those it `goes_with`, by their names, and the one it is `overridden_by` (ADR-21).
    """

    parts: tuple[Part, ...]
    goes_with: frozenset[str] = frozenset()
    overridden_by: str = ""

    @property
    def name(self) -> str:
        """The name of its option, without dashes."""
        return self.parts[0].setting

    @property
    def key(self) -> str:
        """The key that a context file has it by."""
        return self.parts[0].key


KINDS = (
    Kind((
        Part("user", "user", Holds.NAME, "Username", "NATS_USER",
             "USER", "Log in as USER; without a password it is a token."),
        Part("password", "password", Holds.SECRET, "Password", "NATS_PASSWORD",
             "PASSWORD", "Log in with PASSWORD; '-' asks for it.", asked=True),
    )),
    # Auth callout servers want a token beside other credentials.
    Kind((
        Part("token", "token", Holds.SECRET, "Token", "NATS_TOKEN",
             "TOKEN", "Log in with TOKEN; '-' asks for it.", asked=True),
    ), goes_with=frozenset({"creds", "nkey", "nsc", "jwt"})),
    Kind((
        Part("creds", "creds", Holds.FILE, "Credentials", "NATS_CREDS",
             "LOCATION", "Log in with a credentials file, or a reference to one.", embedded=True),
    )),
    Kind((
        Part("nkey", "nkey", Holds.FILE, "NKey", "NATS_NKEY",
             "LOCATION", "Log in with an NKey seed, from a file or reference.", embedded=True),
    )),
    Kind((Part("nsc", "nsc", Holds.PROFILE, "nsc profile"),), overridden_by="creds"),
    Kind((
        Part("jwt", "user_jwt", Holds.SECRET, "User JWT", "NATS_JWT",
             "JWT", "Log in with a user JWT or a reference; needs --seed.", embedded=True),
        Part("seed", "user_seed", Holds.SECRET, "User seed", "NATS_SEED",
             "SEED", "Sign with this user seed, or a reference to one.", embedded=True),
    )),
)  # fmt: skip

#: All parts of all kinds.
PARTS = tuple(part for kind in KINDS for part in kind.parts)


def keys(*holds: Holds) -> tuple[str, ...]:
    """The keys of a context file whose values are of these sorts."""
    return tuple(part.key for part in PARTS if part.holds in holds)


def used(is_set: Callable[[Part], object]) -> list[Kind]:
    """The kinds that are set, without one that another overrides."""
    found = [kind for kind in KINDS if is_set(kind.parts[0])]
    names = {kind.name for kind in found}
    return [kind for kind in found if kind.overridden_by not in names]


def deciding(kinds: Sequence[Kind]) -> list[Kind]:
    """`kinds` without one that goes along with all the others: more than one exclude each other."""
    names = {kind.name for kind in kinds}
    return [k for k in kinds if len(names) == 1 or not names - {k.name} <= k.goes_with]


def exclude(kind: Kind, other: Kind) -> bool:
    """Whether only one of the two can be kept in a context."""
    return kind != other and other.name not in kind.goes_with and kind.name not in other.goes_with
