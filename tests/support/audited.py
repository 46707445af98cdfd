"""A complete small run folder without a trained model, and changes to it, for tests of the audit."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import examples

from cards.audit.claims import Claim, FoundImage
from cards.audit.registry import FAMILIES
from cards.audit.run import audit
from cards.audit.subject import open_subject
from cards.bioimageio import description_values, identity_values, render_documentation
from cards.bioimageio_config import config_values
from cards.bioimageio_parts import OUTPUT, shortest
from cards.fingerprint import sha256_file
from cards.paper_figure import CSV as FIGURE
from cards.paper_figure import SVG, figure_csv, figure_texts
from cards.record import File, RunRecord
from cards.rendering import render_files
from cards.scores import csv_text
from finetune.metrics.summary import paired_change

PACKAGE = "bioimageio/unet_nuclei.zip"
README = "huggingface/README.md"


def claims_of(source: Path, family: str | None = None, **options: Any) -> list[Claim]:
    """All claims of an audit, or those of one family."""
    with open_subject(source, **options) as subject:
        return FAMILIES[family](subject) if family else audit(subject)


def broken(claims: list[Claim], family: str | None = None) -> list[str]:
    """Statement and evidence of the broken claims."""
    chosen = (claim for claim in claims if family in (None, claim.family))
    return [f"{claim.statement} {claim.evidence}" for claim in chosen if claim.verdict == "broken"]


def found_images(record: RunRecord) -> list[FoundImage]:
    """What an audit finds in the folder of the images if nothing was changed."""
    return [
        FoundImage(
            file.name,
            file.image,
            file.page,
            file.split,
            file.image_pixels,
            file.label_pixels,
            tuple(file.shape),
            file.instances,
        )
        for file in record.data.files
    ]


def config(record: RunRecord) -> dict[str, Any]:
    """`config.json` of a record."""
    model = record.model
    return {
        "library_name": "finetune",
        "architecture": model.architecture.model_dump(mode="json"),
        "target": {"name": model.target.name, "options": model.target.options},
        "normalize": {"name": model.normalize.name, **model.normalize.options},
        "select_channels": "auto",
        "channels": model.channels,
        "inference_precision": record.inference.precision if record.inference else "float32",
    }


def complete() -> RunRecord:
    """The complete example as the installed release writes it; its package passed both tests."""
    record = examples.full()
    record.finetune_version = version("finetune")
    record.environment.git_commit = record.environment.git_dirty = None
    if find_spec("itables"):  # the table of report.html
        record.environment.packages["itables"] = version("itables")
    passed = {"passed": True, "detail": None}
    record.runtimes = [result.model_copy(update=passed) for result in record.runtimes]
    assert record.accuracy is not None and record.timing is not None
    times = [record.timing.median_seconds] * 18 + [record.timing.p95_seconds] * 2
    for score, seconds in zip(record.accuracy.after.scores, times, strict=True):
        score.seconds = seconds
    assert record.accuracy.before is not None
    record.accuracy.change = paired_change(record.accuracy.before.scores, record.accuracy.after.scores)
    history = record.training.history
    for epoch in history[31:]:  # the best epoch is 32
        epoch.validation_dice = history[31].validation_dice
    return record


def write_run(folder: Path, record: RunRecord | None = None) -> RunRecord:
    """Write a run folder whose claims all hold, with placeholders for weights and pictures.

    Args:
        folder: to create.
        record: of the run; `complete` if unset.

    Returns:
        The record as written.
    """
    from ruamel.yaml import YAML

    record = record or complete()
    hub = folder / "huggingface"
    (hub / "pictures").mkdir(parents=True)
    (folder / "bioimageio").mkdir()
    (folder / "checkpoints").mkdir()
    (folder / "logs").mkdir()
    (folder / "logs" / "metrics.csv").write_text("loss\n")
    write_checkpoint(folder / "checkpoints" / "last.ckpt")
    (hub / "model.safetensors").write_bytes(safetensors())
    (hub / "pictures" / "histogram.png").write_bytes(b"a picture")
    (hub / "config.json").write_text(json.dumps(config(record)))
    with (folder / "recipe.yaml").open("w") as file:
        YAML(typ="safe").dump(record.recipe, file)
    (folder / "scores.csv").write_text(_scores(record), encoding="utf-8")
    (folder / FIGURE).write_text(figure_csv(record), encoding="utf-8")
    texts = (f"<text>{html.escape(text)}</text>\n" for text in figure_texts(record))
    (folder / SVG).write_text(f"<svg>{''.join(texts)}</svg>", encoding="utf-8")
    early = record.model_copy(update={"exports": [], "files": [], "runtimes": []})
    write_package(folder / PACKAGE, package_files(early))
    return write_cards(folder, record)


def write_cards(folder: Path, record: RunRecord) -> RunRecord:
    """Write cards and record, as the last step of a run."""
    record = record.model_copy(update={"files": _files(folder)})
    rendered = render_files(record, folder / "huggingface" / "pictures", folder)
    (folder / README).write_bytes(rendered["README.md"])
    (folder / "report.html").write_bytes(rendered["report.html"])
    return write_record(folder, record)


def write_record(folder: Path, record: RunRecord) -> RunRecord:
    """List all files with their present hashes in the record, and write both copies."""
    record = record.model_copy(update={"files": _files(folder)})
    for place in (folder, folder / "huggingface"):
        (place / "record.json").write_text(record.dumps(), encoding="utf-8")
    return record


WEIGHTS = bytes(64)  # of one tensor


def safetensors() -> bytes:
    """A file with one tensor, and a text that a test can change."""
    entry = {"dtype": "F32", "shape": [16], "data_offsets": [0, len(WEIGHTS)]}
    header = json.dumps({"__metadata__": {"note": "the weights"}, "weight": entry}).encode().ljust(256)
    return len(header).to_bytes(8, "little") + header + WEIGHTS


def write_checkpoint(path: Path, **tensors: Any) -> None:
    """Write a checkpoint as Lightning does, with the same tensor or with the given ones."""
    import torch

    state = tensors or {"network.weight": torch.zeros(16)}
    optimizer = {"state": {0: {"exp_avg": torch.ones(16)}}}
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": [optimizer]}, path)


def torchscript() -> bytes:
    """A file as torch writes it, with the same tensor."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("weights/data/0"), WEIGHTS)
        archive.comment = b"TorchScript"
    return content.getvalue()


