"""Adaptation methods: trainable parameters, and merging of adapters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cards.errors import InputError
from finetune.adapters import ADAPTERS, apply, count, describe, freeze_statistics, merge
from finetune.networks.unet import UNet
from finetune.targets.registry import build_target
from finetune.training.module import Segmenter
from finetune.training.optimizer import OptimizerOptions


def tiny() -> UNet:
    torch.manual_seed(0)
    return UNet(1, 1, width=8, depth=2)


class Mixed(nn.Module):
    """Layers of every kind: some that take adapters, some that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.ReLU())
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.mirrored = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.linear = nn.Linear(8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.mirrored(self.grouped(self.body(images)))
        return self.linear(x.movedim(1, -1)).movedim(-1, 1)


def train(network: nn.Module, channels: int = 1, steps: int = 5) -> None:
    """A few steps of a task, as a Segmenter does them: its modes, its optimizer."""
    segmenter = Segmenter(
        network,
        build_target("foreground"),
        divisor=4,
        optimizer=OptimizerOptions(learning_rate=1e-2, weight_decay=0.1, warmup=0, steps=steps),
    ).train()
    optimizer = segmenter.configure_optimizers()["optimizer"]
    images = torch.randn(2, channels, 16, 16, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        segmenter(images).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def changed(before: dict[str, torch.Tensor], network: nn.Module) -> set[str]:
    after = network.state_dict()
    return {key for key in before if not torch.equal(before[key], after[key])}


def copy_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {key: values.clone() for key, values in network.state_dict().items()}


def test_full_trains_everything() -> None:
    network = tiny()
    total = sum(parameter.numel() for parameter in network.parameters())
    assert count(apply(network, "full")) == (total, total)
    before = copy_of(network)
    train(network)
    assert changed(before, network) == before.keys()


def test_head_leaves_the_encoder_as_it_was() -> None:
    network = apply(tiny(), "head", encoder=("encoder",))
    encoder = sum(parameter.numel() for parameter in network.encoder.parameters())
    assert count(network) == (count(tiny()).total - encoder, count(tiny()).total)
    before = copy_of(network)
    train(network)
    assert changed(before, network) == {key for key in before if not key.startswith("encoder.")}


def test_running_statistics_of_what_is_frozen_stay() -> None:
    network = Mixed()
    before = copy_of(network)
    train(apply(network, "head", encoder=("body",)), channels=2)
    assert not any(key.startswith("body.") for key in changed(before, network))
    train(apply(other := Mixed(), "full"), channels=2)
    assert other.body[1].num_batches_tracked == 5


def test_statistics_are_frozen_in_parts_of_parts() -> None:
    network = Mixed().train()
    network.body.requires_grad_(False)
    freeze_statistics(network)
    assert not network.body[1].training
    assert network.training
    assert network.linear.training


@pytest.mark.parametrize("options", [{}, {"rank": 3, "alpha": 5}, {"layers": ["decoder", "head"]}])
def test_lora_trains_adapters_alone_and_merges_them(options: dict[str, Any]) -> None:
    plain, network = tiny(), apply(tiny(), "lora", options, seed=3)
    images = torch.randn(2, 1, 16, 24)
    torch.testing.assert_close(network(images), plain(images), rtol=0, atol=0)  # no change to begin with
    before = copy_of(network)
    train(network)
    assert changed(before, network) == {key for key in before if "lora_" in key}
    merged = merge(network)
    assert type(merged) is UNet
    assert merged.state_dict().keys() == plain.state_dict().keys()
    assert not hasattr(merged, "peft_config")
    torch.testing.assert_close(merged(images), network(images), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(merged(images), plain(images), atol=1e-3)
    moved = changed(copy_of(plain), merged)
    assert moved
    if "layers" in options:
        assert all(key.startswith(("decoder.", "head.")) for key in moved)


def test_lora_counts_its_own_parameters_and_the_network_s() -> None:
    network = apply(Mixed(), "lora", {"rank": 2})
    convolution, linear = 2 * (2 * 9 + 8), 2 * (8 + 3)  # rank × (in + out); A has the kernel's size
    total = sum(parameter.numel() for parameter in Mixed().parameters())
    assert count(network) == (convolution + linear, total)
    assert count(merge(network)).total == total


def test_lora_leaves_out_what_cannot_be_merged_again() -> None:
    network = apply(Mixed(), "lora", {"rank": 2})
    adapted = {name.partition(".lora_")[0] for name, _ in network.named_parameters() if "lora_" in name}
    assert adapted == {"body.0", "linear"}
    train(network, channels=2)
    images = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(merge(network.eval())(images), network(images), rtol=1e-4, atol=1e-5)


def test_a_name_that_ends_others_is_that_layer_alone() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()))
    apply(network, "lora", {"layers": "1.0"})
    assert isinstance(network[0], nn.Conv2d)
    assert {name for name, _ in network.named_parameters() if "lora_" in name} == {
        f"1.0.lora_{which}.default.weight" for which in "AB"
    }


def test_adapters_follow_the_seed_and_nothing_else() -> None:
    state = torch.random.get_rng_state()
    first = apply(tiny(), "lora", seed=3).state_dict()
    torch.rand(5)
    again, other = apply(tiny(), "lora", seed=3).state_dict(), apply(tiny(), "lora", seed=4).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
    torch.random.set_rng_state(state)


def test_the_record_says_all_options() -> None:
    assert describe("lora", {"rank": 4}) == {
        "name": "lora",
        "options": {"rank": 4, "alpha": 16, "layers": "all-linear"},
    }
    assert [describe(name)["name"] for name in ADAPTERS] == ["full", "head", "lora"]


@pytest.mark.parametrize(
    ("adapt", "options", "message"),
    [
        ("lorra", {}, "unknown adapter 'lorra'; did you mean lora?"),
        ("lora", {"rnk": 2}, "unknown option of model.adapt lora 'rnk'; did you mean rank?"),
        ("head", {"rank": 2}, "unknown option of model.adapt head 'rank'; known: none"),
        ("lora", {"rank": 0}, "model.adapt lora: rank must be an integer ≥ 1, got 0"),
        ("lora", {"alpha": "much"}, "model.adapt lora: alpha must be a number > 0, got 'much'"),
        ("lora", {"layers": []}, "model.adapt lora: layers: must be all-linear or a list of names, got []"),
        (
            "lora",
            {"layers": ["decodr"]},
            "unknown layer in model.adapt_options.layers 'decodr'; did you mean decoder or encoder?",
        ),
        ("lora", {"layers": ["qkv"]}, "known: all-linear, encoder, up, decoder, head"),
        ("head", {}, "model.adapt: head needs a model whose repository names its encoder"),
    ],
)
def test_what_does_not_exist_is_said(adapt: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        apply(tiny(), adapt, options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_that_shows_no_layers_is_said_to() -> None:
    with pytest.raises(InputError, match="shows none"):
        apply(torch.jit.trace(tiny(), torch.zeros(1, 1, 8, 8)), "lora")


def test_nothing_left_to_train_is_said() -> None:
    with pytest.raises(InputError, match="leaves nothing"):
        apply(tiny(), "head", encoder=("encoder", "up", "decoder", "head"))
