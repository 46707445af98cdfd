"""Which patches make an epoch, for any number of workers and processes, resumed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

# Keep random numbers for different ends apart: the order of images, patches that are new each time, views.
ORDER, PATCH, VIEW = 0, 1, 2


class PatchIndex(NamedTuple):
    """One training patch: everything its randomness depends on.

    Attributes:
        image: its number among the training images.
        epoch: in which it is shown.
        number: of the patch in that epoch.
        view: which of the image's patches it is, where each has so many and no more; None: a new one.
    """

    image: int
    epoch: int
    number: int
    view: int | None = None

    def rng(self, seed: int) -> np.random.Generator:
        """The source of chance from which the patch is drawn."""
        if self.view is None:
            return np.random.default_rng((seed, PATCH, self.epoch, self.number))
        return np.random.default_rng((seed, VIEW, self.image, self.view))


class EpochBatches(Sampler[list[PatchIndex]]):
    """The batches of an epoch, of which each process takes its slice.

    Images come in a random order, all of them before any comes again, also across epochs. Sample s of epoch e
    depends on (seed, e, s) alone. With views, an image shows one after the other, all of them before any
    comes again: where an epoch is each image once, epoch e shows view e % views of each.
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
        """See `SegmentationData`. `epoch` is asked each time an epoch begins."""
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
    """Asks for the epoch's batches when the first is wanted, not when it is made an iterator.

    Lightning makes the iterator of a resumed run before it has set the epoch, and workers would read ahead at
    once: they would begin with the patches of another epoch.
    """

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:  # type: ignore[override]
        """Batches of one epoch."""
        yield from super().__iter__()
