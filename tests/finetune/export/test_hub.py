"""Loading from the Hugging Face Hub: a real client, over HTTP, from a server that holds one repository."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from finetune.export.huggingface import save_model

SHA = "0123456789abcdef0123456789abcdef01234567"
REPO = "someone/nuclei"
REVISIONS = {"main", "v1", SHA}

CLIENT = """
import json, sys, numpy as np, finetune.model
from cards.errors import InputError
image, *sources = sys.argv[1:]
for source in sources:
    try:
        print(json.dumps(finetune.model.load(source).predict(np.load(image)).tolist()))
    except InputError as error:
        print(json.dumps(str(error)))
"""


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's API as it takes to download the files of one model."""

    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = unquote(self.path.partition("?")[0])
        if "someone/private" in path:
            self.answer(401, {"X-Error-Code": "RepoNotFound"})
        elif "someone/gated" in path:
            self.answer(403, {"X-Error-Code": "GatedRepo"})
        elif f"/{REPO}/" not in path + "/":
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
        else:
            self.answer_for_model(path)

    do_HEAD = do_GET

    def answer_for_model(self, path: str) -> None:
        if path.startswith(f"/api/models/{REPO}/tree/"):
            self.answer_json([self.entry(file) for file in sorted(self.folder.iterdir())])
        elif path.startswith(f"/api/models/{REPO}"):
            revision = path.removeprefix(f"/api/models/{REPO}").removeprefix("/revision/") or "main"
            if revision not in REVISIONS:
                self.answer(404, {"X-Error-Code": "RevisionNotFound"})
                return
            siblings = [{"rfilename": file.name} for file in self.folder.iterdir()]
            self.answer_json({"id": REPO, "sha": SHA, "siblings": siblings})
        else:
            file = self.folder / path.rpartition("/")[2]
            content = file.read_bytes()
            etag = hashlib.sha1(content).hexdigest()
            self.answer(200, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA}, content)

    def entry(self, file: Path) -> dict[str, object]:
        content = file.read_bytes()
        return {
            "type": "file",
            "path": file.name,
            "size": len(content),
            "oid": hashlib.sha1(content).hexdigest(),
        }

    def answer_json(self, content: object) -> None:
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(tmp_path, make_model) -> Iterator[tuple[str, list[str]]]:
    """Address of the server, and what it was asked for."""
    folder = tmp_path / "served"
    save_model(make_model(), folder)
    (folder / "README.md").write_text("not needed to load it")
    handler = type("OneModel", (Hub,), {"folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def load(tmp_path, image) -> Callable[..., list[Any]]:
    """load(endpoint, *sources, **environment) -> labels or an error for each, from a process of its own."""
    np.save(tmp_path / "image.npy", image())

    def run(endpoint: str, *sources: str, **environment: str) -> list[Any]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))
        }
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, tmp_path / "image.npy", *sources],
            cwd=tmp_path,
            env=inherited | settings | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_models_load_from_the_hub_and_again_without_it(hub, load, make_model, image):
    endpoint, asked = hub
    expected = make_model().predict(image()).tolist()
    refused = {
        "someone/else": "no such model on the Hugging Face Hub",
        "someone/private": "if it is private, run `hf auth login`",
        "someone/gated": "ask for access",
        f"{REPO}@v9": "has no revision 'v9'",
    }
    labels, *errors = load(endpoint, f"{REPO}@v1", *refused)
    assert labels == expected
    assert any("/revision/v1" in path for path in asked)
    assert not any("README" in path for path in asked)
    for error, (source, message) in zip(errors, refused.items(), strict=True):
        assert error.startswith(f"{source}: ")
        assert message in error
        assert "\n" not in error
    asked.clear()
    labels, error = load(endpoint, f"{REPO}@v1", "someone/else", HF_HUB_OFFLINE="1")
    assert labels == expected
    assert "the Hugging Face Hub cannot be reached; nor is that model in its cache" in error
    assert not asked


def test_no_network_is_one_line(load):
    (error,) = load("http://127.0.0.1:9", REPO)
    assert error.startswith(f"{REPO}: no such folder here, and the Hugging Face Hub cannot be reached")
    assert "\n" not in error
