"""Presentation of an audit: lines for the terminal, JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from cards.audit.claims import Claim, Verdict
from cards.audit.registry import TITLES
from cards.audit.versions import installed

SCHEMA = 1
VERDICTS: tuple[Verdict, ...] = ("holds", "broken", "cannot tell")
STYLES: dict[str, str] = {"holds": "green", "broken": "bold red", "cannot tell": "yellow"}
INDENT = 15  # columns for the verdict


def counts(claims: Sequence[Claim]) -> dict[Verdict, int]:
    """Count claims by verdict.

    Args:
        claims: of one audit.

    Returns:
        Number of claims for each verdict.
    """
    found = Counter(claim.verdict for claim in claims)
    return {verdict: found[verdict] for verdict in VERDICTS}


def summary(claims: Sequence[Claim]) -> str:
    """State the result of an audit in one sentence.

    Args:
        claims: of one audit.

    Returns:
        For example "23 claims: 20 hold, 1 is broken, 2 cannot be decided."
    """
    holds, broken, unknown = counts(claims).values()
    return (
        f"{len(claims)} claim{'' if len(claims) == 1 else 's'}: {holds} hold{'s' if holds == 1 else ''}, "
        f"{broken} {'is' if broken == 1 else 'are'} broken, {unknown} cannot be decided."
    )


def render_json(source: str, claims: Sequence[Claim]) -> str:
    """Render an audit for programs.

    Args:
        source: what was audited, as the user named it.
        claims: of the audit.

    Returns:
        A JSON object with the keys `schema`, `finetune_version`, `source`, `counts` and `claims`; a claim
        has the fields of `cards.audit.claims.Claim`.
    """
    content = {
        "schema": SCHEMA,
        "finetune_version": installed(),
        "source": source,
        "counts": counts(claims),
        "claims": [asdict(claim) for claim in claims],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def render_lines(source: str, claims: Sequence[Claim], width: int | None) -> Iterator[tuple[str, str]]:
    """Render an audit for a terminal.

    Args:
        source: what was audited, as the user named it.
        claims: of the audit.
        width: columns to wrap at; None to keep each text on one line.

    Yields:
        Lines grouped by family, each with a style of rich, which may be empty: verdict and statement, then
        evidence, then the remedy.
    """
    yield f"Audit of {_printable(source)}", "bold"
    for family, group in groupby(claims, lambda claim: claim.family):
        yield "", ""
        yield TITLES.get(family, family), "bold"
        for claim in group:
            first, *rest = _wrapped(claim.statement, width)
            yield f"  {claim.verdict:<{INDENT - 2}}{first}", STYLES[claim.verdict]
            yield from ((" " * INDENT + line, STYLES[claim.verdict]) for line in rest)
            yield from ((" " * INDENT + line, "dim") for line in _wrapped(claim.evidence, width))
            if claim.remedy:
                yield from ((" " * INDENT + line, "") for line in _wrapped(f"→ {claim.remedy}", width))
    yield "", ""
    yield summary(claims), "bold"


def _wrapped(text: str, width: int | None) -> list[str]:
    text = _printable(text)
    if width is None:
        return [text]
    return textwrap.wrap(text, max(width - INDENT, 30), break_on_hyphens=False) or [""]


def _printable(text: str) -> str:
    """Text of a model on one line: control characters could move the cursor or hide a verdict."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
