"""Weights of a BioImage.IO package: state dict with architecture, and ONNX."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from cards.bioimageio import StateDict
from finetune.export.architecture import add_head
from finetune.inference.model import Model
from finetune.weights.onnx import ONNX_PACKAGES, write_onnx

# Without "+cpu" or "+cu130": weights do not depend on the build, and conda has no such versions.
TORCH_VERSION = torch.__version__.partition("+")[0]


class _WithHead(nn.Module):
    """A network, and what its output goes through before postprocessing."""

    def __init__(self, network: nn.Module, head: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.network(images))


def with_head(model: Model) -> nn.Module:
    """Give a network the head of its target.

    Args:
        model: the model.

    Returns:
        Images -> what the package's tools post-process; the network itself if its target has no head.
    """
    head = model.target.head()
    return _WithHead(model.network, head).eval() if head else model.network


def write_onnx_weights(model: Model, path: Path, portable: bool) -> list[str]:
    """Write the network in ONNX, unless a package for it is missing or torch cannot export the network.

    Args:
        model: the model.
        path: file to write.
        portable: whether the network is known to be exportable; errors are then raised.

    Returns:
        A sentence on why there are no ONNX weights; empty if they were written.
    """
    absent = [package for package in ONNX_PACKAGES if find_spec(package) is None]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        return [
            f"The BioImage.IO package has no ONNX weights: {', '.join(absent)} {verb} not installed; "
            'install in a clone of finetune with: pip install ".[onnx]"'
        ]
    try:
        write_onnx(with_head(model), path, channels=model.channels, divisor=model.divisor)
    except Exception as error:  # torch's exporters fail as they like
        if portable:
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        reason = re.sub(r"\S*[/\\]\S+", "…", reason)[:200]  # no path on somebody's disk
        return [f"The BioImage.IO package has no ONNX weights: torch cannot export this network: {reason}"]
    return []


def write_state_dict(model: Model, work: Path) -> StateDict:
    """Write the state dict, and the file that defines the network with the head of its target.

    Args:
        model: the model.
        work: folder to write to.

    Returns:
        Both files and how the network is built.
    """
    weights, architecture = work / "weights.pt", work / "architecture.py"
    torch.save(model.network.state_dict(), weights)
    kind = type(model.network)
    source = inspect.getsourcefile(kind)
    assert source is not None, f"{kind} was not read from a file"
    code, name, head = Path(source).read_text(encoding="utf-8"), kind.__name__, model.target.head()
    if head:
        code, name = add_head(code, name, inspect.getsource(head), head.__name__)
    architecture.write_text(code, encoding="utf-8")
    return StateDict(
        source=weights,
        architecture=architecture,
        callable=name,
        kwargs={
            "in_channels": model.channels,
            "out_channels": model.target.channels,
            **model.architecture.options,
        },
        pytorch_version=TORCH_VERSION,
    )
