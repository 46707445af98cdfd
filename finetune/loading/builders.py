"""Models from a loaded network, a target and a normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cards.base import Spec

if TYPE_CHECKING:
    from finetune.data.channels import Channels
    from finetune.inference.model import Model
    from finetune.prompts.model import PromptedModel
    from finetune.repositories.base import Loaded


def automatic_model(
    loaded: Loaded, target: Spec, normalize: dict[str, Any], select: Channels, channels: int
) -> Model:
    """Build a model of the automatic task.

    Args:
        loaded: network with its weights.
        target: name and options of the target.
        normalize: name and options of the normalization.
        select: which channels of an image the network uses.
        channels: number of channels of the network's input.

    Returns:
        The model in evaluation mode.
    """
    import torch

    from finetune.data.normalization import build_normalize
    from finetune.inference.model import Model
    from finetune.targets.registry import build_target

    network = loaded.network.eval()
    if not loaded.torchscript:  # convolutions are faster in this memory format, in which runs train, too
        network = network.to(memory_format=torch.channels_last)
    return Model(
        network=network,
        target=build_target(target.name, target.options),
        normalize=build_normalize(normalize),
        select=select,
        channels=channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
        halo=loaded.halo,
        torchscript=loaded.torchscript,
    )


def prompted_model(
    loaded: Loaded, target: Spec, normalize: dict[str, Any], select: Channels, channels: int
) -> PromptedModel:
    """Build a model of the interactive task.

    Args:
        loaded: promptable network with its weights.
        target: options of the prompts.
        normalize: name and options of the normalization.
        select: which channels of an image the network uses.
        channels: number of channels of the network's input.

    Returns:
        The model in evaluation mode.
    """
    from finetune.data.normalization import build_normalize
    from finetune.prompts.model import PromptedModel
    from finetune.targets.prompt_options import build_prompts

    return PromptedModel(
        network=loaded.network.eval(),  # type: ignore[arg-type]
        target=build_prompts(target.options),
        normalize=build_normalize(normalize),
        select=select,
        channels=channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
    )
