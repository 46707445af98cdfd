"""The paragraph on a model for the methods section of a paper, ready to paste."""

from __future__ import annotations

from cards import formatting as words
from cards import statements as facts
from cards.record import RunRecord, TargetSpec

SOFTWARE = {
    "torch": "PyTorch",
    "pytorch-lightning": "PyTorch Lightning",
    "transformers": "transformers",
    "cellpose": "Cellpose",
    "stardist": "StarDist",
    "sam2": "SAM 2",
}
"""Packages that the paragraph names if the run used them, with the spelling of their authors."""


def methods(record: RunRecord) -> str:
    """Describe model, data, training, accuracy and software.

    Args:
        record: the run.

    Returns:
        Plain text: a paragraph of short sentences in the past tense.
    """
    sentences = [_model(record), _data(record), _training(record), _selection(record), *_accuracy(record)]
    return " ".join(sentence for sentence in [*sentences, _software(record)] if sentence)


def _model(record: RunRecord) -> str:
    base, model = record.model.base, record.model
    what = {"instances": "Instances were", "boundaries": "Boundaries were"}.get(
        facts.objects(record), "Foreground was"
    )
    network = f"{model.architecture.name} ({model.architecture.repository})"
    if base.weights == "random":
        start = "trained from scratch"
    else:
        revision = f", revision {base.revision}" if base.revision else ""
        part = "part of " if base.part else ""
        start = f"fine-tuned from {part}{base.id} ({base.repository}{revision})"
    how = {"full": "all weights", "head": "the output layers", "lora": "LoRA adapters"}
    adapt = model.adapt.name if model.adapt else ""
    trained = f"{words.count(model.trainable)} of {words.counted(model.parameters, 'parameter')} trained"
    share = "" if model.trainable == model.parameters else f" ({how.get(adapt, adapt) or 'part'}; {trained})"
    how_shown = f"{start}{share}, and the target {_target(model.target)}"
    return f"{what} segmented with the network {network}, {how_shown}."


def _target(target: TargetSpec) -> str:
    return target.name.replace("_", " ")


def _data(record: RunRecord) -> str:
    data = record.data
    counts = {split: data.count(split) for split in ("train", "validation", "test")}
    parts = [words.counted(counts["train"], "training image")]
    parts += [words.counted(counts[name], f"{name} image") for name in ("validation", "test") if counts[name]]
    *others, last = parts
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"The data set {data.id} provided {listed} (split: {data.split_by})."


def _training(record: RunRecord) -> str:
    how = record.training
    stopped = ", stopped early" if how.stopped_early else ""
    return (
        f"Training took {words.counted(how.epochs, 'epoch')}{stopped} with {how.optimizer} (learning rate "
        f"{words.number(how.learning_rate)}, {how.schedule}; weight decay {words.number(how.weight_decay)}), "
        f"batch size {how.batch_size}, patches of {how.patch} × {how.patch} px and the loss {how.loss}."
    )


def _selection(record: RunRecord) -> str:
    return ""


def _accuracy(record: RunRecord) -> list[str]:
    return []


def _software(record: RunRecord) -> str:
    installed, used = record.environment.packages, _used(record)
    named = [f"{name} {installed[key]}" for key, name in SOFTWARE.items() if key in used and key in installed]
    listed = ", ".join([f"finetune {record.finetune_version}", *named, f"Python {record.environment.python}"])
    return f"Software: {listed}."


def _used(record: RunRecord) -> set[str]:
    """Packages in `SOFTWARE` that train every model, and those of the model's repository."""
    repository = record.model.architecture.repository
    own = {"huggingface": "transformers"}.get(repository, repository)
    return {"torch", "pytorch-lightning", own}
