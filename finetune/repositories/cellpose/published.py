"""Cellpose's models without fine-tuning: the network's flows, decoded by Cellpose's dynamics."""

from __future__ import annotations

from cards.base import Spec
from finetune.repositories.capabilities import PublishedUse
from finetune.repositories.cellpose.models import MODELS


def published(name: str) -> PublishedUse | None:
    """State how a published model is used; see `PublishesModels`.

    Images keep their size: as with `cellpose --diameter 0`, objects should be about as large as those that
    the model was trained on, 30 pixels for cyto2 and cyto3, 17 for nuclei.

    Args:
        name: of the model.

    Returns:
        The target `flows`; None if there is no such model, or finetune has no network for it.
    """
    runs = name in MODELS and MODELS[name].info.fine_tunable
    return PublishedUse(Spec(name="flows")) if runs else None
