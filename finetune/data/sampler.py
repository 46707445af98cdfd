"""Order of training patches, independent of the number of workers and processes and of resuming."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

# Separate random streams for the order of images, new patches, and views.
ORDER, PATCH, VIEW = 0, 1, 2


class PatchIndex(NamedTuple):
    """Index of a training patch: everything its random numbers depend on.

    Attributes:
        image: index among the training images.
        epoch: epoch.
        number: index of the patch in the epoch.
        view: index among a fixed number of patches per image; None for a new patch.
    """

    image: int
    epoch: int
    number: int
    view: int | None = None

    def rng(self, seed: int) -> np.random.Generator:
        """Build the random generator of the patch.

        Args:
            seed: seed of the run.

        Returns:
            The generator.
        """
        if self.view is None:
            return np.random.default_rng((seed, PATCH, self.epoch, self.number))
        return np.random.default_rng((seed, VIEW, self.image, self.view))


class EpochBatches(Sampler[list[PatchIndex]]):
    """Batches of an epoch; each process takes its slice.

    Images are shuffled and all used before any is repeated, also across epochs. Sample s of epoch e depends
    on (seed, e, s) only. With views, an image shows them in turn: if an epoch is each image once, epoch e
    shows view e % views of each.
    """

    def __init__(
        self,
        images: int,
        batches: int,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
        views: int | None = None,
    ) -> None:
        """Configure the sampler.

        Args:
            images: number of training images.
            batches: batches per epoch.
            batch_size: patches per batch over all processes.
            seed: seed of the order.
            epoch: returns the current epoch; called when an epoch begins.
            rank: index of this process.
            world_size: number of processes.
            views: different patches per image; None for a new one each time.
        """
        self.images, self.batches, self.batch_size = images, batches, batch_size
        self.seed, self.epoch, self.views = seed, epoch, views
        self.share = slice(rank * batch_size // world_size, (rank + 1) * batch_size // world_size)

    def __len__(self) -> int:
        """Number of batches."""
        return self.batches

    def __iter__(self) -> Iterator[list[PatchIndex]]:
        """Batches of one epoch."""
        epoch = self.epoch()
        order, current = np.empty(0, dtype=np.intp), -1
        for batch in range(self.batches):
            draws = []
            for number in range(batch * self.batch_size, (batch + 1) * self.batch_size):
                turn, place = divmod(epoch * self.batches * self.batch_size + number, self.images)
                if turn != current:
                    order, current = self._order(turn), turn
                view = None if self.views is None else turn % self.views
                draws.append(PatchIndex(int(order[place]), epoch, number, view))
            yield draws[self.share]

    def _order(self, turn: int) -> np.ndarray:
        return np.random.default_rng((self.seed, ORDER, turn)).permutation(self.images)


class LazyDataLoader(DataLoader[dict[str, torch.Tensor]]):
    """Defers iterating the batch sampler until the first batch is requested.

    Lightning creates the iterator of a resumed run before it sets the epoch; prefetching workers would start
    with patches of another epoch.
    """

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:  # type: ignore[override]
        """Batches of one epoch."""
        yield from super().__iter__()
