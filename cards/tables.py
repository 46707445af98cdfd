"""Tables of a card on data, training and provenance.

A table is a list of rows, the first of which is the header. A cell is text, or `Markdown` where it is code. A
table of two columns holds names and values.
"""

from __future__ import annotations

from typing import get_args

from cards import formatting as words
from cards import statements as facts
from cards.base import Split
from cards.markdown import call, code, linked
from cards.record import File, RunRecord
from cards.training import Epoch, StepTimes, Training

Rows = list[list[str]]

WEIGHTS = (".safetensors", ".zip", ".pt", ".pth", ".onnx", ".ckpt")


def data(record: RunRecord) -> Rows:
    """Source, license, label type and split of the data set.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    about = record.data
    return [
        ["Data set", about.id],
        ["Source", linked(words.stated(about.source))],
        ["License", words.stated(about.license)],
        ["Label type", about.labels],
        ["Split", facts.split_by(record)],
        ["Note", linked(words.stated(about.note))],
    ]


def splits(record: RunRecord) -> Rows:
    """Number of images and instances, and image size, of each split.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    rows = [["Split", "Images", "Instances", "Height × width"]]
    for split in get_args(Split):
        files = [file for file in record.data.files if file.split == split]
        instances = words.count(sum(file.instances for file in files))
        rows.append([split, words.count(len(files)), instances, facts.sizes(files)])
    return rows


def training(record: RunRecord) -> Rows:
    """Network, target and training settings.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    model, how = record.model, record.training
    history = how.history[-1] if how.history else None
    best = next((epoch for epoch in how.history if epoch.epoch == how.best_epoch), None)
    planned = f"{words.count(how.epochs)} of {words.count(how.epochs_planned)} planned"
    named = {selection.what for selection in how.selections}
    selected = ", ".join(name for name in model.target.selected_on_validation if name not in named)
    trained = "all" if model.trainable == model.parameters else words.count(model.trainable)
    return [
        ["Network", call(model.architecture)],
        ["Target", call(model.target)],
        *([["Selected on validation images", code(selected)]] if selected else []),
        ["Normalization", call(model.normalize)],
        ["Parameters", f"{words.count(model.parameters)}, {trained} trained"],
        ["Adaptation", call(model.adapt) if model.adapt else words.NOT_STATED],
        ["Input", f"{words.counted(model.channels, 'channel')}; {facts.input_sizes(record)}"],
        ["Output", "masks" if facts.answers_prompts(record) else words.counted(model.maps, "map")],
        ["Epochs", planned + (f", {how.stopped}" if how.stopped else "")],
        ["Selected epoch", words.count(how.best_epoch) if how.best_epoch else words.NOT_STATED],
        *([["Score of the selected epoch", _validation(best)]] if best else []),
        ["Optimizer steps", words.count(how.steps)],
        ["Patches seen", words.count(how.images_seen)],
        ["Batch size", words.count(how.batch_size)],
        ["Patch size", f"{how.patch} × {how.patch} px"],
        ["Optimizer", how.optimizer],
        ["Learning rate", words.number(how.learning_rate)],
        ["Learning rate schedule", how.schedule],
        ["Weight decay", words.number(how.weight_decay)],
        *([["Gradient clipping", f"norm {words.number(how.gradient_clip)}"]] if how.gradient_clip else []),
        *([["Weight averaging", averaging(how)]] if how.average else []),
        ["Loss", how.loss],
        ["Augmentation", how.augmentation],
        ["Precision", how.precision + _step_times(how.step_times)],
        ["Seed", str(how.seed)],
        ["Duration", f"{words.duration(how.seconds)} on {facts.trained_on(record)}"],
        ["Throughput", words.speed(how.images_per_second)],
        ["Resumed", words.times(how.resumed)],
        ["Last epoch", _last(history)],
    ]


def _step_times(times: StepTimes | None) -> str:
    if times is None:
        return ""
    measured = f"float32 {words.duration(times.float32)}, bfloat16 {words.duration(times.bf16)}"
    return f", selected by the time of a training step: {measured}"


def averaging(how: Training) -> str:
    """Describe how the weights were averaged.

    Args:
        how: training with a decay of the average.

    Returns:
        For example "exponential moving average (decay 0.99)".
    """
    return f"exponential moving average (decay {words.number(how.average)})"


def _last(epoch: Epoch | None) -> str:
    if epoch is None:
        return words.NOT_MEASURED
    return f"loss {words.score(epoch.loss)}; {_validation(epoch)}"


def _validation(epoch: Epoch) -> str:
    name, value = "Dice", epoch.validation_dice
    if epoch.validation_iou is not None:
        name, value = "IoU", epoch.validation_iou
    return f"validation {name} {words.score(value)}"


def licenses(record: RunRecord) -> Rows:
    """Licenses of the model, the base model and the data.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    base = record.model.base
    inherited = "none (random initialization)" if base.weights == "random" else words.stated(base.license)
    return [
        ["This model", words.stated(record.card.license)],
        ["Base model", inherited],
        ["Data", words.stated(record.data.license)],
    ]


def provenance(record: RunRecord) -> Rows:
    """Identity of run, base model, data, code and machine.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    base, where = record.model.base, record.environment
    none = "none (random initialization)" if base.weights == "random" else None
    commit = f"commit {words.short(where.git_commit)}" if where.git_commit else f"commit {words.NOT_STATED}"
    hub = f", {base.hub_id} on Hugging Face" if base.hub_id else ""
    memory = words.memory(where.memory_bytes)
    dirty = {True: ", with uncommitted changes", False: ", no uncommitted changes", None: ""}[where.git_dirty]
    return [
        ["Run", f"{record.name}, {record.created}"],
        ["Base model", f"{base.id} ({base.repository}){hub}"],
        ["Base weights", f"{base.weights}, in part: {base.part}" if base.part else base.weights],
        ["Base revision", none or words.stated(base.revision)],
        ["Base SHA-256", none or (code(words.short(base.sha256)) if base.sha256 else words.NOT_MEASURED)],
        ["Data fingerprint", code(words.short(record.data.digest()))],
        ["Code", f"finetune {record.finetune_version}, {commit}{dirty}"],
        ["Machine", f"{where.cpu}, {words.counted(where.cores, 'core')}, memory {memory}"],
        ["GPU", ", ".join(where.gpus) or "none"],
        ["System", f"{where.platform}, Python {where.python}"],
        ["Card", f"generated by finetune {record.finetune_version} from record.json"],
    ]


def weights(record: RunRecord) -> list[File]:
    """Select checkpoints, packages and exported files among the files that the run wrote.

    Args:
        record: the run.

    Returns:
        Files with a suffix in `WEIGHTS`, and files of any format that were verified as exports.
    """
    exported = {check.artifact for check in record.exports}
    return [file for file in record.files if file.path.endswith(WEIGHTS) or file.path in exported]


def hashes(record: RunRecord) -> Rows:
    """Size and full SHA-256 of the data, the base weights and each file with weights.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    base = record.model.base
    rows = [["Item", "Size", "SHA-256"], ["data", "–", code(record.data.digest())]]
    if base.sha256:
        rows.append(["base weights", "–", code(base.sha256)])
    files = weights(record)
    return rows + [[code(file.path), words.file_size(file.bytes), code(file.sha256)] for file in files]


def packages(record: RunRecord) -> Rows:
    """Version of each package.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    return [["Package", "Version"], *map(list, sorted(record.environment.packages.items()))]
