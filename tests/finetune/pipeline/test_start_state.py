from __future__ import annotations

import json
from pathlib import Path

import pytest

from cards.errors import InputError
from cards.record import DataFile
from cards.training import StepTimes
from finetune.pipeline.start_state import (
    MARKER,
    begin_or_compare,
    keep_precision,
    keep_step_times,
    mark,
    read_marker,
)
from finetune.recipe.library import find_recipe


def data_file(name: str, split: str = "train", pixels: str = "a", label: str = "b") -> DataFile:
    return DataFile.model_validate(
        {
            "name": name,
            "split": split,
            "image": f"images/{name}.tif",
            "label": f"masks/{name}.tif",
            "shape": [1, 8, 8],
            "dtype": "uint8",
            "instances": 1,
            "image_sha256": "0" * 64,
            "label_sha256": "0" * 64,
            "image_pixels": pixels * 64,
            "label_pixels": label * 64,
        }
    )


BEGUN = [data_file("one"), data_file("two", "test")]
RECIPE = find_recipe("quickstart")


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    mark(tmp_path, overwrite=False)
    begin_or_compare(tmp_path, RECIPE, "base", BEGUN)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([data_file("one", pixels="c"), BEGUN[1]], r"images/one\.tif \(changed\)"),
        ([data_file("one", label="c"), BEGUN[1]], r"images/one\.tif \(label image changed\)"),
        ([BEGUN[1]], r"images/one\.tif \(removed\)"),
        ([*BEGUN, data_file("three")], r"images/three\.tif \(added\)"),
        ([data_file("one", "test"), BEGUN[1]], r"images/one\.tif \(moved from train to test\)"),
        ([data_file(f"n{index}") for index in range(20)], r"and 17 more"),
    ],
)
def test_other_images_than_at_the_start_are_refused_by_name(
    begun: Path, files: list[DataFile], words: str
) -> None:
    with pytest.raises(InputError, match=f"{words}.*start over with --overwrite") as caught:
        begin_or_compare(begun, RECIPE, "base", files)
    assert "\n" not in str(caught.value)


def test_an_edited_recipe_is_refused_and_the_key_is_named_unless_only_the_images_moved(begun: Path) -> None:
    training = RECIPE.training.model_copy(update={"learning_rate": 0.5})
    with pytest.raises(InputError, match=r"recipe\.yaml: training\.learning_rate is 0\.5, but the run began"):
        begin_or_compare(begun, RECIPE.model_copy(update={"training": training}), "base", BEGUN)
    with pytest.raises(InputError, match="base model"):
        begin_or_compare(begun, RECIPE, "other", BEGUN)
    data = RECIPE.data.model_copy(update={"root": Path("elsewhere")})
    begin_or_compare(begun, RECIPE.model_copy(update={"data": data}), "base", BEGUN)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"overwrite": 3}'])
def test_a_damaged_marker_is_one_line(begun: Path, content: str) -> None:
    (begun / MARKER).write_text(content)
    with pytest.raises(InputError, match="damaged.*--overwrite"):
        read_marker(begun)


def test_a_run_that_began_before_a_key_was_added_can_be_resumed(begun: Path) -> None:
    marker = read_marker(begun)
    del marker["recipe"]["compute"]["energy"], marker["recipe"]["compute"]["country"]
    (begun / MARKER).write_text(json.dumps(marker))
    begin_or_compare(begun, RECIPE, "base", BEGUN)


def test_a_resumed_run_keeps_the_precision_and_the_times_that_it_was_selected_by(tmp_path: Path) -> None:
    mark(tmp_path, overwrite=False)
    assert RECIPE.compute.precision == "auto"
    assert keep_precision(tmp_path, RECIPE) == RECIPE  # the run has not begun
    selected = RECIPE.compute.model_copy(update={"precision": "32-true"})
    begin_or_compare(tmp_path, RECIPE.model_copy(update={"compute": selected}), "base", BEGUN)
    times = StepTimes(float32=0.02, bf16=0.03)
    assert keep_step_times(tmp_path, times) == times
    assert keep_precision(tmp_path, RECIPE).compute.precision == "32-true"
    assert keep_step_times(tmp_path, None) == times


def test_a_run_of_an_earlier_version_has_no_step_times(begun: Path) -> None:
    assert keep_step_times(begun, None) is None
    assert keep_step_times(begun, None) is None
