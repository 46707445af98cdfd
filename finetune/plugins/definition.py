"""Definition of a plugin as data: inputs, outputs and what a platform shows about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cards.errors import InputError

InputKind = Literal["collection", "model", "text", "integer", "number", "choice", "flag"]
OutputKind = Literal["collection", "model", "logs", "table"]

NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
"""Names of plugins, inputs and outputs, as both NIST schemas require: no underscore."""

YES, NO = "YES", "NO"
FOLDERS = ("collection", "model")


@dataclass(frozen=True)
class Input:
    """An input of a plugin.

    Attributes:
        name: of the parameter, as in `--name value`.
        kind: a collection of images, a model folder, or the type of a value; a flag is YES or NO.
        label: what a form shows beside the field.
        help: one or two sentences for a biologist.
        section: heading in the form under which the field appears.
        required: whether a value must be given.
        default: value if none is given; None if there is none.
        choices: allowed values of a choice.
        minimum: smallest allowed number.
        above: number that the value must exceed.
        maximum: largest allowed number.
        multiple_of: number of which the value must be a multiple.
        condition: name and value of another input; the form shows this field only if they are equal.
    """

    name: str
    kind: InputKind
    label: str
    help: str
    section: str
    required: bool = False
    default: str | int | float | bool | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None
    condition: tuple[str, str] | None = None


@dataclass(frozen=True)
class Output:
    """An output of a plugin: a folder.

    Attributes:
        name: of the parameter, as in `--name FOLDER`.
        kind: a collection of images, a model, TensorBoard logs, or a folder of CSV files.
        label: what a platform calls it.
        help: content of the folder, in one sentence.
        options: values that WIPP copies into its own model card.
    """

    name: str
    kind: OutputKind
    label: str
    help: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One execution of a plugin.

    Attributes:
        values: value of each input; None for an input without a value.
        outputs: folder of each output. It does not exist yet, and is moved to its final place at the end.
        scratch: folder for intermediate files, which is deleted at the end.
        log: reports progress in one line.
    """

    values: Mapping[str, Any]
    outputs: Mapping[str, Path]
    scratch: Path
    log: Callable[[str], None]


@dataclass(frozen=True)
class Plugin:
    """A plugin.

    Attributes:
        name: of the plugin, such as "dice-segmentationaccuracy".
        title: what a platform shows in its list of plugins.
        description: one or two sentences.
        inputs: in the order of the form.
        outputs: folders.
        run: executes the plugin.
        memory: required memory in MiB.
        cores: required number of CPU cores.
        network: whether weights may be downloaded.
        extras: optional dependencies of finetune that the container needs.
        operations: what the plugin does, for WIPP's card of a trained model.
    """

    name: str
    title: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    run: Callable[[Job], None]
    memory: int
    cores: int = 2
    network: bool = False
    extras: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            InputError: if a name is invalid or used twice.
        """
        names = self.names()
        for name in (self.name, *names):
            if not NAME.fullmatch(name):
                raise InputError(f"plugin {self.name}: '{name}' is no valid name: use letters, digits and -")
        if len(set(names)) < len(names):
            raise InputError(f"plugin {self.name}: two parameters have the same name")

    def names(self) -> list[str]:
        """Names of all parameters.

        Returns:
            Names of the inputs, then of the outputs.
        """
        return [one.name for one in self.inputs] + [one.name for one in self.outputs]

    def sections(self) -> dict[str, list[Input]]:
        """Group the inputs by their heading in the form.

        Returns:
            Inputs by heading, in order.
        """
        grouped: dict[str, list[Input]] = {}
        for one in self.inputs:
            grouped.setdefault(one.section, []).append(one)
        return grouped


def default_text(one: Input) -> str | int | float | None:
    """Default value as a parameter takes it: flags are YES or NO.

    Args:
        one: an input.

    Returns:
        The value; None if there is no default.
    """
    if one.kind == "flag":
        return YES if one.default else NO
    return one.default


def allowed_values(one: Input) -> tuple[str, ...]:
    """Values that a form offers.

    Args:
        one: an input.

    Returns:
        The values; empty for a field that takes any value.
    """
    return (YES, NO) if one.kind == "flag" else one.choices
