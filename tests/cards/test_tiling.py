from __future__ import annotations

import examples
import pytest

from cards.evidence import Tiling
from cards.tiling import tiling_sentences


@pytest.mark.parametrize(
    ("tiling", "sentences"),
    [
        (None, "Receptive field and tile mismatch: not measured."),
        (
            Tiling(receptive_field=50, halo=46, tile=192, images=2, pixels=99, mismatch=0),
            "An output pixel depends on input pixels up to 50 px away (receptive field, measured by "
            "gradient), which the halo of the tiles covers. Tile mismatch: none; labels were the same in all "
            "pixels of 2 images, with tiles of 192 × 192 px.",
        ),
        (
            Tiling(receptive_field="image", halo=64, tile=128, images=1, pixels=99, mismatch=0.00345),
            "Every output pixel depends on the whole input, so labels depend on the tile. Tile mismatch: "
            "0.34% of the pixels of 1 image, with tiles of 128 × 128 px.",
        ),
        (
            Tiling(
                receptive_field="image",
                halo=64,
                tile=128,
                images=2,
                pixels=99,
                mismatch=0.003,
                mismatch_range=(0.001, 0.005),
                side=256,
            ),
            "Every output pixel depends on the whole input, so labels depend on the tile. Tile mismatch: "
            "0.3% of the pixels of 2 images, with tiles of 128 × 128 px (0.1 to 0.5% of an image). It "
            "depends on the tile size and on the image size, which was up to 256 px here; "
            "`finetune predict --tile-mismatch` measures it on each image.",
        ),
        (
            Tiling(
                receptive_field="image",
                halo=64,
                image_statistics=True,
                tile=64,
                images=3,
                pixels=99,
                mismatch=0,
            ),
            "Some layers use statistics of the whole input, such as its mean. All tiles use those of the "
            "whole image, which are measured first, so that labels agree up to rounding. Tile mismatch: "
            "none; labels were the same in all pixels of 3 images, with tiles of 64 × 64 px.",
        ),
        (
            Tiling(halo=64),
            "Receptive field: not measured. Tile mismatch: not measured, because no image is larger than a "
            "tile.",
        ),
    ],
)
def test_the_card_states_receptive_field_and_tile_mismatch(tiling: Tiling | None, sentences: str) -> None:
    record = examples.full().model_copy(update={"tiling": tiling})
    assert tiling_sentences(record) == sentences
