"""Networks that are loaded again from the file format of their repository, for verification."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cards.base import NetworkSpec
from finetune.repositories.base import LoadOptions
from finetune.repositories.capabilities import HasNativeFile, ReloadsWeights
from finetune.repositories.registry import REPOSITORIES, load

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Reloaded:
    """A network, loaded from the file format of its repository.

    Attributes:
        path: the file.
        format: format of the weights.
        network: the network on the CPU.
    """

    path: Path
    format: str
    network: nn.Module


def reload_weights(
    folder: Path, architecture: NetworkSpec, in_channels: int, out_channels: int
) -> Reloaded | None:
    """Load a network that `finetune.repositories.registry.save` wrote.

    Args:
        folder: the folder given to `save`.
        architecture: specification of the network, which is not promptable.
        in_channels: number of image channels.
        out_channels: number of maps.

    Returns:
        The network; None if `save` wrote nothing, or the repository does not load its own format.

    Raises:
        ModelError: if the file cannot be read, or belongs to another network.
    """
    if not folder.is_dir():
        return None
    module = REPOSITORIES[architecture.repository]
    native = module.NATIVE if isinstance(module, HasNativeFile) else None
    path = next(iter(sorted(folder.glob(native.pattern))), None) if native else None
    if native is None or path is None:
        return None
    if isinstance(module, ReloadsWeights):
        network = module.reload(path, architecture, in_channels, out_channels)
    else:
        start = LoadOptions(in_channels, out_channels, architecture.options, checkpoint=path)
        network = load(architecture.repository, architecture.name, start).network
    return Reloaded(path, native.format, network)
