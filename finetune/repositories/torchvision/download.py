"""Weights of torchvision, downloaded by torch's own loader into `TORCH_HOME`."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from cards.errors import ModelError


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
        weights.DEFAULT.get_state_dict(check_hash=True, progress=True, weights_only=True, map_location="cpu")
    except Exception as error:  # of urllib, of torch's check of the hash, and of a dozen kinds on reading
        if path.is_file():
            raise ModelError(f"{path}: not the weights of {name}, or truncated; delete the file") from error
        reason = textwrap.shorten(re.sub(r"[<>]", "", str(error)), 120)
        raise ModelError(
            f"{name}: its weights cannot be downloaded from {url} ({reason}): "
            "set model.checkpoint=PATH to a weights file, or model.pretrained=false for random weights"
        ) from error
    return path
