"""finetune reads its own packages: same labels as the run, with the target that the package states."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import finetune
from cards.errors import ModelError
from finetune.inference.bioimageio_model import PackageModel
from finetune.repositories.bioimageio.package import open_package


@pytest.mark.parametrize("exported", ["plain", "colored", "flows", "rays"])
def test_labels_of_a_package_are_those_of_the_run(request, exported):
    exported = request.getfixturevalue(exported)
    expected = exported.model.predict(exported.pixels)
    loaded = finetune.load(exported.path)
    assert np.array_equal(loaded.predict(exported.pixels), expected)
    assert expected.max() > 0
    large = np.tile(exported.pixels, (1, 22, 1))  # in overlapping tiles
    assert max(large.shape) > 1024
    assert np.array_equal(loaded.predict(large), exported.model.predict(large))


def test_other_targets_can_be_named(plain):
    labels = finetune.load(plain.path, target="foreground_boundary").predict(plain.pixels)
    assert labels.shape == plain.pixels.shape[1:]
    assert isinstance(finetune.load(plain.path, target="foreground_boundary"), PackageModel)


def test_an_edited_target_is_one_line(plain, tmp_path: Path):
    folder = tmp_path / "package"
    shutil.unpack_archive(plain.path, folder)
    description = folder / "bioimageio.yaml"
    if not description.exists():
        description = folder / "rdf.yaml"
    text = description.read_text()
    description.write_text(text.replace("name: foreground_boundary", "name: nonsense"))
    with pytest.raises(ModelError, match=r"config\.finetune\.prediction: .*nonsense") as refused:
        finetune.load(folder)
    assert "\n" not in str(refused.value)
    assert open_package(folder).name == open_package(plain.path).name
