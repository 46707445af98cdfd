"""Mask2Former: any image size, traced or not; all parameters have gradients or adapters."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_transformers import theirs
from torch import nn

from finetune.adapters import apply, merge
from finetune.networks.mask2former import Mask2Former, QueryLogits
from finetune.networks.mask2former_dynamic import take_any_size
from finetune.networks.rgb_input import Rgb
from finetune.targets.registry import build_target
from finetune.weights.onnx import write_onnx
from finetune.weights.torchscript import write_torchscript


@cache
def model(window: int) -> Any:
    backbone = theirs("mask2former").config.backbone_config.to_dict() | {"window_size": window}
    return theirs("mask2former", backbone_config=backbone)


def tiny(window: int = 7) -> Mask2Former:
    return Mask2Former(take_any_size(copy.deepcopy(model(window))), Rgb([0, 0, 0], [1, 1, 1])).eval()


def loss(network: nn.Module, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.zeros(2, 1, 64, 64)
    maps[:, :, 8:20, 8:20], maps[:, :, 30:50, 20:60] = 1, 2
    output = network.train()(torch.rand(2, 1, 64, 64, generator=generator))
    return build_target("queries", {"queries": 10}).loss(output, maps)


@pytest.mark.parametrize("window", [4, 7])
@pytest.mark.parametrize("size", [(32, 32), (96, 160)])
def test_gives_what_transformers_gives_at_any_size(window: int, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        maps = tiny(window)(images)
        expected = model(window)(images)
    found = expected.class_queries_logits.softmax(-1)[..., 0, None, None]
    masks = nn.functional.interpolate(expected.masks_queries_logits, size=size, mode="bilinear")
    torch.testing.assert_close(maps, found * masks.sigmoid(), rtol=1e-4, atol=1e-5)


def test_while_it_trains_it_gives_the_logits_of_every_layer() -> None:
    output = tiny().train()(torch.rand(2, 1, 64, 96))
    assert isinstance(output, QueryLogits)
    assert output.classes.shape == (3, 2, 10, 2)
    assert output.masks.shape == (3, 2, 10, 16, 24)


def test_every_weight_that_is_to_be_trained_gets_a_gradient() -> None:
    network = tiny()
    loss(network).backward()
    wanting = [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
    assert not wanting  # processes that train together would wait for it
    kept = [name for name, each in network.named_parameters() if not each.requires_grad]
    assert all(".swin.layernorm." in name for name in kept) and len(kept) == 2


def test_adapters_are_found_and_learn_and_go_into_the_weights() -> None:
    network = tiny()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    adapted = apply(network, "lora", {"rank": 2})
    names = [name for name, each in adapted.named_parameters() if each.requires_grad]
    for part in ("swin.encoder", "decoder.encoder", "transformer_module.decoder", "mask_embedder.1.0.lora_B"):
        assert any(part in name and "lora_" in name for name in names), part
    for part in ("class_predictor", "queries_embedder", "queries_features"):  # new, or small: whole
        assert any(part in name and "lora_" not in name for name in names), part
    loss(adapted).backward()
    idle = [
        name
        for name, each in adapted.named_parameters()
        if each.requires_grad and (each.grad is None or ("lora_B" in name and not each.grad.any()))
    ]
    assert not idle
    with torch.no_grad():
        for name, each in adapted.named_parameters():
            if "lora_B" in name:
                each.normal_(std=0.05)
        images = torch.rand(1, 1, 64, 64)
        expected = adapted.eval()(images)
        plain = merge(adapted).eval()
        torch.testing.assert_close(plain(images), expected, rtol=1e-3, atol=1e-4)
    assert plain.state_dict().keys() == before.keys()


def test_the_head_leaves_the_backbone_as_it_is() -> None:
    network = apply(tiny(), "head", encoder=("model.model.pixel_level_module.encoder",))
    trained = [name for name, each in network.named_parameters() if each.requires_grad]
    assert trained and not any("swin" in name for name in trained)
    assert any("pixel_level_module.decoder" in name for name in trained)


def test_trained_in_half_precision_the_loss_is_a_number() -> None:
    network = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(network)
    assert value.dtype == torch.float32 and torch.isfinite(value)


class Labels(nn.Module):
    """What a package has: the network, and labels read back from its maps."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.head = build_target("queries", {"queries": 10, "threshold": 0.1}).head()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.network(images))


# In the image that is traced, windows of 4 need no padding.
@pytest.mark.parametrize("window", [pytest.param(4, marks=pytest.mark.slow), 7])
def test_traces_for_any_size(window: int, tmp_path: Path) -> None:
    network = tiny(window)
    write_torchscript(network, tmp_path / "weights.pt", channels=1, divisor=32)
    write_torchscript(Labels(network).eval(), tmp_path / "labels.pt", channels=1, divisor=32)
    images = torch.rand(1, 1, 64, 224)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(tmp_path / "weights.pt")(images), network(images))
        labels = torch.jit.load(tmp_path / "labels.pt")(images)
        assert labels.any()
        torch.testing.assert_close(labels, Labels(network).eval()(images))


@pytest.mark.parametrize("output", [pytest.param("maps", marks=pytest.mark.slow), "labels"])
@torch.no_grad()
def test_exports_to_onnx_for_any_size(output: str, tmp_path: Path) -> None:
    from onnxruntime import InferenceSession

    network = Labels(tiny()).eval()
    exported = network.network if output == "maps" else network
    write_onnx(exported, tmp_path / "model.onnx", channels=1, divisor=32)
    images = torch.rand(3, 1, 64, 224)
    session = InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    got, expected = torch.from_numpy(session.run(None, {"image": images.numpy()})[0]), exported(images)
    assert got.dtype == expected.dtype and expected.any()
    assert ((got - expected).abs() > 1e-3).float().mean() < 5e-3
