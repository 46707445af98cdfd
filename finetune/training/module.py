"""The LightningModule of the automatic task: network + target + optimizer."""

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
from finetune.utils.faster_on_cpu import FasterOnCpu


class Segmenter(pl.LightningModule):
    """Trains a network to predict the maps of a target.

    Batches come from `finetune.data.datamodule.SegmentationData`: for training `image` (N, C, P, P) and
    `maps` (N, K, P, P); for validation one whole `image` (1, C, H, W) with `labels` (1, H, W).

    With a frozen encoder, the module may consist of the decoder alone, trained on precomputed `features`
    instead of `image`. The encoder is then part of neither checkpoints nor averaged weights.
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
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        """Combine a network and a target.

        Args:
            network: images (N, C, H, W) float32 -> raw output (N, K, H, W), or, in training mode, the input
                of the target's loss; or a decoder, see `features`.
            target: the target that defines the K maps.
            divisor: image heights and widths must be multiples of this, in pixels.
            optimizer: settings of optimizer and learning-rate schedule.
            features: precomputed features of a frozen encoder; `network` is then the decoder of an
                `EncoderDecoder`.
            memory_format: of images and weights, see `finetune.utils.memory_format`.
        """
        super().__init__()
        self.network, self.memory_format = network.to(memory_format=memory_format), memory_format
        self.target, self.features = target, features
        self.divisor, self.optimizer_options = divisor, optimizer
        self.validation_dice = MeanDice()
        self.found_nothing = False  # see TrainableModule

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Run the network.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw output (N, K, H, W).
        """
        if self.features is not None:
            return self._decode(self.features(images), images)
        return self.network(images.contiguous(memory_format=self.memory_format))

    def _decode(self, features: Sequence[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
        dtype = next(self.network.parameters()).dtype
        return self.network(widen(features, dtype), like.shape[-2:])

    def train(self, mode: bool = True) -> Segmenter:
        """Like `nn.Module.train`, but frozen layers stay in eval mode.

        Args:
            mode: whether to switch to training mode.

        Returns:
            The module.
        """
        super().train(mode)
        if mode:
            freeze_statistics(self.network)
        return self

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Compute the loss of a batch.

        Args:
            batch: `image` or `features`, and `maps`.
            batch_index: not used.

        Returns:
            Scalar loss.

        Raises:
            InputError: if the loss is not finite.
        """
        maps = batch["maps"].float()
        with FasterOnCpu():
            output = self(batch["image"]) if "image" in batch else self._decode(batch["features"], maps)
        loss = self.target.loss(output, maps)
        check_loss(loss, self, self.optimizer_options.learning_rate)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(maps), sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Reset the flags behind `found_nothing`."""
        self._predicted_any = self._labeled_any = False

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Compute Dice of one whole image, decoded to a label image as for a user.

        Args:
            batch: `image` (1, C, H, W) and `labels` (1, H, W).
            batch_index: not used.
        """
        maps = predict_maps(self, self.target, batch["image"][0], self.divisor)
        labels = self.target.decode(maps)
        self._predicted_any |= bool(np.any(labels))
        self._labeled_any |= bool(batch["labels"].any())
        self.found_nothing = self._labeled_any and not self._predicted_any
        prediction = torch.from_numpy(labels)[None].to(batch["labels"].device)
        self.validation_dice.update(prediction, batch["labels"])
        self.log("validation_dice", self.validation_dice, on_step=False, on_epoch=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        """Build optimizer and learning rate schedule, see `configure_optimizer`.

        Returns:
            Lightning's optimizer configuration.
        """
        return configure_optimizer(self.network, self.optimizer_options)
