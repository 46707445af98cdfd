"""A package outside finetune adds one component of each kind, and a run with them reaches both cards."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from discs import write_discs
from forked_command import run_command
from ruamel.yaml import YAML

HERE = Path(__file__).parent
COUNT_ERROR = "absolute difference between the numbers of predicted and reference instances"
RECIPE = """\
model:
  repository: example
  name: three
  options: {width: 12}
  target: distance
  adapt: last
  adapt_options: {layers: 2}
data:
  root: discs
  source: https://example.org/discs
training: {epochs: 1, images_per_epoch: 16, batch_size: 4, patch: 32, workers: 0}
card:
  title: Discs by distance
  description: Finds discs.
  license: MIT
"""

Run = Callable[..., subprocess.CompletedProcess]


def install(site: Path, **entry_points: str) -> None:
    """Write the metadata that pip would write, and copy the package."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    groups = {group: entries for group, entries in project["entry-points"].items()}
    for group, entry in entry_points.items():
        groups[f"finetune.{group}"] = dict([entry.split(" = ")])
    info = site / f"finetune_example-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in groups.items()
        )
    )
    shutil.copytree(HERE / "finetune_example", site / "finetune_example")


def finetune(folder: Path, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "COLUMNS": "200"}
    return run_command(*arguments, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugin")
    install(folder / "site")
    write_discs(folder / "discs" / "train", 10)
    write_discs(folder / "discs" / "test", 3, seed=1)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def command(folder: Path) -> Run:
    return lambda *arguments: finetune(folder, folder / "site", *arguments)


@pytest.fixture(scope="module")
def summary(folder: Path, command: Run) -> str:
    """The terminal output of the run."""
    result = command("run", "recipe.yaml", "--out", "run")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def run(folder: Path, summary: str) -> Path:
    return folder / "run"


@pytest.fixture(scope="module")
def record(run: Path) -> dict:
    return json.loads((run / "record.json").read_text())


@pytest.fixture(scope="module")
def card(run: Path) -> str:
    return (run / "huggingface" / "README.md").read_text()


@pytest.fixture(scope="module")
def package(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked BioImage.IO package."""
    folder = tmp_path_factory.mktemp("package")
    with zipfile.ZipFile(run / "bioimageio" / "recipe.zip") as archive:
        archive.extractall(folder)
    return folder


def test_the_metric_is_a_column_of_scores_and_in_the_record_and_the_terminal(
    run: Path, record: dict, summary: str
) -> None:
    with (run / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    values = [float(row["count_error"]) for row in rows if row["stage"] == "after"]
    mean = record["accuracy"]["after"]["summary"]["count_error"]["mean"]
    assert len(values) == 3
    assert mean == pytest.approx(sum(values) / 3)
    assert {"name": "count_error", "meaning": COUNT_ERROR}.items() <= record["metrics"][-1].items()
    assert f", Count error {mean:.4f}" in summary


def test_the_metric_is_on_both_cards(record: dict, card: str, package: Path) -> None:
    score = record["accuracy"]["after"]["summary"]["count_error"]
    row = f"| {score['mean']:.4f} ± {score['std']:.4f} |"
    documentation = (package / "README.md").read_text()
    for text in (card, documentation):
        assert any(line.startswith("| Count error |") and row in line for line in text.splitlines())
        assert f"- **Count error:** {COUNT_ERROR}; lower is better" in text
        assert "AP90, PQ and Count error are computed on instances" in text
    metadata = YAML(typ="safe").load(card.split("---\n")[1])
    assert "count_error" in metadata["metrics"]
    results = {
        metric["type"]: metric["value"] for metric in metadata["model-index"][0]["results"][0]["metrics"]
    }
    assert results["count_error"] == round(score["mean"], 4)
    assert results["count_error_std"] == round(score["std"], 4)
    description = YAML(typ="safe").load(package / "rdf.yaml")
    assert "Count error mean" in description["config"]["bioimageio"]["evaluations"][0]["metrics"]


def test_both_cards_say_what_the_package_returns(record: dict, card: str, package: Path) -> None:
    target = record["model"]["target"]
    assert (target["exports_labels"], target["exported_axes"]) == (False, "byxc")
    for text in (card, (package / "README.md").read_text()):
        assert "# (batch, height, width, channels)" in text
        assert "label image (batch" not in text
        assert "instance segmentation" in text
    (output,) = YAML(typ="safe").load(package / "rdf.yaml")["outputs"]
    assert [axis["type"] for axis in output["axes"]] == ["batch", "space", "space", "channel"]
    assert output["axes"][-1]["channel_names"] == ["distance"]


def test_network_adapter_and_package_are_named_on_both_cards(record: dict, card: str, package: Path) -> None:
    assert record["model"]["adapt"] == {"name": "last", "options": {"layers": 2}}
    assert record["environment"]["packages"]["finetune-example"] == "0.1"
    for text in (card, (package / "README.md").read_text()):
        assert "| Network | `three(width=12)` |" in text
        assert "| Target | `distance` |" in text
        assert "| Adaptation | `last(layers=2)` |" in text
        assert "| finetune-example | 0.1 |" in text
        assert "height and width are multiples of 1" not in text
    assert "class ThreeConvolutions" in (package / "architecture.py").read_text()


def test_the_export_format_is_written_reloaded_and_listed(run: Path, record: dict, card: str) -> None:
    assert (run / "npz" / "weights.npz").is_file()
    (check,) = [check for check in record["exports"] if check["artifact"] == "npz/weights.npz"]
    assert check["equal"]
    verification = card.split("## Export verification")[1]
    assert "| `npz/weights.npz` | NumPy arrays | finetune_example 0.1 | 3 |" in verification
    sha256 = next(file["sha256"] for file in record["files"] if file["path"] == "npz/weights.npz")
    assert sha256 in card.split("Full hashes")[1]


def test_components_and_commands_are_listed_and_run(command: Run, folder: Path) -> None:
    assert "Three convolutions, trained from scratch" in command("models").stdout
    assert "Command of the package finetune-example" in command("--help").stdout
    assert "Count the instances in each label image" in command("count", "--help").stdout
    assert command("count", "discs/test/masks").stdout.startswith("disc_00.tif: 5 instances\n")


def test_options_of_the_network_have_file_line_and_limits(command: Run, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(RECIPE.replace("width: 12", "wdith: 12"))
    result = command("validate", "wrong.yaml", "model.adapt_options.layers=0")
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "finetune: override model.adapt_options.layers: must be an integer ≥ 1, got 0",
        "finetune: wrong.yaml:4: model.options.wdith: unknown option of model three 'wdith'; "
        "did you mean width?",
    ]


@pytest.mark.parametrize(
    ("group", "entry", "arguments", "message"),
    [
        (
            "repositories",
            "broken = nowhere",
            ["models"],
            "repositories:broken of finetune-example 0.1 cannot be",
        ),
        (
            "commands",
            "run = finetune_example.command:count",
            ["--help"],
            "commands:run of finetune-example 0.1: ",
        ),
        ("commands", "broken = nowhere:run", ["broken"], "commands:broken of finetune-example 0.1 cannot be"),
    ],
)
def test_a_broken_package_is_one_line_that_names_it(
    tmp_path: Path, group: str, entry: str, arguments: list[str], message: str
) -> None:
    install(tmp_path, **{group: entry})
    result = finetune(tmp_path, tmp_path, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
