"""Test images of a run are found below the folders given with --data."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_run import RUN

from cards.errors import InputError
from cards.record import RunRecord
from finetune.viewer.library import Library
from finetune.viewer.predictions import locate


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
