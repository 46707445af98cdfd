"""Rules of the BioImage.IO model description 0.5, as far as they can be checked without bioimageio.spec.

bioimageio.spec takes seconds to import. These are the rules that published packages break most often; the
whole specification (https://bioimage-io.github.io/spec-bioimage-io) is checked with `--recompute`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from cards.audit.description import hashed_files
from cards.audit.packages import PackageFiles

NAME = re.compile(r"[A-Za-z0-9_+\- ()]{5,128}")
FORMAT = re.compile(r"0\.5\.\d+")
WEIGHTS = (
    *("keras_hdf5", "keras_v3", "onnx", "pytorch_state_dict", "tensorflow_js"),
    *("tensorflow_saved_model_bundle", "torchscript"),
)
REQUIRED = ("format_version", "type", "name", "description", "documentation", "inputs", "outputs", "weights")
SHA256 = re.compile(r"[0-9a-f]{64}")
HEADING = re.compile(r"^#+ .*validation", re.IGNORECASE | re.MULTILINE)


def problems_of(description: dict[str, Any], package: PackageFiles) -> list[str]:
    """List the rules that a description breaks.

    Args:
        description: content of rdf.yaml.
        package: files of the package.

    Returns:
        One text for each broken rule; empty if none is.
    """
    problems = [f"{key} is missing" for key in REQUIRED if not description.get(key)]
    if problems:
        return problems
    if description["type"] != "model":
        problems.append(f"type: {description['type']!r}, expected 'model'")
    if not FORMAT.fullmatch(str(description["format_version"])):
        problems.append(f"format_version: {description['format_version']!r}, expected 0.5")
    if not NAME.fullmatch(str(description["name"])):
        problems.append("name: expected 5 to 128 letters, digits, spaces and _+-()")
    for source, sha256 in hashed_files(description):
        if source not in package.names:
            problems.append(f"{source} is missing")
        if sha256 is not None and not SHA256.fullmatch(sha256):
            problems.append(f"{source}: sha256 is not a hash")
    return [
        *problems,
        *_tensors(description),
        *_weights(description["weights"]),
        *_timestamp(description.get("timestamp")),
        *_documentation(description["documentation"], package),
    ]


def _tensors(description: dict[str, Any]) -> list[str]:
    problems = []
    ids = []
    for key in ("inputs", "outputs"):
        tensors = description[key]
        if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
            return [f"{key}: expected a list of tensors"]
        for tensor in tensors:
            ids.append(tensor.get("id"))
            axes = tensor.get("axes")
            if not isinstance(axes, list) or not axes:
                problems.append(f"{key}: {tensor.get('id')} has no axes")
            if not isinstance(tensor.get("test_tensor"), dict):
                problems.append(f"{key}: {tensor.get('id')} has no test_tensor")
    if len(set(map(str, ids))) < len(ids):
        problems.append("inputs, outputs: an id occurs twice")
    return problems


def _weights(weights: Any) -> list[str]:
    if not isinstance(weights, dict):
        return ["weights: expected one entry for each format"]
    entries = {name: entry for name, entry in weights.items() if entry is not None}
    if not all(isinstance(entry, dict) for entry in entries.values()):
        return ["weights: expected keys and values in each entry"]
    problems = [f"weights: unknown format {name}" for name in entries if name not in WEIGHTS]
    roots = [name for name, entry in entries.items() if entry.get("parent") is None]
    if len(roots) != 1:
        problems.append(f"weights: {len(roots)} entries without a parent, expected 1")
    problems += [
        f"weights: the parent of {name} is {entry['parent']}, which is not in the package"
        for name, entry in entries.items()
        if entry.get("parent") is not None and entry["parent"] not in entries
    ]
    if "pytorch_state_dict" in entries and not entries["pytorch_state_dict"].get("architecture"):
        problems.append("weights: pytorch_state_dict has no architecture")
    return problems


def _timestamp(timestamp: Any) -> list[str]:
    if timestamp is None:
        return []
    try:
        datetime.fromisoformat(str(timestamp))
    except ValueError:
        return [f"timestamp: {str(timestamp)[:40]!r} is not an ISO 8601 time"]
    return []


def _documentation(documentation: Any, package: PackageFiles) -> list[str]:
    source = documentation.get("source") if isinstance(documentation, dict) else documentation
    if not isinstance(source, str) or source not in package.names:
        return ["documentation: no such file in the package"]
    if not HEADING.search(package.read(source).decode("utf-8", "replace")):
        return [f"{source}: no heading with Validation, which BioImage.IO asks for"]
    return []
