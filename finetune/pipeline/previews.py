"""Previews of the test images for the report, collected while the test images are evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cards.base import LabelKind
from cards.previews import Prediction, Preview, Previews, label_picture, picture, preview_factor
from finetune.data.reader import Sample

LIMIT = 200
"""Images with a preview: about 60 kB each, so that a browser still opens the report."""
BINS = [0.5, 1.5, 2.5, 3.5, 5.5, 10.5]  # pixels: at distance 0, 1, 2, 3, 4 to 5, 6 to 10, and beyond
TOLERANCE = 2.0  # pixels; annotators differ by about one on each side of an outline
MISSED, SPURIOUS, OUTLINE = 1, 2, 3


@dataclass
class PreviewCollector:
    """Collects the previews of the first `LIMIT` test images.

    Attributes:
        labels: content of the label images.
        previews: by name of the image.
    """

    labels: LabelKind
    previews: dict[str, Preview] = field(default_factory=dict)

    def add(self, stage: str, sample: Sample, prediction: np.ndarray) -> None:
        """Add the prediction of an image.

        Args:
            stage: "before" or "after" training.
            sample: the image with its reference labels.
            prediction: labels (H, W) integer.
        """
        preview = self.previews.get(sample.name)
        if preview is None:
            if len(self.previews) >= LIMIT:
                return
            preview = Preview(
                image=sample.name,
                factor=preview_factor(sample.labels.shape),
                picture=picture(sample.pixels),
                reference=label_picture(sample.labels),
            )
        predicted = Prediction(
            labels=label_picture(prediction, error_classes(prediction, sample.labels)),
            distances=distance_counts(prediction, sample.labels),
        )
        self.previews[sample.name] = preview.model_copy(update={stage: predicted})

    def result(self) -> Previews:
        """All previews.

        Returns:
            The content of `images.json`.
        """
        return Previews(
            filled=self.labels == "boundary",
            bins=BINS,
            tolerance=TOLERANCE,
            images=list(self.previews.values()),
        )


def error_classes(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Classify the pixels in which the foreground of prediction and reference differs.

    Args:
        prediction: labels (H, W) integer, 0 is background.
        reference: labels of the same shape.

    Returns:
        (H, W) uint8: 0 agrees, `MISSED`, `SPURIOUS`, or `OUTLINE` up to `TOLERANCE` pixels from the boundary
        of an instance of the reference.
    """
    from scipy.ndimage import distance_transform_edt

    found, wanted = prediction > 0, reference > 0
    errors = np.where(wanted & ~found, MISSED, np.where(found & ~wanted, SPURIOUS, 0)).astype(np.uint8)
    boundary = _boundary(reference)
    if boundary.any():
        near = distance_transform_edt(~boundary) <= TOLERANCE
        errors[(errors > 0) & near] = OUTLINE
    return errors


def distance_counts(prediction: np.ndarray, reference: np.ndarray) -> list[int]:
    """Count the boundary pixels of the prediction by their distance to the boundary of the reference.

    Args:
        prediction: labels (H, W) integer, 0 is background.
        reference: labels of the same shape.

    Returns:
        Number of pixels in each bin of `BINS`, and beyond; all of them beyond if the reference is empty.
    """
    from scipy.ndimage import distance_transform_edt

    pixels, boundary = _boundary(prediction), _boundary(reference)
    if not boundary.any():
        return [0] * len(BINS) + [int(pixels.sum())]
    distances = distance_transform_edt(~boundary)[pixels]
    counts, _ = np.histogram(distances, [-np.inf, *BINS, np.inf])
    return [int(count) for count in counts]


def _boundary(labels: np.ndarray) -> np.ndarray:
    from skimage.segmentation import find_boundaries

    return find_boundaries(labels, mode="inner")
