"""AdamW with linear warm-up and cosine decay, and the check that the loss is finite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from cards.errors import InputError

OPTIMIZER = "AdamW"  # name on the card


@dataclass(frozen=True)
class OptimizerOptions:
    """Settings of optimizer and learning-rate schedule.

    Attributes:
        learning_rate: peak learning rate, reached after the warm-up.
        weight_decay: decoupled weight decay of AdamW.
        warmup: fraction of `steps` during which the learning rate rises linearly from zero.
        steps: number of optimizer steps of the whole training.
    """

    learning_rate: float
    weight_decay: float
    warmup: float
    steps: int


def configure_optimizer(network: nn.Module, options: OptimizerOptions) -> dict[str, Any]:
    """AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101) with warm-up and cosine decay.

    The decay to zero follows half a cosine (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983),
    without restarts.

    Args:
        network: the network, whose parameters with `requires_grad` are trained, in one parameter group.
        options: settings of optimizer and schedule.

    Returns:
        Optimizer and per-step schedule, in the form of `LightningModule.configure_optimizers`.
    """
    warmup, steps = max(1, round(options.warmup * options.steps)), max(options.steps, 1)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, steps - warmup)
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=options.learning_rate, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def check_loss(loss: torch.Tensor, module: pl.LightningModule, learning_rate: float) -> None:
    """Check that the loss is finite.

    Args:
        loss: scalar loss of a training step.
        module: the module that is trained, which knows epoch and step.
        learning_rate: peak learning rate, for the message.

    Raises:
        InputError: if the loss is NaN or infinite; says where, and what may help.
    """
    if not torch.isfinite(loss):
        raise InputError(
            f"the loss is {loss.item()} in epoch {module.current_epoch + 1}, step {module.global_step + 1}: "
            f"training diverged; lower training.learning_rate (it is {learning_rate:g}) "
            "or set compute.precision=32-true"
        )
