"""The server of the BioImage.IO collection on 127.0.0.1, as far as it serves files of published versions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from bioimageio.spec import settings

Versions = dict[str, Path]  # unpacked package by name of the version, the current one last


@contextmanager
def serve_collection(models: dict[str, Versions], patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve packages at the addresses of the collection, for bioimageio.spec in this process.

    Args:
        models: versions of each model by id.
        patch: sets what the variable BIOIMAGEIO_COLLECTION_HTTP_PATTERN sets at the import.

    Yields:
        Addresses that were requested.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            address = urlsplit(self.path)
            id, _, name = address.path.removeprefix("/artifacts/").partition("/files/")
            versions = models.get(id, {})
            version = parse_qs(address.query).get("version", [next(reversed(versions), "")])[0]
            if versions and not name:
                listed = [{"version": one, "comment": None} for one in versions]
                self._answer(200, json.dumps({"id": f"bioimage-io/{id}", "versions": listed}).encode())
            elif version in versions and (versions[version] / name).is_file():
                self._answer(200, (versions[version] / name).read_bytes())
            else:
                self._answer(404, b'{"success":false,"detail":"not found"}')

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}/artifacts"
        patch.setattr(settings, "collection_http_pattern", f"{root}/{{bioimageio_id}}/files/rdf.yaml")
        yield asked
        server.shutdown()
