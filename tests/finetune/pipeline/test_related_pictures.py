"""Pictures of related images: adjacent tiles are joined where they touch, others are side by side."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from field import cut, make_field
from PIL import Image

from cards.evidence import Leakage, Relation, RelationKind
from cards.previews import RelatedPicture
from finetune.data.pairs import Pair
from finetune.pipeline.related_pictures import GAP, SHOWN, related_pictures


def drawn(picture: RelatedPicture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.picture.partition(",")[2])))).astype(int)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """One test tile and three training tiles of a field."""
    tiles = cut(make_field(256, 256), 128)
    for name, tile in tiles.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", tile[0])
    return [
        Pair(tmp_path / f"{name}.tif", tmp_path / f"{name}.tif", name, "test" if name == "r0c0" else "train")
        for name in tiles
    ]


def leakage(related_to: str, kind: RelationKind = "same field", count: int = 1) -> Leakage:
    relation = Relation(image="r0c0", split="test", related_to=related_to, kind=kind, evidence="")
    return Leakage(method="", relations=[relation] * count)


def test_adjacent_tiles_are_joined_at_their_seam(pairs: list[Pair]) -> None:
    (beside,) = related_pictures(leakage("r0c1"), pairs)
    (below,) = related_pictures(leakage("r1c0"), pairs)
    assert beside.joined and below.joined
    orange = lambda pixels: (pixels[..., 0] - pixels[..., 2]) > 80  # noqa: E731
    assert orange(drawn(beside))[:8].any() and orange(drawn(beside))[-8:].any()  # marks at top and bottom
    assert orange(drawn(below))[:, :8].any() and orange(drawn(below))[:, -8:].any()


@pytest.mark.parametrize(("name", "kind"), [("r1c1", "same field"), ("r0c1", "near")])
def test_images_that_do_not_touch_or_are_copies_are_side_by_side(
    name: str, kind: RelationKind, pairs: list[Pair]
) -> None:
    (shown,) = related_pictures(leakage(name, kind), pairs)
    pixels = drawn(shown)
    assert not shown.joined
    assert (pixels[:, pixels.shape[1] // 2 - GAP // 4 : pixels.shape[1] // 2 + GAP // 4] > 230).all()


def test_few_relations_are_drawn(pairs: list[Pair]) -> None:
    assert len(related_pictures(leakage("r0c1", count=SHOWN + 3), pairs)) == SHOWN
