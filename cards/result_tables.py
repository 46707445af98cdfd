"""Tables of a card on measurements: accuracy, timing and memory, verification of exports."""

from __future__ import annotations

from cards import formatting as words
from cards import statements as facts
from cards.leakage import accuracy_on, is_divided, scored_images, unrelated_images
from cards.markdown import code
from cards.metrics import PRIMARY
from cards.record import RunRecord
from cards.scores import Stage, Summary
from cards.tables import Rows


def spread(summary: Summary | None) -> str:
    """Format mean ± standard deviation.

    Args:
        summary: over images; None if not measured.

    Returns:
        Four decimals each, or "not measured"; of one image, its value.
    """
    return words.NOT_MEASURED if summary is None else words.mean_std(summary.mean, summary.std)


def _summary(stage: Stage | None, metric: str) -> Summary | None:
    return stage.summary.get(metric) if stage else None


def headline(record: RunRecord) -> Rows:
    """Headline metrics before and after training; for an interactive model, IoU for each kind of prompt.

    Where some test images are related to training images, another column shows the metrics on the others.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    rows, keys = _headline(record)
    unrelated = unrelated_images(record)
    if unrelated is None or not is_divided(record):
        return rows
    summary = accuracy_on(record, unrelated)
    cells = [f"After, {words.counted(len(unrelated), 'unrelated image')}"]
    cells += [spread(summary.get(key)) for key in keys]
    return [[*row, cell] for row, cell in zip(rows, cells, strict=True)]


def _headline(record: RunRecord) -> tuple[Rows, list[str]]:
    """The table for all images, and the name of the metric or kind of prompt of each row."""
    if record.prompts:
        return prompts(record), [score.kind for score in record.prompts]
    accuracy = record.accuracy
    header = "Accuracy (no test images)"
    if accuracy:
        number = words.counted(accuracy.images, f"{accuracy.split} image")
        header = f"Mean ± SD over {number}" if accuracy.images > 1 else number
    rows, keys, gap = [[header, "Before", "After"]], [], facts.gap(record)
    for metric in filter(lambda metric: metric.headline, record.metrics):
        before = _summary(accuracy.before if accuracy else None, metric.name)
        after = _summary(accuracy.after if accuracy else None, metric.name)
        rows.append([metric.label, gap or spread(before), spread(after)])
        keys.append(metric.name)
    return rows, keys


def groups(record: RunRecord) -> Rows:
    """Accuracy after training on all images, on those related to training images, and on the others.

    Args:
        record: a run of which some images are related and some are not, see `cards.leakage.is_divided`.

    Returns:
        Rows of cells, the first of which is the header.
    """
    scored, unrelated = scored_images(record), unrelated_images(record) or set()
    parts = {"All {} images": scored, "{} related": scored - unrelated, "{} unrelated": unrelated}
    labels = {metric.name: metric.label for metric in record.metrics}
    if record.prompts:
        labels = {score.kind: f"IoU, {score.kind}" for score in record.prompts}
    summaries = [accuracy_on(record, images) for images in parts.values()]
    header = [name.format(words.count(len(images))) for name, images in parts.items()]
    return [
        ["Mean ± SD after training", *header],
        *([label, *(spread(summary.get(key)) for summary in summaries)] for key, label in labels.items()),
    ]


def prompts(record: RunRecord) -> Rows:
    """IoU before and after training for each kind of prompt.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    images = record.prompts[0].images
    over = words.counted(len(images), "test image")
    mean = "Mean IoU ± SD" if len(images) > 1 else "Mean IoU"
    instances = words.counted(sum(image.instances for image in images), "instance")
    random = record.model.base.weights == "random"
    rows = [[f"{mean} over {over} ({instances})", "Before", "After"]]
    for score in record.prompts:
        before = "untrained" if random and score.before is None else spread(score.before)
        rows.append([score.kind, before, spread(score.after)])
    return rows


def accuracy(record: RunRecord) -> Rows:
    """Mean ± standard deviation and median of each metric before and after training.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    assert record.accuracy is not None
    gap = facts.gap(record)
    rows = [["Metric", "Before", "Median", "After", "Median"]]
    for metric in record.metrics:
        before, after = (
            _summary(stage, metric.name) for stage in (record.accuracy.before, record.accuracy.after)
        )
        medians = [words.score(summary.median if summary else None) for summary in (before, after)]
        rows.append([metric.label, gap or spread(before), gap or medians[0], spread(after), medians[1]])
    return rows


def worst(record: RunRecord) -> Rows:
    """The images with the lowest Dice after training, lowest first, with their other headline metrics.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    assert record.accuracy is not None
    gap, stages = facts.gap(record), (record.accuracy.before, record.accuracy.after)
    before, after = (
        {score.image: score.metrics for score in stage.scores} if stage else {} for stage in stages
    )
    labels = {metric.name: metric.label for metric in record.metrics}
    others = [metric.name for metric in record.metrics if metric.headline and metric.name != PRIMARY]
    header = [f"{labels[PRIMARY]} before", *(f"{labels[name]} after" for name in (PRIMARY, *others))]
    rows = [[f"Images with the lowest {labels[PRIMARY]}", *header]]
    for name in record.accuracy.after.worst:
        metrics = after.get(name, {})
        scores = [words.score(metrics.get(metric)) for metric in (PRIMARY, *others)]
        rows.append([code(name), gap or words.score(before.get(name, {}).get(PRIMARY)), *scores])
    return rows


def timing(record: RunRecord) -> Rows:
    """Time per image and peak memory, with the hardware.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    names = [
        "Time per image",
        "95th percentile",
        "Network",
        "Decoding to labels",
        "Measured on",
        "Hardware",
        "Peak memory, inference",
        "Peak memory, training",
    ]
    if (measured := record.timing) is None:
        return [[name, words.NOT_MEASURED] for name in names]
    split = record.accuracy.split if record.accuracy else "test"
    files = [file for file in record.data.files if file.split == split]
    cells = [
        f"{words.duration(measured.median_seconds)} (median)",
        words.duration(measured.p95_seconds),
        words.duration(measured.network_seconds),
        words.duration(measured.decoding_seconds),
        f"{words.counted(measured.images, 'image')}, {facts.sizes(files)}",
        facts.timed_on(record),
        words.memory(measured.peak_memory_inference_bytes),
        words.memory(measured.peak_memory_training_bytes),
    ]
    return [[name, cell] for name, cell in zip(names, cells, strict=True)]


def exports(record: RunRecord) -> Rows:
    """Each reloaded export with its Dice and that of the trained model.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    rows = [["File", "Format", "Reloaded with", "Images", "Dice", "Trained model", "Match"]]
    for check in record.exports:
        match = "yes" if check.equal else "no"
        dice = [words.score(check.dice), words.score(check.trained_dice)]
        images = words.count(check.images)
        rows.append([code(check.artifact), check.format, check.loaded_by, images, *dice, match])
    return rows


def runtimes(record: RunRecord) -> Rows:
    """Environments in which the BioImage.IO package was tested, with the outcome.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    rows = [["Package", "Environment", "Versions", "Result"]]
    for check in record.runtimes:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(check.packages.items()))
        result = "passed" if check.passed else f"failed: {words.stated(check.detail)}"
        rows.append([code(check.package), check.environment, versions or words.NOT_STATED, result])
    return rows
