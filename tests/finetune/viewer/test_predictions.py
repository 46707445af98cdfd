"""Test images of a run are found below the folders given with --data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from finished_run import RUN

from cards.errors import InputError
from cards.fingerprint import sha256_file
from cards.record import RunRecord
from finetune.viewer.library import Library
from finetune.viewer.predictions import Located, existing_prediction, locate


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("images", "masks"):
        (tmp_path / "nuclei" / "test" / folder).mkdir(parents=True)
        (tmp_path / "nuclei" / "test" / folder / "a.tif").write_bytes(b"")
    return tmp_path / "nuclei"


@pytest.mark.parametrize("given", [".", "test"])
def test_the_folder_given_is_the_data_root_or_a_folder_below_it(root: Path, given: str) -> None:
    entry = RunRecord.read(RUN).data.files[0]
    file = entry.model_copy(update={"image": "test/images/a.tif", "label": "test/masks/a.tif"})
    located = locate(Library([RUN], [root / given]), file)
    assert located.image.samefile(root / "test/images/a.tif")
    assert located.label.samefile(root / "test/masks/a.tif")


def test_an_image_of_another_folder_is_not_taken_for_that_of_the_record(root: Path) -> None:
    entry = RunRecord.read(RUN).data.files[0]
    file = entry.model_copy(update={"image": "train/images/a.tif", "label": "train/masks/a.tif"})
    with pytest.raises(InputError, match=r"train/images/a\.tif: not below .* data\.root"):
        locate(Library([RUN], [root / "test"]), file)


def test_a_label_image_that_is_not_the_one_that_was_scored_is_noted(root: Path) -> None:
    entry = RunRecord.read(RUN).data.files[0]
    content = {"image": "test/images/a.tif", "label": "test/masks/a.tif"}
    hashes = {f"{kind}_sha256": sha256_file(root / "test/images/a.tif") for kind in ("image", "label")}
    file = entry.model_copy(update=content | hashes)
    library = Library([RUN], [root])
    assert locate(library, file).note == ""
    label = root / "test/masks/a.tif"
    label.write_bytes(b"other")
    assert locate(library, file).note == "the label image differs from the one of the record"
    label.unlink()
    assert locate(library, file).note == "the label image is missing"


def test_the_input_of_a_run_is_not_taken_for_its_prediction(tmp_path: Path) -> None:
    for name in ("nuclei/a.tif", "nuclei/a_masks.tif", "labels/nuclei/a.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint8))
    entry = RunRecord.read(RUN).data.files[0]
    located = Located(tmp_path / "nuclei/a.tif", tmp_path / "nuclei/a_masks.tif", entry, "")
    for shown, expected in (("nuclei", None), ("labels", tmp_path / "labels/nuclei/a.tif")):
        library = Library([tmp_path / shown])
        library.scan()
        assert existing_prediction(library, "runs/nuclei", located) == expected
