"""Hashes that identify files, images and data sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from cards.record import DataFile

RENDERER = (".py", ".j2", ".html", ".css", ".js")
NOT_RENDERER = ("audit", "benchmark", "provenance", "publish")  # subpackages that render no card


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: if the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_pixels(array: np.ndarray) -> str:
    r"""SHA-256 of an array's values, independent of how the image file stores them.

    Canonical form: the text `int32:H,W\n` (the kind, a colon, the shape joined by commas, a newline; ASCII),
    then the values in C order, little-endian. Booleans and integers count as int32, floats as float32, so
    that an image saved again with another compression, byte order or integer width keeps its hash.

    Args:
        array: any shape; booleans, integers or floats.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: if an integer does not fit int32, or the array holds neither integers nor floats.
    """
    import numpy as np  # takes longer to import than everything else that reads a record

    if array.dtype.kind in "bui":
        if array.size and not np.can_cast(array.dtype, np.int32):
            low, high = int(array.min()), int(array.max())
            if low < -(2**31) or high >= 2**31:
                raise ValueError(f"values from {low} to {high} do not fit int32")
        kind, canonical = "int32", "<i4"
    elif array.dtype.kind == "f":
        kind, canonical = "float32", "<f4"
    else:
        raise ValueError(f"no canonical form for {array.dtype}")
    digest = hashlib.sha256(f"{kind}:{','.join(map(str, array.shape))}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(array, dtype=canonical).data)
    return digest.hexdigest()


def data_digest(files: Iterable[DataFile]) -> str:
    """SHA-256 that identifies a data set by its pixels.

    Canonical form: a line `image label` for each image, with the `sha256_pixels` of the image and of its
    label image; the lines sorted and joined by newlines, without a newline at the end; ASCII. Names, order,
    splits and the encoding of the files do not change the digest. The card, the BioImage.IO package and the
    published digests of named data sets all use this function.

    Args:
        files: the images with the hashes of their pixels.

    Returns:
        64 hexadecimal digits.
    """
    lines = sorted(f"{file.image_pixels} {file.label_pixels}" for file in files)
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


def recipe_digest(recipe: Mapping[str, Any]) -> str:
    """SHA-256 that identifies the recipe of a run.

    Canonical form: JSON with sorted keys and without spaces, UTF-8. The keys `data.root` and `data.csv` are
    left out: images may be moved, and `data_digest` identifies them.

    Args:
        recipe: the recipe as in the run record.

    Returns:
        64 hexadecimal digits.
    """
    content = dict(recipe)
    if isinstance(data := content.get("data"), dict):
        content["data"] = {key: value for key, value in data.items() if key not in ("root", "csv")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def renderer_digest() -> str:
    """Identify the code and templates that render cards: between releases, they change under one version.

    Returns:
        SHA-256 as 64 hexadecimal digits.
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in RENDERER):
        name = path.relative_to(root).as_posix()
        if name.partition("/")[0] not in NOT_RENDERER:
            digest.update(f"{name}\n{sha256_file(path)}\n".encode())
    return digest.hexdigest()
