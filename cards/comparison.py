"""Comparison of two run records: what differs in recipe, data, model, training, accuracy and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cards import formatting as words
from cards import result_tables, tables
from cards import statements as facts
from cards.leakage import relations
from cards.record import RunRecord
from cards.tables import Rows

ABSENT = "–"
"""Where only the other run has the item."""


@dataclass(frozen=True)
class Difference:
    """One item of which two runs hold different values.

    Attributes:
        item: name of the item, e.g. "training.epochs".
        first: value in the first run, as text.
        second: value in the second run.
    """

    item: str
    first: str
    second: str


def compare(first: RunRecord, second: RunRecord) -> dict[str, list[Difference]]:
    """List what differs between two runs, except their accuracy: see `cards.paired_scores`.

    Args:
        first: a run.
        second: another run.

    Returns:
        Differences by section, in the order of a card; a section without differences is absent.
    """
    sections: dict[str, Callable[[RunRecord], dict[str, str]]] = {
        "Recipe": lambda run: dict(leaves(run.recipe)),
        "Model": _model,
        "Data": _data,
        "Training": lambda run: _pairs(tables.training(run)),
        "Time and memory": lambda run: _pairs(result_tables.timing(run)),
        "Software": _software,
    }
    found = {name: _differences(items(first), items(second)) for name, items in sections.items()}
    return {name: rows for name, rows in found.items() if rows}


def _differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(item, first.get(item, ABSENT), second.get(item, ABSENT))
        for item in {**first, **second}
        if first.get(item) != second.get(item)
    ]


def leaves(value: Any, key: str = "") -> Iterable[tuple[str, str]]:
    """List the keys of a recipe with their values as text.

    Args:
        value: the recipe, or a part of it.
        key: key of that part.

    Yields:
        Key, such as "training.epochs", and value.
    """
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from leaves(part, f"{key}.{name}" if key else str(name))
    elif value is None:
        yield key, "unset"
    elif isinstance(value, bool):
        yield key, "true" if value else "false"
    else:
        yield key, (", ".join(map(str, value)) if isinstance(value, list) else str(value)) or "none"


def _model(record: RunRecord) -> dict[str, str]:
    base = record.model.base
    return {
        "Title": record.card.title,
        "Base model": f"{base.id} ({base.repository})",
        "Base weights": base.weights,
        "Base revision": words.stated(base.revision),
        "Base SHA-256": words.short(base.sha256) if base.sha256 else words.NOT_MEASURED,
        "License": words.stated(record.card.license),
        "Segments": facts.objects(record),
    }


def _data(record: RunRecord) -> dict[str, str]:
    data, related = record.data, relations(record, "test")
    counts = {f"{name} images": count for name, count, *_ in tables.splits(record)[1:]}
    return {
        "Data set": data.id,
        "Fingerprint": words.short(data.digest()),
        "License": words.stated(data.license),
        "Label type": data.labels,
        "Split": facts.split_by(record),
        **counts,
        "related test images": words.NOT_MEASURED if related is None else words.count(len(related)),
    }


def _software(record: RunRecord) -> dict[str, str]:
    where = record.environment
    return {"finetune": record.finetune_version, "Python": where.python, **where.packages}


def _pairs(rows: Rows) -> dict[str, str]:
    """A table of names and values; code spans lose their backticks."""
    return {name: value.strip("`") for name, value in rows}
