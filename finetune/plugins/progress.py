"""Progress of a plugin as log lines, which platforms collect from the container."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rich.console import Console


def log(text: str) -> None:
    """Write one log line to standard error.

    Args:
        text: what happened.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f"{now} {text}", file=sys.stderr, flush=True)


def log_console(write: Callable[[str], None]) -> Console:
    """A console of rich whose lines become log lines.

    Args:
        write: takes each line.

    Returns:
        The console: without colors, bars and wrapping.
    """
    from rich.console import Console

    return Console(file=cast("IO[str]", _Lines(write)), force_terminal=False, width=10_000, no_color=True)


class _Lines:
    """A text file that passes each complete line on."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._pass_on, self._rest = write, ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._pass_on(line.rstrip())
        return len(text)

    def flush(self) -> None:
        """Nothing is held back but an incomplete line."""
