"""Every published figure on the test images of a named data set has a row in the log of evaluations."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from pathlib import Path

import pytest
from scripts import load_script
from typer.testing import CliRunner

from cards.record import RunRecord
from finetune.benchmark.schema import read_benchmark
from finetune.cli.main import app
from finetune.data.datasets import DATASETS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "evaluation_log.py"
LOG = ROOT / "benchmarks" / "test_evaluations.csv"
FIXTURE = ROOT / "tests" / "fixtures" / "0.2.0" / "run" / "record.json"
PUBLISHED = [
    ROOT / "README.md",
    *sorted(path for path in ROOT.glob("docs/**/*.md") if "_build" not in path.parts),
    *sorted(ROOT.glob("recipes/*.yaml")),
]
FIGURE = re.compile(r"0\.\d{4} ± 0\.\d{4}")
IMAGES = {"dsb2018": "50", "mdck_zo1": "40", "sample": "4"}


def rows() -> list[dict[str, str]]:
    with LOG.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def figures_in(text: str) -> set[str]:
    """Means ± standard deviations in a text, also across two lines of a comment."""
    # Figures that somebody changed, in the example of an audit.
    lines = [line for line in text.replace("\u00a0", " ").splitlines() if "instead of" not in line]
    return set(FIGURE.findall(re.sub(r"\s*\n#?\s*", " ", "\n".join(lines))))


def results_of_records() -> str:
    """The tables of the runs in benchmarks/records, each of which is in the log: means over seeds."""
    return CliRunner().invoke(app, ["card", "table", str(ROOT / "benchmarks" / "records")]).stdout


def test_figures_are_found_in_tables_and_across_lines() -> None:
    text = "# Dice 0.8961 ±\n# 0.0567\n| 0.9053\u00a0±\u00a00.0391 |\n0.9736 instead of 0.9436 ± 0.0077"
    assert figures_in(text) == {"0.8961 ± 0.0567", "0.9053 ± 0.0391"}


def test_every_figure_of_readme_docs_and_recipes_is_in_the_log() -> None:
    logged = {f"{row['dice']} ± {row['dice_std']}" for row in rows()}
    logged |= {f"{row['unrelated_dice']} ± {row['unrelated_dice_std']}" for row in rows()}
    for path in (ROOT / "recipes" / "benchmarks").glob("*.yaml"):
        logged |= {f"{one.dice:.4f} ± {one.std:.4f}" for one in read_benchmark(path, []).quoted if one.std}
    logged |= figures_in(results_of_records())
    published = {path: figures_in(path.read_text(encoding="utf-8")) for path in PUBLISHED}
    assert sum(map(len, published.values())) > 10
    missing = {str(path): sorted(those - logged) for path, those in published.items() if those - logged}
    assert not missing, "add them with benchmarks/evaluation_log.py"


def test_rows_name_data_and_evidence() -> None:
    seen = set()
    for row in rows():
        assert row["data"] in DATASETS
        assert row["images"] in {IMAGES[row["data"]], "not recorded"}
        assert row["purpose"]
        evidence = (row["sha256"], row["stage"], row["recipe"])
        if row["sha256"] == "not recorded":
            assert row["date"] == "not recorded"
            assert row["note"].startswith("before this log began: ")
        else:
            assert re.fullmatch("[0-9a-f]{64}", row["sha256"])
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"])
            assert evidence not in seen
        seen.add(evidence)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(LOG, tmp_path / "log.csv"))


@pytest.fixture
def add(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the script on a record; returns what it prints."""
    script = load_script(SCRIPT)

    def run(record: RunRecord) -> str:
        (tmp_path / "record.json").write_text(record.dumps(), encoding="utf-8")
        arguments = [str(SCRIPT), str(tmp_path), "--purpose", "a test", "--log", str(log)]
        monkeypatch.setattr(sys, "argv", arguments)
        script.main()
        return capsys.readouterr().out

    return run


def test_a_run_is_added_once_and_earlier_rows_stay(log: Path, add) -> None:
    record, before = RunRecord.read(FIXTURE), log.read_bytes()
    with pytest.raises(SystemExit, match="discs: discs is no named data set; only those are logged"):
        add(record)
    assert log.read_bytes() == before
    record.data.id, record.data.note = "dsb2018", DATASETS["dsb2018"].note
    assert add(record) == f"{log}: 1 added, 0 there already\n"
    after = log.read_bytes()
    assert after.startswith(before)
    assert add(record) == f"{log}: 0 added, 1 there already\n"
    assert log.read_bytes() == after
    with log.open(newline="", encoding="utf-8") as file:
        row = list(csv.DictReader(file))[-1]
    assert (row["recipe"], row["seed"], row["purpose"]) == ("discs", "0", "a test")
    dice = record.accuracy.after.summary["dice"]
    assert (row["dice"], row["dice_std"]) == (f"{dice.mean:.4f}", f"{dice.std:.4f}")
    assert (row["unrelated_images"], row["sha256"]) == ("", record.digest())
