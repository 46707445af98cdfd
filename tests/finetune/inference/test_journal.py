"""A prediction of many images that was interrupted: repeated, it skips what is finished."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile
from folder_prediction import predict_folder
from spots_model import spots_model, write_spots

from cards.errors import DataError
from finetune.inference.journal import JOURNAL


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four small images."""
    (tmp_path / "images").mkdir()
    for number in range(4):
        write_spots(tmp_path / "images" / f"spots{number}.tif", 80, 90 + number)
    return tmp_path / "images"


def interrupted(images: Path, out: Path, after: int) -> None:
    """A prediction that stops after some images, as if it was killed."""
    results = predict_folder(spots_model(), images, out)
    for _ in range(after):
        next(results)
    results.close()


def times(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.tif")}


def test_the_same_command_skips_finished_images(images: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "labels", tmp_path / "whole"
    expected = list(predict_folder(spots_model(), images, whole))
    interrupted(images, out, 2)
    before = times(out)
    assert len(before) == 2
    results = list(predict_folder(spots_model(), images, out))
    assert before.items() <= times(out).items()
    assert [(result.image, result.instances) for result in results] == [
        (result.image, result.instances) for result in expected
    ]
    for path in whole.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()
    assert not (out / JOURNAL).exists()


def test_a_complete_prediction_is_not_replaced(images: Path, tmp_path: Path) -> None:
    list(predict_folder(spots_model(), images, tmp_path / "labels"))
    with pytest.raises(DataError, match="--overwrite"):
        list(predict_folder(spots_model(), images, tmp_path / "labels"))


def test_another_model_does_not_continue(images: Path, tmp_path: Path) -> None:
    out, other, rounded = tmp_path / "labels", spots_model(), spots_model()
    interrupted(images, out, 2)
    before = times(out)
    rounded.precision = "bf16"
    with pytest.raises(DataError, match="another model"):
        list(predict_folder(rounded, images, out))
    other.network.level.data += 0.1
    with pytest.raises(DataError, match="another model"):
        list(predict_folder(other, images, out))
    assert times(out) == before
    list(predict_folder(other, images, out, overwrite=True))
    again = tmp_path / "again"
    list(predict_folder(other, images, again))
    assert (out / "spots0.tif").read_bytes() == (again / "spots0.tif").read_bytes()


def test_an_image_that_changed_is_segmented_again(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    interrupted(images, out, 2)
    write_spots(images / "spots0.tif", 100, 100)
    results = list(predict_folder(spots_model(), images, out))
    assert tifffile.imread(out / "spots0.tif").shape == (100, 100)
    assert len(results) == 4


def test_a_label_image_that_was_corrected_is_never_replaced(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    interrupted(images, out, 2)
    tifffile.imwrite(out / "spots1.tif", tifffile.imread(out / "spots1.tif") // 2)
    with pytest.raises(DataError, match="spots1.tif"):
        list(predict_folder(spots_model(), images, out))
    with pytest.raises(DataError, match="spots1.tif"):
        list(predict_folder(spots_model(), images, out, overwrite=True))


def test_a_line_that_a_killed_process_left_unfinished_spoils_no_other(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    interrupted(images, out, 1)
    with (out / JOURNAL).open("a") as file:
        file.write('\n{"name": "spots1.tif", "fil')
    interrupted(images, out, 3)
    before = times(out)
    assert len(before) == 3
    list(predict_folder(spots_model(), images, out))
    assert before.items() <= times(out).items()


def test_an_image_that_was_killed_between_its_files_is_continued(images: Path, tmp_path: Path) -> None:
    """The label image has its name, but no line of the journal says so."""
    out = tmp_path / "labels"
    interrupted(images, out, 2)
    lines = (out / JOURNAL).read_text().split("\n")
    (out / JOURNAL).write_text("\n".join(lines[:-1]))
    assert "instances" not in lines[-2]
    results = list(predict_folder(spots_model(), images, out))
    assert [result.error for result in results] == [None] * 4
