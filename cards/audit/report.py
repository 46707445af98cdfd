"""Presentation of an audit: text for the terminal, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from cards.audit.claims import Claim

SCHEMA = 1
VERDICTS = ("holds", "broken", "cannot tell")


def counts(claims: Sequence[Claim]) -> dict[str, int]:
    """Count claims by verdict.

    Args:
        claims: of one audit.

    Returns:
        Number of claims for each verdict.
    """
    found = Counter(claim.verdict for claim in claims)
    return {verdict: found[verdict] for verdict in VERDICTS}  # type: ignore[index]


def render_json(source: str, claims: Sequence[Claim]) -> str:
    """Render an audit for programs.

    Args:
        source: what was audited, as the user named it.
        claims: of the audit.

    Returns:
        A JSON object with the keys `schema`, `source`, `counts` and `claims`.
    """
    content = {
        "schema": SCHEMA,
        "source": source,
        "counts": counts(claims),
        "claims": [
            {
                "family": claim.family,
                "statement": claim.statement,
                "verdict": claim.verdict,
                "evidence": claim.evidence,
                "remedy": claim.remedy,
            }
            for claim in claims
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def summary(claims: Sequence[Claim]) -> str:
    """State the result of an audit in one sentence.

    Args:
        claims: of one audit.

    Returns:
        For example "23 claims: 20 hold, 1 is broken, 2 cannot be decided."
    """
    holds, broken, unknown = counts(claims).values()
    return (
        f"{len(claims)} claims: {holds} hold, {broken} {'is' if broken == 1 else 'are'} broken, "
        f"{unknown} cannot be decided."
    )


def render_text(source: str, claims: Sequence[Claim]) -> str:
    """Render an audit for the terminal, without colors.

    Args:
        source: what was audited, as the user named it.
        claims: of the audit.

    Returns:
        Lines grouped by family: verdict and statement, then evidence, then the remedy.
    """
    lines = [f"Audit of {source}"]
    family = ""
    for claim in claims:
        if claim.family != family:
            family = claim.family
            lines += ["", family]
        lines.append(f"  {claim.verdict:<11}  {claim.statement}")
        lines.append(f"  {'':<11}  {claim.evidence}")
        if claim.remedy:
            lines.append(f"  {'':<11}  → {claim.remedy}")
    return "\n".join([*lines, "", summary(claims)])
