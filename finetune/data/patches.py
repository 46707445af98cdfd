"""Datasets of torch: training patches, whole images, and the cached features of training patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.utils.data import Dataset

from cards.base import LabelKind
from finetune.data.annotations.registry import read_pair_labels, sha256_source
from finetune.data.augmentation import Augmentation, resize
from finetune.data.channels import Channels, select_channels
from finetune.data.feature_cache import FeatureStore, levels
from finetune.data.images import read_image
from finetune.data.labels import convert
from finetune.data.normalization import Normalize
from finetune.data.pairs import Pair
from finetune.data.sampler import PatchIndex
from finetune.data.target_cache import MapStore, read

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


class Patches(Dataset[dict[str, torch.Tensor]]):
    """Training patches. A patch depends on its index alone, whichever process or worker draws it."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        reader: Reader,
        augmentation: Augmentation,
        patch: int,
        seed: int,
        store: MapStore | None,
        squared: bool = False,
    ) -> None:
        """Set up; nothing is read.

        Args:
            pairs: training pairs.
            reader: reads images and labels.
            augmentation: how patches are drawn.
            patch: side of a patch in pixels.
            seed: seed of all patches.
            store: cache of encoded maps; None encodes the labels each time.
            squared: whether the image is first resized to `patch` × `patch`; see `SegmentationData`.
        """
        self.pairs, self.reader = list(pairs), reader
        self.augmentation, self.patch, self.seed = augmentation, patch, seed
        self.store, self.squared, self._cached = store, squared, dict[int, Path]()

    def __getitem__(self, draw: PatchIndex) -> dict[str, torch.Tensor]:
        """Draw a patch.

        Args:
            draw: index of the patch.

        Returns:
            "image" (C, P, P) and "maps" (K, P, P), float32.
        """
        rng = draw.rng(self.seed)
        image = self.reader.image(self.pairs[draw.image])
        # The whole image is encoded, then cut: a patch's own edge must not look like the edge of an instance.
        maps, target = self._maps(draw.image), self.reader.target
        if self.squared:
            image, maps = resize(image, self.patch), target.rescale(maps, (self.patch, self.patch))
        image, maps = self.augmentation(image, maps, target, self.patch, rng)
        return {"image": torch.from_numpy(image), "maps": torch.from_numpy(maps)}

    def _maps(self, index: int) -> np.ndarray:
        """Maps (K, H, W) of a whole image."""
        if self.store is None:
            return self.reader.target.encode(self.reader.labels(self.pairs[index]))
        if index not in self._cached:
            self._cached[index] = self.store.keep(self.reader.labels(self.pairs[index]))
        return read(self._cached[index])


class WholeImages(Dataset[dict[str, Any]]):
    """Whole images with their labels."""

    def __init__(self, pairs: Sequence[Pair], reader: Reader) -> None:
        """Set up; nothing is read.

        Args:
            pairs: pairs of one split.
            reader: reads images and labels.
        """
        self.pairs, self.reader = list(pairs), reader

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read an image.

        Args:
            index: position among the pairs.

        Returns:
            "image" (C, H, W) float32 normalized, "labels" (H, W) int32, "name".
        """
        pair = self.pairs[index]
        return {
            "image": torch.from_numpy(self.reader.image(pair)),
            "labels": torch.from_numpy(self.reader.labels(pair)),
            "name": pair.name,
        }


class Features(Dataset[dict[str, Any]]):
    """Training patches as cached encoder features: the images are not read again."""

    def __init__(self, patches: Patches, views: int, store: FeatureStore) -> None:
        """Determine the file of each view; it may not exist yet.

        Args:
            patches: the same patches, with images.
            views: number of different patches per image.
            store: cache whose files are read; only its paths are kept.
        """
        reader, augmentation = patches.reader, patches.augmentation.model_dump()
        settings = {
            "target": [reader.target.name, reader.target.options()],
            "normalize": [reader.normalize.name, reader.normalize.options()],
            "labels": reader.label_kind,
            "channels": reader.channels,
            "patch": [patches.patch, augmentation, patches.seed],
        }
        self.paths = []
        for number, pair in enumerate(patches.pairs):
            content = [sha256_source(pair.image), sha256_source(pair.label), pair.page]
            self.paths.append([store.path(settings, content, number, view) for view in range(views)])

    def path(self, draw: PatchIndex) -> Path:
        """File of a patch.

        Args:
            draw: index of the patch, with its view.

        Returns:
            Path of the file, whether or not it exists.
        """
        assert draw.view is not None
        return self.paths[draw.image][draw.view]

    def draws(self) -> Iterator[PatchIndex]:
        """Every view of every image once.

        Yields:
            Indices, one image after the other.
        """
        for image, paths in enumerate(self.paths):
            yield from (PatchIndex(image, 0, 0, view) for view in range(len(paths)))

    def __getitem__(self, draw: PatchIndex) -> dict[str, Any]:
        """Read a patch.

        Args:
            draw: index of the patch, with its view.

        Returns:
            "features": one (H, W, C) tensor per level, finest first; "maps" (K, P, P); all float16.
        """
        tensors = load_file(self.path(draw))
        return {"features": levels(tensors), "maps": tensors["maps"]}
