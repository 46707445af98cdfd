"""Export in the file format of the repository that the network came from, where it has one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune.export.base import ExportInput, ReloadedExport
from finetune.prompts.model import PROMPT_BATCH_SIZE, PromptedModel
from finetune.repositories.registry import promptable, save
from finetune.repositories.reloading import reload_weights

OUTPUT = "native/ (where the repository has a format of its own)"


def supports(model: Any) -> str | None:
    """Every model is supported; without a format of the repository nothing is written.

    Args:
        model: not used.

    Returns:
        None.
    """
    return None


def write(export: ExportInput, folder: Path) -> list[str]:
    """Write the network in the repository's own format; see `Exporter.write`.

    Args:
        export: model, record and images.
        folder: the folder `native` of the run.

    Returns:
        No warnings.
    """
    model = export.model
    save(model.network, model.architecture, folder, model.config()["target"])
    return []


def reload(folder: Path, model: Any) -> Iterator[ReloadedExport]:
    """Load the network: a promptable one with the repository's own predictor, others with finetune.

    Args:
        folder: the folder `native` of the run.
        model: the trained model.

    Yields:
        One item per file; none if the repository does not load its own format.
    """
    if not isinstance(model, PromptedModel):
        found = reload_weights(folder, model.architecture, model.channels, model.target.channels)
        if found:
            again = replace(model, network=found.network.eval())
            yield ReloadedExport(found.path, found.format, "finetune", again)
        return
    repository = promptable(model.architecture.repository)
    native = repository.NATIVE
    for path in sorted(folder.glob(native.weights)):
        predictor = NativePredictor(repository.predictor(path, model.architecture), model)
        yield ReloadedExport(path, native.format, native.package, predictor)


@dataclass(frozen=True)
class NativePredictor:
    """Predicts masks with the repository's own predictor.

    Attributes:
        predictor: has `set_image` and `predict`, as `sam2.sam2_image_predictor.SAM2ImagePredictor`.
        model: the trained model, which prepares images.
    """

    predictor: Any
    model: PromptedModel

    def masks(self, image: np.ndarray, *, boxes: np.ndarray) -> np.ndarray:
        """Predict one mask per box.

        Args:
            image: (C, H, W), as read.
            boxes: (M, 4), x and y of the first and the last pixel.

        Returns:
            Masks (M, H, W) bool.
        """
        self.predictor.set_image(self.model.as_photograph(image))
        batches = [
            boxes[start : start + PROMPT_BATCH_SIZE] for start in range(0, len(boxes), PROMPT_BATCH_SIZE)
        ]
        masks = [self.predictor.predict(box=batch, multimask_output=False)[0] for batch in batches]
        return np.concatenate([batch.reshape(-1, *image.shape[1:]) > 0 for batch in masks])
