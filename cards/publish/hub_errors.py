"""Errors of a publication on the Hugging Face Hub, in one line and without quoting the server.

Messages of huggingface_hub are not quoted: they may contain request headers or signed addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

from cards.errors import InputError
from cards.publish.base import PublishError

HUB = "the Hugging Face Hub"
REFUSED = (401, 402, 403)

REASONS = {
    400: f"{HUB} rejects the request as invalid (400)",
    401: f"{HUB} denies access (401): run `hf auth login`, or correct HF_TOKEN",
    402: f"{HUB} asks for a paid plan (402)",
    403: f"{HUB} denies access (403): use a token with permission to write to this repository",
    404: f"{HUB} does not find it (404)",
    409: f"{HUB} reports a conflict (409): the repository changed in the meantime",
    412: f"{HUB} reports a conflict (412): the repository changed in the meantime",
    413: f"{HUB} refuses a file as too large (413)",
    429: f"{HUB} reports too many requests (429): wait a few minutes",
}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to its cause.

    Args:
        error: any error.

    Yields:
        The error and its causes.
    """
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def status_of(error: BaseException) -> int | None:
    """HTTP status with which the server answered.

    Args:
        error: error of huggingface_hub or its HTTP client.

    Returns:
        The status; None if there was no answer.
    """
    for cause in causes(error):
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status is not None:
            return int(status)
    return None


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later.

    Args:
        error: error of huggingface_hub or its HTTP client.

    Returns:
        True for a broken connection, too many requests and server errors.
    """
    status = status_of(error)
    if status is not None:
        return status == 429 or status >= 500
    return not isinstance(error, ValueError)


def reason_of(error: BaseException) -> str:
    """Describe an error.

    Args:
        error: error of huggingface_hub or its HTTP client.

    Returns:
        What happened and what to do, in one clause.
    """
    if any("metadata in README.md" in str(cause) for cause in causes(error)):
        return f"{HUB} rejects the metadata of README.md"
    status = status_of(error)
    if status is not None:
        server = f"{HUB} reports a server error ({status})" if status >= 500 else f"{HUB} answers {status}"
        return REASONS.get(status, server)
    if isinstance(error, ValueError):
        return f"{HUB} answers with something unexpected ({type(error).__name__})"
    return f"the connection to {HUB} broke ({type(list(causes(error))[-1]).__name__})"


def failure(where: str, state: str, error: BaseException, then: str) -> InputError | PublishError:
    """Build the error that ends a publication.

    Args:
        where: id of the repository.
        state: what is there, such as "not published".
        error: why it ended.
        then: what to do.

    Returns:
        InputError if the user is refused, otherwise PublishError.
    """
    kind = InputError if status_of(error) in REFUSED else PublishError
    return kind(f"{where}: {state}: {reason_of(error)}; {then}")
