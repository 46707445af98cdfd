"""The server of the page: Panel's own, on this computer only, behind a token."""

from __future__ import annotations

import asyncio
import errno
import gc
import http.client
import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import InputError

if TYPE_CHECKING:
    from bokeh.resources import Resources
    from bokeh.server.tornado import BokehTornado
    from panel.io.server import Server
    from panel.template.base import BaseTemplate

ADDRESS = "127.0.0.1"
PORT = 5006
UNUSED_SCRIPTS = ("bokeh-mathjax", "bokeh-gl")
PATIENCE = 3
"""Seconds until the address is shown although records are still being read."""
ATTEMPTS = 20
"""Ports that are tried when the first is taken."""


class ViewServer:
    """A server that is bound, but not yet running."""

    def __init__(self, page: Callable[[], BaseTemplate], port: int | None = None) -> None:
        """Bind a port.

        Args:
            page: builds the page of one visit.
            port: the port; None for 5006, or the next one that is free.

        Raises:
            InputError: if the port is taken, or none of those tried is free.
        """
        self.token = secrets.token_urlsafe(24)
        self.server = _bind(page, self.token, port)
        self.port = self.server.port
        self.url = f"http://{ADDRESS}:{self.port}/{self.token}/"
        _protect(self.server, self.token)

    def run(self, *, started: Callable[[], None] = lambda: None) -> None:
        """Serve until interrupted.

        Args:
            started: called from another thread when the server has read the records, or after `PATIENCE`
                seconds if that takes longer.
        """
        gc.disable()  # until the records are read: what they need stays
        logging.getLogger("bokeh.server.views.ws").setLevel(logging.ERROR)  # warns of pages that were closed
        self.server.io_loop.asyncio_loop.set_exception_handler(_report)  # type: ignore[attr-defined]
        self.server.start()
        threading.Thread(target=self._prepare, args=(started,), daemon=True).start()
        try:
            self.server.io_loop.start()
        finally:
            gc.enable()
            self.server.stop()

    def _prepare(self, started: Callable[[], None]) -> None:
        """Visit the page, so that the first visit of the user finds records read and the frame built."""
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=PATIENCE)
            connection.request("GET", f"/{self.token}/")
            connection.getresponse().read()
        # What was loaded so far stays: searching it for garbage would stop a later visit for 0.1 s or more.
        gc.collect()
        gc.freeze()
        gc.enable()
        started()  # not by the loop, which may still be reading

    def stop(self) -> None:
        """End `run`; to be called from any thread."""
        self.server.io_loop.add_callback(self.server.io_loop.stop)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report an error of a task, unless a page was closed while something was sent to it."""
    from tornado.iostream import StreamClosedError
    from tornado.websocket import WebSocketClosedError

    if not isinstance(context.get("exception"), StreamClosedError | WebSocketClosedError):
        loop.default_exception_handler(context)


def _bind(page: Callable[[], BaseTemplate], token: str, port: int | None) -> Server:
    """Bind the port asked for, or the first free one."""
    import signal

    from panel.io.server import get_server

    candidates = range(PORT, PORT + ATTEMPTS) if port is None else (port,)
    interrupt = signal.getsignal(signal.SIGINT)
    for candidate in candidates:
        try:
            return get_server(
                {"/": page},
                port=candidate,
                address=ADDRESS,
                prefix=f"/{token}",
                websocket_origin=[f"{ADDRESS}:{candidate}", f"localhost:{candidate}"],
                title="finetune",
                keep_alive_milliseconds=10_000,
                check_unused_sessions_milliseconds=10_000,
                unused_session_lifetime_milliseconds=60_000,
            )
        except OSError as error:
            if error.errno == errno.EACCES:
                raise InputError(f"--port {candidate}: not permitted; choose a port above 1023") from error
            if error.errno != errno.EADDRINUSE:
                raise InputError(f"--port {candidate}: {error.strerror}") from error
        finally:
            _restore(interrupt)  # Panel replaces the handler of Ctrl-C
    taken = f"port {port} is" if port is not None else f"ports {PORT} to {PORT + ATTEMPTS - 1} are"
    raise InputError(f"{taken} in use; choose another with --port")


def _restore(handler: object) -> None:
    import signal

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]


def _protect(server: Server, token: str) -> None:
    """Put the guard between the port and Panel's application."""
    from finetune.viewer.guard import Guard, security_headers

    hosts = [f"{ADDRESS}:{server.port}", f"localhost:{server.port}"]
    application = server._tornado
    _leave_out_unused_scripts(application)
    application.add_transform(security_headers(" ".join(f"ws://{host}" for host in hosts)))
    server._http.request_callback = Guard(application, token, hosts)


def _leave_out_unused_scripts(application: BokehTornado) -> None:
    """Panel adds MathJax (1.8 MB) to every page with text, and Bokeh adds WebGL; nothing here uses them."""
    resources = application.resources

    def without_unused(absolute_url: str | bool | None = None) -> Resources:
        found = resources(absolute_url)
        return found.clone(components=[name for name in found.components if name not in UNUSED_SCRIPTS])

    application.resources = without_unused  # type: ignore[method-assign]


def check_folders(data: list[Path]) -> None:
    """Check the folders of images.

    Args:
        data: folders given with --data.

    Raises:
        InputError: if one does not exist.
    """
    for folder in data:
        if not folder.is_dir():
            raise InputError(f"--data {folder}: no such folder")
