"""`finetune init`: inspect images and masks, and write a recipe that gives the reason of each choice."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cards.environment import capture_environment
from cards.errors import InputError, RecipeError
from cards.formatting import counted
from cards.paths import expand_user
from finetune.data.description import SPLIT_BY_FIELD, Description, describe_data
from finetune.data.inspection import Progress
from finetune.data.label_survey import LabelSurvey, survey_labels
from finetune.pipeline.first_model import FirstModel, choose_model, depth_for
from finetune.pipeline.first_target import choose_target
from finetune.recipe.commented import Choice, render_recipe

if TYPE_CHECKING:
    from finetune.training.step_time import StepTime

MINUTES = 30.0
SHARE_OF_TRAINING = 0.8  # of the time; the rest is for validation, evaluation and exports
LEAST_STEPS = 16  # per epoch: fewer would spend the time on validation
WANTED_STEPS = 300  # for which a smaller batch is taken if time is short
LEAST_EPOCHS = 4
MOST_EPOCHS = 200
NOT_MEASURED = 20  # epochs, if the time of a step is unknown
VALIDATIONS = 20  # in a run
LONG = 500  # steps from which averaged weights are sensible
LONGEST = 100  # characters of the name of a recipe
OBJECTS_PER_PATCH = 6  # objects along the side of a patch


@dataclass(frozen=True)
class Wishes:
    """What the user wants of the recipe.

    Attributes:
        license: "commercial", or a license that the model must have; None for any.
        minutes: time for the run on this machine.
        model: id of the model to use; chosen if None.
        pretrained: whether a model that must be downloaded may be chosen.
    """

    license: str | None = None
    minutes: float = MINUTES
    model: str | None = None
    pretrained: bool = False


@dataclass(frozen=True)
class FirstRecipe:
    """A recipe for a user's images.

    Attributes:
        text: YAML with the reason of each choice.
        warnings: what is suspicious about the data.
    """

    text: str
    warnings: list[str]


def write_first_recipe(
    folder: Path, wishes: Wishes, command: str, progress: Progress | None = None
) -> FirstRecipe:
    """Inspect a folder of images and masks and choose model, target and settings.

    Args:
        folder: images and masks, or a table (CSV) of both.
        wishes: of the user.
        command: the command that runs the recipe, for its header.
        progress: called with how many of how many images were read.

    Returns:
        The recipe.

    Raises:
        InputError: if the data cannot be used, or no model fits the wishes.
    """
    folder = expand_user(folder)
    if not folder.exists():
        raise RecipeError(f"{folder}: no such folder; give the folder that holds the images and masks")
    table = folder if folder.suffix.lower() == ".csv" and folder.is_file() else None
    root = table.parent if table else folder
    csv = table.name if table else None
    described, labels = _inspect(root, csv, progress)
    colors, channels, color_reason = _channels(described)
    goal = choose_target(labels)
    train = sum(one.file.split == "train" for one in described.checked)
    model = choose_model(goal, labels, channels, wishes.license, wishes.model, wishes.pretrained)
    patch, patch_reason = _patch(described, labels, depth_for(labels.diameter))
    step = _measure(model, channels, patch)
    if step and step.patch != patch:
        patch, patch_reason = step.patch, f"{patch_reason}; the network requires a multiple of {step.patch}"
    choices = [
        *model.choices(),
        Choice("data.csv" if table else "data.root", str(folder)),
        Choice("data.labels", labels.kind, _about_labels(labels, len(described.pairs))),
        Choice("data.channels", colors, color_reason),
        *_split(described),
        *_training(train, step, wishes.minutes, patch, patch_reason),
        Choice("card.title", f"{model.title} for {_printable_name(folder)}", "change title and description"),
        Choice("card.description", "Segments objects in images like those that it was trained on."),
    ]
    facts = described.lines()
    warnings = [one for one in described.warnings if one != SPLIT_BY_FIELD]  # the recipe does
    if labels.classes > 1:
        warnings.append(
            f"the masks hold {labels.classes} classes, and all of them become foreground: if one is "
            "background or a boundary, set it to 0 in the masks"
        )
    header = [
        "Written by `finetune init`; every value below gives its reason. Run it with:",
        f"  {command}",
        "",
        f"Images: {facts['images']}. Size: {facts['size']}. Channels: {facts['channels']}.",
        *(f"Warning: {warning}." for warning in warnings),
    ]
    return FirstRecipe(render_recipe(choices, header), warnings)


def _measure(model: FirstModel, channels: int, patch: int) -> StepTime | None:
    """Cost of a training step; None for a model that cannot be built before it is downloaded."""
    from finetune.training.step_time import measure_step  # imports torch, which takes seconds

    options = {key: value for key, value in model.options.items() if value != "auto"}
    try:
        return measure_step(
            model.repository,
            model.name,
            options,
            model.target,
            model.network_options_of_target(),
            channels=channels,
            patch=patch,
            memory=capture_environment([]).memory_bytes,
        )
    except InputError:
        return None


def _inspect(root: Path, csv: str | None, progress: Progress | None) -> tuple[Description, LabelSurvey]:
    from finetune.data.pairs import find_pairs

    labels = survey_labels(find_pairs(root, csv=csv))
    return describe_data(root, labels.kind, csv=csv, progress=progress), labels


def _about_labels(labels: LabelSurvey, total: int) -> str:
    read = f"{labels.masks} of {total} masks were read"
    if labels.kind == "boundary":
        return f"the masks hold thin lines that enclose regions ({read})"
    if labels.classes > 1:
        return (
            f"the masks hold {labels.classes} classes ({read}); finetune separates objects from background "
            "and does not distinguish classes"
        )
    if labels.kind == "foreground":
        return f"all objects have the same value ({read}); every connected region is an object"
    return f"each object has its own value ({read}); median of {labels.objects:g} objects in an image"


def _channels(described: Description) -> tuple[str | list[int], int, str]:
    """Value of `data.channels`, the number of channels, and the reason."""
    counts = sorted({one.file.shape[0] for one in described.checked})
    if len(counts) > 1:
        listed = ", ".join(map(str, counts))
        return "gray", 1, f"the images have different numbers of channels ({listed}): their mean is used"
    if counts == [1]:
        return "auto", 1, "the images have one channel"
    indices = range(0, len(described.pairs), max(1, len(described.pairs) // 8))
    images = [described.load(index) for index in indices]
    transparent = counts == [4] and all(image[3].min() == image[3].max() for image in images)
    colors = [image[:3] if transparent else image for image in images]
    if all(np.array_equal(image[0], channel) for image in colors for channel in image[1:]):
        return "gray", 1, "the channels are equal: gray images saved as color"
    if transparent:
        return [0, 1, 2], 3, "the fourth channel is constant: transparency"
    return "auto", counts[0], f"the images have {counts[0]} different channels; all are used"


def _split(described: Description) -> list[Choice]:
    if described.provided:
        return []
    if described.links:
        reason = (
            f"{counted(len(described.links), 'pair')} of related images (copies, parts, or tiles of one "
            "field of view); related images stay in one split"
        )
        return [Choice("data.split", "by-field", reason)]
    return [Choice("data.split", "random", "no related images were found; a tenth validates, a tenth tests")]


def _patch(described: Description, labels: LabelSurvey, depth: int) -> tuple[int, str]:
    """Side of a training patch, a multiple of what the networks halve, and the reason."""
    divisor = max(32, 2**depth)
    smallest = min(min(one.file.shape[1:]) for one in described.checked)
    wanted = OBJECTS_PER_PATCH * max(labels.diameter, divisor / OBJECTS_PER_PATCH)
    largest = max(divisor, smallest // divisor * divisor)
    patch = min(512, max(64, 2 ** math.ceil(math.log2(wanted))), largest)
    return patch, (
        f"objects have a median diameter of {labels.diameter:g} px; the shortest image side is {smallest} px"
    )


def _training(
    train: int, step: StepTime | None, minutes: float, patch: int, patch_reason: str
) -> list[Choice]:
    if step is None:
        unknown = (
            "the time of a step was not measured: first download the model, install its package, or free "
            "GPU memory"
        )
        return [
            Choice("training.epochs", NOT_MEASURED, unknown),
            Choice("training.patch", patch, patch_reason),
        ]
    budget = SHARE_OF_TRAINING * 60 * minutes / step.seconds_per_patch  # patches
    batch_size = next((size for size in step.bytes if budget >= WANTED_STEPS * size), min(step.bytes))
    available = max(1, int(budget / batch_size))  # steps
    whole = -(-train // batch_size)  # steps that see every training image once
    batches = min(max(LEAST_STEPS, whole), max(1, available // LEAST_EPOCHS))
    epochs = max(1, min(MOST_EPOCHS, available // batches))
    steps = epochs * batches
    seconds = step.seconds_per_patch * batch_size
    where = "this machine's processor" if step.device == "cpu" else step.device
    choices = [
        Choice(
            "training.epochs",
            epochs,
            f"a step takes {seconds:.2g} s on {where}, measured with noise; {steps:,} steps take about "
            f"{steps * seconds / 60:.2g} min of {minutes:g}, the rest is for validation, evaluation and "
            "exports",
        )
    ]
    if batches != whole:
        images = f"there are {train} training images and time for {available:,} steps"
        choices.append(Choice("training.images_per_epoch", batches * batch_size, images))
    needs = f"training with this batch size needs about {step.bytes[batch_size] / 2**30:.1f} GiB of memory"
    choices += [
        Choice("training.batch_size", batch_size, needs),
        Choice("training.patch", patch, patch_reason),
    ]
    if epochs > VALIDATIONS:
        every = -(-epochs // VALIDATIONS)
        choices.append(Choice("training.validate_every", every, f"about {VALIDATIONS} validations in a run"))
    if steps >= LONG:
        choices.append(Choice("training.average", 0.99, "averaged weights vary less from step to step"))
    return choices


def _printable_name(folder: Path) -> str:
    return re.sub(r"[^\w .+-]+", " ", _name(folder)).strip() or "images"


def _name(data: Path) -> str:
    """Name of a folder, which may contain dots, or of a table without its suffix."""
    path = data.resolve()
    return path.stem if path.is_file() else path.name


def recipe_file(folder: Path, out: Path | None) -> Path:
    """Choose the file to write.

    Args:
        folder: the images.
        out: file or existing folder that the user wants; the working directory if None.

    Returns:
        The file, which does not exist yet.

    Raises:
        RecipeError: if it exists, or its name is no name of a recipe.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", _name(expand_user(folder)))[:LONGEST].strip("_-.") or "recipe"
    path = Path(f"{name}.yaml") if out is None else expand_user(out)
    if path.is_dir():
        path = path / f"{name}.yaml"
    if path.exists():
        raise RecipeError(f"{path}: exists; choose another file with --out")
    if path.suffix not in {".yaml", ".yml"} or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", path.stem):
        raise RecipeError(
            f"{path}: not a name of a recipe: letters, digits, '_', '-' and '.', ending in .yaml"
        )
    return path
