"""Weights of StarDist, downloaded without loading a model."""

from __future__ import annotations

from finetune.errors import unknown
from finetune.repositories.capabilities import FetchedWeights
from finetune.repositories.stardist.repository import LICENSE, PUBLISHED, RELEASE, TITLES, URL, fetch


def fetch_weights(name: str, revision: str | None) -> FetchedWeights | None:
    """Download the weights of a model; see `FetchesWeights`.

    Args:
        name: of the model.
        revision: the only one is that of the release.

    Returns:
        The files; None for the network without published weights.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    if name not in TITLES:
        raise unknown("stardist model", name, TITLES)
    if revision not in (None, RELEASE):
        raise unknown("model.revision of repository stardist", str(revision), [RELEASE])
    if name not in PUBLISHED:
        return None
    files = tuple(path for path in sorted(fetch(name).rglob("*")) if path.is_file())
    return FetchedWeights(files, URL.format(name=name), RELEASE, LICENSE)
