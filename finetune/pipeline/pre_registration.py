"""Pre-registration: a target value that is written to the run folder before training, and never changes."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cards.errors import InputError
from cards.evidence import Registration
from cards.fingerprint import data_digest, recipe_digest
from finetune.metrics.registry import METRICS
from finetune.pipeline.plan import Plan
from finetune.pipeline.record_builder import without_local_paths
from finetune.pipeline.start_state import MARKER, read_marker
from finetune.recipe.schema import Recipe
from finetune.targets.tasks import task_of
from finetune.utils.atomic import write_file

FILE = "registration.json"
KEY = "registration"  # in the marker of an unfinished run: SHA-256 of the file; None without one


@dataclass(frozen=True)
class TargetValue:
    """A value that the mean of a metric over the test images should reach.

    Attributes:
        metric: name of the metric.
        value: the value.
    """

    metric: str
    value: float


def parse_target_value(text: str, recipe: Recipe) -> TargetValue:
    """Read the argument of `finetune run --register`.

    Args:
        text: metric and value, such as "dice=0.92".
        recipe: the recipe of the run.

    Returns:
        The target value.

    Raises:
        InputError: if there is no such metric, or the metric cannot have the value.
    """
    name, equals, number = text.partition("=")
    known = ", ".join(METRICS)
    if not equals or name not in METRICS:
        raise InputError(f"--register {text}: give a metric and a value, such as dice=0.9; metrics: {known}")
    metric = METRICS[name]
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    low = -math.inf if metric.minimum is None else metric.minimum
    high = math.inf if metric.maximum is None else metric.maximum
    if not (math.isfinite(value) and low <= value <= high):
        limits = f"a number from {low:g} to {high:g}"
        raise InputError(f"--register {text}: the value of {name} must be {limits}, got {number!r}")
    if task_of(recipe.model.target) != "automatic":
        raise InputError(
            "--register: a target value needs a model that segments without prompts, because only then all "
            "test images are scored"
        )
    return TargetValue(name, value)


def register(folder: Path, plan: Plan[Any], target: TargetValue | None) -> None:
    """Write the registration of a new run, or check that a resumed run still has its own.

    Args:
        folder: the folder of the unfinished run.
        plan: the resolved recipe, before training.
        target: the target value; None without one, and for a resumed run.

    Raises:
        InputError: if there are no test images, or the file was changed or added since the run began.
    """
    path, marker = folder / FILE, read_marker(folder)
    if KEY in marker:
        if marker[KEY] != _sha256(path):
            raise InputError(
                f"{path}: changed since the run began; restore the file, or start over with --overwrite"
            )
        return
    if target is None and path.exists():
        raise InputError(f"{path}: was not written when the run began; remove the file")
    if target is not None:
        tests = [file for file in plan.inputs.files if file.split == "test"]
        if not tests:
            raise InputError("--register needs test images; set data.test, or provide them")
        registration = Registration(
            metric=target.metric,
            value=target.value,
            test_images=data_digest(tests),
            recipe_sha256=recipe_digest(without_local_paths(plan.recipe)),
            registered=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_file(path, json.dumps(registration.model_dump(), indent=2) + "\n")
    write_file(folder / MARKER, json.dumps(marker | {KEY: _sha256(path)}))


def read_registration(folder: Path) -> Registration | None:
    """Read the registration of a run.

    Args:
        folder: the run folder.

    Returns:
        The registration; None if the run has none.

    Raises:
        InputError: if the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Registration.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: not a registration; start over with --overwrite") from error


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
