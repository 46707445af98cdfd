"""What else a description of a package may contain: every key that finetune writes, and fixed values.

Whatever is not listed here says something that the record does not support. The rules are those of this
version of finetune.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cards.audit.values import differences, shown
from cards.bioimageio import identity_values
from cards.bioimageio_parts import LABEL_TOLERANCE, LABELS, OPSET, OUTPUT, shortest
from cards.record import RunRecord

TOP = frozenset(
    (
        *("format_version", "type", "name", "description", "tags", "license", "timestamp", "git_repo"),
        *("authors", "maintainers", "cite", "parent", "run_mode"),
        *("documentation", "covers", "attachments", "inputs", "outputs", "weights", "config"),
    )
)
FILE = frozenset(("source", "sha256"))
TENSOR = frozenset(("id", "description", "axes", "test_tensor", "sample_tensor"))
INPUT, OUTPUT_KEYS = TENSOR | {"preprocessing"}, TENSOR | {"postprocessing", "data"}
WEIGHTS: dict[str, frozenset[str]] = {
    "pytorch_state_dict": frozenset(("architecture", "pytorch_version", "dependencies", "strict")),
    "torchscript": frozenset(("pytorch_version",)),
    "onnx": frozenset(("opset_version", "external_data")),
}
EVERY_FORMAT = frozenset((*FILE, "authors", "parent", "comment"))
ARCHITECTURE = frozenset((*FILE, "callable", "kwargs"))
OWN = frozenset(("covers_sha256", "prediction"))
CONFIG = frozenset(("bioimageio", "finetune", "stardist"))


def unexpected(description: Mapping[str, Any], record: RunRecord) -> Iterator[str]:
    """List keys and values that finetune does not write.

    Args:
        description: content of rdf.yaml.
        record: the record inside the package.

    Yields:
        One text for each, with its key.
    """
    yield from _keys(description, TOP, "")
    yield from _fixed(description, {"type": "model", "run_mode": None}, "")
    for key in ("attachments", "covers"):
        entries = description.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            yield from _file(entry, f"{key}[{index}]")
    yield from _input(_only(description, "inputs"), record)
    yield from _output(_only(description, "outputs"), record)
    for key in ("inputs", "outputs"):
        if isinstance(description.get(key), list) and len(description[key]) > 1:
            yield f"{key}: {len(description[key])} tensors, expected 1"
    yield from _weights(description.get("weights"), record)
    config = description.get("config")
    if isinstance(config, dict):
        yield from _keys(config, CONFIG, "config.")
        yield from _fixed(config, {"stardist": None}, "config.")
        own, bioimageio = config.get("finetune"), config.get("bioimageio")
        if isinstance(own, dict):
            yield from _keys(own, OWN | identity_values(record).keys(), "config.finetune.")
        if isinstance(bioimageio, dict):
            rules = [LABEL_TOLERANCE] if record.model.target.exports_labels else []
            tolerance = bioimageio.get("reproducibility_tolerance") or []
            yield from differences(tolerance, rules, "config.bioimageio.reproducibility_tolerance")


def _input(tensor: Mapping[str, Any], record: RunRecord) -> Iterator[str]:
    size = {"min": shortest(record.model.divisor), "step": record.model.divisor}
    axes = [
        {"type": "batch"},
        {"type": "channel", "channel_names": [f"channel{index}" for index in range(record.model.channels)]},
        *({"size": size, "id": name, "type": "space"} for name in ("y", "x")),
    ]
    yield from _keys(tensor, INPUT, "inputs[0].")
    yield from _fixed(tensor, {"id": "input", "description": "the image", "axes": axes}, "inputs[0].")
    yield from _tensor_files(tensor, "inputs[0].")


def _output(tensor: Mapping[str, Any], record: RunRecord) -> Iterator[str]:
    target = record.model.target
    names = ["labels"] if target.exports_labels else target.map_names
    axes: dict[str, dict[str, Any]] = {
        "b": {"type": "batch"},
        "c": {"type": "channel", "channel_names": list(names)},
        **{
            name: {"size": {"tensor_id": "input", "axis_id": name}, "id": name, "type": "space"}
            for name in "yx"
        },
    }
    expected = {
        "id": "output",
        "description": LABELS if target.exports_labels else OUTPUT,
        "axes": [axes[letter] for letter in target.exported_axes or "bcyx"],
        "data": {"type": "int32" if target.exports_labels else "float32"},
    }
    yield from _keys(tensor, OUTPUT_KEYS, "outputs[0].")
    yield from _fixed(tensor, expected, "outputs[0].")
    yield from _tensor_files(tensor, "outputs[0].")


def _tensor_files(tensor: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in ("test_tensor", "sample_tensor"):
        if tensor.get(key) is not None:
            yield from _file(tensor[key], where + key)


def _weights(weights: Any, record: RunRecord) -> Iterator[str]:
    torch = record.environment.packages.get("torch", "").partition("+")[0]
    options = record.model.architecture.options
    built = {"in_channels": record.model.channels, "out_channels": record.model.maps, **options}
    for name, entry in weights.items() if isinstance(weights, dict) else ():
        if entry is None:
            continue
        where = f"weights.{name}."
        if name not in WEIGHTS or not isinstance(entry, dict):
            yield f"{where[:-1]}: finetune writes no such weights"
            continue
        yield from _keys(entry, EVERY_FORMAT | WEIGHTS[name], where)
        yield from _fixed(entry, {"dependencies": None, "external_data": None}, where)
        if "pytorch_version" in WEIGHTS[name] and torch:
            yield from _fixed(entry, {"pytorch_version": torch}, where)
        if name == "onnx":
            yield from _fixed(entry, {"opset_version": OPSET}, where)
        if name == "pytorch_state_dict":
            yield from _fixed(entry, {"strict": True}, where)
            architecture = entry.get("architecture")
            if isinstance(architecture, dict):
                yield from _keys(architecture, ARCHITECTURE, f"{where}architecture.")
                yield from _fixed(architecture, {"kwargs": built}, f"{where}architecture.")


def _only(description: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    tensors = description.get(key)
    first = tensors[0] if isinstance(tensors, list) and tensors else None
    return first if isinstance(first, dict) else {}


def _keys(found: Mapping[str, Any], known: frozenset[str], where: str) -> Iterator[str]:
    for key in found.keys() - known:
        if found[key] not in (None, [], {}):
            yield f"{where}{key}: {shown(found[key])} is not in the record"


def _fixed(found: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, value in expected.items():
        yield from differences(found.get(key), value, f"{where}{key}")


def _file(entry: Any, where: str) -> Iterator[str]:
    """A file of the package: web addresses were compared with nothing."""
    source = entry.get("source") if isinstance(entry, dict) else entry
    if isinstance(entry, dict):
        yield from _keys(entry, FILE, f"{where}.")
    if isinstance(source, str) and "://" in source:
        yield f"{where}: {shown(source)} is not a file of the package"
