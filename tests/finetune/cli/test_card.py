"""`finetune card`: a record is found wherever a model is, and no file is overwritten."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import examples
import pytest
from typer.testing import CliRunner

from cards.errors import InputError
from cards.huggingface import render, render_body
from cards.record import RunRecord
from finetune.cli.main import app


def card(*arguments: object):
    return CliRunner().invoke(app, ["card", *map(str, arguments)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder, as far as cards read it."""
    hub = tmp_path / "run" / "huggingface"
    (hub / "pictures").mkdir(parents=True)
    (hub / "pictures" / "histogram.png").write_bytes(b"a picture")
    text = examples.full().dumps()
    for folder in (hub, hub.parent):
        (folder / "record.json").write_text(text, encoding="utf-8")
    (hub / "README.md").write_text(render(examples.full(), ["histogram.png"]), encoding="utf-8")
    with zipfile.ZipFile(hub.parent / "model.zip", "w") as package:
        package.writestr("record.json", text)
    return hub.parent


@pytest.mark.parametrize("place", ["", "record.json", "huggingface", "huggingface/record.json", "model.zip"])
def test_the_record_is_found_in_a_run_a_hub_folder_and_a_package(run: Path, place: str) -> None:
    result = card("show", "--json", run / place)
    assert result.exit_code == 0, result.output
    assert result.stdout == examples.full().dumps()
    assert RunRecord.parse(result.stdout, "stdout").digest() == examples.full().digest()


def test_outside_a_terminal_show_prints_the_card_as_markdown(run: Path) -> None:
    assert card("show", run).stdout == render_body(examples.full())


def test_render_prints_the_card_that_the_run_wrote(run: Path) -> None:
    assert card("render", run).stdout == (run / "huggingface" / "README.md").read_text(encoding="utf-8")
    assert card("render", run, "--html").stdout.startswith("<!doctype html>")


def test_render_writes_into_a_folder_and_again_changes_nothing(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert card("render", run, "--out", out).exit_code == 0
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {"README.md", "report.html", "pictures/histogram.png"}
    times = [path.stat().st_mtime_ns for path in sorted(out.rglob("*.*"))]
    again = card("render", run, "--out", out)
    assert again.stdout.count("(unchanged)") == 3
    assert [path.stat().st_mtime_ns for path in sorted(out.rglob("*.*"))] == times


def test_render_writes_nothing_if_one_file_there_differs(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    result = card("render", run, "--out", out)
    assert isinstance(result.exception, InputError)
    assert "report.html: exists and differs" in str(result.exception)
    assert [path.name for path in out.iterdir()] == ["report.html"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A record with other epochs, another name for each test image, and a lower Dice on one of them."""
    record = examples.full()
    record.name = "second"
    record.recipe["training"]["epochs"] = 20
    for file in record.data.files:
        file.name = f"copy_{file.name}"
    for relation in record.leakage.relations:
        relation.image = f"copy_{relation.image}"
    for score in record.accuracy.after.scores:
        score.image = f"copy_{score.image}"
    record.accuracy.after.scores[0].metrics["dice"] -= 0.2
    (tmp_path / "other.json").write_text(record.dumps(), encoding="utf-8")
    return tmp_path / "other.json"


def test_a_run_does_not_differ_from_its_own_package(run: Path) -> None:
    content = json.loads(card("diff", "--json", run, run / "model.zip").stdout)
    assert content["differences"] == {}
    assert {entry["difference"] for entry in content["accuracy"]} == {0.0}
    assert "The records do not differ in" in card("diff", run, run / "model.zip").stdout


def test_diff_lists_what_differs_and_pairs_images_by_their_pixels(run: Path, other: Path) -> None:
    content = json.loads(card("diff", "--json", run, other).stdout)
    assert content["differences"] == {"Recipe": [{"item": "training.epochs", "first": "60", "second": "20"}]}
    assert content["test_images_in_common"] == 20
    dice = next(entry for entry in content["accuracy"] if entry["label"] == "Dice")
    assert dice["difference"] == pytest.approx(-0.01)
    assert (dice["higher"], dice["lower"]) == (0, 1)
    assert dice["interval"]["low"] < -0.01 < dice["interval"]["high"]
    assert [entry["difference"] for entry in content["accuracy"][1:]] == [0, 0, 0, 0]


def test_diff_fits_a_terminal_of_100_columns(run: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    text = re.sub(r"\x1b\[[\d;]*m", "", card("diff", run, other).stdout)
    assert max(map(len, text.splitlines())) <= 100
    assert "unet_nuclei" in text
    assert "−0.2000" in text


def test_runs_without_a_test_image_in_common_are_not_compared(run: Path, tmp_path: Path) -> None:
    (tmp_path / "sparse.json").write_text(examples.sparse().dumps(), encoding="utf-8")
    result = card("diff", run, tmp_path / "sparse.json")
    assert "The runs have no scored test image in common: their accuracy cannot be compared." in result.stdout
    assert json.loads(card("diff", "--json", run, tmp_path / "sparse.json").stdout)["accuracy"] == []


def test_methods_prints_one_paragraph(run: Path) -> None:
    lines = card("methods", run).stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Instances were segmented with unet")


def test_the_record_of_a_model_on_the_hub_is_downloaded(hub, run: Path) -> None:
    files = {"record.json": (run / "record.json").read_bytes(), "README.md": b"", "model.safetensors": b"x"}
    for revision in ("main", "v1"):
        hub.add("someone/nuclei", files, revision)
    for name in ("someone/nuclei", "someone/nuclei@v1"):
        result = card("show", "--json", name)
        assert result.exit_code == 0, result.exception
        assert result.stdout == examples.full().dumps()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "not a run record"),
        (b"\xff\xfe", "not a run record"),
        (b'{"schema_version": 9}', "reads up to 2"),
    ],
)
def test_a_file_that_is_no_record_is_reported_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    error = card("show", path).exception
    assert isinstance(error, InputError)
    assert message in str(error)
    assert "\n" not in str(error)


def test_a_package_without_record_and_a_damaged_package_are_reported(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as package:
        package.writestr("rdf.yaml", "")
    (tmp_path / "damaged.zip").write_bytes(b"PK")
    assert "finetune did not write it" in str(card("show", tmp_path / "other.zip").exception)
    assert "cannot read the package" in str(card("show", tmp_path / "damaged.zip").exception)
    assert "no such file or folder" in str(card("show", tmp_path / "missing.zip").exception)
    assert "holds no record.json" in str(card("show", tmp_path).exception)
