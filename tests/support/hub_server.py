"""A small Hugging Face Hub on 127.0.0.1, for the fixture `hub`: serves what a test adds, fails as told.

It speaks as much of the Hub's protocol as huggingface_hub 2.4 uses to read a model: `/api/models` (the list),
`/api/models/ID/revision/REVISION`, `/api/models/ID/tree/REVISION`, and `/ID/resolve/REVISION/FILE`, which for
a file in LFS leads to a store on another host (here the same server under another name).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MOST = 1000  # models a page of the list holds at most, as on the Hub


@dataclass
class Repository:
    """A model on the Hub."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)  # branches and tags -> commit
    lfs: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)  # names in `revisions` that are tags, not branches

    def commit(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.revisions.get(revision)


@dataclass(frozen=True)
class PromptResult:
    """A request, and how many bytes of a file it was answered with."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int


@dataclass
class Hub:
    """What is served, and the switches for faults.

    Attributes:
        url: of the server: HF_ENDPOINT.
        repositories: by their ids, as `add` makes them.
        listed: what `/api/models` lists: dictionaries with at least "id" and "pipeline_tag".
        asked: all requests so far.
        private: ids of repositories that only those with `token` may see.
        gated: ids of repositories of which everyone sees the names of files, but nobody gets any.
        token: the one that is good; another one is refused; None is let pass.
        status: with which everything is answered: 401, 403, 429, 500, ...
        file_status: with which files are answered, while the rest works.
        cuts: after how many bytes each of the next downloads breaks off.
        halts: after how many bytes each of the next downloads stands still, until the test ends.
        corrupt: names of files that arrive with another first byte.
        altered: name of a file -> content that arrives in its place.
        extra: what the server serves besides: path -> what to answer as JSON.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    asked: list[PromptResult] = field(default_factory=list)
    private: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    token: str | None = None
    status: int | None = None
    file_status: int | None = None
    cuts: list[int] = field(default_factory=list)
    halts: list[int] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    corrupt: set[str] = field(default_factory=set)
    altered: dict[str, bytes] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def add(
        self, repo_id: str, files: dict[str, bytes], revision: str = "main", lfs: Collection[str] = ()
    ) -> str:
        """Add a commit to a repository, made if need be, and set a branch or tag to it.

        Args:
            repo_id: "user/name".
            files: name -> content; all that are in this commit.
            revision: the branch or tag.
            lfs: names of those in LFS, as weights are.

        Returns:
            The commit.
        """
        repository = self.repositories.setdefault(repo_id, Repository())
        content = repr((repo_id, len(repository.commits), sorted(files.items()))).encode()
        commit = hashlib.sha1(content).hexdigest()
        repository.commits[commit] = dict(files)
        repository.revisions[revision] = commit
        repository.lfs |= set(lfs)
        return commit

    def downloads(self) -> list[PromptResult]:
        """The requests for files that got anything."""
        return [request for request in self.asked if request.sent]


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        self.sent = 0
        self._route()

    do_HEAD = do_GET

    def _route(self) -> None:
        address = urlsplit(self.path)
        path, query = unquote(address.path), parse_qs(address.query)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        if path in self.hub.extra:
            self._json(self.hub.extra[path])
        elif self.hub.status:
            self._answer(self.hub.status)
        elif path == "/api/models":
            self._list(query)
        elif path.startswith("/store/"):
            self._file(path.removeprefix("/store/"))
        elif self.hub.token and token and token != self.hub.token:
            self._answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        else:
            self._repository(path, token)

    def _repository(self, path: str, token: str | None) -> None:
        parts = path.removeprefix("/api/models").strip("/").split("/")
        repo_id, what = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "revision"
        repository = self.hub.repositories.get(repo_id)
        if repository is None or (repo_id in self.hub.private and token is None):
            self._answer(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
            return
        rest = "/".join(parts[3:]) or "main"
        known = [*repository.commits, *repository.revisions]
        revision = next((name for name in known if rest == name or rest.startswith(f"{name}/")), "")
        commit = repository.commit(revision)
        if commit is None:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        elif what == "revision":
            private = repo_id in self.hub.private
            siblings = _siblings(repository, commit)
            self._json({"id": repo_id, "sha": commit, "siblings": siblings, "private": private})
        elif what == "tree":
            self._json(_tree(repository, commit))
        else:
            self._resolve(repo_id, repository, commit, rest.removeprefix(revision).strip("/"))

    def _resolve(self, repo_id: str, repository: Repository, commit: str, name: str) -> None:
        content = repository.commits[commit].get(name)
        headers = {"X-Repo-Commit": commit}
        if repo_id in self.hub.gated:
            self._answer(403, headers | {"X-Error-Code": "GatedRepo"})
        elif self.hub.file_status:
            self._answer(self.hub.file_status, headers)
        elif content is None:
            self._answer(404, headers | {"X-Error-Code": "EntryNotFound"})
        elif name in repository.lfs:
            store = self.hub.url.replace("127.0.0.1", "localhost")
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(content))
            headers["Location"] = f"{store}/store/{repo_id}/{commit}/{name}"
            self._answer(302, headers)
        else:
            self._content(content, name, headers | {"ETag": f'"{git_oid(content)}"'})

    def _file(self, path: str) -> None:
        user, model, commit, name = path.split("/", 3)
        self._content(self.hub.repositories[f"{user}/{model}"].commits[commit][name], name, {})

    def _content(self, content: bytes, name: str, headers: dict[str, str]) -> None:
        content = self.hub.altered.get(name, content)
        if name in self.hub.corrupt:
            content = bytes([content[0] ^ 1]) + content[1:]
        first, status = 0, 200
        if given := self.headers.get("Range"):
            first, status = int(given.removeprefix("bytes=").rstrip("-")), 206
            headers = headers | {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        body = content[first:]
        whole = len(body)
        if self.command == "GET" and not self.hub.halts:
            body = body[: self.hub.cuts.pop(0)] if self.hub.cuts else body
            self.sent = len(body)
        self._head(status, headers, whole)
        if self.command == "GET":
            if self.hub.halts:
                self.wfile.write(body[: self.hub.halts.pop(0)])
                self.hub.ended.wait()
                return
            self.wfile.write(body)

    def _list(self, query: dict[str, list[str]]) -> None:
        tag = query.get("pipeline_tag", [None])[0]
        found = [model for model in self.hub.listed if tag in (None, model["pipeline_tag"])]
        first, count = int(query.get("cursor", ["0"])[0]), min(MOST, int(query.get("limit", [MOST])[0]))
        headers = {}
        if first + count < len(found):
            following = f"{self.hub.url}/api/models?pipeline_tag={tag}&limit={count}&cursor={first + count}"
            headers["Link"] = f'<{following}>; rel="next"'
        self._json(found[first : first + count], headers)

    def _json(self, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self._head(200, {"Content-Type": "application/json"} | (headers or {}), len(body))
        if self.command == "GET":
            self.wfile.write(body)

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self._head(status, headers or {}, 0)

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        # Noted before anything goes out: who has the answer may look here at once.
        self.hub.asked.append(PromptResult(self.command, self.path, dict(self.headers), self.sent))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _lfs(content: bytes, key: str) -> dict[str, Any]:
    return {key: hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}


def _siblings(repository: Repository, commit: str) -> list[dict[str, Any]]:
    return [
        {"rfilename": name, "size": len(content), "blobId": git_oid(content)}
        | ({"lfs": _lfs(content, "sha256")} if name in repository.lfs else {})
        for name, content in repository.commits[commit].items()
    ]


def _tree(repository: Repository, commit: str) -> list[dict[str, Any]]:
    return [
        {"type": "file", "path": name, "size": len(content), "oid": git_oid(content)}
        | ({"lfs": _lfs(content, "oid")} if name in repository.lfs else {})
        for name, content in repository.commits[commit].items()
    ]


class Server:
    """A Hub that is served while the block runs."""

    state: type[Hub] = Hub
    handler: type[Handler] = Handler

    def __enter__(self) -> Any:
        self.hub = self.state()
        handler = type("Handler", (self.handler,), {"hub": self.hub})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.hub.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self.hub

    def __exit__(self, *_: object) -> None:
        self.hub.ended.set()
        self.server.shutdown()
        self.server.server_close()
