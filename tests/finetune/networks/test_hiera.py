"""SAM2's image encoder against the package's own, at sizes that fill its windows and that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sam2.build_sam import build_sam2

from finetune.networks.encoder_decoder import EncoderDecoder
from finetune.networks.hiera import DIVISOR
from finetune.networks.rgb_input import MEAN, STD
from finetune.networks.sam2 import automatic, build_whole, state_of_whole
from finetune.weights.onnx import write_onnx
from finetune.weights.torchscript import write_torchscript

CONFIG = "configs/sam2.1/sam2.1_hiera_{}.yaml"


def make_random(network: torch.nn.Module) -> None:
    """Random position embeddings, too: the package begins with zeros, which would hide a wrong place."""
    torch.manual_seed(1)
    for name, parameter in network.named_parameters():
        if "pos_embed" in name:
            torch.nn.init.normal_(parameter)


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.manual_seed(0)
    whole = build_sam2(CONFIG.format("t"), device="cpu", apply_postprocessing=False)
    make_random(whole)
    return whole


@pytest.fixture(scope="module")
def network(theirs: Any) -> EncoderDecoder:
    whole = build_whole(CONFIG.format("t"))
    whole.load_state_dict(theirs.state_dict())
    return automatic(whole, out_channels=3, width=16).eval()


# 1024 × 1024 is what SAM2 sees; 256 × 256 what microscopes' tiles are; the others leave windows half empty.
@pytest.mark.parametrize("size", [(64, 64), (96, 256), (256, 256), (320, 448)])
def test_gives_what_the_package_s_gives(theirs: Any, network: EncoderDecoder, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        expected = theirs.image_encoder((images - mean) / std)["backbone_fpn"]
        got = network.encoder(images)
    assert [level.shape[1:] for level in got] == [(256, size[0] // s, size[1] // s) for s in (4, 8, 16)]
    for level, other in zip(got, expected, strict=True):
        torch.testing.assert_close(level, other, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["s", "b+", "l"])
def test_the_larger_ones_do_as_well(letter: str) -> None:
    theirs = build_sam2(CONFIG.format(letter), device="cpu", apply_postprocessing=False)
    make_random(theirs)
    ours = build_whole(CONFIG.format(letter)).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 3, 96, 256)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        expected = theirs.image_encoder((images - mean) / std)["backbone_fpn"]
        for level, other in zip(ours.image_encoder(images), expected, strict=True):
            torch.testing.assert_close(level, other, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_size_that_sam2_sees(theirs: Any, network: EncoderDecoder) -> None:
    images = torch.rand(1, 3, 1024, 1024)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        expected = theirs.image_encoder((images - mean) / std)["backbone_fpn"]
        for level, other in zip(network.encoder(images), expected, strict=True):
            torch.testing.assert_close(level, other, rtol=0, atol=1e-5)


def test_gray_is_repeated(network: EncoderDecoder) -> None:
    gray = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        for level, other in zip(network.encoder(gray), network.encoder(gray.repeat(1, 3, 1, 1)), strict=True):
            assert torch.equal(level, other)


def test_a_position_embedding_is_not_kept_after_its_weights_or_the_size_change() -> None:
    torch.manual_seed(0)
    trunk = build_whole(CONFIG.format("t")).image_encoder.trunk.eval()
    with torch.no_grad():
        make_random(trunk)
        first = trunk._get_pos_embed((16, 8))
        assert torch.equal(trunk._get_pos_embed((16, 8)), first)
        assert trunk._get_pos_embed((8, 8)).shape[1:3] == (8, 8)
        for weights in (trunk.pos_embed, trunk.pos_embed_window):
            weights.data.mul_(2)  # as weight averaging does, without telling autograd
        torch.testing.assert_close(trunk._get_pos_embed((16, 8)), 2 * first)


def test_what_is_kept_is_all_the_rest_and_shared_with_the_whole(theirs: Any) -> None:
    whole = build_whole(CONFIG.format("t"))
    network = automatic(whole, out_channels=3, width=16)
    whole.load_state_dict(theirs.state_dict())
    state = state_of_whole(network.state_dict())
    assert state.keys() == theirs.state_dict().keys()
    assert all(torch.equal(state[key], tensor) for key, tensor in theirs.state_dict().items())
    # Nothing of the rest is there to train.
    parts = [sum(parameter.numel() for parameter in part.parameters()) for part in network.children()]
    assert sum(parameter.numel() for parameter in network.parameters()) == parts[0] + parts[1]
    assert parts[2] == 0


def test_gradients_reach_every_weight_of_the_encoder(network: EncoderDecoder) -> None:
    network(torch.rand(1, 1, 64, 64)).square().mean().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    network.zero_grad()
    assert not without


def test_traced_it_takes_other_sizes(network: EncoderDecoder, tmp_path: Path) -> None:
    without_rest = EncoderDecoder(network.encoder, network.decoder).eval()
    # Checks by itself that an image of another size gives the same.
    write_torchscript(without_rest, tmp_path / "sam2.pt", channels=1, divisor=DIVISOR)
    names = [name for name, _ in torch.jit.load(tmp_path / "sam2.pt").named_parameters()]
    assert sorted(names) == sorted(name for name, _ in network.named_parameters())


@pytest.mark.slow
def test_as_onnx_it_takes_other_sizes(network: EncoderDecoder, tmp_path: Path) -> None:
    without_rest = EncoderDecoder(network.encoder, network.decoder).eval()
    write_onnx(without_rest, tmp_path / "sam2.onnx", channels=1, divisor=DIVISOR)
