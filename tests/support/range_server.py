"""A server of files that answers range requests and breaks off as told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Files:
    """What is served.

    Attributes:
        content: by path.
        cuts: number of bytes after which each of the next answers breaks off.
        ranges: the header Range of each request.
        without_ranges: answer range requests with the whole file.
        url: of the server.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    without_ranges: bool = False
    url: str = ""


@contextmanager
def serve() -> Iterator[Files]:
    """Serve files while the block runs."""
    files = Files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.content.get(self.path)
            files.ranges.append(self.headers.get("Range"))
            if content is None:
                self.send_error(404)
                return
            version = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            first = 0
            usable = self.headers.get("If-Range") == version and not files.without_ranges
            if self.headers.get("Range") and usable:
                first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            body = content[first:]
            self.send_response(206 if first else 200)
            self.send_header("ETag", version)
            self.send_header("Content-Length", str(len(body)))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            self.wfile.write(body[: files.cuts.pop(0)] if files.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        files.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield files
        server.shutdown()
