"""Weights of torchvision, downloaded into `TORCH_HOME`, where torch's own loader finds them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cards.errors import ModelError
from finetune.downloads.resumable import failure, retrieve
from finetune.repositories.missing_weights import FILE_ADVICE


def weights_url(name: str) -> str:
    """Web address of the default weights of a model.

    Args:
        name: of the model.

    Returns:
        The address; its last part is the file name with the beginning of the hash.
    """
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name)
    return weights.DEFAULT.url


def download_weights(name: str) -> Path:
    """Locate the weights file; download it if necessary.

    Args:
        name: of the model.

    Returns:
        The file, whose name holds the beginning of its hash.

    Raises:
        ModelError: if the download fails or the file is damaged.
    """
    import torch
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name)
    url = weights.DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    try:
        if not path.exists():  # torch itself does not continue interrupted downloads
            prefix = re.search(r"-([0-9a-f]{8,})\.", path.name)
            retrieve(url, path, prefix[1] if prefix else None)
        weights.DEFAULT.get_state_dict(check_hash=True, progress=True, weights_only=True, map_location="cpu")
    except Exception as error:  # of urllib, of torch's check of the hash, and of a dozen kinds on reading
        if path.is_file():
            raise ModelError(f"{path}: not the weights of {name}, or truncated; delete the file") from error
        raise ModelError(
            f"{name}: its weights cannot be downloaded from {url} ({failure(error)}): {FILE_ADVICE}"
        ) from error
    return path
