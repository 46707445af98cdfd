"""Weights of SAM 2, downloaded without loading a model."""

from __future__ import annotations

from finetune.repositories.capabilities import FetchedWeights
from finetune.repositories.sam2.models import LICENSE
from finetune.repositories.sam2.weights import download, hub_id


def fetch_weights(name: str, revision: str | None) -> FetchedWeights | None:
    """Download the weights of a model; see `FetchesWeights`.

    Args:
        name: of the model.
        revision: on the Hub; the latest if None.

    Returns:
        The files.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    path, commit = download(name, revision)
    return FetchedWeights((path,), f"https://huggingface.co/{hub_id(name)}", commit, LICENSE)
