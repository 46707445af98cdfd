"""Prediction of a folder without a record of it, table or comparison with training images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finetune.inference.folder import FolderPrediction, Surroundings, check_headers, predict_outputs
from finetune.inference.journal import open_journal
from finetune.inference.outputs import plan_outputs
from finetune.inference.protocol import Predictor


def predict_folder(
    model: Predictor, images: Path, out: Path, *, overwrite: bool = False
) -> Iterator[FolderPrediction]:
    outputs = plan_outputs(images, out, overwrite=overwrite)
    headers, errors = check_headers(outputs)
    with open_journal(model, outputs) as journal:
        yield from predict_outputs(model, outputs, headers, errors, Surroundings(journal=journal))
