"""Conversion of state dicts between finetune networks and models of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn
from finetune.repositories.huggingface.architectures import Architecture, model_class


def part(kind: Architecture, network: nn.Module, fresh: list[str]) -> str | None:
    """Describe which part of a network has pretrained weights.

    Args:
        kind: architecture.
        network: our network.
        fresh: names in transformers of randomly initialized parameters.

    Returns:
        A description; None if all weights are pretrained.
    """
    random = {kind.from_transformers(name) for name in fresh if not name.startswith(kind.unused)}
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    random |= {name for name in sizes if kind.to_transformers(name) is None}
    if not random:
        return None
    paths = [name.split(".")[:-1] for name in random]
    common = [parts[0] for parts in zip(*paths, strict=False) if len(set(parts)) == 1]
    if kind.fresh:  # here and there
        common = [", ".join(sorted({path[-1] for path in paths}))]
    total = sum(sizes.values())
    loaded = total - sum(sizes.get(name, 0) for name in random)
    return f"all but {'.'.join(common)} ({loaded:,} of {total:,} parameters)"


def back_to_transformers(kind: Architecture, config: Any, state: dict[str, torch.Tensor]) -> Any:
    """Build the model of transformers with the weights of our network, without our own decoder.

    Args:
        kind: architecture.
        config: configuration of transformers.
        state: state dict of our network.

    Returns:
        The model.
    """
    import torch

    with torch.device("meta"):  # every weight is put in its place below
        model = model_class(kind)(config)
    renamed = {kind.to_transformers(name): tensor for name, tensor in state.items()}
    renamed.pop(None, None)
    model.load_state_dict(renamed, strict=True, assign=True)
    return model
