"""The tile mismatch of an image that is predicted is measured on that image."""

from __future__ import annotations

import numpy as np
import pytest
from attention_model import attention_model
from spots_model import spots_image, spots_model

from cards.errors import ModelError
from finetune.data.headers import Header
from finetune.data.windows import windows_of
from finetune.inference.ensemble import EnsembleModel
from finetune.inference.image_mismatch import (
    ImageMismatch,
    _spans,
    check_can_measure,
    measure_image,
    tiles_note,
)
from finetune.inference.tile_mismatch import count_mismatches

ONE_PIECE = 10**6


def test_an_image_no_larger_than_a_window_is_compared_as_a_whole() -> None:
    model, image = attention_model(), spots_image(150, 120)
    found = measure_image(model, [windows_of(image[None])], tile=64, window=160)
    prepared = model.prepare(image[None])
    tiled, whole = (model.target.decode(model.predict_maps(prepared, tile=tile)) for tile in (64, ONE_PIECE))
    expected = count_mismatches(tiled, whole) / image.size
    assert 0 < expected < 1
    assert found == ImageMismatch(64, (150, 120), 1, expected)


def test_all_windows_of_a_larger_image_are_compared() -> None:
    model, image = attention_model(), spots_image(128, 192)
    stages: list[tuple[str, int, int]] = []
    found = measure_image(
        model, [windows_of(image[None])], tile=32, window=64, report=lambda *stage: stages.append(stage)
    )
    prepared, shares = model.prepare(image[None]), []
    for top in (0, 64):
        for left in (0, 64, 128):
            window = prepared[:, top : top + 64, left : left + 64]
            tiled, whole = (model.target.decode(model.predict_maps(window, tile=tile)) for tile in (32, 64))
            shares.append(count_mismatches(tiled, whole) / tiled.size)
    assert found == ImageMismatch(32, (64, 64), 6, pytest.approx(np.mean(shares)))
    assert max(shares) > 0
    assert stages[-1] == ("comparing tiles", 6, 6)


def test_the_last_windows_end_where_the_image_ends() -> None:
    found = measure_image(attention_model(), [windows_of(spots_image(70, 130)[None])], tile=32, window=64)
    assert found and (found.window, found.windows) == ((64, 64), 6)


@pytest.mark.parametrize("divisor", [8, 14, 32])
def test_windows_cover_images_of_any_size(divisor: int) -> None:
    for length in range(64, 300):
        covered = np.zeros(length, bool)
        for span in _spans(length, 64, divisor):
            assert span.start >= 0 and span.stop - span.start <= 64
            covered[span] = True
        assert covered.all(), length


def test_the_planes_of_a_stack_are_compared_together() -> None:
    planes = [windows_of(spots_image(64, 64, seed)[None]) for seed in range(3)]
    found = measure_image(attention_model(), planes, tile=32, window=64)
    single = [measure_image(attention_model(), [plane], tile=32, window=64) for plane in planes]
    shares = [one.mismatch for one in single if one and one.mismatch]
    assert len(shares) == 3
    assert found and found.windows == 3
    assert found.mismatch == pytest.approx(np.mean(shares))


def test_a_network_whose_receptive_field_the_halo_covers_has_no_mismatch() -> None:
    found = measure_image(spots_model(), [windows_of(spots_image(100, 90)[None])], tile=64)
    assert found and found.mismatch == 0
    assert found.sentence() == "tile mismatch: 0% of the pixels"


def test_an_image_of_one_tile_has_no_tile_mismatch() -> None:
    assert measure_image(attention_model(), [windows_of(spots_image(60, 64)[None])], tile=64) is None


def test_a_note_says_that_labels_depend_on_the_tiles_only_if_they_do() -> None:
    small, large = Header(1, 1024, 1024, "uint8"), Header(1, 300, 1025, "uint8")
    attention, spots = attention_model(), spots_model()
    attention.measure_receptive_field()
    spots.measure_receptive_field()
    assert tiles_note(attention, [small]) is None
    assert tiles_note(spots, [small, large]) is None
    note = tiles_note(attention, [small, large])
    assert note and "--tile-mismatch" in note


def test_an_ensemble_is_refused() -> None:
    with pytest.raises(ModelError, match="without --ensemble and --symmetries"):
        check_can_measure(EnsembleModel([spots_model(), spots_model()], ["a", "b"]))


def test_sentences_state_the_windows() -> None:
    assert ImageMismatch(1024, (2048, 2048), 4, 0.00123).sentence() == (
        "tile mismatch: 0.12% of the pixels of 4 windows of 2048 × 2048 px"
    )
    assert "not measured" in ImageMismatch(1024, (2048, 2048), 4, None).sentence()
