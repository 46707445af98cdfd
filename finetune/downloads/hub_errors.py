"""Error messages for the Hugging Face Hub: what went wrong and what to do, in one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from cards.errors import DownloadError
from finetune.utils.atomic import is_disk_full
from finetune.utils.offline import offline_reason


@contextlib.contextmanager
def without_log() -> Iterator[None]:
    """Suppress the log messages of huggingface_hub, such as one per retry; errors are raised.

    Yields:
        Nothing. Progress bars appear in a terminal as before.
    """
    from huggingface_hub.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)


def is_temporary(error: Exception) -> bool:
    """Whether an error may disappear by itself, so that the cache may be used in the meantime.

    Args:
        error: error of huggingface_hub or its HTTP client.

    Returns:
        True for a failed connection, too many requests, and server errors.
    """
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        return _status(error) == 429 or _status(error) >= 500
    return not isinstance(error, errors.HFValidationError)


def hub_error(error: BaseException, revision: str | None, name: str = "") -> DownloadError:
    """Translate an error of huggingface_hub.

    The text of the error is not quoted: it may contain a token or a signed URL.

    Args:
        error: error of huggingface_hub or its HTTP client.
        revision: requested revision.
        name: file whose download failed, if any.

    Returns:
        An error with a one-line message, to be prefixed with the name of the repository.
    """
    from huggingface_hub import constants, errors

    while isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__
    if isinstance(error, errors.GatedRepoError):
        message = "is gated: request access on its page on the Hugging Face Hub, then run `hf auth login`"
    elif isinstance(error, errors.RevisionNotFoundError):
        message = f"has no revision '{revision}' on the Hugging Face Hub"
    elif isinstance(error, errors.RepositoryNotFoundError):
        message = "no such model on the Hugging Face Hub; if it is private, run `hf auth login`"
    elif isinstance(error, errors.HFValidationError):
        message = "not a valid name of a model on the Hugging Face Hub: names have the form user/name"
    elif isinstance(error, errors.HfHubHTTPError):
        message = f"the Hugging Face Hub {status_message(error)}"
    elif is_disk_full(error):
        message = f"the disk is full, no room for {name}: free some space, or set HF_HOME to a folder"
        message += " on another disk"
    elif isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        message = f"cannot write the cache {constants.HF_HUB_CACHE} ({os.strerror(error.errno)}): set HF_HOME"
        message += " to another folder"
    elif name:
        message = f"the download of {name} was interrupted ({type(error).__name__}) and discarded: try again"
    else:
        offline = isinstance(error, errors.OfflineModeIsEnabled)
        reason = (offline_reason() or "HF_HUB_OFFLINE is set") if offline else type(error).__name__
        message = f"the Hugging Face Hub cannot be reached ({reason}), and the model is not in its cache"
    return DownloadError(message)


def status_message(error: BaseException) -> str:
    """Describe an HTTP error of the Hub.

    Args:
        error: error with a `response`, as huggingface_hub raises it.

    Returns:
        Predicate of a sentence about the Hub, with the remedy.
    """
    status = _status(error)
    if status == 401:
        return "denies access (401): run `hf auth login`, or correct HF_TOKEN"
    if status == 403:
        return "denies access (403): the token needs permission to read this repository"
    if status == 429:
        return "reports too many requests (429): wait a few minutes, or raise the limit with `hf auth login`"
    if status >= 500:
        return f"reports a server error ({status}): try again later"
    return f"answers {status}: if HF_ENDPOINT is set, check that it is the address of a Hub"


def safe_cause(error: Exception) -> Exception | None:
    """Cause to chain to an error message.

    Args:
        error: error of huggingface_hub or its HTTP client.

    Returns:
        The error, or None if its text may quote request headers, and with them the token.
    """
    return error if isinstance(error, OSError) else None


def _status(error: BaseException) -> int:
    return getattr(getattr(error, "response", None), "status_code", 0)
