"""Building a network without drawing random weights, where a checkpoint replaces all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

RANDOM = {
    torch.Tensor.uniform_,
    torch.Tensor.normal_,
    torch.nn.init.uniform_,
    torch.nn.init.normal_,
    torch.nn.init.trunc_normal_,
    torch.nn.init.kaiming_uniform_,
    torch.nn.init.kaiming_normal_,
    torch.nn.init.xavier_uniform_,
    torch.nn.init.xavier_normal_,
}
"""In-place functions with which layers draw their first weights: half of the time to load a U-Net."""


class WithoutInitialization(TorchFunctionMode):
    """Context in which layers leave their first weights undefined.

    Only for networks whose every parameter is loaded afterwards, strictly: what a checkpoint lacks would keep
    whatever the memory holds.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Return the tensor unchanged for a random function; call every other one.

        Args:
            function: the function of torch.
            types: unused.
            args: its arguments.
            kwargs: its keyword arguments.

        Returns:
            Its result.
        """
        kwargs = kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")
        if function in RANDOM and isinstance(tensor, torch.nn.Parameter):
            return tensor
        return function(*args, **kwargs)
