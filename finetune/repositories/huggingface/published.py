"""SAM and SAM 2 of transformers without fine-tuning: the mask generator."""

from __future__ import annotations

from cards.base import Spec
from finetune.repositories.capabilities import PublishedUse

IMAGE_SIZE = 1024
"""Pixels of the square to which SAM and SAM 2 resize images (Kirillov et al. 2023, Ravi et al. 2024)."""


def published(name: str) -> PublishedUse | None:
    """State how a published model is used; see `PublishesModels`.

    Args:
        name: id on the Hub. Loading fails for a model that is neither SAM nor SAM 2: other models there
            segment everyday scenes into classes, not images of cells into instances.

    Returns:
        The mask generator at the size of the pretraining.
    """
    return PublishedUse(Spec(name="prompts"), {"image_size": IMAGE_SIZE})
