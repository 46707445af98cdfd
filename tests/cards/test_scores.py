"""Text in CSV files is text: no spreadsheet computes it."""

from __future__ import annotations

import pytest

from cards.scores import csv_text


@pytest.mark.parametrize(
    "text", ["=cmd()|'/c'!A0.png", "+1.tif", "-1.tif", "@SUM(A1).tif", "\t=1", " =1", "＝1"]
)
def test_text_that_begins_like_a_formula_is_neutralized(text: str) -> None:
    assert csv_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a.tif", "well A1=3.tif", "'quoted'.tif", "", "ä" * 300])
def test_other_text_is_unchanged(text: str) -> None:
    assert csv_text(text) == text
