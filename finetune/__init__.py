"""Fine-tune public segmentation models on microscopy images, and trust what comes out.

record = finetune.run("quickstart")
model = finetune.load("runs/quickstart")
labels = model.predict(image)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.inference.model import load
    from finetune.pipeline.runner import run

__all__ = ["load", "run"]


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; `finetune --help` must not wait for it.
    if name == "run":
        from finetune.pipeline.runner import run

        return run
    if name == "load":
        from finetune.inference.model import load

        return load
    raise AttributeError(f"module 'finetune' has no attribute '{name}'")
