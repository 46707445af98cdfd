"""LoRA adapters of transformers' models, loaded again by peft itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import PeftModel
from tiny_transformers import MODELS, expected, got, serve, theirs

from cards.base import NetworkSpec
from finetune.adapters import apply, merge
from finetune.repositories.registry import LoadOptions, load, save_adapter


def tune(hub: Any, folder: Path, kind: str) -> tuple[Any, Any, str]:
    """A model on the Hub, started from, with an adapter that changes something; and its commit."""
    theirs(kind, num_labels=3).save_pretrained(folder)
    commit = serve(hub, folder)
    options = {"mean": [0, 0, 0], "std": [1, 1, 1]}
    loaded = load(
        "huggingface", "somebody/model", LoadOptions(in_channels=3, out_channels=3, options=options)
    )
    network = apply(loaded.network, "lora", {"rank": 2})
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    return loaded, network.eval(), commit


@pytest.mark.parametrize("kind", ["segformer", "sam", "sam2"])
def test_peft_gives_what_was_trained(kind: str, hub: Any, tmp_path: Path) -> None:
    loaded, network, commit = tune(hub, tmp_path / "theirs", kind)
    before = got(kind, network, image := torch.rand(1, 3, 256, 256))
    save_adapter(network, loaded.architecture, loaded.origin, tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("somebody/model", commit)
    assert (config["r"], config["lora_alpha"]) == (2, 16)
    base = getattr(transformers, MODELS[kind]).from_pretrained(tmp_path / "theirs").eval()
    untuned = expected(kind, base, image)
    model = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    for ours, reference, plain in zip(before, expected(kind, model, image), untuned, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-3, atol=1e-3)
        assert (reference - plain).abs().max() > 1e-2
    torch.testing.assert_close(got(kind, merge(network), image), before, rtol=1e-3, atol=1e-3)


def test_there_is_none_without_adapters_or_a_base_on_the_hub(hub: Any, tmp_path: Path) -> None:
    loaded, network, _ = tune(hub, tmp_path / "theirs", "segformer")
    elsewhere = loaded.origin.model_copy(update={"hub_id": None})
    assert save_adapter(network, loaded.architecture, elsewhere, tmp_path / "adapter") == []
    assert save_adapter(merge(network), loaded.architecture, loaded.origin, tmp_path / "adapter") == []
    other = NetworkSpec(repository="wipp", name="unet", options={})
    assert save_adapter(network, other, loaded.origin, tmp_path / "adapter") == []
    assert not (tmp_path / "adapter").exists()
