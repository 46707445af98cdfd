"""Sentences of a card that combine several fields of the record.

Every sentence follows from values of the record. None is an opinion, and none is written by hand.
"""

from __future__ import annotations

from cards import formatting as words
from cards.markdown import Markdown, code, escape
from cards.record import DataFile, RunRecord


def before_in_words(record: RunRecord) -> str | None:
    """Why there are no metrics from before training.

    Args:
        record: the run.

    Returns:
        For example "untrained" or "not measured"; None if there are metrics from before training.
    """
    if record.accuracy is None:
        return words.NOT_MEASURED
    if record.accuracy.before is not None:
        return None
    random = record.model.base.weights == "random"
    return record.accuracy.before_note or ("untrained" if random else words.NOT_MEASURED)


def gap(record: RunRecord) -> str | None:
    """Shorten `before_in_words` for a table cell, up to its first comma.

    Args:
        record: the run.

    Returns:
        A few words; None if there are metrics from before training.
    """
    whole = before_in_words(record)
    return whole and whole.partition(",")[0]


def change(record: RunRecord) -> str:
    """State the paired change in Dice with its confidence interval.

    Args:
        record: the run.

    Returns:
        Mean, interval, number of images and resamples, or why there is no change.
    """
    if record.accuracy is None or (paired := record.accuracy.change) is None:
        if record.accuracy and record.model.base.weights == "random":
            return "not applicable, because the network was not trained before"
        return before_in_words(record) or words.NOT_MEASURED
    return (
        f"{words.signed(paired.mean)} ({100 * paired.confidence:g}% confidence interval "
        f"{words.signed(paired.low)} to {words.signed(paired.high)}, paired over "
        f"{words.counted(record.accuracy.images, 'image')}, "
        f"{words.counted(paired.resamples, 'bootstrap resample')})"
    )


def computed_on(record: RunRecord) -> str:
    """State which metrics are computed on pixels and which on instances.

    Args:
        record: a run with accuracy.

    Returns:
        One sentence, e.g. "Dice is computed on foreground pixels; AP50 and PQ are computed on instances."
    """
    assert record.accuracy is not None
    clauses = []
    enclosed = ", the regions that the boundaries enclose" if objects(record) == "boundaries" else ""
    for kind, what in (
        ("pixels", f"{record.accuracy.dice_of} pixels"),
        ("instances", f"instances{enclosed}"),
    ):
        labels = [metric.label for metric in record.metrics if metric.compares == kind]
        if labels:
            clauses.append(f"{words.listed(labels)} {'is' if len(labels) == 1 else 'are'} computed on {what}")
    return "; ".join(clauses) + "."


def split_by(record: RunRecord) -> str:
    """State how the splits were made; once, if all were made in the same way.

    Args:
        record: the run.

    Returns:
        For example "provided with the data set".
    """
    return words.splits(record.data.split_by)


def sizes(files: list[DataFile]) -> str:
    """State the height × width of images in pixels.

    Args:
        files: the images.

    Returns:
        One size, or the range of heights and of widths.
    """
    shapes = sorted({(file.shape[-2], file.shape[-1]) for file in files})
    if not shapes:
        return "no images"
    heights, widths = [height for height, _ in shapes], [width for _, width in shapes]
    return f"{_range(heights)} × {_range(widths)} px"


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low}–{high}"


def timed_on(record: RunRecord) -> str:
    """Name the hardware on which time per image and peak memory were measured.

    Args:
        record: the run.

    Returns:
        Device and number of threads, or "not measured".
    """
    if (timing := record.timing) is None:
        return words.NOT_MEASURED
    return words.hardware(timing.device, timing.threads)


def time_per_image(record: RunRecord) -> str:
    """State the median time per image with the hardware.

    Args:
        record: the run.

    Returns:
        Time and hardware, or "not measured".
    """
    if record.timing is None:
        return words.NOT_MEASURED
    return f"{words.duration(record.timing.median_seconds)} (median) on {timed_on(record)}"


