"""The sentences of a card that are not a single field of the record.

Every sentence follows from figures of the record. None is an opinion, and none is added by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from cards import formatting as words
from cards.markdown import Markdown
from cards.record import DataFile, RunRecord
from cards.references import is_bibtex

AXES = {"b": "batch", "c": "channels", "y": "height", "x": "width"}


def before_in_words(record: RunRecord) -> str | None:
    """What stands in place of figures from before the run; None where there are such figures."""
    if record.accuracy is None:
        return words.NOT_MEASURED
    if record.accuracy.before is not None:
        return None
    random = record.model.base.weights == "random"
    return record.accuracy.before_note or ("untrained" if random else words.NOT_MEASURED)


def gap(record: RunRecord) -> str | None:
    """`before_in_words`, short enough for the cell of a table: without what follows a comma."""
    whole = before_in_words(record)
    return whole and whole.partition(",")[0]


def change(record: RunRecord) -> str:
    """The paired change of Dice with its interval, in words."""
    if record.accuracy is None or (found := record.accuracy.change) is None:
        return before_in_words(record) or words.NOT_MEASURED
    return (
        f"{words.signed(found.mean)} ({100 * found.confidence:g} % interval {words.signed(found.low)} to "
        f"{words.signed(found.high)}, paired over {words.counted(record.accuracy.images, 'image')}, "
        f"{words.counted(found.resamples, 'bootstrap resample')})"
    )


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


def time_per_image(record: RunRecord) -> str:
    """The median time of one image, with the hardware."""
    if record.timing is None:
        return words.NOT_MEASURED
    return f"{words.duration(record.timing.median_seconds)} (median) on {timed_on(record)}"


def trained_on(record: RunRecord) -> str:
    """The hardware that trained the network. A graphics card in the machine need not be the one that did."""
    if record.training.device:
        return record.training.device
    if record.environment.gpus:
        return f"hardware {words.NOT_STATED}"
    return f"{record.environment.cpu}, {words.counted(record.environment.cores, 'core')}"


def what_it_is(record: RunRecord) -> str:
    """The model in two sentences."""
    base, model = record.model.base, record.model
    name = model.architecture.name
    start = "random weights" if base.weights == "random" else f"the weights of {base.id} ({base.repository})"
    if base.part:
        start = f"the weights of a part of {base.id} ({base.repository}): {base.part}, the rest random,"
    seen = words.counted(record.data.count("train"), "image")
    return (
        f"A {name} network of {words.counted(model.parameters, 'parameter')} ({trainable(record)} trained) "
        f"that started from {start} and learned from {seen} of {record.data.id}. "
        f"It segments {objects(record)}{', one for each point or box' if answers_prompts(record) else ''}."
    )


def answers_prompts(record: RunRecord) -> bool:
    """Whether the model wants to be asked for one instance after the other."""
    return record.task == "interactive"


def input_sizes(record: RunRecord) -> str:
    """Which heights and widths the network takes."""
    if answers_prompts(record):
        return f"any size, which it sees as {record.training.patch} × {record.training.patch} px"
    return f"sizes are multiples of {record.model.divisor} px"


def trainable(record: RunRecord) -> str:
    """How many of the parameters were trained."""
    model = record.model
    return "all" if model.trainable == model.parameters else words.count(model.trainable)


def objects(record: RunRecord) -> str:
    """What the model segments, in the plural."""
    if record.model.target.labels == "boundary":
        return "boundaries"
    return "instances" if record.data.labels == "instances" else "foreground"


def image_axes(record: RunRecord) -> Markdown:
    """The axes of an image, for a comment in example code."""
    return Markdown("(height, width)" if record.model.channels == 1 else "(channels, height, width)")


def output_axes(record: RunRecord) -> Markdown:
    """The axes of what a package gives, and what it is where it is no map, for a comment in example code."""
    target = record.model.target
    names = AXES | {"c": "1"} if target.exports_labels else AXES
    axes = ", ".join(names[letter] for letter in target.exported_axes or "bcyx")
    return Markdown(f"({axes}): labels" if target.exports_labels else f"({axes})")


def limits(record: RunRecord) -> list[str]:
    """What the record itself shows the model was not tried on, then the warnings, then the author's own."""
    inherited = [record.model.base.terms] if record.model.base.terms else []
    return [
        *_limits_of_data(record),
        *_limits_of_accuracy(record),
        *inherited,
        *record.warnings,
        *record.card.limits,
    ]


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
        found.append(
            f"The largest image it was trained or tested on has {largest[-2]} × {largest[-1]} pixels; "
            "much larger ones were not tried."
        )
    return found


def _limits_of_accuracy(record: RunRecord) -> list[str]:
    accuracy = record.accuracy
    if accuracy is None and record.prompts:
        return [*_not_reproduced(record), "How well it labels images without prompts was not measured."]
    if accuracy is None:
        return ["Its accuracy was not measured: there were no test images."]
    found = []
    if accuracy.split != "test":
        found.append(f"Its accuracy is that of the {accuracy.split} images: none were held back for a test.")
    if accuracy.change and accuracy.change.low <= 0 <= accuracy.change.high:
        found.append("The change of Dice cannot be told from none: its interval holds 0.")
    return found + _not_reproduced(record)


def _not_reproduced(record: RunRecord) -> list[str]:
    return [
        f"{check.artifact} ({check.format}) does not reproduce the trained model."
        for check in record.exports
        if not check.equal
    ]


@dataclass(frozen=True)
class Citation:
    """One thing to cite."""

    what: str
    text: str
    bibtex: bool


def citations(record: RunRecord) -> list[Citation]:
    """What to cite and for what, each once."""
    found: dict[str, str] = {}
    for what, texts in (("Data", record.data.citation), ("Base model", record.model.base.citation)):
        for text in filter(str.strip, texts):
            found.setdefault(text.strip(), what)
    return [Citation(what, text, is_bibtex(text)) for text, what in found.items()]


def task(record: RunRecord) -> str:
    """The task in the word that both repositories use as a tag."""
    return "instance-segmentation" if objects(record) == "instances" else "semantic-segmentation"


def tags(record: RunRecord) -> list[str]:
    """The author's tags, then what is true of every model here: 2D, PyTorch, its task."""
    return list(dict.fromkeys([*record.card.tags, task(record), "2d", "pytorch"]))
