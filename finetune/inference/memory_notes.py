"""Large images that are kept in memory as a whole: which, why, and how much memory they take at least."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.headers import Header
from finetune.data.memory_limit import memory_limit
from finetune.data.windows import has_windows
from finetune.inference.extras.registry import EXTRAS
from finetune.inference.large_images import is_large
from finetune.inference.outputs import Outputs
from finetune.inference.stream import LARGE
from finetune.inference.views import can_tile

GIB = 2**30


def memory_notes(model: Any, outputs: Outputs, headers: Mapping[Path, Header]) -> list[str]:
    """Describe the images that are too large to be kept in memory, but have to be.

    Args:
        model: the model.
        outputs: what is written.
        headers: of the images that can be read.

    Returns:
        One line per such image: at least how much memory it takes, and what to leave out. Images that
        `too_large` refuses are not among them.
    """
    notes = []
    for image, header in headers.items():
        small = header.height * header.width <= LARGE
        if small or is_large(model, image, header, outputs) or least_bytes(model, header) > memory_limit():
            continue
        cause, remedy = _cause(model, outputs, image)
        notes.append(
            f"{image}: {header.height:,} × {header.width:,} pixels are kept in memory, which takes at least "
            f"{least_bytes(model, header) / GIB:.1f} GiB, because {cause}; {remedy}"
        )
    return notes


def too_large(model: Any, outputs: Outputs, headers: Mapping[Path, Header]) -> dict[Path, str]:
    """Describe the images that exceed the memory and cannot be segmented part by part.

    Args:
        model: the model.
        outputs: what is written.
        headers: of the images that can be read.

    Returns:
        One line per such image.
    """
    errors = {}
    for image, header in headers.items():
        whole = not is_large(model, image, header, outputs)
        needed = least_bytes(model, header) if whole else header.channels * header.height * header.width
        if needed <= memory_limit():
            continue
        if whole:
            cause, remedy = _cause(model, outputs, image)
        elif not has_windows(image):
            cause = "a file of this kind is read as a whole"
            remedy = "if the file is not damaged, save it as OME-Zarr or as a tiled TIFF"
        else:
            continue
        size = f"its header declares {header.height:,} × {header.width:,} pixels"
        excess = f"{needed / GIB:.1f} GiB, more than the {memory_limit() / GIB:.0f} GiB of memory"
        errors[image] = f"{image}: {size}, which take at least {excess}, because {cause}; {remedy}"
    return errors


def _cause(model: Any, outputs: Outputs, image: Path) -> tuple[str, str]:
    """Why an image is not segmented part by part, and what to do."""
    kinds = [kind for kind in outputs.extras.get(image, ()) if not EXTRAS[kind].in_parts]
    option = "--planes" if outputs.planes else f"--save {','.join(kinds)}" if kinds else None
    if option and can_tile(model):
        return f"{option} needs it in memory", "without it, the image is segmented part by part"
    return "the model takes an image in one piece", "if that is too much, cut the image"


def least_bytes(model: Any, header: Header) -> int:
    """Memory of an image that is segmented as a whole: pixels, network input, maps and labels.

    Args:
        model: the model.
        header: of the image.

    Returns:
        Bytes. Decoding and optional outputs take more.
    """
    maps = getattr(getattr(model, "target", None), "channels", 1)
    per_channel = np.dtype(header.dtype).itemsize + np.dtype(np.float32).itemsize
    return header.height * header.width * (header.channels * per_channel + 4 * maps + 4)
