"""Claims on the files of a run that repeat parts of the record: scores, figure, configuration and recipe."""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePosixPath
from typing import Any

from cards.audit.card_text import FAMILY
from cards.audit.claims import Claim, Subject, joined, sentence
from cards.audit.description import read_mapping
from cards.audit.figure import figure_claims
from cards.audit.reading import read_bytes, read_json
from cards.audit.values import differences, repeated, shown
from cards.audit.versions import must_equal
from cards.base import LOCAL_PATHS
from cards.errors import ModelError
from cards.formatting import counted
from cards.record import RunRecord
from cards.scores import csv_text

RESTORE = "Restore the file that the run wrote."
# Keys of config.json whose values may differ from the record, or that not every model has.
CONFIG_KEYS = frozenset(("divisor", "halo", "inference_precision", "receptive_field", "select_channels"))


def run_file_claims(subject: Subject, record: RunRecord) -> list[Claim]:
    """Compare scores, configuration and recipe with the record.

    Args:
        subject: the model under audit.
        record: its record.

    Returns:
        A claim for each of the files that belongs to this kind of model.
    """
    claims = []
    if (subject.folder / "scores.csv").is_file():
        claims.append(_scores(subject, record))
    claims += figure_claims(subject, record)
    if subject.kind != "package":
        prefix = "huggingface/" if subject.kind == "run" else ""
        claims.append(_config(subject, record, f"{prefix}config.json"))
    if (subject.folder / "recipe.yaml").is_file():
        claims.append(_recipe(subject, record))
    return claims


def _scores(subject: Subject, record: RunRecord) -> Claim:
    """Compare scores.csv with the record: one row for each image and stage, or kind of prompt."""
    statement = "scores.csv holds the scores of the record."
    text = read_bytes(subject, "scores.csv").decode("utf-8", "replace")
    reader = csv.DictReader(io.StringIO(text))
    rows, header = list(reader), list(reader.fieldnames or ())
    expected = _score_rows(record)
    problems = [] if len(rows) == len(expected) else [f"{len(rows)} rows, the record gives {len(expected)}"]
    problems += [f"line 1: {name} occurs {header.count(name)} times" for name in repeated(header)]
    for number, (row, wanted) in enumerate(zip(rows, expected, strict=False), 2):
        for column, value in wanted.items():
            if not _same_cell(row.get(column), value):
                problems.append(f"line {number}: {column} {row.get(column)!r}, recorded {value!r}")
        if None in row:  # where DictReader puts cells beyond the header
            problems.append(f"line {number}: more cells than columns: {shown(row[None])}")
        for column in sorted(key for key in row if key is not None and row[key] and key not in wanted):
            problems.append(f"line {number}: {column} {row[column]!r}, not recorded")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    return Claim(FAMILY, statement, "holds", f"{counted(len(rows), 'row')} compared.")


def _score_rows(record: RunRecord) -> list[dict[str, Any]]:
    if record.prompts:
        return [
            {
                "image": csv_text(image.image),
                "kind": score.kind,
                "instances": image.instances,
                "before": image.before,
                "after": image.after,
            }
            for score in record.prompts
            for image in score.images
        ]
    if record.accuracy is None:
        return []
    stages = {"before": record.accuracy.before, "after": record.accuracy.after}
    return [
        {"image": csv_text(score.image), "stage": name, **score.metrics, "seconds": score.seconds}
        for name, stage in stages.items()
        if stage
        for score in stage.scores
    ]


def _same_cell(cell: str | None, value: Any) -> bool:
    if value is None:
        return not cell
    if isinstance(value, str):
        return cell == value
    try:
        return cell is not None and abs(float(cell) - value) < 1e-9
    except ValueError:
        return False


def _config(subject: Subject, record: RunRecord, name: str) -> Claim:
    """config.json decides which network is built, and how its maps are decoded."""
    statement = f"{name} builds the network, the target and the normalization of the record."
    try:
        config = read_json(subject, name)
    except ModelError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
    if problems := config_problems(config, record):
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    return Claim(FAMILY, statement, "holds", "Network, target, normalization and channels compared.")


def config_problems(config: Any, record: RunRecord) -> list[str]:
    """Compare the configuration of a model with its record.

    Args:
        config: content of `config.json`, or `config.finetune.prediction` of a package.
        record: the run.

    Returns:
        Differences, with their keys.
    """
    model = record.model
    expected: dict[str, Any] = {
        "library_name": "finetune",
        "architecture": model.architecture.model_dump(mode="json"),
        "target": {"name": model.target.name, "options": model.target.options},
        "normalize": {"name": model.normalize.name, **model.normalize.options},
        "channels": model.channels,
    }
    selected = record.recipe_section("data")
    if "channels" in selected:
        expected["select_channels"] = selected["channels"]
    if not isinstance(config, dict):
        return ["expected keys and values"]
    optional: dict[str, Any] = {"divisor": model.divisor}
    optional["inference_precision"] = record.inference.precision if record.inference else "float32"
    if record.tiling:
        optional["receptive_field"] = record.tiling.receptive_field
        if isinstance(record.tiling.receptive_field, int) or record.tiling.image_statistics:
            optional["halo"] = record.tiling.halo  # others are tiled with more than they need
    expected |= {key: value for key, value in optional.items() if key in config}
    found = {key: value for key, value in config.items() if key in expected}
    problems = differences(found, json.loads(json.dumps(expected)))
    if must_equal(record):  # another version may write more
        unknown = sorted(config.keys() - expected.keys() - CONFIG_KEYS)
        problems += [f"{key}: {shown(config[key])} is not in the record" for key in unknown]
    return problems


def _last_part(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


def _recipe(subject: Subject, record: RunRecord) -> Claim:
    statement = "recipe.yaml is the recipe in the record."
    try:
        recipe: dict[str, Any] = read_mapping(read_bytes(subject, "recipe.yaml"), "recipe.yaml")
    except ModelError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
    for section, key in LOCAL_PATHS:
        part = recipe.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str):
            part[key] = _last_part(part[key])
    model, recorded = recipe.get("model"), record.recipe.get("model")
    if isinstance(model, dict) and isinstance(recorded, dict) and model.get("repository") == "bioimageio":
        # The name may be the path of a package on the machine of the run; other names stay whole.
        last = _last_part(str(model.get("name")))
        model["name"] = last if recorded.get("name") == last else model.get("name")
    if problems := differences(recipe, record.recipe):
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    return Claim(FAMILY, statement, "holds", "All keys compared.")
