"""Weights of BioImage.IO packages, downloaded without loading a model."""

from __future__ import annotations

from pathlib import Path

from cards.errors import ModelError
from finetune.repositories.bioimageio.collection import cached_file, open_package
from finetune.repositories.bioimageio.names import known_id
from finetune.repositories.capabilities import FetchedWeights


def fetch_weights(name: str, revision: str | None) -> FetchedWeights | None:
    """Download the weights of a model; see `FetchesWeights`.

    Args:
        name: of the model.
        revision: version of the model, or the first letters of the description's SHA-256.

    Returns:
        The package.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    if Path(name).exists():
        raise ModelError(f"{name}: is a local package; nothing to download")
    package = open_package(name, revision)
    page = name if "://" in name else f"https://bioimage.io/#/artifacts/{known_id(name)}"
    return FetchedWeights((cached_file(package),), page, package.revision, package.license)
