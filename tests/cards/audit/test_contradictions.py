"""What contradicts itself or the record, in a run whose hashes were corrected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import audited
import pytest
from audited import broken, claims_of

from cards.errors import InputError
from cards.record import RunRecord

CONFIG = Path("huggingface", "config.json")


def wide(record: RunRecord) -> None:
    record.exports[0].tolerance = 5.0


def many(record: RunRecord) -> None:
    record.exports[0].images = 4000


def dice(record: RunRecord) -> None:
    assert record.accuracy is not None
    record.accuracy.after.scores[0].metrics["dice"] = 1.7


def backwards(record: RunRecord) -> None:
    record.training.seconds = -1.0


def yesterday(record: RunRecord) -> None:
    record.created = "yesterday"


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        (wide, "tolerance 5, finetune allows 0.001"),
        (many, "4,000 images, the record names 20"),
        (dice, "dice 1.7 is not between 0 and 1"),
        (backwards, "training.seconds: -1 is negative"),
        (yesterday, "created: yesterday is not a date"),
    ],
)
def test_figures_that_cannot_be(run: Path, change: Callable[[RunRecord], None], evidence: str) -> None:
    record = RunRecord.read(run)
    change(record)
    audited.write_record(run, record)
    assert any(evidence in text for text in broken(claims_of(run, "card")))


def second_column(lines: list[str]) -> list[str]:
    return [f"dice,{lines[0]}", *(f"0.9999,{line}" for line in lines[1:])]


def more_cells(lines: list[str]) -> list[str]:
    return [lines[0], *(f"{line},true Dice 0.9999" for line in lines[1:])]


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        (second_column, "line 1: dice occurs 2 times"),
        (more_cells, "line 2: more cells than columns: ['true Dice 0.9999']"),
    ],
)
def test_scores_that_readers_would_take_differently(run: Path, change, evidence: str) -> None:
    path = run / "scores.csv"
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))
    assert any(evidence in text for text in broken(claims_of(run, "card")))


def test_keys_of_the_configuration_that_finetune_does_not_write(run: Path) -> None:
    config = json.loads((run / CONFIG).read_bytes())
    (run / CONFIG).write_text(json.dumps(config | {"auto_map": {"AutoModel": "x/y"}}), encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))
    assert any(
        "auto_map: {'AutoModel': 'x/y'} is not in the record" in text for text in broken(claims_of(run))
    )


def test_a_key_that_the_configuration_repeats(run: Path) -> None:
    text = (run / CONFIG).read_text(encoding="utf-8")
    (run / CONFIG).write_text(text.replace("{", '{"channels": 3, ', 1), encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))
    assert any("channels occurs more than once" in text for text in broken(claims_of(run)))


def test_a_record_of_a_newer_schema_with_a_new_section(run: Path) -> None:
    content = json.loads((run / "record.json").read_bytes()) | {"schema_version": 99, "news": {"a": 1}}
    with pytest.raises(InputError, match="schema_version is 99, .* use the version that wrote it"):
        RunRecord.parse(json.dumps(content), "record.json")
