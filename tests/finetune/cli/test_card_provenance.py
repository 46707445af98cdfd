"""`finetune card bom` and `finetune card croissant`: JSON on standard output, or a new file."""

from __future__ import annotations

import json
from pathlib import Path

import examples
import pytest
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text(examples.full().dumps(), encoding="utf-8")
    return path


@pytest.mark.parametrize(("command", "key"), [("bom", "bomFormat"), ("croissant", "conformsTo")])
def test_the_document_goes_to_standard_output_or_to_a_new_file(
    record: Path, tmp_path: Path, command: str, key: str
) -> None:
    printed = CliRunner().invoke(app, ["card", command, str(record)])
    assert printed.exit_code == 0, printed.output
    assert key in json.loads(printed.stdout)
    out = tmp_path / "out.json"
    written = CliRunner().invoke(app, ["card", command, str(record), "--out", str(out)])
    assert written.stdout.strip() == str(out)
    assert out.read_text(encoding="utf-8") == printed.stdout
    out.write_text("mine")
    refused = CliRunner().invoke(app, ["card", command, str(record), "--out", str(out)])
    assert isinstance(refused.exception, InputError) and out.read_text() == "mine"


@pytest.mark.parametrize("command", ["bom", "croissant"])
def test_no_local_path_reaches_the_document(record: Path, tmp_path: Path, command: str) -> None:
    printed = CliRunner().invoke(app, ["card", command, str(record)])
    assert printed.exit_code == 0, printed.output
    assert str(tmp_path) not in printed.stdout and str(Path.home()) + "/" not in printed.stdout
