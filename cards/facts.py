"""What the templates say that is not a single field of the record: rows, sentences, sums.

Every sentence follows from figures of the record. None is an opinion, and none is added by hand.
"""

from __future__ import annotations

from typing import get_args

from cards import words
from cards.record import Accuracy, DataFile, RunRecord, Split, Stage, Summary
from cards.sources import is_bibtex

METRICS = {
    "dice": ("Dice", "2 TP / (2 TP + FP + FN) of the pixels"),
    "ap50": ("AP50", "TP / (TP + FP + FN) of the objects that overlap by an IoU of 0.5 or more"),
    "ap75": ("AP75", "the same at an IoU of 0.75"),
    "ap90": ("AP90", "the same at an IoU of 0.9"),
    "pq": ("PQ", "panoptic quality: mean IoU of the objects found × their F1 score at an IoU of 0.5"),
}
HEADLINE = ("dice", "ap50", "pq")

WEIGHTS = (".safetensors", ".zip", ".pt", ".pth", ".onnx", ".ckpt")


def before_in_words(record: RunRecord) -> str | None:
    """What stands in place of figures from before the run; None where there are such figures."""
    if record.accuracy is None:
        return words.NOT_MEASURED
    if record.accuracy.before is not None:
        return None
    random = record.model.base.weights == "random"
    return record.accuracy.before_note or ("untrained" if random else words.NOT_MEASURED)


def spread(summary: Summary | None) -> str:
    """Mean ± standard deviation."""
    return words.NOT_MEASURED if summary is None else f"{summary.mean:.4f} ± {summary.std:.4f}"


def accuracy_rows(record: RunRecord) -> list[dict[str, str]]:
    """A row a metric: its name, its meaning, and mean ± std and median before and after."""
    accuracy, gap = record.accuracy, before_in_words(record)
    return [
        {"name": name, "meaning": meaning}
        | {f"before_{key}": gap or text for key, text in _figures(accuracy and accuracy.before, metric).items()}
        | {f"after_{key}": text for key, text in _figures(accuracy and accuracy.after, metric).items()}
        | {"headline": "yes" if metric in HEADLINE else ""}
        for metric, (name, meaning) in METRICS.items()
    ]


def _figures(stage: Stage | None, metric: str) -> dict[str, str]:
    summary = stage.summary.get(metric) if stage else None
    return {"spread": spread(summary), "median": words.score(summary.median if summary else None)}


def change(accuracy: Accuracy) -> str | None:
    """The paired change of Dice with its interval, in words."""
    if (found := accuracy.change) is None:
        return None
    return (
        f"{words.signed(found.mean)} ({found.confidence:.0%} interval {words.signed(found.low)} to "
        f"{words.signed(found.high)}; paired over {words.counted(accuracy.images, 'image')}, "
        f"{words.counted(found.resamples, 'bootstrap resample')})"
    )


def worst_rows(record: RunRecord) -> list[dict[str, str]]:
    """The images with the lowest Dice after the run, worst first."""
    if record.accuracy is None:
        return []
    gap, before = before_in_words(record), record.accuracy.before
    known = {score.image: score.dice for score in before.scores} if before else {}
    after = {score.image: score for score in record.accuracy.after.scores}
    return [
        {
            "image": name,
            "before": gap or words.score(known.get(name)),
            "after": words.score(after[name].dice if name in after else None),
            "pq": words.score(after[name].pq if name in after else None),
        }
        for name in record.accuracy.after.worst
    ]


def split_rows(record: RunRecord) -> list[dict[str, str]]:
    """A row a split: images, instances and image sizes."""
    rows = []
    for split in get_args(Split):
        files = [file for file in record.data.files if file.split == split]
        instances = words.count(sum(file.instances for file in files))
        rows.append({"split": split, "images": words.count(len(files)), "instances": instances, "size": sizes(files)})
    return rows


