"""The LightningModule of the interactive task: promptable network + prompts + optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from finetune.adapters import freeze_statistics
from finetune.data.feature_cache import FeatureStore
from finetune.networks.sam2_promptable import Promptable
from finetune.prompts.interaction import best, first_boxes, first_points, masks_of, rounds, to_square
from finetune.prompts.loss import iou, prompt_loss
from finetune.targets.prompt_options import Prompts
from finetune.training.optimizer import OptimizerOptions, check_loss, configure_optimizer
from finetune.utils.faster_on_cpu import FasterOnCpu

PROMPT_STREAM = 3  # separates the random numbers of prompts from those of images, see `finetune.data.sampler`


class InteractiveSegmenter(pl.LightningModule):
    """Trains a promptable network to segment the instance at a point or in a box.

    Batches come from `finetune.data.datamodule.SegmentationData`, with label images as maps: for training
    `image` (N, C, S, S) and `maps` (N, 1, S, S); for validation one whole `image` (1, C, H, W) with `labels`
    (1, H, W).

    Each image is encoded once. Up to `prompts.instances` of its instances are then prompted, all by a point
    or all by a box, followed by `prompts.corrections` correction points. The loss sums over all rounds.
    """

    monitor = "validation_iou"
    features: FeatureStore | None = None  # a frozen encoder is not precomputed: it runs on each patch
    found_nothing = False  # every prompt yields a mask

    def __init__(
        self,
        network: Promptable,
        prompts: Prompts,
        *,
        optimizer: OptimizerOptions,
        seed: int,
    ) -> None:
        """Combine a network and prompt settings.

        Args:
            network: the promptable network.
            prompts: number of instances and corrections.
            optimizer: settings of optimizer and learning-rate schedule.
            seed: seed of the prompt sampling.
        """
        super().__init__()
        self.network, self.prompts, self.seed = network, prompts, seed
        self.optimizer_options = optimizer

    def train(self, mode: bool = True) -> InteractiveSegmenter:
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
            batch: `image` and `maps`.
            batch_index: number of the batch in its epoch, part of the seed.

        Returns:
            Scalar loss: the mean over images.

        Raises:
            InputError: if the loss is not finite.
        """
        with FasterOnCpu():
            features = self.network(batch["image"])
        losses = []
        first = self.global_rank * len(batch["image"])  # seeds do not depend on the number of processes
        for number, labels in enumerate(batch["maps"][:, 0].cpu().numpy()):
            rng = np.random.default_rng(
                (self.seed, PROMPT_STREAM, self.current_epoch, batch_index, first + number)
            )
            one = tuple(level[number : number + 1] for level in features)
            losses.append(self._loss(one, labels, rng))
        loss = torch.stack(losses).mean()
        check_loss(loss, self, self.optimizer_options.learning_rate)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(losses), sync_dist=True)
        return loss

    def _loss(
        self, features: tuple[torch.Tensor, ...], labels: np.ndarray, rng: np.random.Generator
    ) -> torch.Tensor:
        """Loss of one image with labels (H, W): the sum over rounds of prompts."""
        masks = masks_of(labels, self.prompts.instances, rng)
        if not len(masks):  # no instances: the loss is zero, but needs a graph
            trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
            return 0.0 * torch.stack([parameter.sum() for parameter in trained]).sum()
        prompts = (first_points if rng.random() < 0.5 else first_boxes)(masks, rng)
        reference = torch.from_numpy(masks).to(self.device)
        predictions = rounds(self.network, features, masks, prompts, self.prompts.corrections, rng)
        return torch.stack(
            [prompt_loss(prediction, logits, reference) for prediction, logits in predictions]
        ).sum()

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Compute the mean IoU of one image's instances, prompted by a point and by a box, deterministically.

        Args:
            batch: `image` (1, C, H, W) and `labels` (1, H, W).
            batch_index: not used.
        """
        masks = masks_of(batch["labels"][0].cpu().numpy(), self.prompts.instances)
        if not len(masks):
            return
        features = self.network(to_square(batch["image"], self.network.image_size))
        reference = torch.from_numpy(masks).to(self.device)
        ious = []
        for prompts in (first_points(masks), first_boxes(masks)):
            for prediction, logits in rounds(self.network, features, masks, prompts, 0):
                ious.append(iou(best(prediction, logits) > 0, reference).mean())
        mean = torch.stack(ious).mean()
        self.log(self.monitor, mean, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Build optimizer and learning rate schedule, see `configure_optimizer`.

        Returns:
            Lightning's optimizer configuration.
        """
        return configure_optimizer(self.network, self.optimizer_options)
