"""Weights of models on the Hugging Face Hub, downloaded without loading a model."""

from __future__ import annotations

from finetune.repositories.capabilities import FetchedWeights
from finetune.repositories.huggingface.files import from_hub


def fetch_weights(name: str, revision: str | None) -> FetchedWeights | None:
    """Download the weights of a model; see `FetchesWeights`.

    Args:
        name: of the model.
        revision: branch, tag or commit; the latest if None.

    Returns:
        The files.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    files = from_hub(name, revision)
    found = tuple(path for path in sorted(files.folder.rglob("*")) if path.is_file())
    return FetchedWeights(
        found, f"https://huggingface.co/{name}", files.revision, files.license or files.terms
    )
