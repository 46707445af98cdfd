"""Weights of SAM2: location, download and loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cards.errors import InputError, ModelError
from cards.record import Origin
from finetune.errors import unknown
from finetune.repositories.base import LoadOptions
from finetune.repositories.missing_weights import FILE_ADVICE
from finetune.repositories.sam2.models import LICENSE, MODELS, SAM2
from finetune.utils.optional import require
from finetune.weights.checkpoint import (
    Checkpoint,
    load_strictly,
    origin,
    read_checkpoint,
)


def hub_id(name: str) -> str:
    """Id of a model on the Hugging Face Hub.

    Args:
        name: a key of `MODELS`.

    Returns:
        The id.
    """
    return f"facebook/{name}"


def find_weights(name: str, start: LoadOptions) -> tuple[Checkpoint | None, Origin]:
    """Read the initial weights and describe their origin.

    Args:
        name: a key of `MODELS`.
        start: initialization options.

    Returns:
        Checkpoint, None for random weights; and the origin for the record.

    Raises:
        ModelError: if the checkpoint cannot be read, or a download fails.
    """
    from finetune.weights.state_dict import read_state_dict

    checkpoint = start.checkpoint
    if checkpoint is None and not start.pretrained:
        return None, Origin(repository="sam2", id=name, weights="random")
    if checkpoint is not None and (checkpoint.is_dir() or checkpoint.suffix == ".safetensors"):
        found = read_checkpoint(checkpoint)
        return found, origin(found, "sam2", name)
    base = Origin(repository="sam2", id=name, weights="pretrained", license=LICENSE, citation=[SAM2])
    if checkpoint is None:
        checkpoint, commit = download(name, start.revision)
        base = base.model_copy(update={"revision": commit, "hub_id": hub_id(name)})
    found = read_state_dict(checkpoint)
    return found, base.model_copy(update={"sha256": found.sha256})


def download(name: str, revision: str | None) -> tuple[Path, str]:
    """Locate the weights file of a model on the Hub; download it if necessary.

    Args:
        name: of the model.
        revision: branch, tag or commit; the latest if None.

    Returns:
        The file and its commit.

    Raises:
        InputError: if there is no such model or revision, or the download fails.
    """
    if name not in MODELS:
        raise unknown("sam2 model", name, MODELS)
    require("sam2", "sam2")
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

    from finetune.downloads.hub import fetch

    file = HF_MODEL_ID_TO_FILENAMES[hub_id(name)][1]
    fetched = fetch(hub_id(name), [file], revision=revision, hint=FILE_ADVICE)
    return fetched.folder / file, fetched.revision


def load_whole(whole: Any, name: str, found: Checkpoint) -> None:
    """Load the weights of a complete SAM 2; the network shares them.

    Args:
        whole: result of `build_whole`.
        name: a key of `MODELS`.
        found: checkpoint with SAM 2's parameter names.

    Raises:
        ModelError: with the number of mismatched keys, the first of them, and the model whose size matches.
    """
    from finetune.networks.sam2 import ENCODER

    try:
        load_strictly(whole, found)
    except InputError as error:
        size = sum(tensor.numel() for key, tensor in found.state.items() if key.startswith(ENCODER))
        for other, info in MODELS.items():
            if info.parameters == size and other != name:
                raise ModelError(f"{error}; the size of its image encoder matches {other}") from error
        raise
