"""Error messages in the terms of a plugin: a form has parameters where a recipe has keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cards.errors import InputError

RECIPE_HINT = re.compile(r"[:;,]? ?(?:or )?set model\.checkpoint=.*$")
"""What messages on missing weights advise users of a recipe."""

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


@contextmanager
def missing_weights(hint: str) -> Iterator[None]:
    """Advise what a user of a plugin can do where weights are missing.

    Args:
        hint: the advice.

    Yields:
        Nothing.

    Raises:
        InputError: in place of one that advises to set a key of a recipe.
    """
    try:
        yield
    except InputError as error:
        text = RECIPE_HINT.sub("", str(error))
        if text == str(error):
            raise
        raise type(error)(f"--model: {text}; {hint}") from error


def parameter_of(key: str) -> str:
    """Name the parameter that sets a key of a recipe.

    Args:
        key: such as "training.learning_rate".

    Returns:
        Such as "--learningRate"; the key if no parameter sets it.
    """
    return f"--{PARAMETERS[key]}" if key in PARAMETERS else key
