"""A complete small run folder without a trained model, and changes to it, for tests of the audit."""

from __future__ import annotations

import csv
import html
import io
import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import examples
from audited_package import WEIGHTS, config, package_files, write_package

from cards.audit.claims import Claim, FoundImage
from cards.audit.registry import FAMILIES
from cards.audit.run import audit
from cards.audit.subject import open_subject
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
