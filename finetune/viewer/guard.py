"""Refusal of requests: without the token, for another host, or from another page."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, OutputTransform, RequestHandler

REFUSED = "403 Forbidden: open the address that finetune view printed, with its token."
METHODS = {"GET", "HEAD"}
"""The page sends nothing but WebSocket messages, so it needs no other method."""

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "
    # Bokeh and Panel build their scripts in the page.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "connect-src 'self' {socket}; "
    "frame-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content Security Policy: the browser blocks requests to any other origin."""


class _Forbidden(RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{REFUSED}\n")


class Guard(Router):
    """Hands a request on to the application of the server only if it is allowed."""

    def __init__(self, application: Application, token: str, hosts: Collection[str]) -> None:
        """Protect an application.

        Args:
            application: the server's.
            token: first part of the path of every allowed request.
            hosts: allowed values of the Host header. Another one means that a foreign name points to this
                computer (DNS rebinding).
        """
        self.application, self.token, self.hosts = application, token, set(hosts)
        self.forbidden = Application([(r".*", _Forbidden)], log_function=lambda handler: None)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Choose who answers a request.

        Args:
            request: the request.
            **kwargs: of tornado.

        Returns:
            The handler of the application, or one that answers 403.
        """
        allowed = self.allows(request)
        chosen = self.application if allowed else self.forbidden
        return chosen.find_handler(request, **kwargs)

    def allows(self, request: HTTPServerRequest) -> bool:
        """Whether a request is allowed.

        Args:
            request: the request.

        Returns:
            True if method, host, origin and token are right.
        """
        origin = request.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return False
        first = request.path.split("/")[1] if request.path.startswith("/") else ""
        return (
            request.method in METHODS
            and request.headers.get("Host") in self.hosts
            and hmac.compare_digest(first.encode(), self.token.encode())
        )


def security_headers(socket: str) -> type[OutputTransform]:
    """Build the transform that adds security headers to every answer.

    Args:
        socket: address of the WebSocket, such as "ws://127.0.0.1:5006".

    Returns:
        A class for `tornado.web.Application.add_transform`.
    """
    headers = {
        "Content-Security-Policy": POLICY.format(socket=socket),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }

    class SecurityHeaders(OutputTransform):
        def __init__(self, request: HTTPServerRequest) -> None:
            # The token, and with it the address of scripts and styles, changes when the server starts.
            self.caching = (
                "private, max-age=86400" if request.path.split("/")[2:3] == ["static"] else "no-cache"
            )

        def transform_first_chunk(
            self, status_code: int, headers_sent: Any, chunk: bytes, finishing: bool
        ) -> tuple[int, Any, bytes]:
            for name, value in headers.items():
                headers_sent[name] = value
            headers_sent["Cache-Control"] = self.caching if status_code == 200 else "no-cache"
            return status_code, headers_sent, chunk

    return SecurityHeaders
