"""Weights of torchvision, downloaded without loading a model."""

from __future__ import annotations

from finetune.errors import unknown
from finetune.repositories.base import refuse_revision
from finetune.repositories.capabilities import FetchedWeights
from finetune.repositories.torchvision.download import download_weights, weights_url
from finetune.repositories.torchvision.models import MODELS
from finetune.utils.optional import require


def fetch_weights(name: str, revision: str | None) -> FetchedWeights | None:
    """Download the weights of a model; see `FetchesWeights`.

    Args:
        name: of the model.
        revision: must be None: these weights have no revisions.

    Returns:
        The files.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    if name not in MODELS:
        raise unknown("torchvision model", name, MODELS)
    refuse_revision(name, revision)
    require("torchvision", "torchvision")
    return FetchedWeights((download_weights(name),), weights_url(name))
