"""Datasets of torch: training patches, whole images, and the cached features of training patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.utils.data import Dataset

from finetune.data.annotations.registry import sha256_source
from finetune.data.augmentation import Augmentation, resize
from finetune.data.feature_cache import FeatureStore, levels
from finetune.data.pairs import Pair
from finetune.data.reader import Reader
from finetune.data.sampler import PatchIndex
from finetune.data.target_cache import MapStore, read
from finetune.targets.registry import encoder_versions


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
            "target": [encoder_versions(reader.target.name), reader.target.name, reader.target.options()],
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
