"""The report of an audit as one self-contained HTML file, in the style of `report.html`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from itertools import groupby

from cards.audit.claims import Claim
from cards.audit.registry import TITLES
from cards.audit.report import summary
from cards.audit.versions import installed

STYLE = """<style>
:root { --holds: #1a7f37; --broken: #b42318; --unknown: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --holds: #57c274; --broken: #ff8a80; --unknown: #e2b04a; } }
.claim { display: grid; grid-template-columns: 7rem 1fr; gap: 0 1rem; padding: 0.7rem 0; }
.claim + .claim { border-top: 1px solid var(--line); }
.claim p { margin: 0; overflow-wrap: anywhere; }
.verdict { font-weight: 600; white-space: nowrap; }
.holds .verdict { color: var(--holds); }
.broken .verdict { color: var(--broken); }
.unknown .verdict { color: var(--unknown); }
.claim .evidence { color: var(--quiet); font-size: 0.92rem; overflow-wrap: anywhere; }
.claim .remedy { font-size: 0.92rem; }
.quiet { color: var(--quiet); font-size: 0.92rem; }
@media (max-width: 34rem) { .claim { grid-template-columns: 1fr; } }
@media print { .claim { break-inside: avoid; } }
</style>
"""
CLASSES = {"holds": "holds", "broken": "broken", "cannot tell": "unknown"}


def render_page(source: str, claims: Sequence[Claim]) -> str:
    """Render an audit as HTML.

    Args:
        source: what was audited, as the user named it.
        claims: of the audit.

    Returns:
        A page without scripts and requests.
    """
    title = f"Audit of {source}"
    parts = [STYLE, f"<h1>{escape(title)}</h1>\n<p>{escape(summary(claims))}</p>\n"]
    if found := [claim for claim in claims if claim.verdict != "holds"]:
        items = "\n".join(map(_claim, sorted(found, key=lambda claim: claim.verdict)))
        parts.append(f"<h2>Claims that do not hold</h2>\n{items}\n")
    for family, group in groupby(claims, lambda claim: claim.family):
        items = "\n".join(map(_claim, group))
        parts.append(f"<h2>{escape(TITLES.get(family, family))}</h2>\n{items}\n")
    parts.append(f'<p class="quiet">{escape(f"Audited with finetune {installed()}.")} {LEGEND}</p>\n')
    page = resources.files("cards").joinpath("templates", "report.html").read_text("utf-8")
    return page.replace("{{title}}", escape(title), 1).replace("{{content}}", "".join(parts), 1)


LEGEND = (
    "A claim holds if the evidence agrees with it, and is broken if the evidence contradicts it. Without "
    "evidence the audit cannot tell."
)


def _claim(claim: Claim) -> str:
    remedy = f'<p class="remedy">{_text(claim.remedy)}</p>' if claim.remedy else ""
    evidence = f'<p class="evidence">{_text(claim.evidence)}</p>'
    return (
        f'<div class="claim {CLASSES[claim.verdict]}"><p class="verdict">{claim.verdict}</p><div>'
        f"<p>{_text(claim.statement)}</p>{evidence}{remedy}</div></div>"
    )


def _text(text: str) -> str:
    """Escaped text with code spans."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
