"""Mask2Former from a folder, the Hub or random weights; and folders that transformers itself loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tiny_transformers import MASK2FORMER, SEGFORMER, WITH_QUERIES, serve, theirs

import finetune
from cards.errors import InputError
from finetune.adapters import apply
from finetune.recipe.reader import read_recipe
from finetune.repositories.huggingface.options import CONFIGS
from finetune.repositories.registry import Loaded, LoadOptions, describe, load, save, save_adapter

PLAIN = {"mean": [0, 0, 0], "std": [1, 1, 1]}
PUBLISHED = "facebook/mask2former-swin-tiny-coco-instance"
(CLASS,) = WITH_QUERIES.values()


def start(checkpoint: Path | None = None, **changes: Any) -> Loaded:
    arguments: dict[str, Any] = {"in_channels": 3, "out_channels": 10, "options": PLAIN}
    if checkpoint is None:
        arguments |= {"options": PLAIN | {"config": MASK2FORMER}, "pretrained": False}
    return load("huggingface", "somebody/model", LoadOptions(checkpoint=checkpoint, **arguments | changes))


@torch.no_grad()
def expected(model: Any, images: torch.Tensor) -> torch.Tensor:
    """Maps, from what transformers gives."""
    output = model(images)
    masks = torch.nn.functional.interpolate(output.masks_queries_logits, images.shape[-2:], mode="bilinear")
    return output.class_queries_logits.softmax(-1)[..., 0, None, None] * masks.sigmoid()


def assert_gives(network: torch.nn.Module, model: Any) -> None:
    """Compare in float64: trained logits are so large that two orders of summation differ in float32."""
    images = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        maps = network.eval().double()(images)  # float32 from the sigmoid on
        torch.testing.assert_close(maps, expected(model.double(), images).float(), rtol=0, atol=1e-6)


def test_a_folder_of_theirs_gives_what_it_gave_and_goes_back(tmp_path: Path) -> None:
    theirs("mask2former").save_pretrained(tmp_path / "theirs")
    known = getattr(transformers, CLASS)
    loaded = start(tmp_path / "theirs")
    assert loaded.origin.part is None and "Mask2Former" in loaded.origin.citation[0]
    assert_gives(loaded.network, known.from_pretrained(tmp_path / "theirs").eval())
    with torch.no_grad():
        for weight in loaded.network.parameters():
            weight.mul_(1.01)
    save(loaded.network, loaded.architecture, tmp_path / "native")
    after, found = known.from_pretrained(tmp_path / "native", output_loading_info=True)
    assert not any(found[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_gives(loaded.network, after.eval())
    again = start(tmp_path / "native")
    assert again.architecture == loaded.architecture and again.origin.part is None


def test_of_another_task_only_what_is_another_s_starts_anew(tmp_path: Path) -> None:
    theirs("mask2former", num_labels=80).save_pretrained(tmp_path)
    before = load_file(tmp_path / "model.safetensors")
    loaded = start(tmp_path)
    assert loaded.origin.part is not None and loaded.origin.part.startswith("all but class_predictor (")
    state = loaded.network.state_dict()
    name = "model.transformer_module.queries_features.weight"
    assert torch.equal(state[f"model.{name}"], before[name])
    assert state["model.criterion.empty_weight"].tolist() == pytest.approx([1, 0.1])
    assert loaded.architecture.options["config"]["num_queries"] == 10
    more = start(tmp_path, out_channels=14)
    assert more.origin.part is not None
    assert more.origin.part.startswith("all but class_predictor, queries_embedder, queries_features (")
    assert more.network.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 14, 64, 64)


def test_weights_without_the_norm_that_nobody_uses_are_whole(tmp_path: Path) -> None:
    theirs("mask2former").save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    unused = [name for name in state if name.startswith("model.pixel_level_module.encoder.swin.layernorm")]
    assert len(unused) == 2
    save_file(
        {k: v for k, v in state.items() if k not in unused}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    assert start(tmp_path).origin.part is None


def test_weights_that_lack_more_are_refused(tmp_path: Path) -> None:
    theirs("mask2former").save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["model.pixel_level_module.decoder.level_embed"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"do not fit a Mask2Former.* 1 missing .*level_embed"):
        start(tmp_path)


def test_peft_gives_what_was_trained(hub: Any, tmp_path: Path) -> None:
    theirs("mask2former").save_pretrained(tmp_path / "theirs")
    serve(hub, tmp_path / "theirs")
    loaded = load("huggingface", "somebody/model", LoadOptions(3, 10, options=PLAIN))
    network = apply(loaded.network, "lora", {"rank": 2}).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name or "queries_features" in name or "class_predictor" in name:
                weight.add_(0.05 * torch.randn_like(weight))
    save_adapter(network, loaded.architecture, loaded.origin, tmp_path / "adapter")
    base = getattr(transformers, CLASS).from_pretrained(tmp_path / "theirs").eval()
    images = torch.rand(1, 3, 64, 96)
    untuned = expected(base, images)
    # In transformers' own model the layers of the mask predictor stand in lists that adapters do not reach,
    # so they are added to the weights first.
    model = PeftModel.from_pretrained(base, tmp_path / "adapter").merge_and_unload().eval()
    tuned = expected(model, images)
    with torch.no_grad():
        torch.testing.assert_close(network(images), tuned, rtol=1e-3, atol=1e-3)
    assert (tuned - untuned).abs().max() > 1e-2


def test_the_published_model_can_be_built_without_asking_anyone() -> None:
    config = transformers.CONFIG_MAPPING["mask2former"].from_dict(CONFIGS[PUBLISHED] | {"num_labels": 80})
    with torch.device("meta"):
        model = getattr(transformers, CLASS)(config)
    assert sum(each.numel() for each in model.parameters()) == describe("huggingface", PUBLISHED).parameters


@pytest.fixture
def recipe(recipe_file: Path) -> Any:
    """The recipe of discs with a tiny Mask2Former, and whatever is changed of it."""

    def read(*changes: str, config: Any = MASK2FORMER) -> Any:
        given = {
            "repository": "huggingface",
            "name": "somebody/model",
            "pretrained": "false",
            "target": "queries",
            "options": json.dumps({"config": config}),
            "target_options": '{"queries": 10, "threshold": "auto"}',
        }
        options = [f"model.{key}={value}" for key, value in given.items()]
        return read_recipe(recipe_file, [*options, "training.epochs=1", *changes])

    return read


def test_network_and_target_that_do_not_go_together_are_refused(tmp_path: Path, recipe: Any) -> None:
    other = recipe("model.target=foreground", "model.target_options={}")
    with pytest.raises(
        InputError, match=r"model\.target: foreground; Mask2Former is trained with its own loss"
    ):
        finetune.run(other, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"model\.target: queries requires a network with queries"):
        finetune.run(recipe(config=SEGFORMER), out=tmp_path / "run")


def test_test_images_too_large_to_label_are_refused_before_training(
    tmp_path: Path, recipe: Any, discs: Path
) -> None:
    import numpy as np
    import tifffile

    for kind in ("images", "masks"):
        blank = np.zeros((2050, 2050), np.uint8)
        blank[:9, :9] = 1
        tifffile.imwrite(discs / "test" / kind / "large.tif", blank)
    with pytest.raises(InputError, match=r"large.* is 2050 × 2050 pixels, too large for target queries"):
        finetune.run(recipe(), out=tmp_path / "run")


@pytest.mark.slow
def test_a_run_ends_with_exports_that_give_its_labels(tmp_path: Path, recipe: Any) -> None:
    changes = ["training.epochs=8", "training.images_per_epoch=32", "training.patch=64"]
    record = finetune.run(recipe(*changes), out=tmp_path / "run")
    assert record is not None
    losses = [epoch.loss for epoch in record.training.history]
    assert losses[-1] < 0.8 * losses[0]
    assert {check.format for check in record.exports} == {"safetensors", "torchscript", "onnx"}
    assert all(check.equal for check in record.exports)
    network = finetune.load(tmp_path / "run").network
    network.rgb.mean.zero_(), network.rgb.std.fill_(1)  # what is saved beside the weights
    assert_gives(network, getattr(transformers, CLASS).from_pretrained(tmp_path / "run" / "native").eval())


def test_a_warning_says_that_queries_are_too_few(tmp_path: Path, recipe: Any) -> None:
    from rich.console import Console

    from finetune.pipeline.automatic import prepare

    few = recipe('model.target_options={"queries": 3}')
    plan = prepare(few, Console(quiet=True))
    assert any("has 5 objects, but 3 queries find at most 3" in words for words in plan.warnings)
    assert not any("queries" in words for words in prepare(recipe(), Console(quiet=True)).warnings)
