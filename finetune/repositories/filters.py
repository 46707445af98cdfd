"""Filters of the model catalog: memory and license."""

from __future__ import annotations

import re

from cards.errors import RecipeError
from cards.licenses import allows_commercial_use, family
from finetune.repositories.base import ModelInfo

COMMERCIAL = "commercial"  # value that stands for every license that allows commercial use
# float32 weights, their gradients, and the two moments that AdamW keeps of each.
BYTES_PER_PARAMETER = 16
UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}


def parse_size(text: str) -> int:
    """Parse a size of memory.

    Args:
        text: such as "8GB", "7.5 GiB" or "900 MB".

    Returns:
        Bytes.

    Raises:
        RecipeError: if the text is not a number with a unit.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    if match is None or match[2].upper() not in UNITS or float(match[1]) == 0:
        raise RecipeError(
            f"'{text}': not a size of memory; give a number with MB, GB, MiB or GiB, such as 8GB"
        )
    return round(float(match[1]) * UNITS[match[2].upper()])


def training_bytes(info: ModelInfo) -> int | None:
    """Least memory for full fine-tuning: weights, gradients and optimizer, without activations.

    Args:
        info: description of the model.

    Returns:
        Bytes; None if the number of parameters is unknown.
    """
    return None if info.parameters is None else BYTES_PER_PARAMETER * info.parameters


def fits_in(info: ModelInfo, memory: int) -> bool | None:
    """Whether a model may be fine-tuned in so much memory.

    Args:
        info: description of the model.
        memory: bytes.

    Returns:
        False if weights, gradients and optimizer alone need more; None if the number of parameters is
        unknown.
    """
    needed = training_bytes(info)
    return None if needed is None else needed <= memory


def has_license(info: ModelInfo, license: str) -> bool | None:
    """Whether the weights of a model may be used as wanted.

    Args:
        info: description of the model.
        license: "commercial" for commercial use, otherwise a license or its family, such as "MIT" or "CC-BY".

    Returns:
        None if it is not known, or left open by the publisher.
    """
    if license.lower() == COMMERCIAL:
        if not info.pretrained:
            return True  # the user's own weights
        if info.license is None:
            return None
        allowed = allows_commercial_use(info.license)
        return None if allowed and info.terms else allowed
    if info.license is None:
        return None
    wanted = license.lower()
    return wanted in (info.license.lower(), family(info.license))
