"""Comparison of JSON values key by key, such as metadata of a card and fields of a record."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

SAME = 1e-9  # relative difference of two numbers that count as equal
LONGEST = 60  # characters of a value in the evidence


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """List what differs between two JSON values.

    Args:
        found: the value as it is stored.
        expected: the value that follows from the record.
        where: key of the value; empty for the whole.

    Returns:
        One text for each value that differs, is missing or is not in the record, with its key.
    """
    if isinstance(found, dict) and isinstance(expected, dict):
        problems = []
        for key in {**expected, **found}:
            inside = f"{where}.{key}" if where else str(key)
            if key not in found:
                if expected[key] not in (None, [], {}):
                    problems.append(f"{inside} is missing; the record states {shown(expected[key])}")
            elif key not in expected:
                if found[key] not in (None, [], {}):
                    problems.append(f"{inside}: {shown(found[key])} is not in the record")
            else:
                problems += differences(found[key], expected[key], inside)
        return problems
    if isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            return [f"{where}: {len(found)} entries, the record gives {len(expected)}"]
        return [
            problem
            for index, (one, other) in enumerate(zip(found, expected, strict=True))
            for problem in differences(one, other, f"{where}[{index}]")
        ]
    return [] if equal(found, expected) else [f"{where}: {shown(found)}, the record gives {shown(expected)}"]


def equal(found: Any, expected: Any) -> bool:
    """Whether two leaves are equal; numbers up to rounding of their last digit.

    Args:
        found: text, number, truth value or None.
        expected: text, number, truth value or None.

    Returns:
        True if they are equal.
    """
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, int | float) and isinstance(expected, int | float):
        return math.isclose(found, expected, rel_tol=SAME, abs_tol=SAME)
    return bool(found == expected)


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once.

    Args:
        names: such as the keys of an object in JSON.

    Returns:
        Each of them once, sorted.
    """
    return sorted(name for name, count in Counter(names).items() if count > 1)


def shown(value: Any) -> str:
    """Shorten a value for a line of evidence.

    Args:
        value: JSON value.

    Returns:
        Text on one line.
    """
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
