"""Precomputation of a frozen encoder's features: once before the first epoch, for all epochs."""

from __future__ import annotations

from collections.abc import Iterator

import pytorch_lightning as pl
import torch
from rich.console import Console
from torch import nn
from torch.utils.data import DataLoader

from finetune.data.datamodule import SegmentationData
from finetune.data.feature_cache import FeatureStore
from finetune.data.patches import Features
from finetune.data.sampler import PatchIndex
from finetune.inference.tiling import predict_maps
from finetune.networks.encoder_decoder import EncoderDecoder
from finetune.training.module import Segmenter
from finetune.utils.progress import stage


def with_frozen_encoder(network: nn.Module) -> EncoderDecoder | None:
    """Check whether the network consists of a frozen encoder and a decoder.

    Args:
        network: any network.

    Returns:
        The network if no parameter of its encoder is trained, otherwise None.
    """
    if not isinstance(network, EncoderDecoder):
        return None
    trained = any(parameter.requires_grad for parameter in network.encoder.parameters())
    return None if trained else network


class PrecomputeFeatures(pl.Callback):
    """Encodes each view of each training image, and each validation image, into a feature store.

    Processes share the work. Features that an earlier attempt stored are kept. The encoder is on the training
    device only during precomputation.
    """

    def __init__(self, data: SegmentationData, store: FeatureStore, console: Console) -> None:
        """Prepare the callback.

        Args:
            data: the data module, which provides patches and validation images.
            store: the frozen encoder, and where its features are stored.
            console: where progress is shown.
        """
        self.data, self.store, self.console = data, store, console

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Encode, and switch the data module from images to features.

        Args:
            trainer: the trainer.
            module: the module whose decoder is trained on the features.

        Raises:
            InputError: if the disk has no room for all features.
        """
        assert isinstance(module, Segmenter)
        features = self.data.use_features(self.store)
        draws = list(features.draws())
        # The work is divided before stored features are skipped: another process may have started by then.
        share = draws[trainer.global_rank :: trainer.world_size]
        pending = [draw for draw in share if not _is_stored(features, draw)]
        images = self.data.of("validation")
        message = f"encoding {len(draws)} patches and {len(images)} validation images, once for all epochs"
        self.console.print(message, highlight=False, soft_wrap=True)
        self.store.encoder.to(module.device)
        with (
            torch.inference_mode(),
            trainer.precision_plugin.forward_context(),
            stage(self.console, "encoding", len(pending) + len(images) // trainer.world_size) as progress,
        ):
            for done in self._patches(features, pending):
                progress.advance(done)
            for done in self._validation(module) if images else ():
                progress.advance(done)
        self.store.encoder.cpu()
        trainer.strategy.barrier("features")

    def _patches(self, features: Features, pending: list[PatchIndex]) -> Iterator[int]:
        """Encode training patches; yields the number of patches in each batch."""
        size = self.data.batch_size
        batches = [pending[start : start + size] for start in range(0, len(pending), size)]
        loader = DataLoader(self.data.patches(), batch_sampler=batches, num_workers=self.data.workers)
        checked = False
        for batch, draws in zip(loader, batches, strict=True):
            encoded = self.store.encode(batch["image"])
            if not checked:
                self._check_room(features, [level[0] for level in encoded], batch["maps"][0])
                checked = True
            for number, draw in enumerate(draws):
                self.store.keep(
                    features.path(draw), [level[number] for level in encoded], batch["maps"][number]
                )
            yield len(draws)

    def _check_room(self, features: Features, levels: list[torch.Tensor], maps: torch.Tensor) -> None:
        """Estimate from the first patch the disk space of all others; overlaps of tiles are not counted."""
        values = sum(level.numel() for level in levels)
        missing = sum(not _is_stored(features, draw) for draw in features.draws())
        pixels = sum(self.data.reader.image(pair)[0].size for pair in self.data.of("validation"))
        whole = values * pixels // maps[0].numel()
        self.store.check_room(2 * (missing * (values + maps.numel()) + whole))  # float16 takes 2 bytes

    def _validation(self, module: Segmenter) -> Iterator[int]:
        """Encode the tiles of this process's validation images, exactly as validation will cut them."""

        def encode(images: torch.Tensor) -> torch.Tensor:
            self.store(images)
            return images.new_zeros(1, module.target.channels, *images.shape[-2:])

        for batch in self.data.val_dataloader():
            predict_maps(encode, module.target, batch["image"][0], module.divisor)
            yield 1


def _is_stored(features: Features, draw: PatchIndex) -> bool:
    return features.path(draw).exists()
