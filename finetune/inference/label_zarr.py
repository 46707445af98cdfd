"""Label images as OME-Zarr 0.5, beside a copy of the image, so that viewers show both.

`labels/instances` is listed under `ome.labels`. Image and labels have the same resolution levels; each level
keeps every second pixel of the one before, so that no label is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.calibration import Calibration
from finetune.inference.markers import LABELS, MARK, SOFTWARE, sha256_array, software
from finetune.utils.optional import require

SMALLEST_LEVEL = 256  # pixels: no further level once the longer side is this short
EXTRA = "zarr"
PACKAGES = ("zarr", "yaozarrs")


def require_zarr() -> None:
    """Check that the packages that write OME-Zarr are installed.

    Raises:
        InputError: if one is missing; names the extra.
    """
    for package in PACKAGES:
        require(package, EXTRA)


def write_label_zarr(
    labels: np.ndarray, pixels: Sequence[np.ndarray], path: Path, name: str, calibration: Calibration
) -> None:
    """Write an image and its label image.

    Args:
        labels: (H, W), or (P, H, W) for a stack; uint16 or int32.
        pixels: each plane (C, H, W) of the image.
        path: folder, which must not exist.
        name: name of the image.
        calibration: of the image.

    Raises:
        OSError: if the folder cannot be written or the disk is full.
    """
    require_zarr()
    from yaozarrs import v05
    from yaozarrs.write.v05 import LabelsBuilder, write_image

    planes = calibration.planes if labels.ndim > 2 else ()
    axes = calibration.axes.lower() if planes else ""
    image = np.stack(list(pixels))
    image = image.reshape(*planes, *image.shape[1:])
    gray = image.shape[-3] == 1
    image, image_axes = _ordered(image[..., 0, :, :] if gray else image, f"{axes}{'' if gray else 'c'}yx")
    labels, label_axes = _ordered(labels.reshape(*planes, *labels.shape[-2:]), f"{axes}yx")
    mark = {"software": software(SOFTWARE), "labels_sha256": sha256_array(labels)}
    write_image(
        path,
        v05.Image(multiscales=[multiscale(image.shape, image_axes, name, calibration)]),
        _levels(image),
        extra_attributes={MARK: mark},
        writer="zarr",
    )
    described = v05.LabelImage(  # type: ignore[call-arg]  # populated by name
        multiscales=[multiscale(labels.shape, label_axes, LABELS, calibration)],
        image_label=v05.ImageLabel(source=v05.LabelSource(image="../../")),
    )
    LabelsBuilder(path / "labels", writer="zarr").write_label(LABELS, described, _levels(labels))


def _ordered(array: np.ndarray, axes: str) -> tuple[np.ndarray, str]:
    """The array with its axes in the order that OME-Zarr requires: time, channel, space."""
    order = "".join(axis for axis in "tczyx" if axis in axes)
    return array.transpose([axes.index(axis) for axis in order]), order


def level_count(shape: Sequence[int]) -> int:
    """Number of resolution levels.

    Args:
        shape: of the image; height and width come last.

    Returns:
        At least 1.
    """
    count, longer = 1, max(shape[-2:])
    while longer > SMALLEST_LEVEL:
        count, longer = count + 1, -(-longer // 2)
    return count


def _levels(array: np.ndarray) -> list[np.ndarray]:
    return [array[..., :: 2**level, :: 2**level] for level in range(level_count(array.shape))]


def multiscale(shape: Sequence[int], axes: str, name: str, calibration: Calibration) -> Any:
    """Describe the resolution levels; an axis of unknown pixel size has scale 1 and no unit.

    Args:
        shape: of the first level.
        axes: letters of the axes.
        name: of the image.
        calibration: pixel size.

    Returns:
        A `yaozarrs.v05.Multiscale`.
    """
    from yaozarrs import v05

    lengths = {"z": calibration.z, "y": calibration.y, "x": calibration.x}
    described: list[Any] = []
    for axis in axes:
        if axis in lengths:
            described.append(v05.SpaceAxis(name=axis, unit="micrometer" if lengths[axis] else None))
        else:
            described.append(v05.ChannelAxis(name="c") if axis == "c" else v05.TimeAxis(name="t"))
    datasets = []
    for level in range(level_count(shape)):
        scale = [(lengths.get(axis) or 1.0) * (2**level if axis in "yx" else 1) for axis in axes]
        transformation = v05.ScaleTransformation(scale=scale)
        datasets.append(v05.Dataset(path=str(level), coordinateTransformations=[transformation]))
    return v05.Multiscale(name=name, axes=described, datasets=datasets)
