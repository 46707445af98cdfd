"""The first line in which two texts differ, also if only figures, the order of lines or spaces differ."""

from __future__ import annotations

from itertools import zip_longest
from os.path import commonprefix

BEFORE, AFTER = 30, 60  # characters shown around the first one that differs


def first_difference(found: str, expected: str, first: int | None = None) -> str:
    r"""Describe the first line in which two texts differ.

    Spaces and line ends count, and are shown as Python writes them: `\r`, `\t`.

    Args:
        found: the text as it is stored.
        expected: another text.
        first: number of the first line in its file; None to leave line numbers out.

    Returns:
        What was found and what was expected, on one line; empty for equal texts.
    """
    lines = zip_longest(found.split("\n"), expected.split("\n"))
    for index, (line, wanted) in enumerate(lines):
        if line != wanted:
            place = "" if first is None else f"line {first + index}: "
            same = len(commonprefix([line or "", wanted or ""]))
            start = same - BEFORE if same > AFTER else 0
            return f"{place}found {_shown(line, start)}, expected {_shown(wanted, start)}"
    return ""


def _shown(line: str | None, start: int) -> str:
    if line is None:
        return "the end of the text"
    end = start + BEFORE + AFTER
    return repr("…" * (start > 0) + line[start:end] + "…" * (len(line) > end))
