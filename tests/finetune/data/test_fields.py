import numpy as np
import pytest
from field import cut, make_field

from finetune.data.fields import fields, find_seams, read_borders

SIDE = 128


def tiles(*seeds, rows=2, columns=3):
    return {
        f"{seed}-{name}": tile
        for seed in seeds
        for name, tile in cut(make_field(rows * SIDE, columns * SIDE, seed), SIDE).items()
    }


def named_seams(images, **options):
    names = list(images)
    seams = find_seams([read_borders(image) for image in images.values()], **options)
    return {
        (names[seam.first], seam.edge_of_first, names[seam.second], seam.edge_of_second) for seam in seams
    }


def neighbors(seeds, rows=2, columns=3):
    found = set()
    for seed in seeds:
        for row in range(rows):
            for column in range(columns):
                here = f"{seed}-r{row}c{column}"
                if column + 1 < columns:
                    found.add((here, "right", f"{seed}-r{row}c{column + 1}", "left"))
                if row + 1 < rows:
                    found.add((here, "bottom", f"{seed}-r{row + 1}c{column}", "top"))
    return found


def test_all_seams_of_two_fields_are_found_and_no_others():
    assert named_seams(tiles(1, 2)) == neighbors((1, 2))


@pytest.mark.parametrize("control", ["not facing", "backwards"])
def test_no_seam_is_found_among_borders_that_cannot_be_adjacent(control):
    assert named_seams(tiles(1, 2, 3), control=control) == set()


def test_tiles_of_different_width_are_joined_along_borders_of_equal_length():
    field = make_field(SIDE, 200)
    images = {"wide": field[:, :, :SIDE], "narrow": field[:, :, SIDE:], **tiles(5)}
    assert ("wide", "right", "narrow", "left") in named_seams(images)


def test_color_16_bit_and_float_images_have_seams_too():
    field = make_field(SIDE, 2 * SIDE)
    others = tiles(7, rows=1)
    for convert in (
        lambda image: image.astype(np.uint16) * 100 + 400,
        lambda image: image.astype(np.float32) / 255,
        lambda image: np.concatenate([image, image // 2, 255 - image]),
    ):
        images = {name: convert(image) for name, image in (cut(field, SIDE) | others).items()}
        assert ("r0c0", "right", "r0c1", "left") in named_seams(images)


def test_tiles_with_different_background_are_not_adjacent():
    images = cut(make_field(SIDE, 2 * SIDE), SIDE)
    images["r0c1"] = images["r0c1"] + np.uint8(30)
    assert not {name for seam in named_seams(images | tiles(3)) for name in seam} & set(images)


def test_dark_and_constant_borders_are_no_evidence():
    rng = np.random.default_rng(0)
    dark = {str(i): rng.poisson(10, (1, SIDE, SIDE)).astype(np.uint8) for i in range(12)}
    constant = {f"c{i}": np.full((1, SIDE, SIDE), 7, np.uint8) for i in range(4)}
    assert named_seams(dark | constant) == set()
    assert named_seams({}) == named_seams({"one": dark["0"]}) == set()


def test_what_is_kept_of_a_border_does_not_grow_with_the_image():
    wide = np.random.default_rng(0).random((1, 40, 5000), np.float32)
    assert {line.shape for line in read_borders(wide).outer} == {(1, 40), (1, 1000)}
    assert all(line.shape == (1, 1) for line in read_borders(np.zeros((1, 1, 1))).outer)


def test_fields_are_numbered_in_the_order_of_their_first_image():
    assert fields(6, [(4, 1), (1, 5), (2, 3)]) == [0, 1, 2, 2, 1, 1]
    assert fields(3, []) == [0, 1, 2]
