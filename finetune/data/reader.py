"""Reading of image and mask pairs, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cards.base import LabelKind
from finetune.data.annotations.registry import read_pair_labels
from finetune.data.channels import Channels, select_channels
from finetune.data.images import read_image
from finetune.data.labels import convert
from finetune.data.normalization import Normalize
from finetune.data.pairs import Pair

if TYPE_CHECKING:
    from finetune.targets.base import LabelEncoding


@dataclass(frozen=True)
class Sample:
    """A whole image and its reference labels.

    Attributes:
        name: name of the pair.
        pixels: (C, H, W) as stored in the file: all channels, not normalized.
        labels: (H, W) int32, as the target expects them.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Reader:
    """Reads one pair at a time and keeps nothing in memory.

    Attributes:
        target: determines which kind of labels is returned.
        normalize: normalization of the whole image.
        label_kind: content of the masks.
        channels: channels that the network sees; see `select_channels`.
    """

    target: LabelEncoding
    normalize: Normalize
    label_kind: LabelKind
    channels: Channels

    def __call__(self, pair: Pair) -> Sample:
        """Read image and labels of a pair.

        Args:
            pair: the pair.

        Returns:
            The image as stored and its labels.
        """
        return Sample(pair.name, read_image(pair.image, pair.page), self.labels(pair))

    def labels(self, pair: Pair) -> np.ndarray:
        """Read the labels of a pair.

        Args:
            pair: the pair.

        Returns:
            (H, W) int32, as the target expects them.
        """
        return convert(
            read_pair_labels(pair.image, pair.label, pair.page), self.label_kind, self.target.labels
        )

    def image(self, pair: Pair) -> np.ndarray:
        """Read the image of a pair as the network sees it.

        Args:
            pair: the pair.

        Returns:
            The whole image (C, H, W) float32: channels selected, normalized.
        """
        pixels = read_image(pair.image, pair.page)
        return self.normalize(select_channels(pixels, self.channels, str(pair.image)))
