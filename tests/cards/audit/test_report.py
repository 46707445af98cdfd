"""The report of an audit, and its exit code."""

from __future__ import annotations

import pytest

from cards.audit import run as running
from cards.audit.claims import Claim, Subject, Verdict
from cards.audit.registry import FAMILIES, TITLES
from cards.audit.report import render_lines, summary
from cards.errors import ModelError


def claim(verdict: Verdict) -> Claim:
    return Claim("files", "A statement.", verdict, "The evidence.", "" if verdict == "holds" else "A remedy.")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 0),
        (("holds", "holds"), 0),
        (("holds", "cannot tell"), 3),
        (("cannot tell", "broken", "holds"), 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_claim(verdicts: tuple[Verdict, ...], code: int) -> None:
    assert running.exit_code(map(claim, verdicts)) == code


def test_every_family_has_a_heading() -> None:
    assert set(FAMILIES) <= set(TITLES)


def test_the_summary_is_grammatical() -> None:
    assert summary([claim("holds")]) == "1 claim: 1 holds, 0 are broken, 0 cannot be decided."
    assert summary([claim("holds"), claim("holds"), claim("broken")]).startswith(
        "3 claims: 2 hold, 1 is broken"
    )


def test_a_report_states_evidence_and_remedy() -> None:
    lines = [line for line, _ in render_lines("runs/x", [claim("broken")], None)]
    assert lines[:6] == [
        "Audit of runs/x",
        "",
        "Files",
        "  broken       A statement.",
        "               The evidence.",
        "               → A remedy.",
    ]


def test_long_evidence_is_wrapped_to_the_terminal() -> None:
    long = Claim("files", "A statement.", "holds", "word " * 60)
    assert all(len(line) <= 60 for line, _ in render_lines("x", [long], 60))


def test_a_family_that_fails_does_not_hide_the_others(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(subject: Subject) -> list[Claim]:
        raise ModelError("weights.pt: cannot be read")

    def unforeseen(subject: Subject) -> list[Claim]:
        raise RecursionError("maximum depth")

    monkeypatch.setitem(FAMILIES, "weights", unreadable)
    monkeypatch.setitem(FAMILIES, "data", unforeseen)
    from audited import claims_of

    claims = {claim.family: claim for claim in claims_of(run)}
    assert claims["weights"].verdict == claims["data"].verdict == "cannot tell"
    assert claims["weights"].evidence == "weights.pt: cannot be read."
    assert "RecursionError: maximum depth" in claims["data"].evidence
    assert claims["formats"].verdict == "holds"
