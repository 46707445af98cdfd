"""Records, the parts of a package, and golden files.

A golden file is what a person has looked at and found good. After a wanted change, write them anew
with `UPDATE_GOLDEN=1 pytest tests/cards` and read the difference before committing it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import examples
import numpy as np
import pytest

from cards.bioimageio import PackageParts, StateDict, TorchScript
from cards.record import RunRecord

HERE = Path(__file__).parent

# A PNG of 2 × 1 pixels, so that no golden file hangs on how a library writes pictures.
PIXELS = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNgYPgPAAEDAQAIicLsAAAAAElFTkSuQmCC"
)


@pytest.fixture
def full() -> RunRecord:
    return examples.full()


@pytest.fixture
def sparse() -> RunRecord:
    return examples.sparse()


@pytest.fixture(params=["full", "sparse"])
def either(request: pytest.FixtureRequest) -> RunRecord:
    return getattr(examples, request.param)()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name, or write it."""

    def compare(name: str, text: str) -> None:
        path = HERE / "golden" / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name} changed: see {__file__} on golden files"

    return compare


@pytest.fixture
def parts(tmp_path: Path) -> PackageParts:
    """Files that look like a package from outside: enough to describe, not to run."""
    made = tmp_path / "made"
    made.mkdir()
    for name in ("weights.pt", "weights.torchscript"):
        (made / name).write_bytes(name.encode())
    (made / "network.py").write_text("# the network\n")
    (made / "cover.png").write_bytes(PIXELS)
    np.save(made / "test_input.npy", np.ones((1, 1, 64, 64), np.float32))
    np.save(made / "test_output.npy", np.ones((1, 2, 64, 64), np.float32))
    return PackageParts(
        folder=tmp_path / "texts",
        test_input=made / "test_input.npy",
        test_output=made / "test_output.npy",
        state_dict=StateDict(made / "weights.pt", made / "network.py", "Tiny", {"width": 4}, "2.6.0"),
        torchscript=TorchScript(made / "weights.torchscript", "2.6.0"),
        covers=[made / "cover.png"],
        preprocessing=[{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": 1e-6}}],
        postprocessing=[{"id": "sigmoid"}],
        output_channels=["foreground", "boundary"],
        tolerance=[{"mismatched_elements_per_million": 500, "weights_formats": ["torchscript"]}],
    )
