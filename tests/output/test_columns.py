"""The room that texts take on a terminal, whatever is in them."""

from __future__ import annotations

import pytest

from natscli.output.columns import crop, pad, width_of


@pytest.mark.parametrize("text", ["\u200da" * 60, "❤\ufe0f" * 60, "👩\u200d👩\u200d👧" * 20, "漢\u200d" * 60])
def test_characters_that_change_the_width_of_others_make_no_row_longer(text: str) -> None:
    for columns in (1, 2, 5, 40):
        cut = crop(text, columns)
        assert sum(2 if c in "漢👩👧" else c != "\u200d" for c in cut) <= columns
        assert width_of(pad(cut, columns)) == columns
