"""Training of a promptable network: reproducible prompts, background patches, and overfitting one image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.draw import disk

from finetune import adapters as adapt
from finetune.prompts.interaction import best, first_boxes, first_points, masks_of, rounds
from finetune.prompts.loss import iou
from finetune.prompts.module import InteractiveSegmenter
from finetune.repositories.registry import LoadOptions, promptable
from finetune.targets.prompt_options import Prompts
from finetune.training.optimizer import OptimizerOptions


def segmenter(seed: int = 0, **options: int) -> InteractiveSegmenter:
    start = LoadOptions(in_channels=1, out_channels=1, options={"image_size": 64}, pretrained=False)
    loaded = promptable("sam2").load("sam2.1-hiera-tiny", start)
    network = adapt.apply(loaded.network, "head", {}, loaded.encoder)
    optimizer = OptimizerOptions(learning_rate=1e-3, weight_decay=0.01, warmup=0.05, steps=150)
    return InteractiveSegmenter(network, Prompts(**options), optimizer=optimizer, seed=seed)


def batch() -> dict[str, torch.Tensor]:
    """An image of three discs that look alike."""
    labels = np.zeros((64, 64), np.float32)
    for number, center in enumerate([(16, 16), (20, 46), (46, 30)], start=1):
        labels[disk(center, 10)] = number
    image = (labels > 0) + np.random.default_rng(0).normal(0, 0.1, labels.shape)
    return {
        "image": torch.from_numpy(image.astype(np.float32))[None, None],
        "maps": torch.from_numpy(labels)[None, None],
    }


def test_the_same_seed_and_step_ask_the_same() -> None:
    module = segmenter(instances=2, corrections=1).eval()
    with torch.no_grad():
        one, two, other = (module.training_step(batch(), step).item() for step in (0, 0, 1))
    assert one == two != other


def test_a_patch_of_background_has_nothing_to_learn_from() -> None:
    module = segmenter(instances=2, corrections=1).train()
    nothing = batch() | {"maps": torch.zeros(1, 1, 64, 64)}
    loss = module.training_step(nothing, 0)
    loss.backward()
    assert loss == 0
    gradients = [one.grad for one in module.parameters() if one.grad is not None]
    assert gradients and all(not gradient.any() for gradient in gradients)


@pytest.mark.slow
def test_it_learns_which_of_three_discs_is_meant() -> None:
    module = segmenter(instances=3, corrections=1).train()
    configured = module.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    for step in range(150):
        loss = module.training_step(batch(), step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    masks = masks_of(batch()["maps"][0, 0].numpy())
    wanted = torch.from_numpy(masks)
    with torch.inference_mode():
        features = module.network.eval()(batch()["image"])
        for prompts in (first_points(masks), first_boxes(masks)):
            for given, logits in rounds(module.network, features, masks, prompts, 1):
                assert iou(best(given, logits) > 0, wanted).min() > 0.7
