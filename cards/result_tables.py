"""Tables of a card on measurements: accuracy, timing and memory, verification of exports."""

from __future__ import annotations

from cards import formatting as words
from cards import statements as facts
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
        Four decimals each, or "not measured".
    """
    return words.NOT_MEASURED if summary is None else f"{summary.mean:.4f} ± {summary.std:.4f}"


def _summary(stage: Stage | None, metric: str) -> Summary | None:
    return stage.summary.get(metric) if stage else None


def headline(record: RunRecord) -> Rows:
    """Headline metrics before and after training; for an interactive model, IoU for each kind of prompt.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    if record.prompts:
        return prompts(record)
    accuracy = record.accuracy
    header = "Accuracy (no test images)"
    if accuracy:
        header = f"Mean ± SD over {words.counted(accuracy.images, f'{accuracy.split} image')}"
    rows = [[header, "Before", "After"]]
    gap = facts.gap(record)
    for metric in filter(lambda metric: metric.headline, record.metrics):
        before = _summary(accuracy.before if accuracy else None, metric.name)
        after = _summary(accuracy.after if accuracy else None, metric.name)
        rows.append([metric.label, gap or spread(before), spread(after)])
    return rows


def prompts(record: RunRecord) -> Rows:
    """IoU before and after training for each kind of prompt.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    images = record.prompts[0].images
    over = words.counted(len(images), "test image")
    instances = words.counted(sum(image.instances for image in images), "instance")
    random = record.model.base.weights == "random"
    rows = [[f"Mean IoU ± SD over {over} ({instances})", "Before", "After"]]
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
    """The images with the lowest Dice after training, lowest first.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    assert record.accuracy is not None
    gap, before = facts.gap(record), record.accuracy.before
    known = {score.image: score.metrics[PRIMARY] for score in before.scores} if before else {}
    after = {score.image: score for score in record.accuracy.after.scores}
    rows = [["Images with the lowest Dice", "Dice before", "Dice after", "PQ after"]]
    for name in record.accuracy.after.worst:
        score = after.get(name)
        scores = [words.score(score.metrics.get(metric) if score else None) for metric in (PRIMARY, "pq")]
        rows.append([code(name), gap or words.score(known.get(name)), *scores])
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
