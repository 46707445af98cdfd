"""LightningDataModule for all models: training patches, and whole images for validation and test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from cards.base import LabelKind, Split
from cards.errors import DataError
from finetune.data.augmentation import Augmentation
from finetune.data.channels import Channels
from finetune.data.feature_cache import FeatureStore
from finetune.data.normalization import Normalize
from finetune.data.pairs import Pair
from finetune.data.patches import Features, Patches, WholeImages
from finetune.data.reader import Reader, Sample
from finetune.data.sampler import EpochBatches, LazyDataLoader
from finetune.data.target_cache import MapStore
from finetune.utils.scratch import ScratchFolder

if TYPE_CHECKING:
    from finetune.targets.base import LabelEncoding


class SegmentationData(pl.LightningDataModule):
    """Images with labels for training, validation and test. Images are read on demand and not kept in memory.

    Encoded maps that are slow to compute are cached on disk during training, see `keep_maps`.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        target: LabelEncoding,
        normalize: Normalize,
        *,
        label_kind: LabelKind,
        channels: Channels,
        augmentation: Augmentation,
        patch: int,
        batch_size: int,
        images_per_epoch: int | None = None,
        views: int | None = None,
        squared: bool = False,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        """Configure the data; no file is read.

        Args:
            pairs: images and masks with their splits.
            target: encoder of the labels.
            normalize: normalization of the whole image, before a patch is cropped.
            label_kind: type of the labels in the masks.
            channels: see `select_channels`.
            augmentation: augmentation of the patches.
            patch: side of a training patch in pixels.
            batch_size: patches per batch over all processes.
            images_per_epoch: patches per epoch, rounded up to complete batches; None: one per image.
            views: number of different patches per image, each drawn once; None: a new patch each time.
            squared: whether patches are cropped from the image resized to `patch` × `patch`, ignoring the
                aspect ratio, as in SAM 2; else from the image at its own size.
            workers: number of prefetching processes; patches do not depend on it. On a CPU, features are read
                without them.
            seed: seed of order and patches.
        """
        super().__init__()
        self.pairs = list(pairs)
        self.reader = Reader(target, normalize, label_kind, channels)
        self.augmentation = augmentation
        self.patch, self.batch_size, self.images_per_epoch = patch, batch_size, images_per_epoch
        self.views, self.squared, self.workers, self.seed = views, squared, workers, seed
        self._features: Features | None = None
        self._maps: Path | None = None
        self._temporary: ScratchFolder | None = None

    def keep_maps(self, folder: Path) -> None:
        """Cache encoded maps in a given folder instead of a temporary one, until `forget_maps`.

        For 256 × 256 pixels flows take 0.4 MB per image and 32 rays 4.3 MB. Maps from an earlier attempt at
        the same run are reused.

        Args:
            folder: the folder; created on first use.
        """
        self._maps = folder

    def forget_maps(self) -> None:
        """Delete the cached maps."""
        if self._maps:
            shutil.rmtree(self._maps, ignore_errors=True)
        if self._temporary:
            self._temporary.cleanup()
            self._temporary = None

    def of(self, split: Split) -> list[Pair]:
        """Select the pairs of a split.

        Args:
            split: name of the split.

        Returns:
            The pairs, in their order.
        """
        return [pair for pair in self.pairs if pair.split == split]

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches per epoch, all complete."""
        return -(-(self.images_per_epoch or len(self.of("train"))) // self.batch_size)

    def samples(self, split: Split) -> Iterator[Sample]:
        """Read the whole images of a split, one at a time.

        Args:
            split: name of the split.

        Returns:
            An iterator over samples.
        """
        return map(self.reader, self.of(split))

    def patches(self) -> Patches:
        """Build the dataset of training patches.

        Returns:
            The dataset, indexed by `PatchIndex`.
        """
        train = self.of("train")
        return Patches(
            train, self.reader, self.augmentation, self.patch, self.seed, self._store(), self.squared
        )

    def use_features(self, store: FeatureStore) -> Features:
        """Train on encoder features of the patches instead of images from now on.

        Args:
            store: cache of the features, filled now or later.

        Returns:
            The dataset of features.
        """
        assert self.views is not None
        self._features = Features(self.patches(), self.views, store)
        return self._features

    def train_dataloader(self) -> DataLoader:
        """Build the loader of training batches.

        Returns:
            Loader of {"image": (N, C, P, P), "maps": (N, K, P, P)}, float32; with `use_features`, of
            {"features": [(N, H, W, C), ...], "maps": (N, K, P, P)}, float16.

        Raises:
            DataError: if the batch cannot be divided evenly among the processes, or there are no training
                images.
        """
        images = len(self.of("train"))
        if not images:
            raise DataError("no image to train on")
        rank, world_size = self._place()
        if self.batch_size % world_size:
            raise DataError(
                f"training.batch_size is {self.batch_size}: it must be a multiple of the number of "
                f"processes, {world_size}"
            )
        patches = self._features or self.patches()
        steps, size = self.batches_per_epoch, self.batch_size
        batches = EpochBatches(images, steps, size, self.seed, self._epoch, rank, world_size, self.views)
        # On a CPU, reading features takes less time than a second process would take from the network.
        workers = 0 if self._features and not torch.cuda.is_available() else self.workers
        return LazyDataLoader(patches, batch_sampler=batches, **_loading(workers))

    def val_dataloader(self) -> DataLoader:
        """Build the loader of whole validation images.

        Returns:
            Loader of {"image": (1, C, H, W), "labels": (1, H, W), "name": [str]}.

        Raises:
            DataError: if there are fewer images than processes; each process needs one.
        """
        images, world_size = len(self.of("validation")), self._place()[1]
        if 0 < images < world_size:
            raise DataError(
                f"compute.devices: {world_size} processes share {images} validation images, each needs one: "
                "use fewer, or raise data.validation"
            )
        return self._whole("validation")

    def test_dataloader(self) -> DataLoader:
        """Build the loader of whole test images.

        Returns:
            Loader of the same form as `val_dataloader`.
        """
        return self._whole("test")

    def _whole(self, split: Split) -> DataLoader:
        whole = WholeImages(self.of(split), self.reader)
        rank, world_size = self._place()
        # No image twice, so that a mean over processes is the mean over images.
        share = range(rank, len(whole), world_size)
        return DataLoader(whole, batch_size=1, sampler=share, **_loading(self.workers))

    def _store(self) -> MapStore | None:
        if not self.reader.target.keep_encoded:
            return None
        if self._maps is None and self._temporary is None:
            self._temporary = ScratchFolder()
        folder = self._maps or Path(self._temporary.name if self._temporary else "")
        return MapStore(folder, self.reader.target)

    def _place(self) -> tuple[int, int]:
        """Rank and number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _epoch(self) -> int:
        return self.trainer.current_epoch if self.trainer else 0


def _loading(workers: int) -> dict[str, Any]:
    """Options of a loader."""
    return {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": torch.cuda.is_available(),
    }
