"""The LightningModule: network + target + optimizer, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from finetune.adapters import freeze_statistics
from finetune.data.feature_cache import FeatureStore, widen
from finetune.inference.tiling import predict_maps
from finetune.metrics.mean_dice import MeanDice
from finetune.targets.base import Target
from finetune.training.optimizer import OptimizerOptions, check_loss, configure_optimizer


class Segmenter(pl.LightningModule):
    """Trains a network to predict a target's maps.

    Batches are those of `finetune.data.datamodule.SegmentationData`: for training `image` (N, C, P, P) and
    `maps` (N, K, P, P); for validation one whole `image` (1, C, H, W) with its `labels` (1, H, W).

    Where an encoder is frozen, what is trained may be the decoder alone, on `features` in the place of
    `image`: the encoder is then no part of this module, and neither checkpoints nor averages hold it.
    """

    monitor = "validation_dice"

    def __init__(
        self,
        network: nn.Module,
        target: Target,
        *,
        divisor: int,
        optimizer: OptimizerOptions,
        features: FeatureStore | None = None,
    ) -> None:
        """Put a network and a target together.

        Args:
            network: images (N, C, H, W) float32 -> raw output (N, K, H, W), or, in training mode, what the
                target's loss takes; or a decoder, see `features`.
            target: what the K maps mean.
            divisor: the network takes heights and widths that are multiples of this, in pixels.
            optimizer: settings of optimizer and learning-rate schedule.
            features: what a frozen encoder gives; `network` is then the decoder that takes it, as that of an
                `EncoderDecoder`.
        """
        super().__init__()
        # Convolutions are faster on pixels whose channels lie side by side; the numbers are the same.
        self.network = network.to(memory_format=torch.channels_last)
        self.target, self.features = target, features
        self.divisor, self.optimizer_options = divisor, optimizer
        self.validation_dice = MeanDice()
        self.found_nothing = False  # in the last validation: nothing found, though there was something

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float32 -> raw output (N, K, H, W)."""
        if self.features is not None:
            return self._decode(self.features(images), images)
        return self.network(images.contiguous(memory_format=torch.channels_last))

    def _decode(self, features: Sequence[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
        dtype = next(self.network.parameters()).dtype
        return self.network(widen(features, dtype), like.shape[-2:])

    def train(self, mode: bool = True) -> Segmenter:
        """As torch's own, but what is not trained stays in evaluation mode."""
        super().train(mode)
        if mode:
            freeze_statistics(self.network)
        return self

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """One step; stops the run in words if the loss is no longer a number."""
        maps = batch["maps"].float()
        output = self(batch["image"]) if "image" in batch else self._decode(batch["features"], maps)
        loss = self.target.loss(output, maps)
        check_loss(loss, self, self.optimizer_options.learning_rate)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(maps), sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget what the last validation found."""
        self._found = self._there = False

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Dice of one whole image, read back to labels as a user would."""
        maps = predict_maps(self, self.target, batch["image"][0], self.divisor)
        labels = self.target.decode(maps)
        self._found |= bool(np.any(labels))
        self._there |= bool(batch["labels"].any())
        self.found_nothing = self._there and not self._found
        prediction = torch.from_numpy(labels)[None].to(batch["labels"].device)
        self.validation_dice.update(prediction, batch["labels"])
        self.log("validation_dice", self.validation_dice, on_step=False, on_epoch=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        """See `configure_optimizer`."""
        return configure_optimizer(self.network, self.optimizer_options)
