"""Seconds until a validation Dice, from the training history in run records."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import load_script

from cards.record import RunRecord
from cards.training import Epoch

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests" / "fixtures" / "0.2.0" / "run" / "record.json"
HISTORY = [(0.5, 3.0), (None, 5.0), (0.91, 8.0), (0.90, 10.0), (0.93, 14.0)]  # validation Dice, seconds


@pytest.fixture(scope="module")
def script():
    return load_script(ROOT / "benchmarks" / "time_to_dice.py")


@pytest.fixture
def record() -> RunRecord:
    record = RunRecord.read(FIXTURE)
    record.training.history = [
        Epoch(epoch=number, loss=1.0, validation_dice=dice, seconds=seconds)
        for number, (dice, seconds) in enumerate(HISTORY, 1)
    ]
    record.training.epochs, record.training.seconds = len(HISTORY), 14.0
    return record


def printed(script, capsys: pytest.CaptureFixture[str], *given: str) -> dict[str, str]:
    assert script.main(given) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    return dict(zip(script.HEADER, (cell.strip() for cell in row.strip("|").split("|")), strict=True))


def test_the_first_epoch_that_reached_it_counts(script, record, tmp_path: Path, capsys) -> None:
    (tmp_path / "record.json").write_text(record.dumps())
    row = printed(script, capsys, str(tmp_path), "--dice", "0.9")
    assert (row["reached"], row["in epoch"], row["best Dice"]) == ("8.0 s", "3 of 5", "0.9300")
    assert row["precision"] == record.training.precision
    assert printed(script, capsys, str(tmp_path))["reached"] == "14.0 s"  # 0.93, the default


def test_a_value_that_was_not_reached_is_said_to_be_so(script, record, tmp_path: Path, capsys) -> None:
    (tmp_path / "record.json").write_text(record.dumps())
    assert printed(script, capsys, str(tmp_path), "--dice", "0.94")["reached"] == "not reached"
    for epoch in record.training.history:
        epoch.validation_dice = None
    (tmp_path / "record.json").write_text(record.dumps())
    assert printed(script, capsys, str(tmp_path))["reached"] == "not measured"


def test_older_records_give_the_mean_time_of_an_epoch(script, record, tmp_path: Path, capsys) -> None:
    for epoch in record.training.history:
        epoch.seconds = None
    (tmp_path / "record.json").write_text(record.dumps())
    row = printed(script, capsys, str(tmp_path), "--dice", "0.9")
    assert (row["reached"], row["per epoch"]) == ("about 8.4 s", "2.80 s")


def test_what_is_no_run_is_refused_in_one_line(script, tmp_path: Path, capsys) -> None:
    assert script.main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
