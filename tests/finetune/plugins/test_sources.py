"""Parameters of the plugins follow the commands: a default exists once."""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import Annotated

import pytest
import typer
from plugin_inputs import plugins

from finetune.cli.plugin_commands import COMMANDS
from finetune.plugins.sources import from_command, from_key
from finetune.recipe.schema import TrainingSection


class Size(StrEnum):
    """Sizes."""

    small = "small"
    large = "large"


def command(
    often: Annotated[int, typer.Option(help="How often.")] = 3,
    size: Annotated[Size, typer.Option(help="How large.")] = Size.large,
    weight: Annotated[float | None, typer.Option(help="How heavy.")] = None,
    loud: Annotated[bool, typer.Option("--loud", help="Whether it is loud.")] = False,
) -> None:
    """Do something."""


@pytest.mark.parametrize(
    ("parameter", "kind", "default", "choices"),
    [
        ("often", "integer", 3, ()),
        ("size", "choice", "large", ("small", "large")),
        ("weight", "number", None, ()),
        ("loud", "flag", False, ()),
    ],
)
def test_an_input_has_type_default_and_help_of_the_option(parameter, kind, default, choices) -> None:
    found = from_command(command, parameter, name="x", label="X", section="S")
    assert (found.kind, found.default, found.choices) == (kind, default, choices)
    assert found.help.startswith(("How", "Whether"))


def test_an_input_has_the_limits_of_the_key_of_a_recipe() -> None:
    epochs = from_key(TrainingSection, "epochs", name="epochs", label="E", section="S")
    rate = from_key(TrainingSection, "learning_rate", name="rate", label="R", section="S")
    assert (epochs.minimum, epochs.default) == (1, TrainingSection().epochs)
    assert (rate.above, rate.default, rate.kind) == (0, None, "number")


@pytest.mark.parametrize(
    ("plugin", "name", "command_name", "parameter"),
    [
        ("inference-cellpose", "symmetries", "predict", "symmetries"),
        ("inference-bioimageio", "trust", "predict", "trust"),
        ("dice-segmentationaccuracy", "labels", "evaluate", "labels"),
        ("dice-segmentationaccuracy", "pixelSize", "evaluate", "pixel_size"),
        ("audit", "recompute", "audit", "recompute"),
    ],
)
def test_plugins_have_the_defaults_of_the_commands(plugin, name, command_name, parameter) -> None:
    (found,) = (one for one in plugins()[plugin].inputs if one.name == name)
    default = inspect.signature(COMMANDS[command_name]).parameters[parameter].default
    assert found.default == default


def test_fine_tune_has_the_defaults_of_a_recipe() -> None:
    found = {one.name: one.default for one in plugins()["fine-tune"].inputs}
    training = TrainingSection()
    assert (found["epochs"], found["learningRate"], found["seed"]) == (
        training.epochs,
        training.learning_rate,
        training.seed,
    )
