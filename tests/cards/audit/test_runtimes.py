"""Packages are tested where they are written and where the zoo judges them."""

from __future__ import annotations

from pathlib import Path

import audited
from audited import claims_of

from cards.evidence import RuntimeCheck
from cards.record import RunRecord


def verdicts(run: Path) -> list[str]:
    return [claim.verdict for claim in claims_of(run, "runtimes")]


def tested(run: Path, *passed: bool) -> Path:
    """Change the record: the package was tested in as many environments, with these results."""
    record = RunRecord.read(run)
    record.runtimes = [
        RuntimeCheck(
            package=audited.PACKAGE,
            environment=f"environment {number}",
            packages={"torch": "2.5.1"},
            passed=result,
            detail=None if result else "the output differs",
        )
        for number, result in enumerate(passed)
    ]
    audited.write_record(run, record)
    return run


def test_two_passed_tests_hold(run: Path) -> None:
    assert verdicts(tested(run, True, True)) == ["holds", "holds"]


def test_a_failed_test_is_broken_and_names_the_first_failure(run: Path) -> None:
    claims = claims_of(tested(run, True, False), "runtimes")
    assert [claim.verdict for claim in claims] == ["holds", "broken"]
    assert "the output differs" in claims[1].evidence
    assert "torch 2.5.1" in claims[1].evidence


def test_one_test_is_not_enough_to_tell(run: Path) -> None:
    assert verdicts(tested(run, True)) == ["holds", "cannot tell"]
    assert verdicts(tested(run)) == ["cannot tell"]


def test_a_run_without_a_package_makes_no_claim(run: Path) -> None:
    (run / audited.PACKAGE).unlink()
    assert verdicts(tested(run)) == []
