"""A quick start and end, for commands that answer within seconds."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Import packages and load a model without garbage collection.

    torch and what it imports create half a million objects that live as long as the process. The collector
    would go through all of them again and again while they are created, and once more when the process ends,
    which together takes a third of the processor time of `import torch`. Objects created inside the block are
    exempt from later collections (`gc.freeze`), unless their last reference goes.

    Yields:
        Nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def end(code: int) -> None:
    """End the process without freeing its objects one by one, which takes 0.1 s once torch is imported.

    Exit handlers run. Does nothing while other threads run, or if the output cannot be written: then Python
    ends the process.

    Args:
        code: exit code.
    """
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it was closed before the command began
                stream.flush()
    except (OSError, ValueError):  # ValueError: the stream is closed
        return
    os._exit(code)
