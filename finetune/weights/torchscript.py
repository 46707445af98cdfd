"""The TorchScript writer.

torch 2.15 deprecates `torch.jit` without a successor that BioImage.IO tools read. ONNX and the state
dict do not depend on it: once torch removes it, delete this file and the TorchScript entry in
`finetune.export.bioimageio`.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from finetune.weights.equivalence import agree, example
from finetune.weights.torchscript_check import deprecation_ignored, load_torchscript


def write_torchscript(
    network: nn.Module, path: Path, *, channels: int, divisor: int, trust: bool = False
) -> None:
    """Trace a network and write it; a network that is TorchScript already is written unchanged.

    Args:
        network: (N, C, H, W) float32 -> (N, K, H, W), on the CPU, in evaluation mode.
        path: the file to write.
        channels: number of channels, C.
        divisor: H and W are multiples of this.
        trust: skip the check that the file only computes; for models whose author the user trusts.

    Raises:
        ModelError: if `load_torchscript` would refuse the file.
        RuntimeError: if trace and network differ on an image of another size.
    """
    with torch.no_grad(), deprecation_ignored():
        # Tracing warns of branches that may depend on the image size and would be frozen into the trace;
        # the comparison on an image of another size shows whether they do.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        # Tracing reads every attribute, including deprecated ones of transformers.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        traced = network
        if not isinstance(network, torch.jit.ScriptModule):
            traced = torch.jit.trace(network, example(channels, divisor), check_trace=False)
        agree("TorchScript", network, traced, channels, divisor)
        torch.jit.save(traced, path)
    _strip_debug_files(path)
    if not trust:
        load_torchscript(path.read_bytes(), path.name)


def _strip_debug_files(path: Path) -> None:
    """Remove source locations, which contain local paths and are not needed for loading."""
    whole = path.with_name(f"{path.name}.whole")
    path.rename(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as stripped:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                stripped.writestr(entry, source.read(entry))
    whole.unlink()
