"""Peak memory of a stretch of work, and an estimate of it before the work is done."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from finetune.utils.malloc import return_freed_memory
from finetune.utils.resident_memory import resident_memory

SMALL = 128  # pixels: the side of an image to try a network with; a multiple of what networks ask for
_CLEAR = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures the highest memory in use between entering and leaving.

    On a GPU it is the memory torch has allocated there; on a CPU the process's peak resident memory,
    which Linux can start anew (proc(5), clear_refs). Elsewhere `bytes` stays None: not measured.
    """

    def __init__(self, device: torch.device) -> None:
        """Measure on this device."""
        self.device = device
        self.bytes: int | None = None

    def __enter__(self) -> PeakMemory:
        """Start anew."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        elif _CLEAR.exists():
            return_freed_memory()  # what earlier work freed must not count for this work
            _CLEAR.write_text("5")
        return self

    def __exit__(self, *error: object) -> None:
        """Read the peak."""
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device)
        elif _CLEAR.exists():
            self.bytes = resident_memory("VmHWM")


def estimate_training_bytes(network: nn.Module, batch: tuple[int, int, int, int]) -> int:
    """Memory that training will need, without training: weights, gradients, optimizer, activations.

    Args:
        network: not changed; a copy without data is run.
        batch: (N, C, P, P) of a training batch.

    Returns:
        Bytes in float32: weights, gradients and the state of AdamW (two values per trainable weight), and
        the output of every layer, once for the forward pass and once for its gradient. The memory of torch
        itself is not included.
    """
    total = sum(parameter.numel() for parameter in network.parameters())
    trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    outputs = _kept(network, batch) if _is_script(network) else _outputs(network, batch)
    return 4 * (total + 3 * trainable + 2 * outputs)


def _is_script(network: nn.Module) -> bool:
    return any(isinstance(module, torch.jit.ScriptModule) for module in network.modules())


def _outputs(network: nn.Module, batch: tuple[int, int, int, int]) -> int:
    """Number of values in the outputs of all layers."""
    ghost: Any = copy.deepcopy(network).to("meta")
    outputs = 0

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal outputs
        if isinstance(output, torch.Tensor):
            outputs += output.numel()

    for module in ghost.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        try:
            ghost(torch.empty(batch, device="meta"))
        except RuntimeError:
            # In training mode, some networks look at values, which meta tensors do not have.
            outputs = 0
            ghost.eval()(torch.empty(batch, device="meta"))
    return outputs


def _kept(network: nn.Module, batch: tuple[int, int, int, int]) -> int:
    """Number of values that TorchScript saves for the backward pass.

    TorchScript runs neither on the meta device nor layer by layer. The number is that of one small image,
    scaled to the pixels of the batch.
    """
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    side = min(SMALL, *batch[2:])
    image = torch.zeros((1, batch[1], side, side), device=next(network.parameters()).device)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        copy.deepcopy(network)(image)  # a copy: in training, running statistics would move
    return kept * batch[0] * batch[2] * batch[3] // side**2
