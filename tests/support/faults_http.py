"""Faults of a test server: the n-th request of a kind is refused, or its connection breaks."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

STATUS = (401, 403, 409, 413, 429, 500)
KINDS = (*map(str, STATUS), "disconnect before", "disconnect after")


@dataclass(frozen=True)
class Fault:
    """What goes wrong.

    Attributes:
        label: kind of request, such as "POST /api/models/ID/commit/main".
        occurrence: which request of that kind fails; the first is 1.
        kind: one of `KINDS`. "disconnect after": the request is carried out, and its answer lost.
        persistent: whether all later requests of that kind fail, too.
    """

    label: str
    occurrence: int
    kind: str
    persistent: bool = False


@dataclass
class Faults:
    """The fault of a server, and the requests that it had so far, as labels."""

    fault: Fault | None = None
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, label: str) -> str | None:
        """Note a request; the kind of fault that it meets, if any."""
        with self.lock:
            self.seen.append(label)
            count, fault = Counter(self.seen)[label], self.fault
        if fault is None or fault.label != label:
            return None
        hit = count >= fault.occurrence if fault.persistent else count == fault.occurrence
        return fault.kind if hit else None


def meet(
    handler: BaseHTTPRequestHandler,
    kind: str | None,
    carry_out: Callable[[], None],
    refuse: Callable[[int], None],
) -> None:
    """Carry out a request, or let it meet a fault."""
    if kind is None:
        carry_out()
    elif kind == "disconnect before":
        handler.close_connection = True
    elif kind == "disconnect after":
        handler.wfile = io.BytesIO()  # the answer goes nowhere
        carry_out()
        handler.close_connection = True
    else:
        refuse(int(kind))
