"""Weights of a network whose last layer is initialized randomly, because its number of maps changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING

from finetune.weights.checkpoint import Checkpoint, load_strictly

if TYPE_CHECKING:
    from torch import nn

LAST_LAYER = "the last layer"


def load_run(network: nn.Module, found: Checkpoint, last: Collection[str]) -> str | None:
    """Load the weights of a run; its last layer only if it has the same number of maps.

    Args:
        network: the network, with random weights.
        found: checkpoint of the run.
        last: names of the parameters of the last layer.

    Returns:
        For `Origin.part`, a description of the loaded part if the last layer stays random.

    Raises:
        ModelError: if the weights do not fit the network.
    """
    expected = network.state_dict()
    if all(key not in found.state or found.state[key].shape == expected[key].shape for key in last):
        load_strictly(network, found)
        return None
    state = found.state | {key: expected[key] for key in last}
    load_strictly(network, dataclasses.replace(found, state=state))
    return all_but(network, last, LAST_LAYER)


def all_but(network: nn.Module, random: Collection[str], name: str) -> str:
    """Describe the part of a network that has other than random weights.

    Args:
        network: the network.
        random: names of its randomly initialized parameters.
        name: what these parameters are called.

    Returns:
        For `Origin.part`, such as "all but the last layer (481,344 of 481,361 parameters)".
    """
    sizes = {key: parameter.numel() for key, parameter in network.named_parameters()}
    total = sum(sizes.values())
    loaded = total - sum(sizes[key] for key in random)
    return f"all but {name} ({loaded:,} of {total:,} parameters)"
