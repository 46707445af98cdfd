"""Images of an audited model: found again in a folder, hashed, and compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cards.audit.claims import FoundImage
from cards.base import LabelKind, Split
from cards.errors import DataError
from cards.evidence import Leakage
from cards.fingerprint import sha256_pixels
from cards.record import DataFile, RunRecord
from finetune.data.annotations.registry import read_pair_labels
from finetune.data.images import read_image
from finetune.data.inspection import count_instances
from finetune.data.pairs import Layout, Pair, find_pairs
from finetune.data.relations import relate_images

WORKERS = 4


def read_data(root: Path, record: RunRecord) -> list[FoundImage]:
    """Read all images in a folder; see `cards.audit.claims.Tools`.

    Args:
        root: the folder.
        record: of the run, which states how the folder is laid out.

    Returns:
        The images with the hashes of their pixels.

    Raises:
        DataError: if there are none, or one cannot be read.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda pair: _found(pair, root, record.data.labels), _pairs(root, record)))


def locate(
    root: Path, record: RunRecord, splits: Sequence[Split] = get_args(Split)
) -> list[tuple[DataFile, Pair]]:
    """Find the images of a record in a folder, whatever format they were saved in since.

    Args:
        root: the folder.
        record: of the run.
        splits: of the wanted images.

    Returns:
        The files of the record, each with its image and label image, in the order of the record.

    Raises:
        DataError: if an image is missing.
    """
    pairs = {_place(pair.image, pair.page, root): pair for pair in _pairs(root, record)}
    located = []
    for file in record.data.files:
        if file.split not in splits:
            continue
        pair = pairs.get(_place(root / file.image, file.page, root))
        if pair is None:
            raise DataError(f"{file.image}: not found in the folder of the images")
        located.append((file, pair))
    return located


def relate(root: Path, record: RunRecord) -> Leakage:
    """Compare the images of a record as a run does; see `cards.audit.claims.Tools`.

    Args:
        root: folder of the images.
        record: of the run.

    Returns:
        The relations between images.

    Raises:
        DataError: if an image is missing or cannot be read.
    """

    def reader(pair: Pair) -> Callable[[], np.ndarray]:
        return lambda: read_image(pair.image, pair.page)

    return relate_images({(file.split, file.name): reader(pair) for file, pair in locate(root, record)})


def _pairs(root: Path, record: RunRecord) -> list[Pair]:
    """All pairs in the folder; only those of the record if others have no mask or image."""
    section = record.recipe.get("data", {})
    section = section if isinstance(section, dict) else {}
    stated: Any = section.get("layout")
    layout: Layout = stated if stated in get_args(Layout) else "auto"
    table = section.get("csv")
    try:
        return find_pairs(root, layout, Path(str(table)).name if table else None)
    except DataError:
        pairs = [_recorded(root, file) for file in record.data.files]
        present = [pair for pair in pairs if pair.image.is_file() and pair.label.exists()]
        if not present:
            raise
        return present


def _recorded(root: Path, file: DataFile) -> Pair:
    return Pair(root / file.image, root / file.label, file.name, None, file.page)


def _found(pair: Pair, root: Path, kind: LabelKind) -> FoundImage:
    image = read_image(pair.image, pair.page)
    labels = read_pair_labels(pair.image, pair.label, pair.page)
    path = pair.image.relative_to(root) if pair.image.is_relative_to(root) else Path(pair.image.name)
    return FoundImage(
        name=pair.name,
        path=path.as_posix(),
        page=pair.page,
        split=pair.split,
        image_pixels=sha256_pixels(image),
        label_pixels=sha256_pixels(labels),
        shape=image.shape,
        instances=count_instances(labels, kind),
    )


def _place(path: Path, page: int | None, root: Path) -> tuple[str, int | None]:
    """Folder and name without suffix: an image that was saved again in another format is the same one."""
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return inside.with_suffix("").as_posix(), page
