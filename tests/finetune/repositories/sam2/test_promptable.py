"""Promptable SAM 2: same predictions as the package sam2, and checkpoints that it loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sam2.build_sam import build_sam2
from sam2.sam2_image_predictor import SAM2ImagePredictor

import finetune
from cards.errors import InputError
from finetune import adapters as adapt
from finetune.export.huggingface import save_model
from finetune.networks.sam2 import state_of_whole
from finetune.prompts import interaction as asking
from finetune.prompts.model import PromptedModel
from finetune.repositories.registry import Loaded, LoadOptions, load, promptable, save
from finetune.targets.prompt_options import Prompts

TINY = "sam2.1-hiera-tiny"
CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"
SIDE = 128


def load_tiny(checkpoint: Path | None = None, **changes: Any) -> Loaded:
    channels, options = {"in_channels": 1, "out_channels": 1}, {"image_size": SIDE}
    arguments = channels | {"options": options, "checkpoint": checkpoint, "pretrained": False} | changes
    return promptable("sam2").load(TINY, LoadOptions(**arguments))


def test_it_answers_as_sam2_s_own_predictor(published: Path) -> None:
    """Logits, expected IoU and low-resolution logits, of an image that is not square, to rounding."""
    network = load_tiny(published).network.eval()
    sam2 = build_sam2(
        CONFIG, str(published), device="cpu", hydra_overrides_extra=[f"++model.image_size={SIDE}"]
    )
    predictor = SAM2ImagePredictor(sam2)
    predictor._bb_feat_sizes = [(32, 32), (16, 16), (8, 8)]
    rng = np.random.default_rng(0)
    image = rng.random((90, 140), np.float32)
    predictor.set_image(np.repeat(image[..., None], 3, axis=2))
    point, more, box = [(40, 30)], [(100, 60)], [30, 20, 70, 50]
    with torch.inference_mode():
        features = network(asking.to_square(torch.from_numpy(image)[None, None], SIDE))
        for multimask_output, prompts, theirs in (
            (True, [[(40, 30, 1)]], {"point_coords": point, "point_labels": [1]}),
            (False, asking.as_corners([box]), {"box": np.array(box)}),
        ):
            given, logits = asking.predict_masks(network, features, np.array(prompts, np.float32), (90, 140))
            expected = predictor.predict(
                **_arrays(theirs), multimask_output=multimask_output, return_logits=True
            )
            assert logits.shape[1] == (3 if multimask_output else 1)
            _same(expected, (logits[0], given.iou[0], given.logits[0]))
        prev_logits = rng.normal(size=(1, 32, 32)).astype(np.float32)
        prompts = np.array([[(40, 30, 1), (100, 60, 0)]], np.float32)
        given, logits = asking.predict_masks(
            network, features, prompts, (90, 140), torch.from_numpy(prev_logits)[None]
        )
        theirs = _arrays({"point_coords": point + more, "point_labels": [1, 0]})
        expected = predictor.predict(
            **theirs, mask_input=prev_logits, multimask_output=False, return_logits=True
        )
        _same(expected, (logits[0], given.iou[0], given.logits[0]))
    assert logits.std() > 1e-4  # the answer is of something


def _arrays(prompts: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in prompts.items()}


def _same(expected: tuple[np.ndarray, ...], got: tuple[torch.Tensor, ...]) -> None:
    for theirs, ours in zip(expected, got, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-4)


def test_many_prompts_at_once_are_answered_as_one_by_one(published: Path) -> None:
    network = load_tiny(published).network.eval()
    prompts = np.array([[(10, 20, 1)], [(90, 70, 1)], [(64, 64, 1)]], np.float32)
    with torch.inference_mode():
        features = network(torch.rand(1, 1, SIDE, SIDE))
        together, _ = asking.predict_masks(network, features, prompts, (SIDE, SIDE))
        for number in range(3):
            alone, _ = asking.predict_masks(network, features, prompts[number : number + 1], (SIDE, SIDE))
            torch.testing.assert_close(alone.logits[0], together.logits[number], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("how", "options"),
    [("full", {}), ("head", {}), ("lora", {"rank": 2, "layers": ["encoder.trunk", "mask_decoder"]})],
)
def test_sam2_itself_loads_what_was_tuned(
    how: str, options: dict[str, Any], published: Path, tmp_path: Path
) -> None:
    loaded = load_tiny(published)
    network = adapt.apply(loaded.network, how, options, loaded.encoder).train()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    given, logits = asking.predict_masks(
        network, network(torch.rand(1, 1, SIDE, SIDE)), np.array([[(9, 9, 1)]], np.float32), (SIDE, SIDE)
    )
    (logits.square().mean() + given.iou.mean()).backward()
    optimizer.step()
    network = adapt.merge(network)
    (checkpoint,) = save(network, loaded.architecture, tmp_path / "native")
    # It refuses a key too few or too many.
    state = build_sam2(CONFIG, str(checkpoint), device="cpu").state_dict()
    before = torch.load(published)["model"]
    changed = {key for key in before if not torch.equal(state[key], before[key])}
    encoder = {key for key in changed if key.startswith("image_encoder.")}
    assert any(key.startswith("sam_mask_decoder.") for key in changed)
    assert bool(encoder) == (how != "head")
    assert not any(key.startswith(("memory_", "obj_ptr", "sam_mask_decoder.pred_obj")) for key in changed)
    ours = state_of_whole(network.state_dict())
    assert all(torch.equal(ours[key], state[key]) for key in state)


def test_a_run_with_prompts_comes_back(published: Path, tmp_path: Path) -> None:
    loaded = load_tiny(published)
    percentile = finetune.data.normalization.build_normalize(loaded.normalize)
    model = PromptedModel(loaded.network, Prompts(), percentile, "auto", 1, 32, loaded.architecture)
    save_model(model, tmp_path)
    again = finetune.load(tmp_path)
    assert isinstance(again, PromptedModel)
    assert (again.config(), again.network.image_size) == (model.config(), SIDE)
    image = np.random.default_rng(0).random((70, 50))
    for prompts in ({"points": [(20, 30), (40, 60)]}, {"boxes": [(10, 10, 30, 40)]}):
        assert np.array_equal(model.masks(image, **prompts), again.masks(image, **prompts))
    start = load_tiny(tmp_path, options={})
    assert start.architecture.options == {"image_size": SIDE}  # as the run had it
    assert load_tiny(tmp_path, options={"image_size": 64}).network.image_size == 64  # SAM2 takes any
    assert start.origin.weights == "pretrained" and start.origin.part is None
    with pytest.raises(InputError, match=r"is from an interactive run, .* start from its weights in native/"):
        load("sam2", TINY, LoadOptions(1, 3, checkpoint=tmp_path))


def test_a_run_without_prompts_is_a_start_as_well(published: Path, tmp_path: Path) -> None:
    tuned = load("sam2", TINY, LoadOptions(in_channels=1, out_channels=3, checkpoint=published))
    save_file(tuned.network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": tuned.architecture.model_dump()}))
    state = state_of_whole(load_tiny(tmp_path).network.state_dict())
    assert all(torch.equal(state[key], tensor) for key, tensor in torch.load(published)["model"].items())


def test_random_weights_follow_the_seed() -> None:
    state = torch.random.get_rng_state()
    one, two, other = (load_tiny(seed=seed).network.mask_decoder.state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_without_a_hub_the_way_out_is_said(hub: Any) -> None:
    hub.status = 500
    with pytest.raises(InputError, match=r"model.checkpoint=PATH to a weights file"):
        load_tiny(pretrained=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"options": {"image_size": 100}},
            "image_size must be an integer from 64 to 1024 and a multiple of 32, got 100",
        ),
        (
            {"options": {"image_size": 2048}},
            "image_size must be an integer from 64 to 1024 and a multiple of 32, got 2048",
        ),
        ({"options": {"width": 64}}, "unknown option of model sam2.1-hiera-tiny 'width'"),
        ({"in_channels": 4}, "accepts at most 3 channels, but the images have 4"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        load_tiny(**changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_repository_without_prompts_is_said() -> None:
    with pytest.raises(InputError, match="repository wipp has none: use sam2 or huggingface$"):
        promptable("wipp")
