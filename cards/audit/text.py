"""Comparison of two texts by their figures: numbers, dates, hashes, licenses and web addresses.

A card written by another version of finetune words its sentences differently, and is correct all the same.
Therefore lines are aligned by their wording, and only the figures in them are compared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cards.references import HUB_LICENSES

# Short names that are also words of running text count in the spelling of SPDX only.
_WORDS = {"cc", "gpl", "lgpl", "bsd", "gfdl", "gemma", "isc", "zlib", "unlicense", "mit", "ncsa", "pddl"}
_LICENSE = "|".join(re.escape(name) for name in sorted(HUB_LICENSES - _WORDS, key=len, reverse=True))
_FIGURE = re.compile(
    rf"""
      https?://[^\s<>"|)]+
    | (?<![\w.-])(?:(?i:{_LICENSE})|MIT|ISC|BSD|GPL|LGPL|Zlib|Unlicense|CC)(?![\w-])
    | \d{{4}}-\d{{2}}-\d{{2}}(?:T[\d:.]+(?:Z|[+-]\d{{2}}:\d{{2}})?)?
    | (?<![\w.])[0-9a-f]{{12,64}}(?!\w)
    | (?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)*(?:[eE][-+]?\d+)?(?![\w])
    """,
    re.VERBOSE,
)
_LOWER = re.compile(rf"(?:{_LICENSE})", re.IGNORECASE)
_KEY = re.compile(
    r"^(?:\|\s*(?P<cell>[^|]+?)\s*\||(?:- )?\*\*(?P<bold>[^*]+?):?\*\*|(?P<colon>[\w ]{2,40}):\s)"
)


@dataclass(frozen=True)
class Supported:
    """What a record supports in any wording.

    Attributes:
        values: the record as JSON values.
        names: names and other texts that must not be replaced: authors, licenses, ids.
    """

    values: dict[str, Any]
    names: tuple[str, ...]

    @cached_property
    def figures(self) -> set[str]:
        """Figures of the record in the roundings of a card, which only a text that differs needs."""
        return record_figures(self.values)


@dataclass
class Comparison:
    """Differences between a text and the text that follows from the record.

    Attributes:
        figures: number of figures compared.
        changed: figures that differ in lines of equal wording, or values of equal keys, with line numbers.
        unknown: figures in lines of other wording that do not occur in the record.
        wording: lines of other wording.
        missing: expected lines whose wording does not occur.
    """

    figures: int = 0
    changed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    wording: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def compare_texts(found: str, expected: str, supported: Supported, first: int | None = None) -> Comparison:
    """Compare a text with the text that follows from the record.

    Args:
        found: the text as it is stored.
        expected: the text as this version of finetune renders it.
        supported: what the record supports in any wording.
        first: number of the first line in its file; None to leave line numbers out.

    Returns:
        The differences.
    """
    result = Comparison(len(_FIGURE.findall(found)))
    if found == expected:
        return result
    lines = [
        _Line(line, None if first is None else first + index) for index, line in enumerate(found.splitlines())
    ]
    wanted = [_Line(line) for line in expected.splitlines()]
    figures = supported.figures | {figure for line in wanted for figure in line.figures}
    keys = _keys(wanted)
    by_wording = defaultdict(list)
    for line in wanted:
        by_wording[line.wording].append(line)
    for wording, same in _groups(lines).items():
        others = by_wording.pop(wording, [])
        if others:
            result.changed += _changed(same, others, figures)
            continue
        for line in same:
            result.wording.append(f"{line.place}{_short(line.text)}")
            before = keys.get(line.key, "") if line.key else ""
            lost = [name for name in supported.names if name in before and name not in line.plain]
            if lost:
                result.changed.append(f"{line.place}{_short(line.text)} does not state {lost[0]}")
            else:
                unknown = (figure for figure in line.figures if figure not in figures)
                result.unknown += [f"{line.place}{figure}" for figure in unknown]
    result.missing = [_short(line.text) for rest in by_wording.values() for line in rest if line.wording]
    return result


def _groups(lines: Iterable[_Line]) -> dict[str, list[_Line]]:
    groups = defaultdict(list)
    for line in lines:
        if line.wording:
            groups[line.wording].append(line)
    return groups


def _changed(same: list[_Line], others: list[_Line], figures: set[str]) -> list[str]:
    """Compare lines of equal wording, of which there may be several, such as the rows of a table."""
    one_each = len(same) == len(others)
    rest, left = list(others), []
    for line in same:
        match = next((other for other in rest if other.figures == line.figures), None)
        if match is None:
            left.append(line)
        else:
            rest.remove(match)
    if one_each:  # in order, so that exchanged figures are found as well
        pairs = zip(same, others, strict=True)
        return [_figures_differ(line, other) for line, other in pairs if line.figures != other.figures]
    # Another version has more or fewer lines of this wording: figures count if the record lacks them.
    return [
        f"{line.place}{figure} ({_short(line.text)})"
        for line in left
        for figure in line.figures
        if figure not in figures
    ]


def figures_in(text: str) -> list[str]:
    """Find the figures in a text.

    Args:
        text: one line or more.

    Returns:
        Numbers without thousands separators, dates, hashes, licenses and web addresses, in order.
    """
    return [_normal(found.group()) for found in _FIGURE.finditer(text)]


def record_figures(value: Any) -> set[str]:
    """Figures that follow from a record in any wording: its values in the roundings that cards use.

    Args:
        value: JSON values.

    Returns:
        Figures as `figures_in` returns them.
    """
    known: set[str] = set()
    for leaf in _leaves(value):
        if isinstance(leaf, str):
            known.update(figures_in(leaf))
            known.add(leaf)
            known.add(leaf[:12])
        elif isinstance(leaf, int):
            known.update({str(leaf), *_sizes(leaf)})
        elif isinstance(leaf, float):
            known.update(_roundings(leaf))
    return known


def _roundings(value: float) -> Iterator[str]:
    for scale in (1, 100, 1000, 1 / 60, 1 / 3600):
        scaled = value * scale
        yield from (f"{scaled:.{digits}f}" for digits in range(5))
        yield from (f"{scaled:{style}}" for style in ("g", ".3g", "+.4f"))
        yield str(int(scaled))
    yield str(value)


def _sizes(value: int) -> Iterator[str]:
    for unit in (2**10, 2**20, 2**30):
        yield f"{value / unit:.1f}"
        yield f"{value / unit:.2f}"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


class _Line:
    """A line, its figures, its wording without them, and the key of a table row or a labeled value."""

    def __init__(self, text: str, number: int | None = None) -> None:
        self.text, self.place = text, "" if number is None else f"line {number}: "
        self.figures = figures_in(text)
        self.plain = text.replace("\\", "")
        self.wording = " ".join(_FIGURE.sub("§", text).split())
        found = _KEY.match(text)
        self.key = next((part for part in found.groups() if part), "") if found else ""


def _keys(lines: Iterable[_Line]) -> dict[str, str]:
    """Line by key, without keys that occur twice."""
    keys: dict[str, str] = {}
    twice = set()
    for line in lines:
        if line.key:
            if line.key in keys:
                twice.add(line.key)
            keys[line.key] = line.plain
    return {key: text for key, text in keys.items() if key not in twice}


def _figures_differ(line: _Line, other: _Line) -> str:
    pairs = [
        f"{found} instead of {wanted}"
        for found, wanted in zip(line.figures, other.figures, strict=True)
        if found != wanted
    ]
    return f"{line.place}{', '.join(pairs[:3])} ({_short(line.text)})"


def _normal(figure: str) -> str:
    if re.match(r"[-+−]?\d[\d,]*(\.|$|e)", figure):
        return figure.replace(",", "").replace("−", "-")
    return figure.lower() if _LOWER.fullmatch(figure) else figure


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:79] + "…"
