"""`finetune benchmark --fractions`: how many annotated images are enough."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cards.benchmark.results import Benchmark
from cards.record import RunRecord
from finetune.cli.main import app

RELEASE = Path(__file__).parents[2] / "fixtures" / "0.2.0"


def benchmark(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


def names(record: RunRecord, split: str) -> set[str]:
    return {file.name for file in record.data.files if file.split == split}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    recipe = tmp_path / "tuned.yaml"
    recipe.write_text((RELEASE / "discs.yaml").read_text(), encoding="utf-8")
    path = tmp_path / "discs.yaml"
    path.write_text(
        f"""title: Discs
data: {{root: {RELEASE / "discs"}}}
tune:
  - {{recipe: {recipe}, title: tuned, overrides: ["training.epochs=1"]}}
""",
        encoding="utf-8",
    )
    return path


@pytest.mark.slow
def test_each_fraction_is_a_run_on_fewer_images_and_as_many_steps(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = (file, "--fractions", "40, 100%", "--out", out)
    result = benchmark(*arguments)
    assert result.exit_code == 0
    assert "tuned: Dice " in result.stdout
    results = Benchmark.read(out / "benchmark.json")
    assert len(results.results) == 1  # the table has the run with all images only
    few, every = results.fractions
    assert (few.fraction, every.fraction) == (0.4, 1.0)
    runs = {folder.name: RunRecord.read(folder) for folder in (out / "runs").iterdir()}
    part = next(record for name, record in runs.items() if name.endswith("-40pct"))
    whole = next(record for name, record in runs.items() if not name.endswith("pct"))
    assert few.train_images == part.data.count("train") == round(0.4 * whole.data.count("train"))
    assert names(part, "train") < names(whole, "train")
    assert names(part, "validation") == names(whole, "validation")
    assert names(part, "test") == names(whole, "test")
    assert part.training.steps == whole.training.steps
    assert f"{few.train_images} of {every.train_images} images used" in part.data.split_by
    rows = list(csv.DictReader((out / "fractions.csv").read_text("utf-8").splitlines()))
    assert [row["Fraction"] for row in rows] == ["40%", "100%"]
    assert "Number of training images" in (out / "table.md").read_text("utf-8")
    assert (out / "pictures" / "fractions.png").is_file()
    written = {folder: (folder / "record.json").stat().st_mtime_ns for folder in (out / "runs").iterdir()}
    assert benchmark(*arguments).exit_code == 0
    assert all((folder / "record.json").stat().st_mtime_ns == time for folder, time in written.items())


@pytest.mark.parametrize("fractions", ["0,50", "5,x", "120", ","])
def test_wrong_fractions_are_one_line(file: Path, fractions: str) -> None:
    message = str(benchmark(file, "--fractions", fractions).exception)
    assert message == f"--fractions {fractions}: not percentages from 0 to 100, such as 5,10,25,50"


def test_fractions_need_a_recipe(file: Path) -> None:
    message = str(benchmark(file, "tune=[]", f"models=[{RELEASE / 'run'}]", "--fractions", "5").exception)
    assert "fractions need a recipe; list it under tune, or add --tune RECIPE" in message
