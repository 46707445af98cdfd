"""SAM 2 without fine-tuning: the mask generator of its authors."""

from __future__ import annotations

from cards.base import Spec
from finetune.repositories.capabilities import PublishedUse
from finetune.repositories.sam2.models import MODELS

IMAGE_SIZE = 1024
"""Pixels of the square to which SAM and SAM 2 resize images (Kirillov et al. 2023, Ravi et al. 2024)."""


def published(name: str) -> PublishedUse | None:
    """State how a published model is used; see `PublishesModels`.

    Args:
        name: of the model.

    Returns:
        The mask generator at the size of the pretraining; None if there is no such model.
    """
    return PublishedUse(Spec(name="prompts"), {"image_size": IMAGE_SIZE}) if name in MODELS else None
