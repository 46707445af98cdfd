"""benchmarks/records: records of published runs, from which the tables of results are made."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cards.record import RunRecord
from finetune.cli.main import app

QUOTED = ("--quoted", "nuclei", "--quoted", "cell_boundary")
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


def test_the_readme_shows_the_tables_that_the_command_makes() -> None:
    done = CliRunner().invoke(app, ["card", "table", str(RECORDS[0].parents[1]), *QUOTED])
    tables = [part for part in done.stdout.split("\n\n") if part.startswith("| Recipe | Repository |")]
    assert len(tables) == 2
    readme = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    assert [table for table in tables if f"\n\n{table}\n\n" not in readme] == []
