"""StarDist's published models without fine-tuning."""

from __future__ import annotations

from cards.base import Spec
from finetune.repositories.capabilities import PublishedUse
from finetune.repositories.stardist.repository import PUBLISHED

RAYS = 32
"""Rays of both published models (`config.json` in their archives)."""


def published(name: str) -> PublishedUse | None:
    """State how a published model is used; see `PublishesModels`.

    Args:
        name: of the model.

    Returns:
        The target `rays`, whose thresholds come with the weights; None for the U-Net without weights.
    """
    return PublishedUse(Spec(name="rays", options={"rays": RAYS})) if name in PUBLISHED else None
