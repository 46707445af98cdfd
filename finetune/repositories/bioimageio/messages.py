"""Messages of the BioImage.IO libraries."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress log messages, warnings and progress bars of the BioImage.IO libraries; errors are raised.

    Yields:
        Nothing.
    """
    import warnings

    from bioimageio.spec import ValidationContext
    from loguru import logger

    logger.disable("bioimageio")
    try:
        with warnings.catch_warnings(), ValidationContext(progressbar=False, log_warnings=False):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.enable("bioimageio")


def on_one_line(reason: object) -> str:
    """Shorten a message of many lines, such as that of an invalid description.

    Args:
        reason: an error or a text.

    Returns:
        At most 250 characters on one line.
    """
    return textwrap.shorten(" ".join(str(reason).split()), 250, placeholder=" …")
