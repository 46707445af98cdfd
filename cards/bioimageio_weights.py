"""Weights in a BioImage.IO description: one entry for each format, with a comment on how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from cards.bioimageio_parts import PackageParts
from cards.record import RunRecord

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import WeightsDescr


def weights(record: RunRecord, parts: PackageParts) -> WeightsDescr:
    """Describe the weights; the root entry is the state dict, or TorchScript without one.

    None states that there is none: formats that are not in the package, and the parent of the root.

    Args:
        record: the run.
        parts: files of the package.

    Returns:
        The validated description.
    """
    from bioimageio.spec.model import v0_5

    state, script, onnx = parts.state_dict, parts.torchscript, parts.onnx
    root = "pytorch_state_dict" if state else "torchscript"
    entries: dict[str, Any] = dict.fromkeys(get_args(v0_5.WeightsFormat))
    comments = weights_comments(record, with_state_dict=state is not None)
    if state:
        architecture = v0_5.ArchitectureFromFileDescr(
            source=state.architecture, callable=v0_5.Identifier(state.callable), kwargs=state.kwargs
        )
        entries["pytorch_state_dict"] = v0_5.PytorchStateDictWeightsDescr(
            source=state.source,
            architecture=architecture,
            pytorch_version=v0_5.Version(state.pytorch_version),
            parent=None,
            dependencies=None,  # the file of the architecture imports PyTorch alone
            strict=True,
            comment=comments["pytorch_state_dict"],
        )
    if script:
        entries["torchscript"] = v0_5.TorchscriptWeightsDescr(
            source=script.source,
            pytorch_version=v0_5.Version(script.pytorch_version),
            parent=root if state else None,
            comment=comments["torchscript"],
        )
    if onnx:
        entries["onnx"] = v0_5.OnnxWeightsDescr(
            source=onnx.source,
            opset_version=onnx.opset_version,
            parent=root,
            external_data=None,
            comment=comments["onnx"],
        )
    return v0_5.WeightsDescr(**entries)


def weights_comments(record: RunRecord, *, with_state_dict: bool) -> dict[str, str]:
    """How each format of weights was made.

    Args:
        record: the run.
        with_state_dict: whether the package has a state dict, from which the others were converted.

    Returns:
        Comments by format.
    """
    return {
        "pytorch_state_dict": _trained(record),
        "torchscript": _converted(record, "Traced") if with_state_dict else _trained(record),
        "onnx": _converted(record, "Converted"),
    }


def _trained(record: RunRecord) -> str:
    """Which weights of the training these are."""
    epoch = record.training.best_epoch
    which = f"Weights of epoch {epoch} of {record.training.epochs}" if epoch else "Weights"
    return f"{which} of the run {record.name}, written by finetune {record.finetune_version}."


def _converted(record: RunRecord, how: str) -> str:
    return f"{how} from the weights of the run {record.name} by finetune {record.finetune_version}."
