"""Ensembles, symmetries and packages predict large images tile by tile, with the maps of the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from foreign import make_package
from numbering import by_first_pixel
from spots_model import spots_image, spots_model, write_spots

import finetune
from cards.base import NetworkSpec
from finetune.data.normalization import Percentile, ZeroMeanUnitVariance
from finetune.data.windows import open_windows
from finetune.inference.ensemble import EnsembleModel
from finetune.inference.large_images import segment_large
from finetune.inference.map_models import predict_pixels
from finetune.inference.model import Model
from finetune.inference.scratch_job import open_job
from finetune.inference.stream import Stream, StreamOptions
from finetune.inference.streaming import predict_tiles
from finetune.inference.symmetries import SYMMETRIES, SymmetricModel, turn_back
from finetune.inference.views import can_tile, turn
from finetune.networks.stardist_unet import StarDistUNet
from finetune.networks.unet import UNet
from finetune.targets.pixels import orient_pixels
from finetune.targets.registry import build_target

SHAPE = (203, 171)  # no multiples of a divisor


def unet(depth: int, target: str = "flows", normalize: Any = None) -> Model:
    """A network with random weights, whose maps depend on the place of its pooling and on direction."""
    torch.manual_seed(depth)
    built = build_target(target)
    return Model(
        network=StarDistUNet(1, built.channels, depth=depth, width=4, features=0).eval(),
        target=built,
        normalize=normalize or Percentile(),
        select="auto",
        channels=1,
        divisor=2**depth,
        architecture=NetworkSpec(repository="test", name="unet"),
    )


def ensemble(*members: Any) -> EnsembleModel:
    return EnsembleModel(members, [str(number) for number in range(len(members))])


def tiled_in_memory(model: Any, pixels: np.ndarray, tile: int) -> np.ndarray:
    """Maps as `Model.predict_maps` and `SymmetricModel.predict_maps` give them, with smaller tiles."""
    if not isinstance(model, SymmetricModel):
        maps: np.ndarray = model.predict_maps(model.prepare(pixels), tile=tile)
        return maps
    image = model.model.prepare(pixels).numpy()
    turned = (orient_pixels(image, *one) for one in SYMMETRIES)
    predicted = (model.model.predict_maps(torch.from_numpy(one), tile=tile) for one in turned)
    pairs = zip(predicted, SYMMETRIES, strict=True)
    return sum(turn_back(model.target, maps, *one) for maps, one in pairs) / len(SYMMETRIES)


@pytest.mark.parametrize("kind", ["ensemble", "symmetries", "both", "package", "package of one size"])
def test_the_maps_are_those_of_the_whole_image(kind: str, tmp_path: Path) -> None:
    if kind.startswith("package"):
        sizes = {"size": 64, "side": 64} if kind == "package of one size" else {}
        model: Any = finetune.load(make_package(tmp_path, **sizes))
    else:
        first, second = unet(1), unet(2, normalize=ZeroMeanUnitVariance())
        members = [first, SymmetricModel(second)] if kind == "both" else [first, second]
        model = SymmetricModel(first) if kind == "symmetries" else ensemble(*members)
    path = write_spots(tmp_path / "spots.tif", *SHAPE)
    assert can_tile(model)
    whole = predict_pixels(model, spots_image(*SHAPE)[None])
    with open_windows(path) as windows, open_job(tmp_path / "out.tif", {}) as job:
        stream = Stream(model, windows, job, StreamOptions(tile=96))
        predict_tiles(stream, lambda stage, done, total: None)
        maps = stream.read_maps(slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    assert len(stream.tiles) > 3
    assert whole.std(axis=(1, 2)).min() > 0
    tolerance = 1e-5 * np.abs(whole).max()
    if kind == "package":  # its description states no halo: tiles of another size differ at their seams
        assert np.median(np.abs(maps - whole)) <= tolerance
    else:
        np.testing.assert_allclose(maps, whole, atol=tolerance)


def test_an_ensemble_gives_the_labels_of_the_image_in_memory(tmp_path: Path) -> None:
    other = spots_model()
    other.network.level.data += 0.1
    model = ensemble(spots_model(), SymmetricModel(other))
    image, out = write_spots(tmp_path / "spots.tif", 301, 262), tmp_path / "labels" / "spots.tif"
    segment_large(model, image, out, options=StreamOptions(tile=64, block=128, margin=32))
    np.testing.assert_array_equal(tifffile.imread(out), by_first_pixel(model.predict(spots_image(301, 262))))


@pytest.mark.parametrize("turned", [False, True])
def test_a_network_with_group_normalization_gives_the_maps_of_the_image_in_one_piece(
    turned: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model: Any = unet(2)
    model.network = UNet(1, 3, width=8, depth=1).eval()
    model = SymmetricModel(model) if turned else model
    shape = (203, 131)
    path = write_spots(tmp_path / "spots.tif", *shape)
    stages = set()
    with open_windows(path) as windows, open_job(tmp_path / "out.tif", {}) as job:
        stream = Stream(model, windows, job, StreamOptions(tile=64))
        predict_tiles(stream, lambda stage, done, total: stages.add(stage))
        maps = stream.read_maps(slice(0, shape[0]), slice(0, shape[1]))
    assert len(stream.tiles) > 3
    assert {"measuring statistics, pass 1", "predicting"} <= stages
    expected = tiled_in_memory(model, spots_image(*shape)[None], 256)  # in one piece
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())


def test_a_prediction_that_is_stopped_while_it_measures_statistics_continues(tmp_path: Path) -> None:
    model = unet(2, "foreground")
    model.network, passes = UNet(1, 1, width=8, depth=1).eval(), []
    model.network.register_forward_pre_hook(lambda network, images: passes.append(len(images)))
    image, options = write_spots(tmp_path / "spots.tif", 203, 131), StreamOptions(tile=64)

    def stop(stage: str, done: int, total: int) -> None:
        if stage.endswith("pass 2"):
            raise KeyboardInterrupt

    assert model.tile_halo()
    assert model.shares_statistics
    passes.clear()
    segment_large(model, image, tmp_path / "whole.tif", options=options)
    taken = len(passes)
    with pytest.raises(KeyboardInterrupt):
        segment_large(model, image, tmp_path / "stopped.tif", options=options, progress=stop)
    passes.clear()
    segment_large(model, image, tmp_path / "stopped.tif", options=options)
    assert 0 < len(passes) < taken - 4  # the first pass over the tiles is not repeated
    assert (tmp_path / "stopped.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize(("rotations", "flip"), SYMMETRIES)
def test_a_rectangle_turns_with_the_image(rotations: int, flip: bool) -> None:
    image = np.zeros((5, 8), int)
    image[1:3, 2:7] = 1
    rows, columns = turn(((1, 3), (2, 7)), (5, 8), rotations, flip)
    turned = orient_pixels(image, rotations, flip)
    assert turned[slice(*rows), slice(*columns)].sum() == turned.sum() == 10


def test_maps_that_bioimageio_core_predicts_are_predicted_in_one_piece(tmp_path: Path) -> None:
    clip = {"id": "clip", "kwargs": {"min": 0.1, "max": 0.9}}
    assert not can_tile(finetune.load(make_package(tmp_path, postprocessing=({"id": "sigmoid"}, clip))))
