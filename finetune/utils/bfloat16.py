"""Networks in bfloat16: whether a device is fast in it, and the same numbers where it is not.

bfloat16 keeps 8 significant bits of the 24 of float32. Processors with AMX or AVX512-BF16 multiply twice as
many such numbers in the same time, or more, and half as many bytes pass through memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from finetune.utils.faster_on_cpu import FasterOnCpu
from finetune.utils.packed_linear import pack_linear_layers

aten = torch.ops.aten
PRODUCTS = {
    aten.convolution.default,
    aten.mm.default,
    aten.bmm.default,
    aten.addmm.default,
    aten.baddbmm.default,
    aten._scaled_dot_product_flash_attention_for_cpu.default,
}
"""Operations that need bfloat16 instructions to be fast."""

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def is_fast_in_bf16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16.

    CPUs do with AMX or AVX512-BF16; others emulate it, and a training step takes up to 1.6 times as long as
    in float32. `benchmarks/training_step.py` and `benchmarks/precision.py` measure the gain. ARM processors
    count as slow, because nothing was measured on them.

    Args:
        device: the device.

    Returns:
        True if bfloat16 is faster than float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch has no public names for these.
    checks = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
    return any(check() for check in checks if check is not None)


def in_bf16(network: nn.Module, pack: bool = True) -> Callable[[torch.Tensor], torch.Tensor]:
    """Copy a network, to run it in bfloat16.

    Convolutions, linear layers and attention compute in bfloat16, with float32 sums; what torch's autocast
    keeps in float32 stays so. The weights of these layers are converted once, not in each call as autocast
    does. On a processor without such instructions, products are computed in float32 from the same bfloat16
    numbers: their results differ in the order of the sums only.

    Args:
        network: images (N, C, H, W) float32 -> raw output. It is not changed.
        pack: whether to arrange the weights of linear layers for oneDNN (`finetune.utils.packed_linear`), if
            the network is on a CPU that multiplies in bfloat16. The output is the same up to rounding.

    Returns:
        The same function, in evaluation mode; its output is bfloat16, and float32 where autocast keeps it.
    """
    with torch.no_grad():
        copied = copy.deepcopy(network).eval()
        for module in copied.modules():
            if isinstance(module, LAYERS):
                module.to(torch.bfloat16)
        on_cpu = all(parameter.device.type == "cpu" for parameter in copied.parameters())
        if pack and on_cpu and is_fast_in_bf16(torch.device("cpu")):
            pack_linear_layers(copied)

    def run(images: torch.Tensor) -> torch.Tensor:
        device = images.device
        emulated = device.type == "cpu" and not is_fast_in_bf16(device)
        emulation = EmulatedBf16() if emulated else nullcontext()
        with torch.autocast(device.type, torch.bfloat16), FasterOnCpu(), emulation:
            output: torch.Tensor = copied(images)
        return output

    return run


class EmulatedBf16(TorchDispatchMode):
    """Computes products of bfloat16 numbers in float32 and rounds the result to bfloat16.

    A product of two bfloat16 numbers is exact in float32, and processors with bfloat16 instructions add the
    products in float32, too.
    """

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation.

        Args:
            func: the operation.
            types: not used.
            args: its arguments.
            kwargs: its arguments by name.

        Returns:
            Its result.
        """
        kwargs = dict(kwargs or {})
        if func not in PRODUCTS or not _is_bf16(args[0]):
            return func(*args, **kwargs)
        return tree_map(_narrow, func(*tree_map(_widen, args), **tree_map(_widen, kwargs)))


def _is_bf16(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16


def _widen(value: Any) -> Any:
    return value.float() if _is_bf16(value) else value


def _narrow(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, torch.Tensor) and value.dtype == torch.float32 else value
