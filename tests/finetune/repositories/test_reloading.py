"""Files in the format of a repository are loaded again for verification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from tiny_transformers import MASK2FORMER, SAM, SEGFORMER

from cards.errors import ModelError
from finetune.data.normalization import build_normalize
from finetune.data.reader import Sample
from finetune.export.verification import check_exports
from finetune.inference.model import Model
from finetune.repositories.registry import Loaded, LoadOptions, load, save
from finetune.repositories.reloading import reload_weights
from finetune.targets.registry import build_target

CASES: dict[str, tuple[str, str, int, dict[str, Any], str]] = {
    "cellpose": ("cellpose", "cyto3", 3, {"diameter": 24.0, "nchan": 2}, "cyto3_finetuned.pth"),
    "stardist": ("stardist", "unet", 9, {"width": 8, "grid": 2}, "weights_best.h5"),
    "stardist with foreground": ("stardist", "unet", 10, {"width": 8, "foreground": True}, "weights_best.h5"),
    "torchvision": (
        "torchvision",
        "lraspp_mobilenet_v3_large",
        2,
        {},
        "lraspp_mobilenet_v3_large_finetuned.pth",
    ),
    "sam2": ("sam2", "sam2.1-hiera-tiny", 2, {"width": 8}, "sam2.1-hiera-tiny_finetuned.pt"),
    "segformer": ("huggingface", "tiny", 2, {"config": SEGFORMER, "mean": [0.4] * 3}, "model.safetensors"),
    "sam": ("huggingface", "tiny", 3, {"config": SAM}, "model.safetensors"),
    "mask2former": ("huggingface", "tiny", 50, {"config": MASK2FORMER}, "model.safetensors"),
}

TARGET = {"name": "rays", "options": {"prob_threshold": 0.5, "nms_threshold": 0.4}}


def start(case: str, seed: int) -> Loaded:
    repository, name, maps, options, _ = CASES[case]
    return load(repository, name, LoadOptions(1, maps, options, pretrained=False, seed=seed))


@pytest.mark.parametrize("case", CASES)
def test_all_weights_come_back(case: str, tmp_path: Path) -> None:
    tuned = start(case, seed=5)
    for number, (name, buffer) in enumerate(tuned.network.named_buffers()):
        if "running" in name:
            buffer += number
    assert reload_weights(tmp_path / "native", tuned.architecture, 1, CASES[case][2]) is None
    save(tuned.network, tuned.architecture, tmp_path / "native", TARGET)
    found = reload_weights(tmp_path / "native", tuned.architecture, 1, CASES[case][2])
    assert found is not None
    assert found.path == tmp_path / "native" / CASES[case][4]
    expected = tuned.network.state_dict()
    for name, tensor in found.network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@pytest.fixture
def stardist(tmp_path: Path) -> Model:
    """A model whose native folder is in the run folder tmp_path."""
    tuned = start("stardist", seed=5)
    target = build_target("rays", {"rays": 8, "grid": 2, "prob_threshold": 0.4})
    linear = build_normalize({"name": "scale_linear"})
    model = Model(tuned.network, target, linear, "auto", 1, tuned.divisor, tuned.architecture)
    save(model.network, model.architecture, tmp_path / "native", model.config()["target"])
    return model


def samples() -> list[Sample]:
    pixels = np.random.default_rng(0).random((1, 64, 48), np.float32)
    return [Sample("noise", pixels, (pixels[0] > 0.5).astype(np.int32))]


def test_the_file_is_scored_like_every_other_export(stardist: Model, tmp_path: Path) -> None:
    (check,) = check_exports(tmp_path, stardist, samples())
    assert (check.artifact, check.format) == ("native/weights_best.h5", "keras_hdf5")
    assert check.loaded_by.startswith("finetune ")
    assert check.equal
    assert 0 < check.dice < 1


def test_a_file_with_other_weights_is_not_equal(stardist: Model, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "native" / "weights_best.h5", "r+") as file:
        file["prob/prob/bias:0"][...] -= 50
    (check,) = check_exports(tmp_path, stardist, samples())
    assert not check.equal


def test_a_damaged_file_is_named(stardist: Model, tmp_path: Path) -> None:
    path = tmp_path / "native" / "weights_best.h5"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="weights_best.h5"):
        check_exports(tmp_path, stardist, samples())
