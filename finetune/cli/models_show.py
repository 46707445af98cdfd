"""`finetune models show`: everything known of one model, and a recipe to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from finetune.cli.console import print_line

if TYPE_CHECKING:
    from finetune.repositories.base import ModelInfo
    from finetune.repositories.catalog import Listed

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A model as repository:name, such as cellpose:cyto3, or its name alone; also an id on the "
        "Hugging Face Hub, or the nickname or DOI of a BioImage.IO model.",
    ),
]


def show(model: ModelName) -> None:
    """Describe one model, with a recipe to start from.

    No server is contacted.
    """
    from finetune.pipeline.published_exposure import published_for_all
    from finetune.pipeline.starting_recipe import included_recipes, recipe_for
    from finetune.repositories.catalog import find_model
    from finetune.repositories.filters import training_bytes

    listed = find_model(model)
    info = listed.info
    needed = training_bytes(info)
    facts = {
        "model": listed.id,
        "title": info.title,
        "task": info.task,
        "objects": ", ".join(info.objects) or "not stated",
        "license": describe_license(info),
        "terms": info.terms or "none known beyond the license" if info.license else info.terms or "unknown",
        "parameters": f"{info.parameters:,}" if info.parameters else "not measured",
        "memory": f"at least {needed / 1e9:.2g} GB to fine-tune all weights, without activations"
        if needed
        else "not measured",
        "targets": describe_targets(info),
        "fine-tunable": describe_tuning(info),
        "also known as": ", ".join(info.aliases) or "-",
        "described by": f"the server of {listed.repository} on {listed.asked}"
        if listed.asked
        else "finetune",
    }
    for label, text in facts.items():
        print_line(f"{label:<14}{text}")
    sources: dict[str, list[str]] = {}
    for data, known in published_for_all(listed.repository, info.name).items():
        sources.setdefault(f"{known.exposure} ({known.source})", []).append(data)
    for text, names in sources.items():
        print_line(f"{'exposure':<14}{', '.join(names)}: {text}")
    if not sources:
        print_line(f"{'exposure':<14}{describe_exposure(listed)}")
    if not info.fine_tunable:
        return
    for name in included_recipes(listed.repository, info.name):
        print_line(f"{'recipe':<14}finetune run {name} data.root=PATH")
    print_line(
        f"{'use':<14}finetune init PATH --model {listed.id} writes a recipe for your images, or start from:"
    )
    print_line()
    print(recipe_for(listed.repository, info), end="")


def describe_exposure(listed: Listed) -> str:
    """What is published about the named data sets among the images that a model learned from.

    Args:
        listed: the model.

    Returns:
        Names of data sets by exposure.
    """
    from finetune.pipeline.published_exposure import published_for_all

    if not listed.info.pretrained:
        return "none: no pretrained weights"
    names: dict[str, list[str]] = {}
    for data, known in published_for_all(listed.repository, listed.info.name).items():
        names.setdefault(known.exposure, []).append(data)
    return "; ".join(f"{exposure}: {', '.join(data)}" for exposure, data in names.items()) or "unknown"


def describe_license(info: ModelInfo) -> str:
    """License of the weights in words.

    Args:
        info: description of the model.

    Returns:
        The license; what is said instead if there is none.
    """
    from finetune.repositories.base import ANY

    if not info.pretrained:
        return "no pretrained weights"
    if info.name == ANY:
        return "the model's own"
    text = info.license or "unknown"
    return f"{text}, see its terms" if info.terms else text


def describe_targets(info: ModelInfo) -> str:
    """Suitable targets in words.

    Args:
        info: description of the model.

    Returns:
        Names of targets; "any but queries" if the model takes every target that is predicted pixel by pixel.
    """
    from finetune.repositories.base import PIXEL_TARGETS

    if set(PIXEL_TARGETS) <= set(info.targets):
        others = [target for target in info.targets if target not in PIXEL_TARGETS]
        return ", ".join(["any but queries", *others])
    return ", ".join(info.targets) or "none"


def describe_tuning(info: ModelInfo) -> str:
    """Whether a model can be fine-tuned, or why not.

    Args:
        info: description of the model.

    Returns:
        The words of the catalog.
    """
    if not info.fine_tunable:
        return f"no: {info.why_not}"
    return f"yes; {info.note}" if info.note else "yes"
