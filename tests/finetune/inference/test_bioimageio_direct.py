"""Packages run without bioimageio.core's pipeline give the package's own test output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import make_package

import finetune
from finetune.inference.bioimageio_direct import open_directly
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.tensors import own_test

BINARIZE = {"id": "binarize", "kwargs": {"threshold": 0.4}}
CLIP = {"id": "clip", "kwargs": {"min": 0.1, "max": 0.9}}


@pytest.mark.parametrize("formats", [("torchscript",), ("onnx",), ("torchscript", "onnx")])
def test_maps_are_those_of_the_test_output(tmp_path: Path, formats: tuple[str, ...]) -> None:
    package = open_package(make_package(tmp_path, formats=formats))
    direct, test = open_directly(package), own_test(package)
    assert direct is not None and test is not None
    np.testing.assert_allclose(direct.predict_maps(test[0]), test[1], atol=1e-5)


def test_a_package_with_one_size_takes_images_of_any_size(tmp_path: Path) -> None:
    package = open_package(make_package(tmp_path, size=64, side=64))
    direct = open_directly(package)
    assert direct is not None and direct.fixed
    image = np.random.default_rng(0).normal(100, 20, (1, 150, 90)).astype(np.float32)
    maps = direct.predict_maps(image)
    assert maps.shape == (1, 150, 90)
    small = direct.predict_maps(image[:, :20, :30])
    assert small.shape == (1, 20, 30)
    # The upper left tile is predicted from the same pixels as an image of that size.
    network = direct.network
    normalized = torch.from_numpy(direct.normalize(image))[None]
    expected = torch.sigmoid(network(normalized[..., :64, :64]))[0].detach().numpy()
    np.testing.assert_allclose(maps[:, :56, :26], expected[:, :56, :26], atol=1e-6)


def test_a_threshold_of_the_package_is_applied(tmp_path: Path) -> None:
    package = open_package(make_package(tmp_path, sigmoid=True, postprocessing=(BINARIZE,)))
    direct = open_directly(package)
    assert direct is not None
    image = np.random.default_rng(0).normal(100, 20, (1, 64, 64)).astype(np.float32)
    assert set(np.unique(direct.predict_maps(image))) <= {0, 1}


def test_other_processing_is_left_to_bioimageio_core(tmp_path: Path) -> None:
    path = make_package(tmp_path, postprocessing=({"id": "sigmoid"}, CLIP))
    assert open_directly(open_package(path)) is None
    image = np.random.default_rng(0).normal(100, 20, (64, 64)).astype(np.float32)
    assert finetune.load(path).predict(image).shape == (64, 64)
