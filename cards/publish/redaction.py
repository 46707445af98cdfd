"""Keep tokens and signed addresses out of logs and messages."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

QUERY = re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]+")
HIDDEN = "***"


@contextmanager
def hidden(token: str | None) -> Iterator[None]:
    """Replace a token, and the query of each address, in all log messages of all packages.

    Libraries log requests for debugging, and warn of a failed upload with its address, whose query is a
    signature that permits the upload.

    Args:
        token: the token; None to hide queries only.

    Yields:
        Nothing.
    """
    create = logging.getLogRecordFactory()

    def create_redacted(*arguments: object, **options: object) -> logging.LogRecord:
        record = create(*arguments, **options)
        record.msg, record.args = redacted(record.getMessage(), token), ()
        record.exc_info = None  # a traceback quotes requests, too
        return record

    logging.setLogRecordFactory(create_redacted)
    try:
        yield
    finally:
        logging.setLogRecordFactory(create)


def redacted(text: str, token: str | None) -> str:
    """Hide a token and the queries of addresses in a text.

    Args:
        text: any text.
        token: the token; None to hide queries only.

    Returns:
        The text without them.
    """
    text = QUERY.sub(rf"\1?{HIDDEN}", text)
    return text.replace(token, HIDDEN) if token else text
