"""The drawing for a paper is drawn again from the record and compared."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from audited import complete, write_run

from cards.audit.claims import Claim, Subject
from cards.audit.figure import figure_claims
from cards.paper_figure import SVG, draw_figure
from cards.record import RunRecord


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord, str]:
    """A run, its record, and its drawing."""
    record = complete()
    record.environment.packages["matplotlib"] = version("matplotlib")
    folder = tmp_path_factory.mktemp("runs") / "run"
    record = write_run(folder, record)
    draw_figure(record, folder / SVG)
    return folder, record, (folder / SVG).read_text(encoding="utf-8")


def audited(run: tuple[Path, RunRecord, str], drawing: str, record: RunRecord | None = None) -> Claim:
    """The claim on a drawing."""
    folder, own, _ = run
    (folder / SVG).write_text(drawing, encoding="utf-8")
    (claim,) = [
        each
        for each in figure_claims(Subject(str(folder), "run", folder, record or own), record or own)
        if each.statement.startswith(SVG)
    ]
    return claim


def test_the_drawing_of_a_run_holds(run) -> None:
    claim = audited(run, run[2])
    assert claim.verdict == "holds"
    assert re.fullmatch(r"17 texts and [\d,]+ numbers of the drawing compared\.", claim.evidence)


def test_the_last_digit_depends_on_the_processor(run) -> None:
    changed = re.sub(r'(<use [^>]*y="\d+\.\d{5})\d', r"\g<1>9", run[2])
    assert changed != run[2]
    assert audited(run, changed).verdict == "holds"


@pytest.mark.parametrize(
    ("pattern", "replacement", "evidence"),
    [
        (r'(<use [^>]*y=")(\d)', r"\g<1>1\g<2>", r"numbers differ, by up to [\d.e+]+"),  # a point
        (r"(<path d=\"M )\d", r"\g<1>9", "numbers differ"),
        ("#0072B2|#0072b2", "#e69f00", "other elements|numbers differ"),
        (r"<use [^>]*/>", "", "other elements"),
        ("</svg>", '<circle cx="0" cy="0" r="9"/></svg>', "other elements"),
        (r"<text([^>]*)>Dice</text>", r"<text\g<1>>Accuracy</text>", "'Accuracy' was added"),
    ],
)
def test_a_changed_drawing_is_broken(run, pattern: str, replacement: str, evidence: str) -> None:
    changed = re.sub(pattern, replacement, run[2], count=1)
    assert changed != run[2]
    claim = audited(run, changed)
    assert claim.verdict == "broken"
    assert re.search(evidence, claim.evidence), claim.evidence


def test_a_drawing_without_scores_in_the_record_is_broken(run) -> None:
    record = run[1].model_copy(update={"accuracy": None})
    claim = audited(run, "<svg></svg>", record)
    assert (claim.verdict, claim.evidence) == ("broken", "the record has no scores to draw.")


@pytest.mark.parametrize("other", ["3.0.0", None])
def test_points_that_another_matplotlib_drew_are_not_compared(run, other: str | None) -> None:
    record = run[1].model_copy(deep=True)
    record.environment.packages.pop("matplotlib")
    if other:
        record.environment.packages["matplotlib"] = other
    moved = re.sub(r'(<use [^>]*y=")(\d)', r"\g<1>1\g<2>", run[2], count=1)
    claim = audited(run, moved, record)
    assert claim.verdict == "holds"
    assert f"the points only where matplotlib {other or 'of the run'} is installed" in claim.evidence
