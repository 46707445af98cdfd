"""The TorchScript writer, in a place of its own, so that it is easy to drop.

torch 2.15 deprecates `torch.jit` without a successor that BioImage.IO tools read; ONNX and the state
dict do not depend on it. Once torch no longer has it, delete this file, what `finetune.export.bioimageio`
and `finetune.inference.bioimageio_runtime` take from it, and the package's entry.
"""

from __future__ import annotations

import contextlib
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from finetune.weights.equivalence import agree, example


def write_torchscript(network: nn.Module, path: Path, *, channels: int, divisor: int) -> None:
    """Trace a network and write it; one that is TorchScript already is written as it is.

    Args:
        network: (N, C, H, W) float32 -> (N, K, H, W), on the CPU, in evaluation mode.
        path: the file to write.
        channels: C.
        divisor: H and W are multiples of this.

    Raises:
        RuntimeError: if the trace gives another output than the network on an image of another size.
    """
    with torch.no_grad(), deprecation_ignored():
        # A branch on the image's size would be frozen into the trace. Tracing warns of what might be one;
        # an image of another size shows whether it is one.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        # Tracing looks at every attribute, also at those that transformers calls otherwise by now.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        traced = network
        if not isinstance(network, torch.jit.ScriptModule):
            traced = torch.jit.trace(network, example(channels, divisor), check_trace=False)
        agree("TorchScript", network, traced, channels, divisor)
        torch.jit.save(traced, path)
    _strip_debug_files(path)


def _strip_debug_files(path: Path) -> None:
    """Take out what tells which line of which file each operation came from: paths on somebody's disk.

    Loading does without it.
    """
    whole = path.with_name(f"{path.name}.whole")
    path.rename(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as stripped:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                stripped.writestr(entry, source.read(entry))
    whole.unlink()


@contextlib.contextmanager
def deprecation_ignored() -> Iterator[None]:
    """Nobody who exports or tests a model can act on the deprecation; it is dealt with as said above."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", message=r".*torch\.jit.*", category=category)
        yield
