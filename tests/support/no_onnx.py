"""An installation without the extra `onnx`."""

from __future__ import annotations

import sys

import pytest


def hide_onnx(patch: pytest.MonkeyPatch) -> None:
    """Let packages contain no ONNX weights, whose export takes most of the time of a small run."""
    patch.setitem(sys.modules, "onnxscript", None)
