"""Error messages in the terms of a plugin: a form has parameters where a recipe has keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cards.errors import InputError

PARAMETERS = {
    "data.labels": "labels",
    "model.adapt": "adapt",
    "model.adapt_options.rank": "rank",
    "model.target": "target",
    "training.epochs": "epochs",
    "training.learning_rate": "learningRate",
    "training.seed": "seed",
}
"""Parameters of the fine-tuning plugin by key of a recipe."""


def parameter_of(key: str) -> str:
    """Name the parameter that sets a key of a recipe.

    Args:
        key: such as "training.learning_rate".

    Returns:
        Such as "--learningRate"; the key if no parameter sets it.
    """
    return f"--{PARAMETERS[key]}" if key in PARAMETERS else key


@contextmanager
def in_terms_of(inputs: Mapping[str, Path], scratch: Path) -> Iterator[None]:
    """Let errors name the user's folders, not links to them, and the parameter that is to blame.

    Args:
        inputs: folder of each input that is a folder.
        scratch: folder of temporary files, which may hold links to files of the inputs.

    Yields:
        Nothing.

    Raises:
        InputError: in place of one of the same type.
    """
    try:
        yield
    except InputError as error:
        text = _without_links(str(error), scratch)
        if not text.startswith("--"):
            text = _with_parameter(text, inputs)
        if text == str(error):
            raise
        raise type(error)(text) from error


def _without_links(text: str, scratch: Path) -> str:
    """Replace paths of links, and of folders that hold links, by what they lead to."""
    names: dict[str, str] = {}
    for link in scratch.rglob("*"):
        if link.is_symlink():
            source = link.readlink()
            names[str(link)], names[str(link.parent)] = str(source), str(source.parent)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text


def _with_parameter(text: str, inputs: Mapping[str, Path]) -> str:
    """Begin a message with the parameter of the key or folder that it begins with."""
    key = text.partition(":")[0]
    if key in PARAMETERS:
        return f"{parameter_of(key)}{text.removeprefix(key)}"
    by_length = sorted(inputs.items(), key=lambda item: len(str(item[1].resolve())), reverse=True)
    for name, folder in by_length:
        if text.startswith((str(folder), str(folder.resolve()))):
            return f"--{name}: {text}"
    return text
