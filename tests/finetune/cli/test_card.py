"""`finetune card`: a record is found wherever a model is, and no file is overwritten."""

from __future__ import annotations

import json
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


def test_diff_of_a_run_and_itself_finds_no_difference(run: Path) -> None:
    assert json.loads(card("diff", "--json", run, run / "model.zip").stdout) == {}


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
