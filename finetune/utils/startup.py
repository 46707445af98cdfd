"""A start without garbage collection, for commands that answer within seconds."""

from __future__ import annotations

import gc
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
