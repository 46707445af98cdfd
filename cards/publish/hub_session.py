"""A session with the Hugging Face Hub: the client of the user, and reads that are repeated."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from cards.errors import InputError
from cards.publish.hub_errors import is_temporary

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Value = TypeVar("Value")

WAITS = (1.0, 2.0)  # seconds before a read is repeated


def read(request: Callable[[], Value]) -> Value:
    """Repeat a request that changes nothing if the connection breaks or the Hub is overloaded.

    Args:
        request: the request.

    Returns:
        Its result.
    """
    for wait in WAITS:
        try:
            return request()
        except Exception as error:
            if not is_temporary(error):
                raise
        time.sleep(wait)
    return request()


@contextmanager
def client() -> Iterator[HfApi]:
    """Open a client with the token of the user and the plain upload protocol.

    The LFS protocol is used instead of Xet, for which huggingface_hub has no fallback if a server lacks it.

    Yields:
        The client.

    Raises:
        InputError: if there is no token.
    """
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # huggingface_hub reads it when it is imported
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
        logging,
    )

    token = get_token()
    if token is None:
        raise InputError("publishing on Hugging Face needs a token: run `hf auth login`, or set HF_TOKEN")
    if not token.isascii():
        raise InputError("the token for Hugging Face holds characters that no token has: check HF_TOKEN")
    if constants.HF_HUB_OFFLINE:
        variable = "FINETUNE_OFFLINE" if os.environ.get("FINETUNE_OFFLINE") else "HF_HUB_OFFLINE"
        raise InputError(f"{variable} is set: unset it to publish")
    level = logging.get_verbosity()
    if level >= logging.WARNING:  # one message per retry; whoever asked for more gets all
        logging.set_verbosity(logging.CRITICAL)
    xet, bars = constants.HF_HUB_DISABLE_XET, not are_progress_bars_disabled()
    constants.HF_HUB_DISABLE_XET = True
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield HfApi(token=token, endpoint=constants.ENDPOINT, library_name="finetune")
    finally:
        constants.HF_HUB_DISABLE_XET = xet
        logging.set_verbosity(level)
        if bars:
            enable_progress_bars()
