"""WIPP's own model card: its 14 fields, filled from the record of a run.

WIPP fills such a card when it imports a model (usnistgov/WIPP-backend at c20158e, AiModelCard.java), from the
manifest, the job and the logs, and adds four fields for identity and access. This file states the same fields
with the values of the record, because WIPP knows neither the license nor the architecture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cards.record import RunRecord

FILE = "wipp-model-card.json"
NOT_STATED, NOT_MEASURED = "not stated", "not measured"


def write_card(
    values: Mapping[str, Any], record: RunRecord, folder: Path, *, author: str, operations: tuple[str, ...]
) -> Path:
    """Write the card.

    Args:
        values: of the inputs of the plugin; of folders, only whether they were given is stated.
        record: of the run.
        folder: an existing folder.
        author: of the plugin.
        operations: what the plugin does.

    Returns:
        The file.
    """
    path = folder / FILE
    content = card(values, record, author=author, operations=operations)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def card(
    values: Mapping[str, Any], record: RunRecord, *, author: str, operations: tuple[str, ...]
) -> dict[str, Any]:
    """Fill the fields of the card.

    Args:
        values: of the inputs of the plugin.
        record: of the run.
        author: of the plugin.
        operations: what the plugin does.

    Returns:
        The 14 fields, in the order of WIPP's class.
    """
    losses = [epoch.loss for epoch in record.training.history]
    validation = [
        epoch.validation_dice for epoch in record.training.history if epoch.validation_dice is not None
    ]
    unused = {"rank"} if values.get("adapt") != "lora" else set()
    if values["modelDir"] is not None:
        unused |= {"model", "target"}  # the model to continue from replaces them
    dice = record.accuracy.after.summary["dice"].mean if record.accuracy else None
    return {
        "version": record.created,
        "name": record.card.title,
        "date": record.created,
        "framework": "PyTorch",
        "trainingData": _data(values, record),
        "trainingParameters": {
            name: str(value)
            for name, value in values.items()
            if not isinstance(value, Path) and value is not None and name not in unused
        },
        "author": author,
        "description": record.card.description,
        "citation": "; ".join(record.model.base.citation) or NOT_STATED,
        "operationType": list(operations),
        "architecture": f"{record.model.architecture.repository}:{record.model.architecture.name}",
        "training": {
            "time": record.training.seconds,
            "epochs": record.training.epochs,
            "maxAccuracy": max(validation, default=NOT_MEASURED),
            "minLoss": min(losses, default=NOT_MEASURED),
        },
        "testing": {
            "maxAccuracy": NOT_MEASURED if dice is None else dice,
            "minLoss": NOT_MEASURED if dice is None else 1 - dice,
        },
        "license": record.card.license or record.model.base.license or NOT_STATED,
    }


def _data(values: Mapping[str, Any], record: RunRecord) -> dict[str, str]:
    """What each given folder held: WIPP shows its own names of collections, and no path of a machine."""
    from cards.formatting import counted

    tests = values["testImageDir"] is not None
    count = record.data.count
    images = {
        "imageDir": count("train") + count("validation") + (0 if tests else count("test")),
        "testImageDir": count("test") if tests else 0,
    }
    found = {name: counted(number, "image") for name, number in images.items() if values[name] is not None}
    if values["modelDir"] is not None:
        found["modelDir"] = record.model.base.id
    return {**found, "sha256": record.data.digest()}
