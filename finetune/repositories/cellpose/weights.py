"""Weights of Cellpose, downloaded without loading a model."""

from __future__ import annotations

from finetune.errors import unknown
from finetune.repositories.capabilities import FetchedWeights
from finetune.repositories.cellpose import download
from finetune.repositories.cellpose.models import LICENSE, MODELS


def fetch_weights(name: str, revision: str | None) -> FetchedWeights | None:
    """Download the weights of a model; see `FetchesWeights`.

    Args:
        name: of the model.
        revision: on the Hub; only for Cellpose-SAM.

    Returns:
        The files.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    if name not in MODELS:
        raise unknown("cellpose model", name, MODELS)
    fetched = download.fetch(name, revision)
    on_hub = f"https://huggingface.co/{fetched.hub_id}"
    source = on_hub if fetched.hub_id else f"{download.SERVER}/{MODELS[name].file}"
    return FetchedWeights((fetched.path,), source, fetched.revision, LICENSE)
