"""A model is loaded with all of its weights, although a run may start without the last layer."""

from __future__ import annotations

from pathlib import Path

import pytest

import finetune
from finetune.data.normalization import build_normalize
from finetune.export.huggingface import save_model
from finetune.inference.model import Model
from finetune.repositories.registry import LoadOptions, load
from finetune.targets.registry import build_target


def save(folder: Path, repository: str, name: str, target_name: str) -> Path:
    """Save a model with random weights; returns its file of weights."""
    target = build_target(target_name, {})
    start = LoadOptions(1, target.channels, pretrained=False)
    loaded = load(repository, name, start)
    linear = build_normalize({"name": "scale_linear"})
    save_model(Model(loaded.network, target, linear, "auto", 1, loaded.divisor, loaded.architecture), folder)
    return folder / "model.safetensors"


@pytest.mark.parametrize("model", [("wipp", "unet"), ("torchvision", "lraspp_mobilenet_v3_large")])
def test_weights_of_a_network_with_another_number_of_maps_are_refused(
    model: tuple[str, str], tmp_path: Path
) -> None:
    weights = save(tmp_path / "model", *model, "foreground_boundary")
    assert finetune.load(tmp_path / "model").target.name == "foreground_boundary"
    save(tmp_path / "other", *model, "flows").replace(weights)
    with pytest.raises(finetune.ModelError) as caught:
        finetune.load(tmp_path / "model")
    message = str(caught.value)
    assert f"{weights.name}: holds all but the last layer" in message
    assert "of a network with the 2 maps of the target foreground_boundary" in message


def test_weights_without_the_head_for_the_foreground_are_refused(tmp_path: Path) -> None:
    def save_rays(folder: Path, foreground: bool) -> Path:
        target = build_target("rays", {"rays": 8, "foreground": foreground})
        options = {"width": 8, "foreground": foreground}
        loaded = load("stardist", "unet", LoadOptions(1, target.channels, options, pretrained=False))
        linear = build_normalize({"name": "scale_linear"})
        model = Model(loaded.network, target, linear, "auto", 1, loaded.divisor, loaded.architecture)
        save_model(model, folder)
        return folder / "model.safetensors"

    weights = save_rays(tmp_path / "model", True)
    assert finetune.load(tmp_path / "model").target.name == "rays"
    save_rays(tmp_path / "other", False).replace(weights)
    with pytest.raises(finetune.ModelError, match="holds all but the head for the foreground"):
        finetune.load(tmp_path / "model")
