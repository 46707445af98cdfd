"""The precision in which a loaded model predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from cards.errors import InputError, ModelError

if TYPE_CHECKING:
    from finetune.inference.protocol import Predictor

AskedPrecision = Literal["auto", "float32", "bf16"]

AnyPredictor = TypeVar("AnyPredictor", bound="Predictor")


def parse_precision(text: str) -> AskedPrecision:
    """Validate the name of a precision.

    Args:
        text: what a user gave.

    Returns:
        The precision.

    Raises:
        InputError: if it is unknown.
    """
    for known in get_args(AskedPrecision):
        if text == known:
            return known
    raise InputError(f"--precision: there is no precision {text}; choose auto, float32 or bf16")


def use_precision(model: AnyPredictor, asked: AskedPrecision, source: str | Path) -> AnyPredictor:
    """Set the precision in which a model predicts.

    Args:
        model: the model, changed in place.
        asked: "auto" for bf16 if the model was verified in it and its device is fast in it.
        source: of the model, for messages.

    Returns:
        The model.

    Raises:
        InputError: if there is no such precision.
        ModelError: if bf16 is asked of a model that runs in float32 only.
    """
    from finetune.inference.model import Model
    from finetune.utils.bfloat16 import is_fast_in_bf16

    asked = parse_precision(asked)  # the Python interface takes any text
    found: Any = model
    if isinstance(found, Model) and not found.torchscript:
        fast = found.verified == "bf16" and is_fast_in_bf16(found.device)
        found.precision = asked if asked != "auto" else "bf16" if fast else "float32"
    elif asked == "bf16":
        raise ModelError(
            f"{source}: packages and promptable models run in float32 only; leave out the precision bf16"
        )
    return model
