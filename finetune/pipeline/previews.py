"""Previews of the test images for the report, collected while the test images are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cards.base import LabelKind
from cards.previews import Prediction, Preview, Previews, label_picture, picture, preview_factor
from finetune.data.reader import Sample
from finetune.data.statistics import pixel_size
from finetune.targets.pixels import inner_boundary

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
        files: path of each test image by its name, to read its pixel size.
        previews: by name of the image.
    """

    labels: LabelKind
    files: Mapping[str, Path]
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
                pixel_size_um=pixel_size(self.files[sample.name]),
                picture=picture(sample.pixels),
                reference=label_picture(sample.labels),
            )
        distance = distance_to_boundary(sample.labels)
        predicted = Prediction(
            labels=label_picture(prediction, error_classes(prediction, sample.labels, distance)),
            distances=distance_counts(prediction, distance),
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


def distance_to_boundary(labels: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest boundary pixel of an instance.

    Args:
        labels: (H, W) integer, 0 is background.

    Returns:
        (H, W) in pixels; infinite without an instance.
    """
    from scipy.ndimage import distance_transform_edt

    boundary = inner_boundary(labels)
    return distance_transform_edt(~boundary) if boundary.any() else np.full(labels.shape, np.inf)


def error_classes(prediction: np.ndarray, reference: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Classify the pixels in which the foreground of prediction and reference differs.

    Args:
        prediction: labels (H, W) integer, 0 is background.
        reference: labels of the same shape.
        distance: `distance_to_boundary` of the reference.

    Returns:
        (H, W) uint8: 0 agrees, `MISSED`, `SPURIOUS`, or `OUTLINE` up to `TOLERANCE` pixels from the boundary
        of an instance of the reference.
    """
    found, wanted = prediction > 0, reference > 0
    errors = np.where(wanted & ~found, MISSED, np.where(found & ~wanted, SPURIOUS, 0)).astype(np.uint8)
    errors[(errors > 0) & (distance <= TOLERANCE)] = OUTLINE
    return errors


def distance_counts(prediction: np.ndarray, distance: np.ndarray) -> list[int]:
    """Count the boundary pixels of the prediction by their distance to the boundary of the reference.

    Args:
        prediction: labels (H, W) integer, 0 is background.
        distance: `distance_to_boundary` of the reference.

    Returns:
        Number of pixels in each bin of `BINS`, and beyond; all of them beyond if the reference is empty.
    """
    counts, _ = np.histogram(distance[inner_boundary(prediction)], [-np.inf, *BINS, np.inf])
    return [int(count) for count in counts]
