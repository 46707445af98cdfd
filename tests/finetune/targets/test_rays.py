"""Rays: cross-checked against StarDist and against BioImage.IO's operation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cards.errors import InputError
from finetune.metrics.registry import compute_metrics
from finetune.targets.registry import build_target

SYMMETRIES = [(rotations, flip) for rotations in range(4) for flip in (False, True)]


def raw_output(seed: int, rays: int = 32, size: int = 48) -> torch.Tensor:
    """Raw output (1, 1 + rays, H, W) that makes objects; some distances are negative."""
    rng = np.random.default_rng(seed)
    blobs = gaussian_filter(rng.normal(size=(size, size)), 3) * 30
    distances = 4 + 2 * rng.normal(size=(rays, size, size))
    return torch.from_numpy(np.concatenate([blobs[None], distances])[None].astype(np.float32))


@pytest.mark.parametrize("rays", [8, 32])
def test_maps_are_those_of_stardist(nuclei: np.ndarray, rays: int) -> None:
    from stardist.geometry import star_dist
    from stardist.utils import edt_prob

    maps = build_target("rays", {"rays": rays}).encode(nuclei)
    np.testing.assert_array_equal(maps[0], edt_prob(nuclei))
    np.testing.assert_array_equal(maps[1:].transpose(1, 2, 0), star_dist(nuclei, rays))


@pytest.mark.parametrize("foreground", [False, True])
@pytest.mark.parametrize(("rotations", "flip"), SYMMETRIES)
def test_real_maps_turn(nuclei: np.ndarray, rotations: int, flip: bool, foreground: bool) -> None:
    target = build_target("rays", {"foreground": foreground})
    turned = np.rot90(nuclei, rotations)
    turned = np.ascontiguousarray(turned[:, ::-1] if flip else turned)
    oriented = target.orient(target.encode(nuclei), rotations, flip)
    np.testing.assert_allclose(oriented, target.encode(turned), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("grid", [1, 2])
def test_real_nuclei_come_back(nuclei: np.ndarray, grid: int) -> None:
    target = build_target("rays", {"grid": grid})
    scores = compute_metrics(target.decode(target.encode(nuclei)), nuclei)
    assert scores["ap50"] > 0.97
    assert scores["pq"] > 0.9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options", [{}, {"grid": 2}, {"rays": 8, "prob_threshold": 0.7, "nms_threshold": 0.1}]
)
def test_labels_are_those_of_the_bioimageio_operation(seed: int, options: dict[str, float]) -> None:
    from bioimageio.core import AxisId, Sample, Tensor
    from bioimageio.core.proc_ops import StardistPostprocessing2D
    from bioimageio.spec.model.v0_5 import StardistPostprocessingDescr

    target = build_target("rays", options)
    raw = raw_output(seed, target.channels - 1)
    (operation,) = target.bioimageio_postprocessing()
    described = StardistPostprocessingDescr.model_validate(operation)
    head = target.head()
    assert head is not None
    axes = [AxisId(axis) for axis in ("batch", "y", "x", "channel")]
    tensor = Tensor.from_numpy(head(raw).numpy(), dims=axes)
    sample = Sample(members={"output": tensor}, stat={}, id="sample")
    StardistPostprocessing2D.from_proc_descr(described, "output")(sample)
    theirs = sample.members["output"].to_numpy()[0, :, :, 0]
    ours = target.decode(target.activate(raw)[0].numpy())
    assert ours.shape == (48 * options.get("grid", 1),) * 2
    assert ours.max() > 3
    assert ours.dtype == np.int32
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("grid", [1, 2])
@pytest.mark.parametrize("error", [0.8, 1.2])
def test_outlines_of_polygons_of_wrong_size_come_from_the_probability(
    nuclei: np.ndarray, grid: int, error: float
) -> None:
    polygons, target = (
        build_target("rays", {"grid": grid, "outline_threshold": value}) for value in (0, 0.06)
    )
    maps = polygons.encode(nuclei)
    maps[1:] *= error
    before, after = (compute_metrics(each.decode(maps), nuclei) for each in (polygons, target))
    assert before["dice"] < 0.92
    assert after["dice"] > 0.96
    assert after["ap75"] > before["ap75"]


@pytest.mark.parametrize("grid", [1, 2])
def test_outlines_come_from_the_foreground(nuclei: np.ndarray, grid: int) -> None:
    options = {"grid": grid, "foreground": True}
    polygons, target = (build_target("rays", options | {"outline_threshold": value}) for value in (0, 0.5))
    maps = polygons.encode(nuclei)
    np.testing.assert_array_equal(maps[-1], nuclei > 0)
    assert (maps.shape[0], target.map_names[-1]) == (target.channels, "foreground")
    maps[1:-1] *= 0.8
    before, after = (compute_metrics(each.decode(maps), nuclei) for each in (polygons, target))
    assert before["dice"] < 0.9
    assert after["dice"] > 0.94
    maps[0] *= 0.7  # no outline is left where the object probability is below a threshold of 0.5
    assert compute_metrics(target.decode(maps), nuclei)["dice"] > 0.94


def test_an_object_without_foreground_keeps_its_polygon() -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[5:15, 5:15], labels[20:35, 30:50], labels[5:15, 30:40] = 1, 2, 3
    options = {"rays": 32, "foreground": True}
    polygons, target = (build_target("rays", options | {"outline_threshold": value}) for value in (0, 0.5))
    maps = target.encode(labels)
    maps[-1, 5:11, 5:15] = 0  # six tenths of object 1
    maps[-1, 20:35, 46:50] = 0  # a fifth of object 2
    maps[-1, 5:15, 33:40] = 0  # seven tenths of object 3
    before, after = polygons.decode(maps), target.decode(maps)
    for number, changed in ((1, False), (2, True), (3, False)):
        place = labels == number
        assert (after[place].max() > 0) and ((after[place] > 0).sum() < (before[place] > 0).sum()) == changed


def test_the_foreground_does_not_change_the_other_maps(nuclei: np.ndarray) -> None:
    rays, target = build_target("rays"), build_target("rays", {"foreground": True})
    maps = target.encode(nuclei)
    np.testing.assert_array_equal(maps[:-1], rays.encode(nuclei))
    half = (nuclei.shape[0] // 2, nuclei.shape[1] // 2)
    np.testing.assert_array_equal(target.rescale(maps, half)[:-1], rays.rescale(maps[:-1], half))
    assert set(np.unique(target.rescale(maps, half)[-1])) == {0, 1}
    np.testing.assert_array_equal(target.decode(maps), rays.decode(maps[:-1]))


def test_the_loss_of_the_foreground_is_added() -> None:
    rays, target = build_target("rays", {"rays": 4}), build_target("rays", {"rays": 4, "foreground": True})
    output, maps = torch.randn(2, 6, 4, 4), torch.rand(2, 6, 4, 4)
    output[:, -1], maps[:, -1] = 0, 1
    expected = rays.loss(output[:, :-1], maps[:, :-1]) + math.log(2)
    torch.testing.assert_close(target.loss(output, maps), expected)
    output[:, -1] = 100
    torch.testing.assert_close(target.loss(output, maps), expected - math.log(2))


@pytest.mark.parametrize("grid", [1, 2])
def test_the_head_of_a_package_gives_the_maps(grid: int) -> None:
    target = build_target("rays", {"rays": 8, "grid": grid, "foreground": True, "outline_threshold": 0.5})
    raw = torch.cat([raw_output(0, 8), 5 * torch.randn(1, 1, 48, 48)], dim=1)
    head = target.head()
    assert head is not None
    assert not target.exports_labels
    maps = target.activate(raw)
    torch.testing.assert_close(head(raw).movedim(-1, 1), maps, rtol=0, atol=0)
    assert maps.shape == (1, target.channels, 48 * grid, 48 * grid)
    assert 0 < maps[:, -1].min() < 0.1 < 0.9 < maps[:, -1].max() <= 1


def test_outlines_end_near_the_polygons() -> None:
    target = build_target("rays", {"rays": 8, "outline_threshold": 0.1})
    maps = np.zeros((9, 40, 40), np.float32)
    maps[0] = 0.3  # no outline anywhere
    maps[0, 20, 20], maps[1:] = 0.9, 5
    rows, columns = np.nonzero(target.decode(maps))
    assert 7 <= np.hypot(rows - 20, columns - 20).max() <= 5 + 3 + 1


def test_labels_do_not_depend_on_pixels_that_are_not_used(nuclei: np.ndarray) -> None:
    outlines = {"grid": 2, "outline_threshold": 0.2}
    for options in ({}, {"grid": 2}, outlines, outlines | {"foreground": True}):
        target = build_target("rays", options)
        maps = target.encode(nuclei)
        used = target.used(maps)
        on_grid = used[:: target.grid, :: target.grid]
        assert 0.02 < on_grid.mean() < 0.5
        kept = np.where(used, maps, 0)
        np.testing.assert_array_equal(target.decode(kept), target.decode(maps))


def test_loss_by_hand() -> None:
    # 4 pixels with a logit of 0; one is of probability 1/2, its 4 rays are 2 off; one ray of -3 outside.
    output, maps = torch.zeros(1, 5, 2, 2), torch.zeros(1, 5, 2, 2)
    maps[0, 0, 0, 0], maps[0, 1:, 0, 0] = 0.5, 6
    output[0, 1:, 0, 0], output[0, 2, 1, 1] = 8, -3
    error = (0.5 * 2 * 4 / 16) / (0.5 / 4 + 1e-7)
    outside = (0.5 * 8 * 4 + 3) / 16
    expected = math.log(2) + 0.2 * (error + 1e-4 * outside)
    assert build_target("rays", {"rays": 4}).loss(output, maps).item() == pytest.approx(expected, rel=1e-6)


def test_a_network_of_half_the_resolution(nuclei: np.ndarray) -> None:
    target = build_target("rays", {"grid": 2, "rays": 8})
    maps = torch.from_numpy(target.encode(nuclei))[None]
    half = maps[..., ::2, ::2].clone()
    half[:, 0] = torch.logit(half[:, 0], 1e-6)
    half.requires_grad_(True)
    loss = target.loss(half, maps)
    loss.backward()
    assert half.grad is not None
    assert not torch.equal(loss, target.loss(half + 1, maps))
    back = target.activate(half.detach())
    assert back.shape == maps.shape
    np.testing.assert_array_equal(target.decode(back[0].numpy()) > 0, target.decode(maps[0].numpy()) > 0)


def test_more_labels_than_16_bits_hold() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:9, 2:9], labels[2:9, 9:16], labels[12:18, 5:12] = 1, 1 + 2**16, 2**17
    few = np.zeros_like(labels)
    few[2:9, 2:9], few[2:9, 9:16], few[12:18, 5:12] = 1, 2, 3
    target = build_target("rays")
    np.testing.assert_array_equal(target.encode(labels), target.encode(few))


def test_an_image_that_is_one_object(recwarn: pytest.WarningsRecorder) -> None:
    maps = build_target("rays").encode(np.ones((12, 12), np.int32))
    assert maps[0].max() == pytest.approx(1)
    assert not recwarn.list


@pytest.mark.parametrize(
    "options", [{"rays": 30}, {"rays": 0}, {"grid": 3}, {"prob_threshold": 1.5}, {"nms_threshold": -0.1}]
)
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=rf"target 'rays': {next(iter(options))} must be"):
        build_target("rays", options)


def test_large_labels_without_background_are_all_instances() -> None:
    labels = np.full((24, 24), 5, np.int64)
    labels[:, 12:] = 70_000
    maps = build_target("rays", {"rays": 8}).encode(labels)
    renumbered = np.where(labels == 5, 1, 2)
    np.testing.assert_array_equal(maps, build_target("rays", {"rays": 8}).encode(renumbered))
