"""Suspicious masks: what each mask seems to hold, judged by itself, and whether it lies on its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from cards.base import LabelKind
from cards.formatting import counted
from finetune.data.layouts import first_few

GRADIENT = 0.4
"""Fraction of neighboring foreground pixels with different labels above which a mask is soft. Tightly packed
squares of 5 px reach 0.2."""

STRAY = 0.5  # fraction of the foreground that the most frequent value must cover if the others are stray
STRAY_VALUES = 5  # distinct values that a mask with stray values must exceed
FAR = 3.0  # diameters of an object between two pieces that cannot be one object that was split
FAR_PIECES = 3  # pieces far from the largest of their label, from which on labels are reused
SUBSTANTIAL = 0.1  # fraction of the largest piece of a label: smaller pieces are specks
CLASSES = 5  # labels, up to which reused labels are probably classes
BORDER = 0.9  # fraction of the image border that one label must cover to be background
THIN = 8  # pixels: widest boundary
ENCLOSED = 3  # regions that boundaries enclose in an image, at least
MANY = 20  # distinct labels in a mask that was said to hold foreground only


class Finding(NamedTuple):
    """What is suspicious about one mask.

    Attributes:
        kind: key in `ADVICE`.
        numbers: the evidence, in words.
    """

    kind: str
    numbers: str


ADVICE = {
    "soft": "look like soft masks (probabilities or gray levels): threshold them and set "
    "data.labels=foreground",
    "stray": "hold one value and stray others, as smoothing or JPEG leave them: threshold them and set "
    "data.labels=foreground",
    "classes": "look like class masks, which give all objects of a class one label: set "
    "data.labels=foreground, which makes each connected region an instance",
    "reused": "use a label for several separate objects: give every object its own label, or, if objects do "
    "not touch, set data.labels=foreground",
    "boundaries": "look like boundaries, thin lines that enclose objects: set data.labels=boundary",
    "border": "have one label along the whole border, which looks like background: background must be 0",
    "instances": "hold many labels, although data.labels is foreground, which joins objects that touch: set "
    "data.labels=instances",
}
"""What a kind of finding means and which setting would be right; follows "N masks"."""


def check_mask(labels: np.ndarray, label_kind: LabelKind) -> Finding | None:
    """Judge one mask.

    Args:
        labels: the mask as read, (H, W) int32, 0 is background.
        label_kind: what the recipe says that masks hold.

    Returns:
        The gravest finding, or None. Objects that are genuinely in a few pieces are no finding.
    """
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    if len(values) > 2 and (found := _soft(labels, values, counts)):
        return found
    if label_kind == "foreground" and len(values) >= MANY:
        pieces = int(ndimage.label(labels > 0)[1])
        if pieces < len(values):
            return Finding("instances", f"{len(values)} labels in {pieces} connected regions")
    if label_kind != "instances" or not len(values):
        return None
    if len(values) == 1 and (found := _boundaries(labels > 0)):
        return found
    border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    label = values[np.bincount(np.searchsorted(values, border[border > 0])).argmax()] if border.any() else -1
    if (share := float(np.mean(border == label))) >= BORDER:
        return Finding("border", f"label {label} on {share:.0%} of the border")
    return _reused(labels, values)


def finding_warnings(
    what: str, advice: Mapping[str, str], findings: Sequence[tuple[str, Finding | None]]
) -> list[str]:
    """Warn about suspicious masks.

    Args:
        what: what was judged, in the plural, such as "masks".
        advice: what to do, by kind of finding; follows "N of M masks".
        findings: name of each mask, and what is suspicious about it.

    Returns:
        One line per kind of finding, with the names of the first masks.
    """
    warnings = []
    for kind, text in advice.items():
        names = [f"{name} ({found.numbers})" for name, found in findings if found and found.kind == kind]
        if names:
            warnings.append(f"{len(names)} of {len(findings)} {what} {text}: {first_few(names)}")
    return warnings


def _soft(labels: np.ndarray, values: np.ndarray, counts: np.ndarray) -> Finding | None:
    top = counts.max() / counts.sum()
    if (gradient := _gradient(labels)) > GRADIENT:
        numbers = f"{len(values)} values, {gradient:.0%} of neighboring pixels differ"
        return Finding("stray" if top >= STRAY else "soft", numbers)
    if len(values) > STRAY_VALUES and top >= STRAY and _are_thin(labels, values[counts.argmax()]):
        most = values[counts.argmax()]
        return Finding("stray", f"{most} in {top:.1%} of the foreground, {len(values) - 1} other values")
    return None


def _gradient(labels: np.ndarray) -> float:
    """Fraction of neighboring foreground pixels that differ."""
    pairs = different = 0
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        both = (one > 0) & (other > 0)
        different += int(np.count_nonzero(both & (one != other)))
        pairs += int(np.count_nonzero(both))
    return different / pairs if pairs else 0.0


def _are_thin(labels: np.ndarray, most: int) -> bool:
    """Whether all labels but the most frequent are thin: no pixel of them has 8 neighbors like itself."""
    low, high = (f(labels, 3, mode="nearest") for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    return not np.any((low == high) & (labels > 0) & (labels != most))


def _boundaries(foreground: np.ndarray) -> Finding | None:
    """Thin lines that enclose regions."""
    regions = int(ndimage.label(~foreground)[1])
    if regions < ENCLOSED:
        return None
    distance = ndimage.distance_transform_edt(foreground)
    ridge = distance[(distance == ndimage.maximum_filter(distance, 3)) & foreground]
    width = 2 * float(np.median(ridge)) if len(ridge) else np.inf
    if width > THIN:
        return None
    return Finding("boundaries", f"lines about {width:.0f} px wide between {regions} regions")


def _reused(labels: np.ndarray, values: np.ndarray) -> Finding | None:
    """Labels with several pieces that lie too far from each other for one object."""
    pieces, count = _pieces(labels)
    if count <= len(values):
        return None
    index = np.arange(1, count + 1)
    areas = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    owner = ndimage.maximum(labels, pieces, index).astype(np.int64)
    centers = np.array(ndimage.center_of_mass(pieces > 0, pieces, index))
    far, objects, most, example = 0, 0, 0, 0
    order = np.lexsort((-areas, owner))
    starts = np.flatnonzero(np.diff(owner[order])) + 1
    for group in np.split(order, starts):
        group = group[areas[group] >= SUBSTANTIAL * areas[group[0]]]
        distance = np.hypot(*(centers[group] - centers[group[0]]).T)
        far += int(np.count_nonzero(distance > FAR * np.sqrt(areas[group[0]])))
        objects += len(group)
        if len(group) > most:
            most, example = len(group), owner[group[0]]
    if far < FAR_PIECES:
        return None
    kind = "classes" if len(values) <= CLASSES else "reused"
    labels_used = counted(len(values), "label")
    numbers = f"{objects} separate objects with {labels_used}, {most} of them with label {example}"
    return Finding(kind, numbers)


def _pieces(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected regions of equal labels (8 neighbors), numbered; 0 is background."""
    from skimage.measure import label

    pieces, count = label(labels, background=0, return_num=True, connectivity=2)
    return pieces, int(count)
