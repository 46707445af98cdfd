"""Prediction with BioImage.IO packages of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foreign import make_package
from scipy.ndimage import label

import finetune
from cards.errors import InputError
from finetune.inference.package_path import is_package
from finetune.repositories.registry import LoadOptions, load


@pytest.fixture(scope="module")
def onnx_alone(tmp_path_factory) -> Path:
    return make_package(tmp_path_factory.mktemp("made"), formats=("onnx",))


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(100, 20, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(64, 64), (31, 50), (70, 130)])
def test_labels_with_weights_that_cannot_be_tuned(onnx_alone, shape):
    with pytest.raises(InputError, match="ONNX Runtime has no gradients"):
        load("bioimageio", "tiny", LoadOptions(in_channels=1, out_channels=1, checkpoint=onnx_alone))
    labels = finetune.load(onnx_alone).predict(image(*shape))
    assert labels.shape == shape
    assert labels.dtype == np.int32
    assert labels.max() == label(labels > 0)[1] > 0


def test_onnx_and_torchscript_of_a_package_find_the_same(tmp_path):
    both = make_package(tmp_path, formats=("torchscript", "onnx"))
    (tmp_path / "alone").mkdir()
    one = make_package(tmp_path / "alone", formats=("onnx",))
    assert np.array_equal(*(finetune.load(path).predict(image(64, 64)) for path in (both, one)))


def test_weights_that_need_code_are_not_run(tmp_path):
    package = make_package(tmp_path, formats=("pytorch_state_dict",))
    with pytest.raises(
        InputError, match="pytorch_state_dict only; without code of the package finetune can run TorchScript"
    ):
        finetune.load(package)


def test_maps_that_nobody_says_how_to_read(tmp_path):
    package = make_package(tmp_path, maps=2)
    with pytest.raises(InputError, match="can decode a label image or one probability map only"):
        finetune.load(package).predict(image(64, 64))


def test_another_number_of_channels(onnx_alone):
    with pytest.raises(InputError, match="the image has 3 channels; this model takes 1"):
        finetune.load(onnx_alone).predict(image(3, 64, 64))


def test_tells_a_package_from_a_run(onnx_alone, tmp_path):
    assert is_package(onnx_alone)
    assert not is_package(tmp_path)
    assert not is_package("user/name")


def test_maps_of_packages_are_averaged_over_symmetries_and_models(onnx_alone):
    from finetune.inference.ensemble import EnsembleModel
    from finetune.inference.symmetries import SymmetricModel

    package, pixels = finetune.load(onnx_alone), image(1, 48, 64)
    symmetric = SymmetricModel(package)
    turned = symmetric.predict_maps(np.rot90(pixels, axes=(1, 2)).copy())
    assert np.allclose(np.rot90(symmetric.predict_maps(pixels), axes=(1, 2)), turned, atol=1e-5)
    assert not np.allclose(package.predict_maps(pixels), symmetric.predict_maps(pixels), atol=1e-5)
    ensemble = EnsembleModel([package, package], ["a", "b"])
    assert np.array_equal(ensemble.predict(pixels), package.predict(pixels))
