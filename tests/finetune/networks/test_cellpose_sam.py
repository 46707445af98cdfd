"""Cellpose-SAM: tiles, and that a network of that size is built without its memory."""

from __future__ import annotations

import torch

from finetune.networks.cellpose_sam import MARGIN, STEP, TILE, CellposeSAM, cut, join


def test_tiles_put_together_are_the_image() -> None:
    images = torch.rand(2, 3, 2 * STEP, 3 * STEP)
    tiles = cut(images)
    assert tiles.shape == (12, 3, TILE, TILE)
    assert torch.equal(join(tiles, 2, 3), images)


def test_a_tile_sees_what_lies_around_it_and_a_mirror_at_the_edge() -> None:
    image = torch.rand(1, 1, 2 * STEP, 2 * STEP)
    last = cut(image)[3, 0]
    assert torch.equal(last[:-MARGIN, :-MARGIN], image[0, 0, STEP - MARGIN :, STEP - MARGIN :])
    assert torch.equal(last[-MARGIN:], last[-2 * MARGIN - 1 : -MARGIN - 1].flip(0))


def test_takes_one_to_three_channels_and_gives_as_many_maps_as_asked() -> None:
    with torch.device("meta"):  # shapes without numbers: it has 1.2 GB of them
        network = CellposeSAM(1, 2).eval()
        for channels in (1, 3):
            assert network(torch.zeros(1, channels, STEP, 2 * STEP)).shape == (1, 2, STEP, 2 * STEP)


def test_what_gets_no_gradient_is_no_parameter_to_train() -> None:
    with torch.device("meta"):
        network = CellposeSAM(3, 3)
        network(torch.zeros(1, 3, STEP, STEP)).sum().backward()
    wanting = {name for name, each in network.named_parameters() if each.requires_grad and each.grad is None}
    assert not wanting
