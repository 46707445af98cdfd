"""An edit that leaves the words of a card as they are is shown: the first line, as found and as expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited import README, claims_of

from cards.audit.first_difference import first_difference

STATEMENT = f"{README} is the text that finetune wrote for this record."


def wording_of(run: Path, text: str) -> str:
    """Evidence on the wording of a card with another text."""
    (run / README).write_bytes(text.encode())
    claims = claims_of(run, "card")
    (claim,) = (claim for claim in claims if claim.statement == STATEMENT)
    assert claim.verdict == "broken"
    return claim.evidence


@pytest.mark.parametrize(
    ("old", "new", "evidence"),
    [
        ("| 0.9263 ± ", "| 0.9499 ± ", ["found '| Dice |", "0.9499 ± ", "expected '| Dice |", "0.9263 ± "]),
        ("## Results\n", "##  Results\n", ["found '##  Results', expected '## Results'."]),
        ("## Results\n", "## Results\r\n", ["found '## Results\\r', expected '## Results'."]),
    ],
)
def test_the_first_line_that_differs_is_shown(run: Path, old: str, new: str, evidence: list[str]) -> None:
    text = (run / README).read_text(encoding="utf-8")
    number = text[: text.index(old)].count("\n") + 1
    found = wording_of(run, text.replace(old, new, 1))
    assert found.startswith(f"Edited: line {number}: found '")
    assert all(part in found for part in evidence), found


def test_exchanged_lines_are_shown(run: Path) -> None:
    lines = (run / README).read_text(encoding="utf-8").split("\n")
    start = next(index for index, line in enumerate(lines) if line.startswith("| AP50 "))
    lines[start : start + 2] = lines[start + 1], lines[start]
    assert f"line {start + 1}: found '| PQ " in wording_of(run, "\n".join(lines))


def test_only_the_part_around_the_difference_of_a_long_line_is_shown() -> None:
    line = "word " * 100
    shown = first_difference(f"same\n{line}0.9 {line}", f"same\n{line}0.8 {line}", 7)
    assert shown.startswith("line 8: found '…") and "0.9 word" in shown and "0.8 word" in shown
    assert len(shown) < 250


def test_a_text_that_ends_early_is_shown() -> None:
    assert first_difference("a", "a\nb") == "found the end of the text, expected 'b'"
    assert first_difference("a\nb", "a\nb") == ""
