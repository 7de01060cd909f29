"""The table of the kinds of credentials: everything that treats kinds differently has all of them."""

from __future__ import annotations

import pytest

from natscli.cli.root import cli
from natscli.connection import credentials
from natscli.contexts.format import Context, redacted, secrets
from natscli.contexts.kinds import KINDS, PARTS, Holds, Part
from natscli.contexts.shown import LABELS
from natscli.settings import CONTEXT_KEYS, VARIABLES, Settings, Value


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.setting)
def test_every_part_is_a_setting_a_key_and_an_option(part: Part) -> None:
    assert part.setting in Settings.field_names()
    assert part.key in Context.field_names()
    assert (CONTEXT_KEYS[part.setting], VARIABLES.get(part.setting, "")) == (part.key, part.variable)
    assert LABELS[part.key] == part.label
    options = {param.name: getattr(param, "help", "") for param in cli.params}
    assert options.get(part.setting, "").startswith(part.help)
    assert (part.setting in options) == bool(part.help)


def test_every_kind_is_known_to_the_connection() -> None:
    assert list(credentials._READERS) == [kind.name for kind in KINDS]


@pytest.mark.parametrize("part", [p for p in PARTS if p.holds is Holds.SECRET], ids=lambda part: part.setting)
def test_a_secret_part_is_hidden_wherever_it_is_shown(part: Part) -> None:
    context = Context(**{part.key: "s3cr3t-planted"})  # type: ignore[arg-type]
    assert "s3cr3t-planted" not in str(redacted(context).__dict__)
    assert "s3cr3t-planted" in set(secrets(context))
    settings = Settings(**{part.setting: Value("s3cr3t-planted")})  # type: ignore[arg-type]
    assert settings.secrets == ["s3cr3t-planted"]
