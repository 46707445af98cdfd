"""Pictures of test images and the training images to which they are related, for the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cards.canvas import resize_image, stretch
from cards.contact_sheet import SIDE
from cards.evidence import Leakage, Relation
from cards.previews import RelatedPicture, canvas_picture
from finetune.data.fields import find_seams, read_borders
from finetune.data.images import read_image
from finetune.data.pairs import Pair
from finetune.data.seams_picture import draw_seam

SHOWN = 3
GAP = 6  # pixels between two images that are not adjacent


def related_pictures(leakage: Leakage, pairs: Sequence[Pair]) -> list[RelatedPicture]:
    """Draw the first related test images, each with its training image.

    Args:
        leakage: relations of the test images.
        pairs: all images of the run.

    Returns:
        At most `SHOWN` pictures: adjacent tiles joined at their seam, other images side by side.
    """
    relations = [relation for relation in leakage.relations if relation.split == "test"][:SHOWN]
    return list(_draw(relations, {(pair.split, pair.name): pair for pair in pairs}))


def _draw(
    relations: Sequence[Relation], pairs: dict[tuple[str | None, str], Pair]
) -> Iterator[RelatedPicture]:
    for relation in relations:
        test, training = (
            read_image(pair.image, pair.page)
            for pair in (pairs["test", relation.image], pairs["train", relation.related_to])
        )
        seams = find_seams([read_borders(test), read_borders(training)])
        if relation.kind == "same field" and seams:
            tiles = (test, training) if seams[0].first == 0 else (training, test)
            canvas = draw_seam(*tiles, beside=seams[0].edge_of_first == "right")
        else:
            canvas = _side_by_side(test, training)
        yield RelatedPicture(
            image=relation.image,
            related_to=relation.related_to,
            joined=relation.kind == "same field" and bool(seams),
            picture=canvas_picture(canvas),
        )


def _side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two images (C, H, W) at one scale, top aligned, on white."""
    factor = SIDE / max(*first.shape[1:], *second.shape[1:])
    canvases = [resize_image(stretch(image), factor) for image in (first, second)]
    height = max(len(canvas) for canvas in canvases)
    padded = [
        np.pad(canvas, ((0, height - len(canvas)), (0, 0), (0, 0)), constant_values=1) for canvas in canvases
    ]
    return np.concatenate([padded[0], np.ones((height, GAP, 3)), padded[1]], axis=1)
