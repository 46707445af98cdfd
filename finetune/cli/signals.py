"""Signals that ask a command to end: handled like Ctrl-C."""

from __future__ import annotations

import os
import signal
from types import FrameType

_received: list[int] = []


def handle_termination() -> None:
    """Let SIGTERM and SIGHUP interrupt the command like Ctrl-C, so that it cleans up first.

    A signal that is ignored, as by `nohup`, or that has a handler stays as it is.
    """
    process = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a worker that has just been forked
            os._exit(128 + number)
        if not _received:  # further ones must not disturb the cleanup
            _received.append(number)
            raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, interrupt)


def exit_code(default: int) -> int:
    """Exit code of the command.

    Args:
        default: exit code unless a signal ended the command.

    Returns:
        128 + the number of the signal that ended the command, as shells report it; otherwise the default.
    """
    return 128 + _received[0] if _received else default
