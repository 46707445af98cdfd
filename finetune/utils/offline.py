"""One folder for everything that is downloaded, and its use without a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cards.paths import expand_user

VARIABLE = "FINETUNE_OFFLINE"
"""Environment variable with the folder that a computer without a network uses."""

INDEX = "downloads.json"
"""File that lists what such a folder holds."""

PLACES = {
    "FINETUNE_CACHE": "finetune",
    "HF_HUB_CACHE": "huggingface",
    "TORCH_HOME": "torch",
    "CELLPOSE_LOCAL_MODELS_PATH": "cellpose",
}
"""Subfolders of the caches, by the environment variables of finetune, huggingface_hub, torch, cellpose."""


def use_folder(folder: Path, *, offline: bool) -> None:
    """Keep all caches of this process and its child processes in one folder.

    Args:
        folder: the folder; need not exist.
        offline: whether to forbid network access.
    """
    folder = expand_user(folder).absolute()
    for variable, place in PLACES.items():
        os.environ[variable] = str(folder / place)
    if offline:
        os.environ[VARIABLE] = str(folder)
        os.environ["HF_HUB_OFFLINE"] = "1"
    if "huggingface_hub.constants" in sys.modules:  # it has read the environment already
        from huggingface_hub import constants

        constants.HF_HUB_CACHE = os.environ["HF_HUB_CACHE"]
        constants.HF_HUB_OFFLINE = offline or constants.HF_HUB_OFFLINE


def offline_reason() -> str | None:
    """Why this process must not contact a server.

    Returns:
        What the user set, as a clause for messages; None if the network may be used. As in huggingface_hub
        (its `constants`), TRANSFORMERS_OFFLINE counts if HF_HUB_OFFLINE is empty.
    """
    variable = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
    if os.environ.get(variable, "").lower() not in {"1", "true", "yes", "on"}:
        return None
    return f"{f'--offline or {VARIABLE}' if os.environ.get(VARIABLE) else variable} is set"


def use_variable() -> None:
    """Use the folder in `FINETUNE_OFFLINE`, if it is set, without a network."""
    if folder := os.environ.get(VARIABLE):
        use_folder(Path(folder), offline=True)
