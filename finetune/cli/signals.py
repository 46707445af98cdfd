"""Signals that ask a command to end: handled like Ctrl-C."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN = 0.05
"""Seconds until an interrupt that was lost is raised again."""

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
    _raise_again_if_lost()


def _raise_again_if_lost() -> None:
    """Python ignores exceptions, also interrupts, in `__del__` and in callbacks of weak references and C."""
    report = sys.unraisablehook

    def raise_again(ignored: UnraisableHookArgs) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            report(ignored)
            return
        number = signal.Signals(_received.pop()) if _received else signal.SIGINT
        timer = threading.Timer(AGAIN, _send, (number,))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = raise_again


def _send(number: signal.Signals) -> None:
    """Send a signal to the main thread, and wake it up where the platform can."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)
    else:
        _thread.interrupt_main(number)


def exit_code(default: int) -> int:
    """Exit code of the command.

    Args:
        default: exit code unless a signal ended the command.

    Returns:
        128 + the number of the signal that ended the command, as shells report it; otherwise the default.
    """
    return 128 + _received[0] if _received else default
