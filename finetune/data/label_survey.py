"""What label images contain, judged from the images themselves: instances, foreground or boundaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy import ndimage

from cards.base import LabelKind
from cards.errors import DataError
from finetune.data.annotations.registry import read_pair_labels
from finetune.data.diameter import diameter
from finetune.data.labels import convert
from finetune.data.mask_checks import check_mask
from finetune.data.pairs import Pair

SAMPLE = 40  # masks that are read; more would take long and change little
CONVEX = 0.9  # median solidity from which objects are nearly convex
SEPARATE = 0.02  # fraction of touching objects up to which they count as separate
MEASURED = 50  # objects of an image whose solidity is measured


@dataclass(frozen=True)
class LabelSurvey:
    """What the masks of a data set contain.

    Attributes:
        kind: content of the masks.
        classes: number of classes, if the masks give all objects of a class one value; otherwise 1.
        objects: median number of objects in an image.
        diameter: median diameter of the objects in pixels.
        touching: fraction of the objects that touch another one.
        solidity: median ratio of an object's area to that of its convex hull.
        masks: number of masks that were read.
    """

    kind: LabelKind
    classes: int
    objects: float
    diameter: float
    touching: float
    solidity: float
    masks: int


def survey_labels(pairs: Sequence[Pair]) -> LabelSurvey:
    """Judge what the masks contain.

    Args:
        pairs: images and masks; at most `SAMPLE` of them are read, spread evenly.

    Returns:
        The survey.

    Raises:
        DataError: if no mask holds an object, or the masks hold gray levels instead of labels.
    """
    step = max(1, -(-len(pairs) // SAMPLE))
    chosen = pairs[::step]
    masks = [read_pair_labels(pair.image, pair.label, pair.page) for pair in chosen]
    filled = [(pair, mask) for pair, mask in zip(chosen, masks, strict=True) if mask.any()]
    if not filled:
        raise DataError(f"{pairs[0].label.parent}: all masks hold background only")
    kinds = [_kind(mask, pair) for pair, mask in filled]
    kind = Counter(kinds).most_common(1)[0][0]
    values = {int(value) for _, mask in filled for value in np.unique(mask) if value}
    shapes = [_shapes(convert(mask, kind, "instances")) for _, mask in filled]
    diameters = [shape.diameter for shape in shapes if shape.diameter]
    objects = sum(shape.objects for shape in shapes)
    return LabelSurvey(
        kind=kind,
        classes=len(values) if kind == "foreground" else 1,
        objects=median(shape.objects for shape in shapes),
        diameter=round(median(diameters), 1) if diameters else 0.0,
        touching=sum(shape.touching for shape in shapes) / max(objects, 1),
        solidity=median([value for shape in shapes for value in shape.solidities] or [1.0]),
        masks=len(masks),
    )


@dataclass(frozen=True)
class _Shapes:
    """Number, size and shape of the objects of one mask."""

    objects: int
    touching: int
    diameter: float | None
    solidities: list[float]


def _shapes(labels: np.ndarray) -> _Shapes:
    from skimage.measure import regionprops

    touching: set[int] = set()
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        meet = (one > 0) & (other > 0) & (one != other)
        touching.update(np.unique(one[meet]).tolist(), np.unique(other[meet]).tolist())
    regions = regionprops(labels)
    measured = regions[:: max(1, len(regions) // MEASURED)]
    solidities = [float(region.solidity) for region in measured if region.area >= 10]
    return _Shapes(len(regions), len(touching), diameter(labels), solidities)


def _kind(mask: np.ndarray, pair: Pair) -> LabelKind:
    finding = check_mask(mask, "instances")
    if finding is not None and finding.kind in {"soft", "stray"}:
        raise DataError(
            f"{pair.label}: holds gray levels instead of labels ({finding.numbers}): save a mask in which 0 "
            "is background and every object has its own integer, or all objects have one"
        )
    values = np.unique(mask[mask > 0])
    if len(values) > 1 and (finding is None or finding.kind != "classes"):
        return "instances"
    if finding is not None and finding.kind == "boundaries":
        return "boundary"
    if len(values) == 1 and ndimage.label(mask > 0)[1] == 1:
        return "instances"  # a single object; both readings give the same
    return "foreground"
