"""Large images that are kept in memory as a whole: which, why, and how much memory they take at least."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.headers import Header
from finetune.inference.extras.registry import EXTRAS
from finetune.inference.outputs import Outputs

GIB = 2**30


def memory_notes(model: Any, outputs: Outputs, headers: Mapping[Path, Header]) -> list[str]:
    """Describe the images that are too large to be kept in memory, but have to be.

    Args:
        model: the model.
        outputs: what is written.
        headers: of the images that can be read.

    Returns:
        One line per such image: at least how much memory it takes, and what to leave out.
    """
    from finetune.inference.large_images import is_large
    from finetune.inference.stream import LARGE
    from finetune.inference.views import can_tile

    notes = []
    for image, header in headers.items():
        if header.height * header.width <= LARGE or is_large(model, image, header, outputs):
            continue
        kinds = [kind for kind in outputs.extras.get(image, ()) if not EXTRAS[kind].in_parts]
        option = "--planes" if outputs.planes else f"--save {','.join(kinds)}" if kinds else None
        notes.append(
            f"{image}: {header.height:,} × {header.width:,} pixels are kept in memory, which takes at least "
            f"{least_bytes(model, header) / GIB:.1f} GiB, because "
            + (
                f"of {option}; without it, the image is segmented part by part"
                if option and can_tile(model)
                else "the model takes an image in one piece; if that is too much, cut the image"
            )
        )
    return notes


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
