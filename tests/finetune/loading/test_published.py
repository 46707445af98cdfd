"""`finetune.load("repository:name")`: published models as their authors use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_cellpose import load_cyto3

import finetune
from finetune.inference.model import Model
from finetune.loading.published import PublishedName, load_published, published_name
from finetune.repositories.registry import save

IMAGE = np.random.default_rng(0).integers(0, 255, (3, 40, 48)).astype(np.uint8)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("cellpose:cyto3", PublishedName("cellpose", "cyto3")),
        (
            "huggingface:facebook/sam-vit-huge@abc",
            PublishedName("huggingface", "facebook/sam-vit-huge", "abc"),
        ),
        ("runs/unet", None),
        ("user/name@main", None),
        ("nowhere:name", None),
        ("cellpose:", None),
        (Path("cellpose:cyto3"), None),
    ],
)
def test_names_of_published_models(source: str | Path, expected: PublishedName | None) -> None:
    assert published_name(source) == expected
    if expected:
        assert str(expected) == source


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loaded = load_cyto3()
    return save(loaded.network, loaded.architecture, tmp_path_factory.mktemp("cyto3"))[0]


def test_cellpose_models_are_decoded_by_the_flow_dynamics(weights: Path) -> None:
    model = load_published(PublishedName("cellpose", "cyto3"), checkpoint=weights)
    assert isinstance(model, Model)
    assert (model.target.name, model.select, model.channels) == ("flows", "gray", 1)
    assert model.predict(IMAGE[0]).shape == (40, 48)
    # A color image is converted to gray, on which the model was trained.
    np.testing.assert_array_equal(model.predict(IMAGE), model.predict(IMAGE.mean(axis=0)))


def test_an_encoder_alone_cannot_segment(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    torch.save(
        {key: value for key, value in state.items() if key.startswith("downsample.")}, tmp_path / "e.pth"
    )
    message = r"pretrained weights: downsample \(.*\); fine-tune the model first"
    with pytest.raises(finetune.ModelError, match=message):
        load_published(PublishedName("cellpose", "cyto3"), checkpoint=tmp_path / "e.pth")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("wipp:unet", "wipp:unet: has no published weights that segment images; fine-tune it with a recipe"),
        ("torchvision:fcn_resnet50", "has no published weights that segment images"),
        ("stardist:unet", "has no published weights that segment images"),
        ("cellpose:cyto9", "unknown cellpose model 'cyto9'; did you mean cyto or cyto3?"),
        ("wipp:nothing", "unknown wipp model 'nothing'"),
        ("celpose:cyto3", "celpose:cyto3: unknown repository 'celpose'; did you mean cellpose?"),
        ("absent", "absent: no such folder, and no name of a published model, such as cellpose:cyto3"),
    ],
)
def test_models_without_published_weights_are_one_line(source: str, message: str) -> None:
    with pytest.raises(finetune.InputError, match=message) as caught:
        finetune.load(source)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_downloaded_name_the_command_that_downloads_them(hub) -> None:
    expected = r"; download it where there is a network, with `finetune download sam2:.* --to FOLDER`$"
    with pytest.raises(finetune.DownloadError, match=expected) as caught:
        finetune.load("sam2:sam2.1-hiera-tiny")
    assert "model.checkpoint" not in str(caught.value)


def test_only_packages_take_a_target() -> None:
    with pytest.raises(finetune.ModelError, match="cellpose:cyto3: has a target of its own"):
        finetune.load("cellpose:cyto3", target="flows")
