"""Exact moments: an audit hook ends the process, or fails a write, at the n-th event of a kind.

Python reports every `open`, `rename` and `copyfile` to audit hooks before it happens.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Moment:
    """The n-th time that a file is about to be written.

    Attributes:
        path: regular expression of the path that is opened, or renamed or copied to.
        events: "open" (for writing), "rename", "copy".
        count: which of the events, from 1.
        half: copy half of the bytes first, if the event is a copy.
        error: errno to raise from then on, instead of SIGKILL.
    """

    path: str
    events: tuple[str, ...] = ("open",)
    count: int = 1
    half: bool = False
    error: int | None = None


def watch(moment: Moment) -> None:
    """Wait in this process for the moment."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        found = _target(event, arguments)
        if found is None or found[0] not in moment.events or not re.search(moment.path, found[1]):
            return
        seen += 1
        if seen < moment.count:
            return
        if moment.error is not None:
            raise OSError(moment.error, os.strerror(moment.error), found[1])
        if moment.half and found[0] == "copy":
            source = Path(os.fsdecode(arguments[0])).read_bytes()
            descriptor = os.open(found[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(descriptor, source[: len(source) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def io_error(path: str) -> Moment:
    """An I/O error whenever such a path is opened for writing."""
    return Moment(path, error=errno.EIO)


def _target(event: str, arguments: tuple[Any, ...]) -> tuple[str, str] | None:
    names: dict[str, Callable[[], tuple[str, Any] | None]] = {
        "open": lambda: ("open", arguments[0]) if _writes(arguments) else None,
        "os.rename": lambda: ("rename", arguments[1]),
        "shutil.copyfile": lambda: ("copy", arguments[1]),
    }
    found = names[event]() if event in names else None
    if found is None or not isinstance(found[1], str | bytes | os.PathLike):
        return None
    return found[0], os.fsdecode(found[1])


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2] if len(arguments) > 2 else 0
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))