def trained_on(record: RunRecord) -> str:
    """Name the hardware that trained the network. A GPU in the machine was not necessarily used.

    Args:
        record: the run.

    Returns:
        The device, or the CPU with its number of cores if there is no GPU.
    """
    if record.training.device:
        return record.training.device
    if record.environment.gpus:
        return f"hardware {words.NOT_STATED}"
    return f"{record.environment.cpu}, {words.counted(record.environment.cores, 'core')}"


def what_it_is(record: RunRecord) -> Markdown:
    """Summarize the model in one sentence: network, initialization, training data, task.

    Args:
        record: the run.

    Returns:
        Markdown on one line.
    """
    base, model = record.model.base, record.model
    parameters = words.counted(model.parameters, "parameter")
    if model.trainable != model.parameters:
        parameters += f" ({words.count(model.trainable)} trained)"
    source = escape(f"{base.id} ({base.repository})")
    if base.weights == "random":
        start = "trained from scratch"
    elif base.part:
        start = f"fine-tuned from {source}, reusing {escape(base.part)},"
    else:
        start = f"fine-tuned from {source}"
    images = words.counted(record.data.count("train"), "image")
    return Markdown(
        f"{code(model.architecture.name)} with {parameters}, {start} on {images} of the data set "
        f"*{escape(record.data.id)}* for {task_in_words(record)}."
    )


def base_model(record: RunRecord) -> str:
    """Name the base model with its repository and revision.

    Args:
        record: the run.

    Returns:
        For example "cpsam (cellpose), revision 1.0", or "none (trained from scratch)".
    """
    base = record.model.base
    if base.weights == "random":
        return "none (trained from scratch)"
    return f"{base.id} ({base.repository}), revision {words.stated(base.revision)}"


def task_in_words(record: RunRecord) -> str:
    """Name the task.

    Args:
        record: the run.

    Returns:
        For example "instance segmentation".
    """
    interactive = answers_prompts(record)
    kind = {"instances": "instance", "boundaries": "boundary"}.get(objects(record), "foreground")
    return f"{'interactive ' if interactive else ''}{kind} segmentation" + (
        " with points and boxes" if interactive else ""
    )


def answers_prompts(record: RunRecord) -> bool:
    """Whether the model segments instances interactively, from points and boxes.

    Args:
        record: the run.

    Returns:
        True for an interactive model.
    """
    return record.task == "interactive"


def input_sizes(record: RunRecord) -> str:
    """State which heights and widths the network accepts.

    Args:
        record: the run.

    Returns:
        A clause.
    """
    if answers_prompts(record):
        return f"any height and width, resized to {record.training.patch} × {record.training.patch} px"
    if record.model.divisor == 1:
        return "any height and width"
    return f"height and width are multiples of {record.model.divisor} px"


def objects(record: RunRecord) -> str:
    """Name what the model segments.

    Args:
        record: the run.

    Returns:
        "boundaries", "instances" or "foreground".
    """
    if record.model.target.labels == "boundary":
        return "boundaries"
    return "instances" if record.data.labels == "instances" else "foreground"


def tolerance(record: RunRecord) -> str:
    """State by how much the Dice of an exported file may differ from the trained model's.

    Args:
        record: a run with verified exports.

    Returns:
        The tolerance; several if they differ between files.
    """
    return " or ".join(words.number(value) for value in sorted({check.tolerance for check in record.exports}))


def task(record: RunRecord) -> str:
    """Name the task by the tag that Hugging Face and BioImage.IO share.

    Args:
        record: the run.

    Returns:
        "instance-segmentation" or "semantic-segmentation".
    """
    return "instance-segmentation" if objects(record) == "instances" else "semantic-segmentation"


def tags(record: RunRecord) -> list[str]:
    """List the tags: the author's, the task, 2D and PyTorch.

    Args:
        record: the run.

    Returns:
        Each tag once.
    """
    return list(dict.fromkeys([*record.card.tags, task(record), "2d", "pytorch"]))
