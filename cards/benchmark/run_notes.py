"""Notes on a table of runs: what its reader must know about the runs that were given."""

from __future__ import annotations

from collections.abc import Sequence

from cards import formatting as words
from cards.benchmark.grouping import RunTable
from cards.benchmark.seeds import ImageKey

LISTED = 3
"""Images and recipes that a note names."""


def notes_on(tables: Sequence[RunTable]) -> list[str]:
    """State why runs on data of the same name are in separate tables, and what a row leaves out or averages.

    Args:
        tables: from `group`.

    Returns:
        One sentence each.
    """
    sentences = []
    first: dict[str, RunTable] = {}
    for table in tables:
        one = first.setdefault(table.data, table)
        if one is not table:
            sentences.append(_what_differs(one, table))
        if prompted := [run.name for run in table.runs if run.prompts]:
            sentences.append(f"{words.listed(prompted)}: accuracy with points and boxes is on the card")
        for row in table.rows:
            if row.stage == "after" and len(row.seeds) < len(row.runs):
                sentences.append(
                    f"{row.title}: {len(row.runs)} runs with {words.counted(len(row.seeds), 'seed')}; "
                    "runs with the same seed are averaged first and count as one"
                )
    return sentences


def _what_differs(first: RunTable, second: RunTable) -> str:
    """Say which images two tables on data of the same name do not have in common."""
    if not second.images:
        return f"{_names(second)}: no test images; in a table of their own"
    one, two = dict(first.images), dict(second.images)
    if one.keys() == two.keys():
        return (
            f"{_names(second)}: Dice of the {second.dice_of}, not of the {first.dice_of}; in a separate table"
        )
    return (
        f"data set {first.data}: {_names(first)} and {_names(second)} were tested on different images, "
        f"so they are in separate tables; in common: {len(one.keys() & two.keys())}; "
        f"only in the first: {_only(one, two)}; only in the second: {_only(two, one)}"
    )


def _names(table: RunTable) -> str:
    titles = [row.title for row in table.rows if row.stage == "after"]
    return words.listed([*titles[:LISTED], *(["others"] if len(titles) > LISTED else [])])


def _only(images: dict[ImageKey, str], others: dict[ImageKey, str]) -> str:
    pixels = {image for image, _ in others}
    missing = [
        f"{name} (with another label image)" if key[0] in pixels else name
        for key, name in sorted(images.items(), key=lambda item: item[1])
        if key not in others
    ]
    if not missing:
        return "none"
    more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
    return ", ".join(missing[:LISTED]) + more
