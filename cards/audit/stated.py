"""Comparison of metadata with values that follow from the record, whichever version wrote them."""

from __future__ import annotations

from typing import Any

from cards.audit.text import Supported, compare_texts, figures_in
from cards.audit.values import differences, equal, shown

# A card must not state these unless the record does.
FACTS = {"license", "license_name", "base_model", "datasets", "parent", "authors", "evaluations", "results"}
# Their words count as well: each is a name.
EXACT = {"license", "license_name", "base_model", "datasets", "parent", "doi", "url"}
# What identifies an entry of a list of mappings: a metric, a citation, a result.
IDENTITIES = ("type", "name", "doi", "url", "id", "dataset_id")


def stated_differences(
    found: Any, expected: Any, supported: Supported, *, strict: bool, where: str = ""
) -> list[str]:
    """List the values that contradict the record.

    Args:
        found: metadata as stored.
        expected: metadata as this version of finetune writes them.
        supported: what the record supports in any wording.
        strict: report every difference, because this version wrote the metadata. Otherwise keys, entries and
            words may differ, and only facts and figures count.
        where: key of the values.

    Returns:
        One text for each contradiction, with its key.
    """
    if strict:
        return differences(found, expected, where)
    if isinstance(found, dict) and isinstance(expected, dict):
        problems = []
        for key, value in found.items():
            inside = f"{where}.{key}" if where else str(key)
            if key in expected and key in EXACT:
                problems += differences(value, expected[key], inside)
            elif key in expected:
                problems += stated_differences(value, expected[key], supported, strict=False, where=inside)
            elif key in FACTS and value not in (None, [], {}, ""):
                problems.append(f"{inside}: {shown(value)} is not in the record")
            else:
                problems += _unsupported(value, supported, inside)
        return problems
    if isinstance(found, list) and isinstance(expected, list):
        return [
            problem
            for index, (one, other) in enumerate(_pairs(found, expected))
            for problem in (
                _unsupported(one, supported, f"{where}[{index}]")
                if other is None
                else stated_differences(one, other, supported, strict=False, where=f"{where}[{index}]")
            )
        ]
    if isinstance(found, str) and isinstance(expected, str):
        compared = compare_texts(found, expected, supported)
        return [f"{where}: {problem}" for problem in (*compared.changed, *compared.unknown)]
    return [] if equal(found, expected) else [f"{where}: {shown(found)}, the record gives {shown(expected)}"]


def _pairs(found: list[Any], expected: list[Any]) -> list[tuple[Any, Any]]:
    """Pair entries of two lists by what identifies them, otherwise by position."""
    if len(found) == len(expected):
        return list(zip(found, expected, strict=True))
    by_identity = {identity: entry for entry in expected if (identity := _identity(entry)) is not None}
    return [(entry, by_identity.get(_identity(entry) or "")) for entry in found]


def _identity(entry: Any) -> str | None:
    if isinstance(entry, dict):
        return next((f"{key}={entry[key]}" for key in IDENTITIES if isinstance(entry.get(key), str)), None)
    return str(entry)


def _unsupported(value: Any, supported: Supported, where: str) -> list[str]:
    """Figures in metadata that this version does not write and that the record does not hold."""
    if isinstance(value, dict):
        parts = [(item, f"{where}.{key}") for key, item in value.items()]
        return [problem for item, place in parts for problem in _unsupported(item, supported, place)]
    if isinstance(value, list):
        return [problem for item in value for problem in _unsupported(item, supported, where)]
    if isinstance(value, bool) or value is None:
        return []
    if not isinstance(value, str) and {str(value), f"{value:g}"} & supported.figures:
        return []
    figures = figures_in(value) if isinstance(value, str) else [str(value)]
    unknown = [figure for figure in figures if figure not in supported.figures]
    return [f"{where}: {figure} is not in the record" for figure in unknown]
