"""Advice where weights cannot be downloaded: what to set in a recipe, or what else to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cards.errors import InputError

FILE_ADVICE = "set model.checkpoint=PATH to a weights file, or model.pretrained=false for random weights"
FOLDER_ADVICE = (
    "set model.checkpoint=PATH to a folder with the model, or model.pretrained=false for random weights"
)

_ADVICE = re.compile(r"[:;,]? ?(?:or )?set model\.checkpoint=.*$")


@contextmanager
def advise(advice: str, *, where: str = "") -> Iterator[None]:
    """Replace the advice for recipes in errors about missing weights.

    Args:
        advice: what to do, for users who have no recipe.
        where: what the message begins with.

    Yields:
        Nothing.

    Raises:
        InputError: in place of one of the same type that advises to set a key of a recipe.
    """
    try:
        yield
    except InputError as error:
        text = _ADVICE.sub("", str(error))
        if text == str(error):
            raise
        raise type(error)(f"{where}{text}; {advice}") from error
