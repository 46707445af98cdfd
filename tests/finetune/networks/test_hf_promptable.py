"""SAM and SAM 2 of transformers with prompts: the same masks as by `SamModel` and `Sam2Model` themselves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tiny_transformers import SAM2, theirs

from finetune.networks.hf_promptable import PromptableSam, PromptableSam2
from finetune.networks.rgb_input import Rgb
from finetune.networks.sam2_promptable import MaskPrediction

KINDS = {"sam": PromptableSam, "sam2": PromptableSam2}
SIDE = {"sam": 256, "sam2": 128}

POINTS, BOXES = [(90, 40), (20, 100)], [(30, 20, 70, 50), (10, 60, 90, 110)]
FIRST = [[(*point, 1)] for point in POINTS]
CORNERS = [[(left, top, 2), (right, bottom, 3)] for left, top, right, bottom in BOXES]
MORE = [[(60, 80, 0)], [(0, 0, -1)]]  # nothing is wrong with the second answer


def both(kind: str) -> tuple[Any, Any, torch.Tensor]:
    """A network of ours, the model of transformers of the same weights, and an image."""
    changes: dict[str, Any] = {}
    if kind == "sam2":
        vision = SAM2["vision_config"] | {"backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]]}
        prompts = SAM2["prompt_encoder_config"] | {"image_size": SIDE[kind]}
        changes = {"vision_config": vision, "prompt_encoder_config": prompts}
    model = theirs(kind, **changes)
    network = KINDS[kind](copy.deepcopy(model), Rgb([0.0] * 3, [1.0] * 3)).eval()
    assert network.image_size == SIDE[kind]
    return (
        network,
        model,
        torch.rand(1, 3, SIDE[kind], SIDE[kind], generator=torch.Generator().manual_seed(1)),
    )


def ask(
    network: Any, image: torch.Tensor, prompts: Any, prev_logits: Any = None, multimask_output: bool = False
) -> MaskPrediction:
    given = torch.tensor(prompts, dtype=torch.float32)
    return network.predict_masks(
        network(image), given[..., :2], given[..., 2].int(), prev_logits, multimask_output=multimask_output
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("multimask_output", [True, False])
def test_a_point_or_a_box(kind: str, multimask_output: bool) -> None:
    network, model, image = both(kind)
    with torch.inference_mode():
        for prompts, their_prompts in (
            (FIRST, {"input_points": torch.tensor(POINTS, dtype=torch.float32)[None, :, None]}),
            (CORNERS, {"input_boxes": torch.tensor(BOXES, dtype=torch.float32)[None]}),
        ):
            expected = model(pixel_values=image, multimask_output=multimask_output, **their_prompts)
            given = ask(network, image, prompts, multimask_output=multimask_output)
            quarter = SIDE[kind] // 4
            assert given.logits.shape == (2, 3 if multimask_output else 1, quarter, quarter)
            torch.testing.assert_close(given.logits, expected.pred_masks[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(given.iou, expected.iou_scores[0], rtol=1e-4, atol=1e-5)
            assert given.logits.std() > 1e-3 and (given.logits[0] - given.logits[1]).std() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("box", [True, False])
def test_a_correction_with_the_former_mask(kind: str, box: bool) -> None:
    """transformers takes one former mask an image, and so one prompt a call."""
    network, model, image = both(kind)
    prev_logits = torch.randn(
        2, 1, SIDE[kind] // 4, SIDE[kind] // 4, generator=torch.Generator().manual_seed(2)
    )
    prompts = [first + more for first, more in zip(CORNERS if box else FIRST, MORE, strict=True)]
    with torch.inference_mode():
        given = ask(network, image, prompts, prev_logits)
        for number in range(2):
            points = torch.tensor((MORE if box else prompts)[number], dtype=torch.float32)[None, None]
            expected = model(
                pixel_values=image,
                input_points=points[..., :2],
                input_labels=points[..., 2].int(),
                input_boxes=torch.tensor(BOXES[number], dtype=torch.float32)[None, None] if box else None,
                input_masks=prev_logits[number : number + 1],
                multimask_output=False,
            )
            torch.testing.assert_close(given.logits[number], expected.pred_masks[0, 0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(given.iou[number], expected.iou_scores[0, 0], rtol=1e-4, atol=1e-5)
        without = ask(network, image, prompts)
    assert (given.logits - without.logits).std() > 1e-4  # the former mask says something


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [FIRST, CORNERS])
def test_all_that_is_trained_has_a_gradient_whatever_is_asked(kind: str, first: list) -> None:
    """Several processes that train together wait for all of them."""
    network, _, image = both(kind)
    network.train()
    one = ask(network, image, first, multimask_output=len(first[0]) == 1)
    prompts = [one + more for one, more in zip(first, MORE, strict=True)]
    two = ask(network, image, prompts, one.logits[:, :1].detach())
    sum(each.square().mean() for each in (*one, *two)).backward()
    wanting = [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
    assert not wanting
    fixed = {name.rpartition(".")[0] for name, each in network.named_parameters() if not each.requires_grad}
    assert all(name.startswith(("prompt_encoder.shared_emb", "mask_decoder.pred_obj")) for name in fixed)
