"""Prediction of a folder: one label image per image, and no file is lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from folder_prediction import predict_folder
from full_disk import nearly_full_disk

from cards.errors import DataError, InputError
from finetune.inference.folder import FolderPrediction
from finetune.inference.markers import is_ours
from finetune.inference.outputs import plan_outputs
from finetune.inference.protocol import Predictor
from finetune.utils.lock import try_lock


class Columns:
    """Labels each bright column of an image."""

    channels = 1

    def __init__(self, repeat: int = 1) -> None:
        self.repeat = repeat

    def predict(self, image: np.ndarray) -> np.ndarray:
        bright = np.asarray(image).reshape(-1, *image.shape[-2:])[0] > 0
        return (np.cumsum(bright, axis=1) * bright * self.repeat).astype(np.int32)


def write(path: Path, columns: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((4, 9), np.uint8)
    image[:, :columns] = 200
    tifffile.imwrite(path, image)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_image_gets_a_label_image_of_its_name(tmp_path: Path) -> None:
    for name, columns in (("b.tif", 2), ("a.tif", 5)):
        write(tmp_path / "images" / name, columns)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    assert isinstance(Columns(), Predictor)
    results = list(predict_folder(Columns(), tmp_path / "images", tmp_path / "labels"))
    assert results == [
        FolderPrediction(tmp_path / "images" / "a.tif", tmp_path / "labels" / "a.tif", 5),
        FolderPrediction(tmp_path / "images" / "b.tif", tmp_path / "labels" / "b.tif", 2),
    ]
    labels = tifffile.imread(results[0].labels)
    assert labels.dtype == np.uint16 and labels.max() == 5
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["a.tif", "b.tif"]


def test_more_than_65535_instances_keep_their_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", 3)
    (result,) = predict_folder(Columns(repeat=50_000), tmp_path / "a.tif", tmp_path / "labels")
    labels = tifffile.imread(result.labels)
    assert labels.dtype == np.int32 and labels.max() == result.instances == 150_000


def test_two_images_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "b.tiff"):
        write(tmp_path / "images" / name, 1)
    with pytest.raises(DataError) as error:
        list(predict_folder(Columns(), tmp_path / "images", tmp_path / "labels"))
    message = str(error.value)
    assert "b.tif and " in message and "b.tiff: both label images would be" in message
    assert "\n" not in message
    assert not (tmp_path / "labels").exists()


def test_an_image_is_never_replaced_by_its_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", 3)
    before = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(DataError, match=r"a\.tif: its label image would replace the image"):
        list(predict_folder(Columns(), tmp_path, tmp_path))
    assert (tmp_path / "a.tif").read_bytes() == before


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains no images"):
        list(predict_folder(Columns(), tmp_path, tmp_path / "labels"))


def test_only_earlier_label_images_are_replaced_and_only_on_request(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.tif", 3)
    images, labels = tmp_path / "images", tmp_path / "labels"
    list(predict_folder(Columns(), images, labels))
    assert is_ours(labels / "a.tif") and not is_ours(images / "a.tif")
    before = (labels / "a.tif").read_bytes()
    with pytest.raises(DataError, match="exists; replace earlier label images with --overwrite"):
        list(predict_folder(Columns(repeat=2), images, labels))
    assert (labels / "a.tif").read_bytes() == before
    (result,) = predict_folder(Columns(repeat=2), images, labels, overwrite=True)
    assert result.instances == tifffile.imread(labels / "a.tif").max() == 6


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["mask", "text", "folder", "link", "dangling link"])
def test_no_other_file_is_ever_replaced(tmp_path: Path, kind: str, overwrite: bool) -> None:
    write(tmp_path / "images" / "a.tif", 3)
    write(tmp_path / "precious.tif", 4)
    labels = tmp_path / "labels"
    labels.mkdir()
    path = labels / "a.tif"
    if kind == "mask":
        write(path, 2)
    elif kind == "text":
        path.write_text("notes")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / ("precious.tif" if kind == "link" else "nowhere.tif"))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(DataError, match=r"labels/a\.tif: ") as error:
        list(predict_folder(Columns(), tmp_path / "images", labels, overwrite=overwrite))
    assert "choose another folder with --out" in str(error.value)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_folder_of_the_images_is_refused_also_through_a_link(tmp_path: Path, overwrite: bool) -> None:
    write(tmp_path / "images" / "a.tif", 3)
    (tmp_path / "linked").symlink_to("images")
    (tmp_path / "images" / "a.tif").rename(tmp_path / "images" / "a.tiff")  # other names do not collide
    for out in (tmp_path / "images", tmp_path / "linked", tmp_path / "images" / ".." / "linked"):
        with pytest.raises(DataError, match="is the folder of the images"):
            plan_outputs(tmp_path / "images", out, overwrite=overwrite)


def test_an_image_that_is_a_link_into_the_output_folder_is_not_replaced(tmp_path: Path) -> None:
    write(tmp_path / "labels" / "a.tif", 3)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.tif").symlink_to(tmp_path / "labels" / "a.tif")
    with pytest.raises(DataError, match="would replace the image"):
        plan_outputs(tmp_path / "images", tmp_path / "labels", overwrite=True)


def test_a_folder_that_cannot_be_written_is_found_before_the_first_prediction(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.tif", 3)
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for out, words in (("file/labels", "is not a folder"), ("loop/labels", "is not a folder|loop of links")):
        with pytest.raises(DataError, match=words):
            plan_outputs(tmp_path / "images", tmp_path / out)


def test_a_file_that_came_up_after_the_check_is_kept(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        write(tmp_path / "images" / name, 3)
    results = predict_folder(Columns(), tmp_path / "images", tmp_path / "labels")
    next(results)
    write(tmp_path / "labels" / "b.tif", 5)
    with pytest.raises(DataError, match=r"b\.tif: exists"):
        next(results)
    assert tifffile.imread(tmp_path / "labels" / "b.tif").max() == 200
    assert files_in(tmp_path / "labels") == ["a.tif", "b.tif"]


def test_bad_images_are_reported_by_name_and_the_others_are_segmented(tmp_path: Path) -> None:
    images = tmp_path / "images"
    for name in ("a.tif", "f.tif"):
        write(images / name, 3)
    tifffile.imwrite(images / "b.tif", np.zeros((3, 8, 9), np.uint8), imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(images / "c.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    (images / "d.tif").write_bytes((images / "c.tif").read_bytes()[:100])
    (images / "e.tif").symlink_to("nowhere.tif")
    tifffile.imwrite(images / "g.tif", np.arange(4096, dtype=np.uint16).reshape(64, 64), compression="zlib")
    (images / "g.tif").write_bytes((images / "g.tif").read_bytes()[:-200])
    results = list(predict_folder(Columns(), images, tmp_path / "labels"))
    assert [result.instances for result in results] == [3, None, None, None, None, 3, None]
    for result in results:
        assert bool(result.error) == (result.labels is None)
        assert not result.error or str(result.image) in result.error and "\n" not in result.error
    assert "convert it to gray" in str(results[2].error)
    assert files_in(tmp_path / "labels") == ["a.tif", "f.tif"]


def test_a_folder_of_wrong_images_fails_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / "images").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "images" / name, np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(DataError, match=r"a\.tif: the image has 3 channels.*and 1 more images fail"):
        list(predict_folder(Columns(), tmp_path / "images", tmp_path / "labels"))
    assert not (tmp_path / "labels").exists()


def test_masks_and_other_results_beside_their_images_are_left_out_and_counted(tmp_path: Path) -> None:
    for name in ("a.tif", "a_masks.tif", "a_cp_masks.png", "a_flows.tif", "a_seg.png", "b_masks.tif"):
        write(tmp_path / "images" / name, 3)
    (tmp_path / "images" / "notes.bmp").write_bytes(b"BM")
    outputs = plan_outputs(tmp_path / "images", tmp_path / "labels")
    assert [image.name for image in outputs.paths] == ["a.tif", "b_masks.tif"]  # no image of a mask b
    assert "4 files with masks or other results not read" in outputs.notes[0]
    assert "notes.bmp" in outputs.notes[1]


def test_a_full_disk_is_one_line_and_leaves_no_partial_file(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", rng.integers(0, 2, (300, 300)).astype(np.uint8))
    message = "the disk is full; free some space, or choose another folder"
    with nearly_full_disk(1000), pytest.raises(InputError, match=message):
        list(predict_folder(Columns(), tmp_path / "images", tmp_path / "labels"))
    assert files_in(tmp_path / "labels") == []


def test_leftovers_of_a_killed_process_are_deleted_and_files_of_a_running_one_are_kept(
    tmp_path: Path,
) -> None:
    write(tmp_path / "images" / "a.tif", 3)
    labels = tmp_path / "labels"
    labels.mkdir()
    names = [f".finetune-{digit * 16}.partial" for digit in "abc"] + ["x.partial", ".finetune-mine.partial"]
    for name in names:
        (labels / name).write_bytes(b"II")
        os.utime(labels / name, (0, 0))
    os.utime(labels / names[1])  # written just now
    with (labels / names[2]).open("rb") as running:
        assert try_lock(running.fileno())
        list(predict_folder(Columns(), tmp_path / "images", labels))
    assert files_in(labels) == sorted([*names[1:], "a.tif"])


def test_links_that_lead_nowhere_do_not_stop_the_other_images(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write(images / "good.tif", 3)
    (images / "loop.tif").symlink_to(images / "loop.tif")
    (images / "gone.tif").symlink_to(images / "nothing.tif")
    results = {result.image.name: result for result in predict_folder(Columns(), images, tmp_path / "out")}
    assert results["good.tif"].instances == 3
    assert results["gone.tif"].error == f"{images / 'gone.tif'}: no such file"
    assert str(results["loop.tif"].error).startswith(f"{images / 'loop.tif'}: cannot be opened")


def test_pages_that_were_taken_for_channels_may_be_planes(tmp_path: Path) -> None:
    write(tmp_path / "images" / "good.tif", 3)
    stack = np.zeros((4, 8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "images" / "stack.tif", stack, photometric="minisblack")
    _, result = predict_folder(Columns(), tmp_path / "images", tmp_path / "out")
    assert str(result.error).endswith("or, if they are planes, segment each with --planes")
