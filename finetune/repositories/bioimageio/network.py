"""Networks of BioImage.IO packages: load TorchScript or a state dict, and probe sizes and outputs."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from cards.errors import ModelError
from finetune.repositories.bioimageio.package import Package, read_file
from finetune.weights.checkpoint import Checkpoint, check_finite, load_strictly
from finetune.weights.state_dict import read_tensors
from finetune.weights.torchscript_check import deprecation_ignored, load_torchscript

LEAST = 32  # pixels: shorter sides say little of a network, they vanish where its resolution is lowest
EPS = 1e-6  # a float32 sigmoid comes no nearer to 1 than 6e-8

ENCODER = re.compile(r"enc|down|contract|backbone", re.IGNORECASE)  # in names of submodules
DECODER = re.compile(r"dec|up|head|out", re.IGNORECASE)


class Logits(nn.Module):
    """Inverse of a network's final sigmoid: log(p / (1 - p)).

    Targets train on logits. Outside `EPS` .. 1 - `EPS` the sigmoid is saturated and no gradient flows.
    """

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network whose output is in 0..1.

        Args:
            network: maps images to probabilities.
        """
        super().__init__()
        self.network = network
        self.eps = EPS

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict logits.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Logits (N, K, H, W) float32.
        """
        return torch.logit(self.network(images), self.eps)


def logits_of(network: nn.Module) -> nn.Module:
    """Wrap a network that ends in a sigmoid so that it outputs logits.

    Args:
        network: a module or TorchScript.

    Returns:
        The wrapped network; TorchScript stays TorchScript.
    """
    wrapped = Logits(network)
    if not isinstance(network, torch.jit.ScriptModule):
        return wrapped
    with deprecation_ignored():
        return torch.jit.script(wrapped)


def read_torchscript(content: bytes, where: str, trust: bool = False) -> nn.Module:
    """Load a network from TorchScript, after a check that it only computes.

    Args:
        content: bytes of the file.
        where: name of the file for error messages.
        trust: skip the check, see `load_torchscript`.

    Returns:
        The network on the CPU.

    Raises:
        ModelError: if the file is damaged, could touch other files, or has no trainable parameters.
    """
    network = load_torchscript(content, where, trust=trust)
    check_finite(dict(network.named_parameters()), where)
    _check_trainable(network, where)
    return network


def read_state_dict(package: Package, trust: bool) -> tuple[nn.Module, str]:
    """Build a network with the code of its package, and load its weights.

    Args:
        package: the package.
        trust: whether the code of the package may be executed.

    Returns:
        The network, and the SHA-256 of its weights file.

    Raises:
        ModelError: without `trust`; or if the code fails, or the weights cannot be read or do not fit.
    """
    from bioimageio.core.digest_spec import import_callable

    entry = package.description.weights.pytorch_state_dict
    assert entry is not None
    architecture = entry.architecture
    if not trust:
        other = (
            "its TorchScript needs no code: remove model.options.weights"
            if "torchscript" in package.formats
            else "it has no TorchScript, which would need no code"
        )
        raise ModelError(
            f"{package.source}: its state dict needs code that comes with the package "
            f"({architecture.callable}), which runs only with model.trust=true; {other}"
        )
    content, sha256 = read_file(package, entry)
    where = Path(f"{package.source}/{Path(str(entry.source)).name}")
    state = read_tensors(io.BytesIO(content), where)
    check_finite(state, str(where))
    try:
        network = import_callable(architecture)(**architecture.kwargs)
    except Exception as error:  # it is anybody's code
        raise ModelError(
            f"{package.source}: its architecture {architecture.callable} fails: {_first_line(error)}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{package.source}: its architecture {architecture.callable} is not a torch.nn.Module"
        )
    load_strictly(network, Checkpoint(where, sha256, state, None, None))
    _check_trainable(network, str(where))
    return network, sha256


def fits(network: nn.Module, channels: int, steps: Sequence[int]) -> tuple[int, int] | None:
    """Determine by trial which image sizes a network accepts.

    A divisor is accepted if an image whose sides are two different odd multiples of it keeps its size; a
    divisor that is too small then fails at a level with half the resolution.

    Args:
        network: (N, C, H, W) to (N, K, H, W); returned in evaluation mode.
        channels: C.
        steps: candidate divisors in pixels, in the order of trial.

    Returns:
        The first divisor that works, and K; None if none does.
    """
    network.eval()
    for step in steps:
        short = step * (2 * math.ceil((LEAST / step - 1) / 2) + 1 if step < LEAST else 1)
        sizes = (short, short + 2 * step)
        image = torch.rand((1, channels, *sizes), generator=torch.Generator().manual_seed(0))
        try:
            with torch.no_grad():
                output = network(image)
        except Exception:
            continue
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[-2:] == sizes:
            return step, output.shape[1]
    return None


def is_probability(network: nn.Module, image: torch.Tensor) -> bool:
    """Whether the output for an image lies in 0..1 and is not constant.

    Args:
        network: the network.
        image: (C, H, W) float32.

    Returns:
        True if the output looks like probabilities.
    """
    with torch.no_grad():
        output = network(image[None])
    return bool(output.min() >= 0 and output.max() <= 1 and output.min() < output.max())


def randomize(network: nn.Module, seed: int) -> None:
    """Reinitialize a network deterministically, after He et al. 2015 (arXiv:1502.01852).

    Kernels are drawn; biases and running means are 0, scales and running variances 1.

    Args:
        network: the network; modified in place.
        seed: random seed.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                deviation = math.sqrt(2 / weight[0].numel())
                weight.copy_(torch.randn(weight.shape, generator=generator) * deviation)
            else:
                weight.fill_(float(name.endswith("weight")))
        for name, buffer in network.named_buffers():
            if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                buffer.fill_(name.endswith("running_var"))


def encoder(network: nn.Module) -> tuple[str, ...]:
    """Find the outermost submodules whose names identify an encoder.

    Args:
        network: the network.

    Returns:
        Names of the submodules; none if no name matches.
    """
    found: list[str] = []
    for name, _ in network.named_modules():
        within, _, last = name.rpartition(".")
        if ENCODER.search(last) and not ENCODER.search(within) and not DECODER.search(name):
            found.append(name)
    return tuple(found)


def _check_trainable(network: nn.Module, where: str) -> None:
    if not any(True for _ in network.parameters()):
        raise ModelError(f"{where}: a frozen network: its weights are constants and cannot be trained")
    for weight in network.parameters():  # TorchScript has no requires_grad_ of its own
        weight.requires_grad_(True)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
