"""`finetune card table`: runs are found, written in four formats, and bad input is named in one line."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cards.errors import InputError
from cards.record import RunRecord
from finetune.cli.main import app
from finetune.data.datasets import DATASETS
from finetune.pipeline.record_builder import without_local_paths
from finetune.recipe.library import find_recipe

RELEASE = Path(__file__).parents[2] / "fixtures" / "0.2.0" / "run"


def table(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["card", "table", *map(str, arguments)])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with the run of version 0.2.0, with two seeds, and other files."""
    record = RunRecord.read(RELEASE)
    for seed in (0, 1):
        record.training.seed, record.created = seed, f"2026-01-0{seed + 1}T00:00:00+00:00"
        folder = tmp_path / "runs" / f"discs_{seed}"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(record.dumps(), encoding="utf-8")
    (tmp_path / "runs" / "notes.txt").touch()
    return tmp_path / "runs"


def test_a_folder_of_runs_is_one_table_with_seeds_in_one_row(runs: Path) -> None:
    result = table(runs)
    assert result.exit_code == 0
    assert result.stdout == table(runs / "discs_0", runs / "discs_1").stdout
    assert "## discs: 2 test images" in result.stdout
    assert "| discs | not an included recipe | foreground_boundary | " in result.stdout
    assert " | 0, 1 | 0.0000 | " in result.stdout
    dice = RunRecord.read(RELEASE).accuracy.after.summary["dice"]
    assert f"| {dice.mean:.4f}\u00a0±\u00a0{dice.std:.4f} (" in result.stdout
    assert "not measured" in result.stdout  # 0.2.0 did not compare test with training images


def test_in_a_terminal_names_are_wrapped_but_not_cut(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    text = re.sub(r"\x1b\[[\d;]*m", "", table(runs).stdout)
    assert "discs: 2 test images" in text
    assert "…" not in text
    assert "|" not in text


@pytest.mark.parametrize("ending", ["md", "csv", "tex", "html"])
def test_the_ending_of_the_file_chooses_the_format(runs: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"table.{ending}"
    assert table(runs, "--out", out).exit_code == 0
    text = out.read_text(encoding="utf-8")
    if ending == "csv":
        (row,) = csv.DictReader(text.splitlines())
        assert (row["recipe"], row["seeds"], row["unrelated_dice"]) == ("discs", "0; 1", "")
    else:
        start = {"md": "# Results\n", "tex": r"\begin{table}", "html": "<!doctype html>"}[ending]
        assert text.startswith(start)
        assert "0.9180" in text
    with out.open("a") as file:
        file.write("mine")
    result = table(runs, "--out", out)
    assert "exists and differs" in str(result.exception)


@pytest.mark.parametrize(
    ("overrides", "stated"),
    [
        ([], "none"),
        (["training.seed=3", f"data.root={RELEASE}", "compute.devices=2"], "none"),
        (["training.epochs=4", "model.checkpoint=a/b.pth"], "training.epochs=4 model.checkpoint=b.pth"),
    ],
)
def test_a_row_states_what_was_changed_in_the_included_recipe(
    runs: Path, overrides: list[str], stated: str
) -> None:
    path = runs / "discs_0" / "record.json"
    record = RunRecord.read(path)
    recipe = find_recipe("unet_nuclei", overrides)
    record.recipe = without_local_paths(recipe)
    record.recipe["compute"]["precision"] = "bf16-mixed"  # filled in by the run
    path.write_text(record.dumps(), encoding="utf-8")
    assert f"| unet_nuclei | {stated} | foreground_boundary |" in table(runs / "discs_0").stdout


def test_an_unfinished_run_and_a_copy_are_noted(runs: Path) -> None:
    shutil.copytree(RELEASE.parent / "unfinished.partial", runs / "unfinished.partial")
    result = table(runs, runs / "discs_1" / "record.json")
    assert f"note: {runs / 'unfinished.partial'}: unfinished; left out" in result.stderr
    assert f"discs_1/record.json: the same run as {runs / 'discs_1'}; counted once" in result.stderr


def test_the_figures_of_the_talk_are_quoted_on_its_images_only(runs: Path) -> None:
    result = table(runs, "--quoted", "nuclei")
    assert str(result.exception) == (
        "nuclei: quotes figures on the images of dsb2018; the runs were tested on others: discs"
    )
    path = runs / "discs_0" / "record.json"
    record = RunRecord.read(path)
    record.data.id = "dsb2018"  # a folder of this name
    path.write_text(record.dumps(), encoding="utf-8")
    assert isinstance(table(runs / "discs_0", "--quoted", "nuclei").exception, InputError)
    record.data.note = DATASETS["dsb2018"].note  # as the named data set has it, compared by its pixels
    path.write_text(record.dumps(), encoding="utf-8")
    quoted = table(runs / "discs_0", "--quoted", "nuclei").stdout
    assert "| quoted | BioImage.IO | zenodo.5764892 | 0.9373\u00a0±\u00a00.0398 |" in quoted
    assert "Source: NIST" in quoted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUNS/nothing"], "nothing: no such file or folder"),
        (
            ["RUNS/empty"],
            "empty: holds no record.json; name a run folder, a Hugging Face folder",
        ),
        (["RUNS/broken"], "broken/record.json: not a run record: "),
        (["RUNS", "--out", "table.xlsx"], "table.xlsx: choose a name that ends in .md, .csv, .tex or .html"),
        (["RUNS", "--baseline", "unet"], "unet: no row has this name; rows: discs"),
        (
            ["RUNS", "--quoted", "unet"],
            "unet: neither a benchmark file nor the name of an included",
        ),
        (["RUNS", "--quoted", "RUNS/no_data.yaml"], "names no data set, so its figures belong to no table"),
        (["RUNS", "--quoted", "RUNS/no_figures.yaml"], "quotes no figures; list them under quoted"),
    ],
)
def test_bad_input_is_named_in_one_line(runs: Path, arguments: list[str], message: str) -> None:
    (runs / "empty").mkdir()
    head = "title: Mine\nmodels: [a]\ndata: {root: images}\n"
    (runs / "no_figures.yaml").write_text(head)
    (runs / "no_data.yaml").write_text(head + "quoted: [{title: a, repository: b, dice: 0.5}]\n")
    if "broken" in arguments[0]:
        (runs / "broken").mkdir()
        (runs / "broken" / "record.json").write_text("{}")
    result = table(*(argument.replace("RUNS", str(runs)) for argument in arguments))
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1
