"""The server of the BioImage.IO collection on 127.0.0.1: the artifact manager of Hypha, and its store.

It speaks either dialect of a draft: `version: "stage"` or `stage: true`, and takes a file as raw bytes or as
a multipart form.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from faults_http import Faults, meet

SERVICE = "/public/services/artifact-manager"


@dataclass
class Artifact:
    """A draft in the collection."""

    manifest: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Collection:
    """What the server holds, and how it behaves.

    Attributes:
        url: of the server.
        token: the token of its user.
        dialect: how a draft is named: "version" or "stage".
        artifacts: by id.
        altered: content that arrives in place of a file's.
        faults: fault to inject, and the labels of all requests.
    """

    url: str = ""
    token: str = ""
    dialect: str = "version"
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    altered: dict[str, bytes] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    @property
    def create(self) -> str:
        """Value of BIOIMAGEIO_HYPHA_UPLOAD."""
        return f"{self.url}{SERVICE}/create"

    def complete(self, files: dict[str, bytes]) -> list[str]:
        """Drafts that have all files and wait for a review."""
        return [
            name
            for name, artifact in self.artifacts.items()
            if artifact.files == files and artifact.manifest.get("status") == "request-review"
        ]


class _Handler(BaseHTTPRequestHandler):
    collection: Collection

    def _with_faults(self, carry_out: Any) -> None:
        path = re.sub(r"/store/.*", "/store/FILE", urlsplit(self.path).path)
        kind = self.collection.faults.take(f"{self.command} {path}")
        if kind == "disconnect before":
            self.close_connection = True
            return
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        meet(self, kind, carry_out, lambda status: self._say({"detail": "fault"}, status))

    def do_GET(self) -> None:
        self._with_faults(self._read)

    def do_POST(self) -> None:
        self._with_faults(self._call)

    def do_PUT(self) -> None:
        self._with_faults(self._write)

    def _call(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.collection.token}":
            self._say({"detail": "not permitted"}, 401)
            return
        method, arguments = self.path.rpartition("/")[2], json.loads(self.body)
        drafts = {"version": {"version": "stage"}, "stage": {"stage": True}}[self.collection.dialect]
        other = {"version": "stage", "stage": "version"}[self.collection.dialect]
        if other in arguments:
            self._say({"detail": f"got an unexpected value of stage: {other}"}, 400)
        elif method == "create":
            assert arguments["parent_id"] == "bioimage-io/bioimage.io" and drafts.items() <= arguments.items()
            name = f"bioimage-io/happy-shark-{len(self.collection.artifacts)}"
            self.collection.artifacts[name] = Artifact(arguments["manifest"])
            self._say({"id": name})
        elif arguments["artifact_id"] not in self.collection.artifacts:
            self._say({"detail": "no such artifact"}, 404)
        elif method in ("put_file", "get_file"):
            query = f"artifact={arguments['artifact_id']}&X-Signature=secret"
            self._say(f"{self.collection.url}/store/{arguments['file_path']}?{query}")
        else:
            assert method == "edit" and drafts.items() <= arguments.items()
            self.collection.artifacts[arguments["artifact_id"]].manifest = arguments["manifest"]
            self._say({"id": arguments["artifact_id"]})

    def _signed(self) -> tuple[Artifact, str] | None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if query.get("X-Signature") != ["secret"] or self.headers.get("Authorization"):
            self._say({"detail": "signature does not match"}, 403)
            return None
        return self.collection.artifacts[query["artifact"][0]], unquote(address.path.removeprefix("/store/"))

    def _write(self) -> None:
        if self.headers.get("Content-Type"):
            self._say({"detail": "signed for an empty content type"}, 403)
        elif found := self._signed():
            artifact, name = found
            artifact.files[name] = _form_content(self.body) or self.body
            self._say({})

    def _read(self) -> None:
        if found := self._signed():
            artifact, name = found
            content = self.collection.altered.get(name, artifact.files.get(name))
            if content is None:
                self._say({}, 404)
                return
            self._answer(content, 200)

    def _say(self, content: Any, status: int = 200) -> None:
        self._answer(json.dumps(content).encode(), status)

    def _answer(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _form_content(body: bytes) -> bytes | None:
    """The only file of a multipart form; None if the body is no form. The header may lack the boundary."""
    found = re.match(rb"--([0-9a-f]{32})\r\nContent-Disposition: form-data", body)
    if found is None:
        return None
    head = b'Content-Type: multipart/form-data; boundary="' + found[1] + b'"\r\n\r\n'
    (part,) = BytesParser().parsebytes(head + body).get_payload()  # type: ignore[misc]
    return part.get_payload(decode=True)  # type: ignore[union-attr, return-value]


class CollectionServer:
    """A collection that is served while the block runs."""

    def __enter__(self) -> Collection:
        self.collection = Collection()
        handler = type("Handler", (_Handler,), {"collection": self.collection})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.collection.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self.collection

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
