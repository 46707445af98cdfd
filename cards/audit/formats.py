"""Family "formats": metadata are valid for the Hugging Face Hub and for BioImage.IO, checked offline."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from cards.audit.card import split_card
from cards.audit.claims import Claim, Subject, joined, sentence
from cards.audit.description import read_description, read_mapping
from cards.audit.package_rules import problems_of
from cards.audit.packages import PackageFiles, packages
from cards.audit.reading import read_text
from cards.errors import ModelError
from cards.references import HUB_LICENSES

FAMILY = "formats"
# https://huggingface.co/docs/hub/models-tasks: tasks of models that segment
PIPELINE_TAGS = ("image-segmentation", "mask-generation")
HUB_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]{1,96}")
FIX = "Render the card again with `finetune card render`, or correct the metadata."
EXPORT_AGAIN = "Export the package again with this version of finetune."


def check(subject: Subject) -> list[Claim]:
    """Check the metadata of the Hugging Face card and of each BioImage.IO package.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    """
    claims = [] if subject.kind == "package" else [_hub(subject)]
    found = packages(subject)
    claims += [_required(package) for package in found]
    if subject.tools.validate_package:
        claims += [_validated(package, subject) for package in found]
    return claims if len(found) < 2 else [*claims, _identities(found)]


def _hub(subject: Subject) -> Claim:
    name = "huggingface/README.md" if subject.kind == "run" else "README.md"
    statement = f"The metadata of {name} are valid for the Hugging Face Hub."
    try:
        metadata = read_mapping(split_card(read_text(subject, name))[0].encode(), f"{name}: metadata")
        problems = _hub_problems(metadata)
    except ModelError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), FIX)
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), FIX)
    return Claim(FAMILY, statement, "holds", "License, task, ids and model-index checked offline.")


def _hub_problems(metadata: dict[str, Any]) -> list[str]:
    problems = []
    license = metadata.get("license")
    if license is not None and license != "other" and license not in HUB_LICENSES:
        problems.append(f"license: {license!r} is not an identifier of the Hub; use other with license_name")
    if license == "other" and not metadata.get("license_name"):
        problems.append("license_name is missing, which license: other requires")
    if (tag := metadata.get("pipeline_tag")) is not None and tag not in PIPELINE_TAGS:
        problems.append(f"pipeline_tag: {tag!r} is not one of {', '.join(PIPELINE_TAGS)}")
    for key in ("base_model", "datasets"):
        values = metadata.get(key) or []
        for value in [values] if isinstance(values, str) else values:
            if not isinstance(value, str) or not HUB_ID.fullmatch(value):
                problems.append(f"{key}: {value!r} is not an id of the Hub")
    return [*problems, *_index_problems(metadata)]


def _index_problems(metadata: dict[str, Any]) -> list[str]:
    """Parse the model-index as the Hub's client does; it must name a model, and hold finite numbers."""
    from huggingface_hub import ModelCardData

    if "model-index" not in metadata:
        return []
    try:
        results = ModelCardData(**metadata, ignore_metadata_errors=False).eval_results or []
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).rstrip(".").split())[:150] or type(error).__name__
        return [f"model-index: {reason}"]
    return [
        f"model-index: {result.metric_type} is {result.metric_value!r}, expected a number"
        for result in results
        if isinstance(result.metric_value, bool)
        or not isinstance(result.metric_value, int | float)
        or not math.isfinite(result.metric_value)
    ]


def _required(package: PackageFiles) -> Claim:
    place = package.place(package.description or "rdf.yaml")
    statement = f"{place} has what BioImage.IO requires of the description of a model."
    try:
        problems = problems_of(read_description(package), package)
    except ModelError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), EXPORT_AGAIN)
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), EXPORT_AGAIN)
    return Claim(FAMILY, statement, "holds", "Required fields, names, weights and documentation checked.")


def _validated(package: PackageFiles, subject: Subject) -> Claim:
    statement = f"bioimageio.spec accepts {package.path or 'the package'}."
    assert subject.tools.validate_package is not None
    problems = subject.tools.validate_package(package.root)
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), EXPORT_AGAIN)
    return Claim(FAMILY, statement, "holds", "Validated offline.")


def _identities(found: list[PackageFiles]) -> Claim:
    statement = "No two packages have the same id."
    ids = Counter(name for package in found if (name := _identity(package)) is not None)
    if twice := [name for name, count in ids.items() if count > 1]:
        remedy = "Give each package an id of its own."
        return Claim(
            FAMILY, statement, "broken", f"{twice[0]} is the id of {ids[twice[0]]} packages.", remedy
        )
    return Claim(FAMILY, statement, "holds", f"{len(found)} packages compared.")


def _identity(package: PackageFiles) -> str | None:
    try:
        name = read_description(package).get("id")
    except ModelError:  # a broken claim of its own
        return None
    return None if name is None else str(name)
