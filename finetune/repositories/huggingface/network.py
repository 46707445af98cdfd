"""Conversion of a transformers model to one of our networks."""

from __future__ import annotations

from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import ModelError
from finetune.repositories.huggingface.architectures import Architecture, model_class
from finetune.repositories.huggingface.messages import first_lines, quiet
from finetune.utils.scratch import ScratchFolder

if TYPE_CHECKING:
    from torch import nn


def build_network(
    kind: Architecture, config: Any, out_channels: int, mean: list[float], std: list[float], model: Any = None
) -> tuple[nn.Module, int]:
    """Build our network from a configuration or a model of transformers.

    Args:
        kind: architecture.
        config: configuration of transformers.
        out_channels: K.
        mean: mean of the pretraining images per channel, in 0..1.
        std: standard deviation of the pretraining images per channel.
        model: model of transformers with weights; if None, one with random weights is built.

    Returns:
        The network, and the divisor of height and width in pixels.

    Raises:
        ModelError: if it cannot be built, or not be exported for images of any size.
    """
    from transformers.utils import logging

    from finetune.networks import hf_encoders as transformer
    from finetune.networks.rgb_input import Rgb

    # transformers also warns later, when a network is traced, of nothing that a user could change.
    logging.set_verbosity_error()
    take_apart = getattr(transformer, kind.network)
    with quiet():
        try:
            model = model if model is not None else model_class(kind)(config)
            network = take_apart(model, Rgb(mean, std), out_channels)
        except Exception as error:  # shapes that do not go together, found wherever they meet
            raise ModelError(
                f"a {kind.model} with this configuration cannot be built: {first_lines(error)}"
            ) from error
        divisor = lcm(kind.divisor, *windows(kind, config))
        # Mask2Former with a Swin backbone can be exported; checking it would take seconds for nothing.
        swin = kind.queries and config.backbone_config.model_type == "swin"
        if kind.network in ("semantic", "mask2former") and not swin:
            _try_to_trace(network, kind, divisor)
    return network, divisor


def windows(kind: Architecture, config: Any) -> list[int]:
    """Window sizes in pixels that divide the image size.

    Args:
        kind: architecture.
        config: configuration of transformers.

    Returns:
        Sizes; none if there is no constraint.
    """
    if kind.network == "sam":
        return [config.vision_config.patch_size]
    if kind.network != "sam2":
        return []
    hiera = config.vision_config.backbone_config
    return [hiera.patch_stride[0] * hiera.window_size_per_stage[0]]


def _try_to_trace(network: nn.Module, kind: Architecture, divisor: int) -> None:
    """Export a network to a temporary file, to fail before training if it cannot be exported.

    Raises:
        ModelError: if it takes images of one size only, or its export does.
    """
    from finetune.weights.torchscript import write_torchscript

    training = network.training
    try:
        with ScratchFolder() as folder:
            write_torchscript(network.eval(), Path(folder) / "network.pt", channels=3, divisor=divisor)
    except Exception as error:  # of the model and of torch, which fail as they like
        raise ModelError(
            f"a {kind.model} with this configuration cannot be exported for images of any multiple of "
            f"{divisor} pixels: {first_lines(error)}"
        ) from error
    network.train(training)