def sizes(files: list[DataFile]) -> str:
    """Height × width of images in pixels, as one size or as the range of both."""
    shapes = sorted({(file.shape[-2], file.shape[-1]) for file in files})
    if not shapes:
        return "no images"
    heights, widths = [height for height, _ in shapes], [width for _, width in shapes]
    return f"{_range(heights)} × {_range(widths)} px"


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low}–{high}"


def timed_on(record: RunRecord) -> str:
    """The hardware by name: what a time or a peak of memory was measured on."""
    if (timing := record.timing) is None:
        return words.NOT_MEASURED
    return timing.device + (f", {words.counted(timing.threads, 'thread')}" if timing.threads else "")


def trained_on(record: RunRecord) -> str:
    """The hardware the network was trained on: the graphics cards, else the processor."""
    environment = record.environment
    return ", ".join(environment.gpus) or f"{environment.cpu}, {words.counted(environment.cores, 'core')}"


def what_it_is(record: RunRecord) -> str:
    """The model in two sentences."""
    base, data = record.model.base, record.data
    name = str(record.model.architecture.get("name", base.id))
    start = "from random weights" if base.weights == "random" else f"from the weights of {base.id} ({base.repository})"
    return (
        f"The network {name} with {words.counted(record.model.parameters, 'parameter')}, "
        f"{words.count(record.model.trainable)} of them trained, starting {start}, on "
        f"{words.counted(data.count('train'), 'image')} of {data.id}. It segments {objects(record)}."
    )


def objects(record: RunRecord) -> str:
    """What the model segments, in the plural."""
    if record.model.target.get("name") == "boundary":
        return "boundaries"
    return "instances" if record.data.labels == "instances" else "foreground"


def limits(record: RunRecord) -> list[str]:
    """What the record itself shows the model was not tried on, then the warnings, then the author's own."""
    return [*_limits_of_data(record), *_limits_of_accuracy(record), *record.warnings, *record.card.limits]


def _limits_of_data(record: RunRecord) -> list[str]:
    data = record.data
    seen = data.count("train")
    largest = max(data.files, key=lambda file: file.shape[-2] * file.shape[-1]).shape if data.files else []
    found = [
        f"It learned from {words.counted(seen, 'training image')} of one data set, {data.id}. "
        "How well it does on images of another kind was not measured.",
        f"It takes 2D images with {words.counted(record.model.channels, 'channel')}.",
    ]
    if largest:
        size = f"{largest[-2]} × {largest[-1]} pixels"
        found.append(f"The largest image it was trained or tested on has {size}; much larger ones were not tried.")
    return found


def _limits_of_accuracy(record: RunRecord) -> list[str]:
    accuracy = record.accuracy
    if accuracy is None:
        return ["Its accuracy was not measured: there were no test images."]
    found = []
    if accuracy.split != "test":
        found.append(f"Its accuracy was measured on the {accuracy.split} images: none were held back for a test.")
    if accuracy.change and accuracy.change.low <= 0 <= accuracy.change.high:
        found.append("The change of Dice cannot be told from none: its interval holds 0.")
    found += [
        f"{check.artefact} ({check.format}) does not reproduce the trained model."
        for check in record.exports
        if not check.equal
    ]
    return found


def citations(record: RunRecord) -> list[dict[str, str]]:
    """What to cite, each with what it is for, once; `form` is `bibtex` or `text`."""
    found: dict[str, str] = {}
    for what, texts in (("Data", record.data.citation), ("Base model", record.model.base.citation)):
        for text in filter(str.strip, texts):
            found.setdefault(text.strip(), what)
    return [
        {"what": what, "text": text, "form": "bibtex" if is_bibtex(text) else "text"} for text, what in found.items()
    ]


def task(record: RunRecord) -> str:
    """The task in the word that both repositories use as a tag."""
    return "instance-segmentation" if objects(record) == "instances" else "semantic-segmentation"


def tags(record: RunRecord) -> list[str]:
    """The author's tags, then what is true of every model here: 2D, PyTorch, its task."""
    return list(dict.fromkeys([*record.card.tags, task(record), "2d", "pytorch"]))
