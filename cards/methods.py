"""The paragraph on a model for the methods section of a paper, ready to paste."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cards import formatting as words
from cards import statements as facts
from cards.base import Spec, Split
from cards.leakage import accuracy_on, is_divided, scored_images, unrelated_images
from cards.record import RunRecord
from cards.result_tables import spread
from cards.selection import selection_sentences
from cards.tables import averaging

SOFTWARE = {
    "torch": "PyTorch",
    "pytorch-lightning": "PyTorch Lightning",
    "transformers": "transformers",
    "cellpose": "Cellpose",
    "stardist": "StarDist",
    "sam2": "SAM 2",
    "torchvision": "torchvision",
}
"""Packages that the paragraph names if the run used them, in the spelling of their authors."""

MAX_NAMED_MAPS = 4
SPLITS: dict[str, Split] = {"training": "train", "validation": "validation", "test": "test"}


def methods(record: RunRecord) -> str:
    """Describe model, data, training, selection, accuracy and software.

    Args:
        record: the run.

    Returns:
        Plain text: a paragraph of short sentences in the past tense, without opinions.
    """
    sentences = [_model(record), _maps(record), _data(record), _training(record)]
    sentences += [*selection_sentences(record), _accuracy(record), _software(record)]
    return " ".join(filter(None, sentences))


def _model(record: RunRecord) -> str:
    base, model = record.model.base, record.model
    what = {"instances": "Instances were", "boundaries": "Boundaries were"}.get(
        facts.objects(record), "Foreground was"
    )
    how = "segmented interactively" if facts.answers_prompts(record) else "segmented"
    network = f"{model.architecture.name} ({model.architecture.repository})"
    if base.weights == "random":
        start = "trained from scratch"
    else:
        revision = f", revision {base.revision}" if base.revision else ""
        part = f", reusing {base.part}" if base.part else ""
        start = f"fine-tuned from {base.id} ({base.repository}{revision}){part}"
    trained = ""
    if model.trainable != model.parameters:
        trained = (
            f"; {words.count(model.trainable)} of {words.count(model.parameters)} parameters were trained"
        )
    return f"{what} {how} with {network}, {start}{trained}."


def _maps(record: RunRecord) -> str:
    target, maps = record.model.target, record.model.maps
    if facts.answers_prompts(record):
        return ""
    named = len(target.map_names) == maps <= MAX_NAMED_MAPS
    names = f": {words.listed(target.map_names)}" if named else ""
    decoded = f", decoded to labels with {words.listed(options)}" if (options := _options(target)) else ""
    return (
        f"The network predicted the {words.counted(maps, 'map')} of the target {target.name}{names}{decoded}."
    )


def _options(spec: Spec) -> list[str]:
    """Options in words; those that hold further options are on the card, in its table."""
    options = sorted(spec.options.items())
    return [
        f"{key.replace('_', ' ')} {value}" for key, value in options if isinstance(value, str | int | float)
    ]


def _data(record: RunRecord) -> str:
    data = record.data
    counts = {name: data.count(split) for name, split in SPLITS.items()}
    images = [words.counted(count, f"{name} image") for name, count in counts.items() if count]
    provided = words.listed(images or ["no images"])
    normalize = record.model.normalize
    options = f" ({', '.join(options)})" if (options := _options(normalize)) else ""
    return (
        f"The data set {data.id} provided {provided} ({facts.split_by(record)}). "
        f"Images were normalized by {normalize.name}{options}."
    )


def _training(record: RunRecord) -> str:
    how = record.training
    augmentation = f"Augmentation: {how.augmentation}."
    if how.augmentation == "none":
        augmentation = "No augmentation was used."
    stopped = f" of {words.count(how.epochs_planned)}, {how.stopped}," if how.stopped else ""
    averaged = f" The weights are an {averaging(how)}." if how.average else ""
    return (
        f"The network was trained for {words.counted(how.epochs, 'epoch')}{stopped} with {how.optimizer} "
        f"(learning rate {words.number(how.learning_rate)}; schedule: {how.schedule}; weight decay "
        f"{words.number(how.weight_decay)}; batch size {how.batch_size}; patches of {how.patch}"
        f" × {how.patch} px; loss: {how.loss}).{averaged} {augmentation}"
    )


def _accuracy(record: RunRecord) -> str:
    scored, unrelated = scored_images(record), unrelated_images(record)
    if not scored:
        return f"Accuracy was {words.NOT_MEASURED}."
    split = record.accuracy.split if record.accuracy else "test"
    images = words.counted(len(scored), f"{split} image")
    how = " (mean ± SD over images)" if len(scored) > 1 else ""
    sentence = f"On {images}, the model reached {_scores(record, scored)}{how}"
    if unrelated is None or not is_divided(record):
        return f"{sentence}."
    count = words.count(len(unrelated))
    return f"{sentence}; on the {count} of them unrelated to training images, {_scores(record, unrelated)}."


def _scores(record: RunRecord, images: Collection[str]) -> str:
    summaries = accuracy_on(record, images)
    labels = {score.kind: f"IoU with {score.kind}" for score in record.prompts} or {
        metric.name: metric.label for metric in record.metrics if metric.headline
    }
    parts: Sequence[str] = [
        f"{label} {spread(summaries[key])}" for key, label in labels.items() if key in summaries
    ]
    return words.listed(parts)


def _software(record: RunRecord) -> str:
    installed, used = record.environment.packages, _used(record)
    named = [f"{name} {installed[key]}" for key, name in SOFTWARE.items() if key in used and key in installed]
    listed = ", ".join([f"finetune {record.finetune_version}", *named, f"Python {record.environment.python}"])
    return f"Software: {listed}."


def _used(record: RunRecord) -> set[str]:
    """Packages that train every model, and that of the network's repository."""
    repository = record.model.architecture.repository
    return {"torch", "pytorch-lightning", {"huggingface": "transformers"}.get(repository, repository)}
