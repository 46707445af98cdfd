"""Flows: cross-checked against Cellpose and against BioImage.IO's operation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import find_objects, gaussian_filter

from cards.errors import InputError
from finetune.metrics.registry import compute_metrics
from finetune.targets.registry import build_target

SYMMETRIES = [(rotations, flip) for rotations in range(4) for flip in (False, True)]


def raw_output(seed: int, size: int = 96) -> np.ndarray:
    """Raw output (3, H, W) float32 that makes instances, and is no encoding of any: blobs and slopes."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    blobs = gaussian_filter(noise, 4) * 8
    slope = np.stack(np.gradient(blobs))
    length = np.hypot(*slope) + 0.02
    return np.concatenate([5 * slope / length, 3 * blobs[None]]).astype(np.float32)


def middles(labels: np.ndarray) -> np.ndarray:
    """(instances, 2): the middle of each, within its box, as Cellpose has it before rounding."""
    boxes = find_objects(labels)
    return np.array([np.argwhere(labels[box] == i).mean(axis=0) for i, box in enumerate(boxes, 1)])


def test_flows_are_those_of_cellpose(nuclei: np.ndarray) -> None:
    from cellpose.dynamics import masks_to_flows_gpu

    ours = build_target("flows").encode(nuclei)
    theirs = masks_to_flows_gpu(nuclei.astype(np.int64))[0]
    cosine = (ours[:2] * theirs).sum(axis=0)[nuclei > 0]
    assert np.quantile(cosine, 0.05) > 0.99
    # Where the middle of an instance is on one pixel only, and that is in it, they are the same numbers.
    doubtful = np.isclose(middles(nuclei) % 1, 0.5).any(axis=1)
    sure = ~np.isin(nuclei, [0, *(1 + np.flatnonzero(doubtful))])
    assert sure.sum() > 0.9 * (nuclei > 0).sum()
    difference = np.abs(ours[:2] - theirs)[:, sure].max(axis=0)
    # Not everywhere: at its edge an instance feels the heat of a neighbor that is doubtful.
    assert np.mean(difference < 1e-6) > 0.99


@pytest.mark.parametrize(("rotations", "flip"), SYMMETRIES)
def test_real_maps_turn_to_the_last_bit(nuclei: np.ndarray, rotations: int, flip: bool) -> None:
    target = build_target("flows")
    turned = np.rot90(nuclei, rotations)
    turned = turned[:, ::-1] if flip else turned
    expected = target.encode(turned)
    np.testing.assert_array_equal(target.orient(target.encode(nuclei), rotations, flip), expected)


def test_directions_have_length_one_and_the_middle_none() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[3:10, 3:12] = 5  # its middle is the pixel (6, 7)
    labels[12:18, 2:10] = 6  # its middle is between 4 pixels
    y, x, cell = build_target("flows").encode(labels)
    np.testing.assert_array_equal(cell, labels > 0)
    length = np.hypot(y, x)
    assert (y[6, 7], x[6, 7]) == (0, 0)
    inside = labels > 0
    inside[6, 7] = False
    np.testing.assert_allclose(length[inside], 1, atol=1e-6)
    assert not length[labels == 0].any()
    assert y[3, 7] == 1
    assert x[6, 3] == 1
    assert x[6, 11] == -1


def test_an_instance_in_two_parts_is_encoded() -> None:
    labels = np.zeros((12, 20), np.int32)
    labels[2:8, 2:8] = labels[3:5, 15:17] = 9
    maps = build_target("flows").encode(labels)
    assert np.isfinite(maps).all()
    assert maps[2].sum() == 40


def test_real_nuclei_come_back(nuclei: np.ndarray) -> None:
    target = build_target("flows")
    scores = compute_metrics(target.decode(target.encode(nuclei)), nuclei)
    assert scores["ap50"] > 0.97
    assert scores["pq"] > 0.95


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, {"cellprob_threshold": -1.0, "flow_threshold": 0.0, "min_size": 60}])
def test_labels_are_those_of_the_bioimageio_operation(seed: int, options: dict[str, float]) -> None:
    from bioimageio.core import AxisId, Tensor
    from bioimageio.core.proc_ops import CellposeFlowDynamics
    from bioimageio.spec.model.v0_5 import CellposeFlowDynamicsDescr

    target, raw = build_target("flows", options), raw_output(seed)
    (operation,) = target.bioimageio_postprocessing()
    described = CellposeFlowDynamicsDescr.model_validate(operation)
    tensor = Tensor.from_numpy(raw[None], dims=[AxisId(axis) for axis in ("batch", "channel", "y", "x")])
    theirs = CellposeFlowDynamics.from_proc_descr(described, "output")._apply(tensor).to_numpy()[0, 0]
    ours = target.decode(target.activate(torch.from_numpy(raw[None]))[0].numpy())
    assert ours.max() > 3
    assert ours.dtype == np.int32
    np.testing.assert_array_equal(ours, theirs)


def test_loss_is_that_of_cellpose() -> None:
    from cellpose.train import _loss_fn_seg

    generator = torch.Generator().manual_seed(0)
    output = torch.randn(3, 3, 16, 16, generator=generator)
    maps = torch.rand(3, 3, 16, 16, generator=generator)
    maps[:, 2] = (maps[:, 2] > 0.5).float()
    theirs = _loss_fn_seg(maps[:, [2, 0, 1]], output, torch.device("cpu"))
    torch.testing.assert_close(build_target("flows").loss(output, maps), theirs)


def test_noise_and_nothing_are_labeled_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    target = build_target("flows")
    noise = np.random.default_rng(0).normal(size=(3, 40, 40)).astype(np.float32)
    assert target.decode(noise).shape == (40, 40)
    assert not target.decode(np.zeros((3, 40, 40), np.float32)).any()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "options", [{"min_size": -1}, {"min_size": 2.5}, {"flow_threshold": -1}, {"cellprob_threshold": np.nan}]
)
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=rf"target 'flows': {next(iter(options))} must be"):
        build_target("flows", options)
