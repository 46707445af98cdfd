"""finetune reads its own packages: same labels as the run, with the target that the package states."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from collection_server import serve_collection

import finetune
from cards.errors import ModelError
from finetune.inference.bioimageio_model import PackageModel
from finetune.loading.published import PublishedName, load_published
from finetune.repositories.bioimageio.collection import open_package


@pytest.mark.parametrize("exported", ["plain", "colored", "flows", "rays", "outlines", "foreground_outlines"])
def test_labels_of_a_package_are_those_of_the_run(request, exported):
    exported = request.getfixturevalue(exported)
    expected = exported.model.predict(exported.pixels)
    loaded = finetune.load(exported.path)
    assert np.array_equal(loaded.predict(exported.pixels), expected)
    assert expected.max() > 0


@pytest.mark.parametrize("exported", ["plain", "flows", "rays"])
def test_labels_of_a_package_are_those_of_the_run_in_overlapping_tiles(request, exported):
    exported = request.getfixturevalue(exported)
    large = np.tile(exported.pixels, (1, 22, 1))
    assert max(large.shape) > 1024
    assert np.array_equal(finetune.load(exported.path).predict(large), exported.model.predict(large))


def test_a_network_that_is_not_that_of_the_weights_is_not_used(plain, tmp_path: Path):
    folder = tmp_path / "package"
    shutil.unpack_archive(plain.path, folder)
    text = (folder / "rdf.yaml").read_text()
    assert not finetune.load(folder).torchscript
    for known, other in (("width: 8", "width: 16"), ("repository: wipp", "repository: nobody")):
        changed = text.replace(known, other)
        assert changed != text
        (folder / "rdf.yaml").write_text(changed)
        loaded = finetune.load(folder)
        assert loaded.torchscript
        assert np.array_equal(loaded.predict(plain.pixels), plain.model.predict(plain.pixels))


def test_labels_do_not_depend_on_where_a_package_comes_from(plain, tmp_path: Path, monkeypatch):
    folder = tmp_path / "package"
    shutil.unpack_archive(plain.path, folder)
    text = (folder / "rdf.yaml").read_text()
    changed = text.replace("boundary_threshold: 0.1", "boundary_threshold: 0.9")
    assert changed != text
    (folder / "rdf.yaml").write_text(changed)
    expected = finetune.load(folder).predict(plain.pixels)
    assert not np.array_equal(expected, plain.model.predict(plain.pixels))
    published = PublishedName("bioimageio", "blobs")
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", folder))
    for checkpoint in (folder, archive):
        assert np.array_equal(
            load_published(published, checkpoint=checkpoint).predict(plain.pixels), expected
        )
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    with serve_collection({"blobs": {"v0": folder}}, monkeypatch):
        by_id = finetune.load("bioimageio:blobs")
    assert np.array_equal(by_id.predict(plain.pixels), expected)


def test_other_targets_can_be_named(plain):
    labels = finetune.load(plain.path, target="foreground_boundary").predict(plain.pixels)
    assert labels.shape == plain.pixels.shape[1:]
    assert isinstance(finetune.load(plain.path, target="foreground_boundary"), PackageModel)


def test_an_edited_target_is_one_line(plain, tmp_path: Path):
    folder = tmp_path / "package"
    shutil.unpack_archive(plain.path, folder)
    description = folder / "rdf.yaml"
    text = description.read_text()
    description.write_text(text.replace("name: foreground_boundary", "name: nonsense"))
    with pytest.raises(ModelError, match=r"config\.finetune\.prediction: .*nonsense") as refused:
        finetune.load(folder)
    assert "\n" not in str(refused.value)
    assert open_package(folder).name == open_package(plain.path).name


@pytest.mark.parametrize("exported", ["plain", "colored", "flows", "rays", "outlines", "foreground_outlines"])
def test_no_claim_of_a_package_is_broken(request, exported):
    claims = finetune.audit(request.getfixturevalue(exported).path)
    assert len(claims) > 10
    assert [claim for claim in claims if claim.verdict == "broken"] == []