PERCENTILES = {"axes": ["y", "x"], "min_percentile": 1.0, "max_percentile": 99.8, "eps": 1e-6}
PREPROCESSING = [
    {"id": "scale_range", "kwargs": PERCENTILES},
    {"id": "clip", "kwargs": {"min": -20.0, "max": 20.0}},
]


def package_files(record: RunRecord) -> dict[str, bytes]:
    """Content of a package by file name, as `bioimageio.spec` would write it."""
    content: dict[str, bytes] = {
        "README.md": render_documentation(record).encode(),
        "record.json": record.dumps().encode(),
        "weights.pt": torchscript(),
        "test_input.npy": b"input",
        "test_output.npy": b"output",
        "cover.png": b"cover",
    }
    size = {"min": shortest(record.model.divisor), "step": record.model.divisor}
    described = {
        **description_values(record),
        "format_version": "0.5.10",
        "type": "model",
        "license": record.card.license,
        "documentation": _named(content, "README.md"),
        "covers": [_named(content, "cover.png")],
        "inputs": [
            {
                "id": "input",
                "description": "the image",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["channel0"]},
                    *({"size": size, "id": name, "type": "space"} for name in "yx"),
                ],
                "preprocessing": PREPROCESSING,
                "test_tensor": _named(content, "test_input.npy"),
            }
        ],
        "outputs": [
            {
                "id": "output",
                "description": OUTPUT,
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(record.model.target.map_names)},
                    *(
                        {"size": {"tensor_id": "input", "axis_id": name}, "id": name, "type": "space"}
                        for name in "yx"
                    ),
                ],
                "data": {"type": "float32"},
                "test_tensor": _named(content, "test_output.npy"),
            }
        ],
        "weights": {"torchscript": {**_named(content, "weights.pt"), "pytorch_version": "2.15.0"}},
        "attachments": [_named(content, "record.json")],
        "config": {
            "bioimageio": config_values(record),
            "finetune": {
                **identity_values(record),
                "covers_sha256": {"cover.png": hashlib.sha256(content["cover.png"]).hexdigest()},
                "prediction": {**config(record), "divisor": 16},
            },
        },
    }
    return {**content, "rdf.yaml": to_yaml(described)}


def to_yaml(content: dict[str, Any]) -> bytes:
    """YAML of a description."""
    from ruamel.yaml import YAML

    text = io.BytesIO()
    YAML(typ="safe").dump(content, text)
    return text.getvalue()


def read_package(path: Path) -> dict[str, bytes]:
    """Content of a package by file name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_package(path: Path, content: dict[str, bytes]) -> None:
    """Write a package as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def edit_description(content: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> None:
    """Change the description of a package; hashes of its files are brought up to date afterwards."""
    from ruamel.yaml import YAML

    described = YAML(typ="safe").load(content["rdf.yaml"])
    change(described)
    _refresh(described, content)
    content["rdf.yaml"] = to_yaml(described)


def _refresh(value: Any, content: dict[str, bytes]) -> None:
    if isinstance(value, dict):
        if value.get("source") in content and "sha256" in value:
            value["sha256"] = hashlib.sha256(content[value["source"]]).hexdigest()
        for item in value.values():
            _refresh(item, content)
    elif isinstance(value, list):
        for item in value:
            _refresh(item, content)


def _named(content: dict[str, bytes], name: str) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(content[name]).hexdigest()}


def _scores(record: RunRecord) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    names = [metric.name for metric in record.metrics]
    rows.writerow(["image", "stage", *names, "seconds"])
    if record.accuracy:
        stages = {"before": record.accuracy.before, "after": record.accuracy.after}
        for stage, scored in stages.items():
            for score in scored.scores if scored else []:
                values = [score.metrics[name] for name in names]
                rows.writerow([csv_text(score.image), stage, *values, score.seconds])
    return text.getvalue()


def _files(folder: Path) -> list[File]:
    return [
        File(path=name, sha256=sha256_file(path), bytes=path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name != "record.json"
        and not (name := path.relative_to(folder).as_posix()).startswith("logs/")
    ]
