"""A target value is written down before training, stays as it is, and ends up in record and card."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

import finetune
from cards.errors import InputError
from cards.fingerprint import data_digest, recipe_digest
from cards.record import RunRecord
from finetune.pipeline.automatic import prepare
from finetune.pipeline.pre_registration import FILE, parse_target_value, read_registration, register
from finetune.pipeline.start_state import begin_or_compare, mark
from finetune.recipe.library import find_recipe
from finetune.recipe.reader import read_recipe


@pytest.fixture
def begun(tmp_path: Path, recipe_file: Path):
    """The folder of a run that has begun, and its plan."""
    plan = prepare(read_recipe(recipe_file), Console(quiet=True))
    folder = tmp_path / "run.partial"
    folder.mkdir()
    mark(folder, overwrite=False)
    begin_or_compare(folder, plan.recipe, plan.origin.sha256, plan.inputs.files)
    return folder, plan


def test_the_registration_identifies_test_images_and_recipe(begun) -> None:
    folder, plan = begun
    register(folder, plan, parse_target_value("dice=0.9", plan.recipe))
    stated = read_registration(folder)
    assert stated is not None and (stated.metric, stated.value) == ("dice", 0.9)
    assert stated.test_images == data_digest(file for file in plan.inputs.files if file.split == "test")
    assert datetime.fromisoformat(stated.registered).tzinfo is not None


def test_a_resumed_run_keeps_its_registration_and_refuses_another(begun) -> None:
    folder, plan = begun
    register(folder, plan, parse_target_value("dice=0.9", plan.recipe))
    before = (folder / FILE).read_bytes()
    register(folder, plan, None)
    assert (folder / FILE).read_bytes() == before
    (folder / FILE).write_text(before.decode().replace("0.9", "0.5"))
    with pytest.raises(InputError, match="changed since the run began"):
        register(folder, plan, None)
    (folder / FILE).unlink()
    with pytest.raises(InputError, match="changed since the run began"):
        register(folder, plan, None)


def test_a_registration_cannot_be_added_later(begun) -> None:
    folder, plan = begun
    register(folder, plan, None)
    (folder / FILE).write_text(json.dumps({"metric": "dice", "value": 0.9}))
    with pytest.raises(InputError, match="changed since the run began"):
        register(folder, plan, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accuracy=0.9", "metrics: dice"),
        ("dice", "such as dice=0.9"),
        ("dice=", "from 0 to 1"),
        ("dice=90", "from 0 to 1"),
        ("dice=nan", "from 0 to 1"),
    ],
)
def test_a_wrong_target_value_is_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse_target_value(text, find_recipe("quickstart"))
    assert "\n" not in str(caught.value)


def test_a_model_with_prompts_cannot_register_a_target() -> None:
    with pytest.raises(InputError, match="segments without prompts"):
        parse_target_value("dice=0.9", find_recipe("sam2_prompts"))


@pytest.mark.usefixtures("without_onnx")
def test_record_and_card_state_the_target_and_whether_it_was_met(tmp_path: Path, recipe_file: Path) -> None:
    out = tmp_path / "run"
    record = finetune.run(
        read_recipe(recipe_file, ["training.epochs=1"]),
        out=out,
        register="dice=0.000001",
        console=Console(quiet=True),
    )
    assert record is not None and record.registration is not None
    assert RunRecord.read(out).registration == record.registration
    assert record.registration == read_registration(out)
    assert record.registration.recipe_sha256 == recipe_digest(record.recipe)
    assert FILE in {file.path for file in record.files}
    (line,) = [
        line
        for line in (out / "huggingface" / "README.md").read_text(encoding="utf-8").splitlines()
        if "**Target:**" in line
    ]
    assert "before training" in line and "target met" in line


def test_a_resumed_run_takes_no_registration(tmp_path: Path, recipe_file: Path) -> None:
    with pytest.raises(InputError, match="keeps its registration"):
        finetune.run(read_recipe(recipe_file), out=tmp_path / "run", resume=True, register="dice=0.9")
