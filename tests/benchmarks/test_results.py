"""benchmarks/records: records of published runs, from which the tables of results are made."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cards.record import RunRecord

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORDS = sorted((BENCHMARKS / "records").glob("*/record.json"))


def test_there_are_records() -> None:
    assert RECORDS


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_published_run_is_in_the_log_of_evaluations(path: Path) -> None:
    with (BENCHMARKS / "test_evaluations.csv").open(newline="", encoding="utf-8") as file:
        logged = {row["sha256"]: row for row in csv.DictReader(file) if row["stage"] == "after"}
    record = RunRecord.read(path)
    assert record.digest() in logged
    assert path.parent.name == f"{record.name}_{record.training.seed}"
