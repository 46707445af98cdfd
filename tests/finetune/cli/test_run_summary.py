"""The summary at the end of a run: a table in a terminal, one line elsewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import examples
import pytest

from finetune.cli.run_summary import print_summary, sparkline


def test_a_log_gets_one_line_of_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(examples.full(), Path("runs/nuclei"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Dice 0.9263 ± 0.0417 on 20 test images (before: ")
    assert lines[-1] == "model, cards and packages: runs/nuclei (open runs/nuclei/report.html)"


def test_a_terminal_gets_a_table_and_the_validation_curve(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    record = examples.full()
    print_summary(record, Path("runs/nuclei"))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert lines[0].split() == ["before", "after", "change"]
    accuracy = record.accuracy
    change = accuracy.after.summary["dice"].mean - accuracy.before.summary["dice"].mean
    assert lines[1].startswith("Dice") and lines[1].endswith(f"{change:+.4f}")
    assert "open the report: runs/nuclei/report.html" in lines[-1]
    (curve,) = [line for line in lines if line.startswith("validation: ")]
    measured = [epoch for epoch in record.training.history if epoch.validation_dice is not None]
    assert len(curve.split()[1]) == len(measured)


def test_the_highest_value_has_the_highest_block() -> None:
    assert sparkline([0.1, 0.9, 0.5]) == "▁█▅"
    assert sparkline([0.5, 0.5]) == "██"
