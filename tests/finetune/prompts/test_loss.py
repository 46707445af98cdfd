"""The prompt loss, compared with the formulas of the papers."""

from __future__ import annotations

import torch

from finetune.networks.sam2_promptable import MaskPrediction
from finetune.prompts.loss import iou, prompt_loss


def masks() -> torch.Tensor:
    found = torch.zeros(2, 8, 8, dtype=torch.bool)
    found[0, 2:6, 2:6] = True
    found[1, :, 5:] = True
    return found


def loss_of(logits: torch.Tensor, expected: torch.Tensor) -> float:
    return prompt_loss(MaskPrediction(logits, expected), logits, masks()).item()


def by_hand(logits: torch.Tensor, expected: torch.Tensor, mask: torch.Tensor) -> float:
    """Of one mask."""
    p, g = logits.double().sigmoid(), mask.double()
    right = p * g + (1 - p) * (1 - g)
    weight = 0.25 * g + 0.75 * (1 - g)
    focal = (-weight * (1 - right) ** 2 * right.log()).mean()
    dice = 1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)
    found = logits > 0
    true = (found & mask).sum() / (found | mask).sum().clamp(min=1)
    return float(20 * focal + dice + (expected.double() - true).abs())


def test_it_is_the_papers() -> None:
    torch.manual_seed(0)
    logits, expected = torch.randn(2, 1, 8, 8), torch.rand(2, 1)
    wanted = [by_hand(logits[i, 0], expected[i, 0], masks()[i]) for i in range(2)]
    assert abs(loss_of(logits, expected) - sum(wanted) / 2) < 1e-5


def test_a_sure_and_right_answer_costs_nothing() -> None:
    logits = torch.where(masks(), 30.0, -30.0)[:, None]
    assert loss_of(logits, torch.ones(2, 1)) < 1e-5
    assert abs(loss_of(logits, torch.full((2, 1), 0.75)) - 0.25) < 1e-5  # but doubt of it does


def test_of_three_masks_the_best_is_learned_from_and_every_expectation() -> None:
    torch.manual_seed(0)
    right = torch.where(masks(), 30.0, -30.0)
    logits = torch.stack([torch.randn(2, 8, 8), right, torch.randn(2, 8, 8)], dim=1).requires_grad_()
    expected = torch.full((2, 3), 0.9, requires_grad=True)
    prompt_loss(MaskPrediction(logits, expected), logits, masks()).backward()
    assert logits.grad[:, [0, 2]].abs().max() == 0
    assert (expected.grad != 0).all()


def test_iou_of_masks() -> None:
    one, other = masks()
    assert iou(one, one) == 1
    assert iou(one, other) == 4 / 36  # of 16 and 24 pixels they share a column of 4
    assert iou(one & False, other & False) == 0
