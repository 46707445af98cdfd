"""A Hugging Face Hub on 127.0.0.1 to which models are published.

It adds to `hub_server` what huggingface_hub 2.4 sends on its plain upload protocol: whoami, repos/create,
validate-yaml, preupload, the LFS batch with basic and multipart uploads and verification, commit, tag, branch
and refs. Any request can be refused, or lose its connection before or after it was carried out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from faults_http import Faults, meet
from hub_server import Handler, Hub, Repository, Server, git_oid

LARGE = (".safetensors", ".pt", ".pth", ".onnx", ".png", ".npy", ".bin")
PARENT_MOVED = "A commit has happened since. Please refresh and try again."


@dataclass
class PublishHub(Hub):
    """A Hub with one user who may write.

    Attributes:
        user: name of the user whose token is `token`.
        readers: tokens of users who may only read.
        stored: content in LFS, by SHA-256.
        parts: parts of multipart uploads, by SHA-256 and number.
        part_size: of a multipart upload in bytes; None for basic uploads.
        parents: parent of each commit.
        messages: title of each commit.
        faults: fault to inject, and the labels of all requests.
        invalid_yaml: whether the metadata of cards are rejected.
    """

    user: str = "someone"
    readers: set[str] = field(default_factory=set)
    stored: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    part_size: int | None = None
    parents: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    invalid_yaml: bool = False

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """Content of a repository, without .gitattributes."""
        repository = self.repositories[repo_id]
        commit = repository.commit(revision)
        assert commit is not None
        return {name: data for name, data in repository.commits[commit].items() if name != ".gitattributes"}


def label_of(method: str, path: str) -> str:
    """A request without ids, hashes and file names."""
    address = urlsplit(path)
    path = re.sub(r"/resolve/.*", "/resolve/COMMIT/FILE", unquote(address.path))
    path = (
        re.sub(r"(/api/models/|^/)[\w.-]+/[\w.-]+(?=/|\.git/|$)", r"\1ID", path, count=1)
        if (path.startswith("/api/models/") or "/resolve/" in path or ".git/" in path)
        else path
    )
    path = re.sub(r"/store/.*", "/store/FILE", path)
    path = re.sub(r"\b([0-9a-f]{64}|[0-9a-f]{40})\b", "HASH", path)
    return f"{method} {path}{'?create_pr=1' if 'create_pr' in address.query else ''}"


class PublishHandler(Handler):
    hub: PublishHub

    def _with_faults(self, carry_out: Any) -> None:
        self.sent = 0
        kind = self.hub.faults.take(label_of(self.command, self.path))
        if kind == "disconnect before":
            self.close_connection = True
            return
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        meet(self, kind, carry_out, self._refuse)

    def _refuse(self, status: int) -> None:
        messages = {401: "Invalid credentials in Authorization header"}
        self._answer(status, {"X-Error-Message": messages.get(status, "fault"), "Retry-After": "0"})

    def do_GET(self) -> None:
        self._with_faults(self._get)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._with_faults(self._post)

    def do_PUT(self) -> None:
        self._with_faults(self._put)

    def _token(self) -> str | None:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

    def _get(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/api/whoami-v2":
            if self._token() == self.hub.token or self._token() in self.hub.readers:
                self._json({"name": self.hub.user, "type": "user", "orgs": [], "auth": {}})
            else:
                self._refuse(401)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/refs", path):
            self._refs(found[1])
        elif self._token() in self.hub.readers:
            self._repository(path, self._token())
        else:
            self._route()

    def _refs(self, repo_id: str) -> None:
        repository = self.hub.repositories.get(repo_id)
        if repository is None:
            self._answer(404, {"X-Error-Code": "RepoNotFound"})
            return
        found: dict[str, list[dict[str, str]]] = {
            "branches": [],
            "converts": [],
            "tags": [],
            "pullRequests": [],
        }
        for name, commit in repository.revisions.items():
            kind, ref = "branches", f"refs/heads/{name}"
            if name in repository.tags:
                kind, ref = "tags", f"refs/tags/{name}"
            elif name.startswith("refs/pr/"):
                kind, ref = "pullRequests", name
            found[kind].append({"name": name, "ref": ref, "targetCommit": commit})
        self._json(found)

    def _post(self) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        signed = path.startswith("/store-upload/")  # its address is its permission
        if not signed and self._token() != self.hub.token:
            self._refuse(403 if self._token() in self.hub.readers else 401)
            return
        content = None if "/commit/" in path else json.loads(self.body or b"{}")
        if path == "/api/repos/create":
            self._create(content)
        elif path == "/api/validate-yaml":
            errors = [{"message": "license is not valid"}] if self.hub.invalid_yaml else []
            self._say({"errors": errors, "warnings": []}, 400 if errors else 200)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._batch(content)
        elif path == "/verify":
            stored = self.hub.stored.get(content["oid"])
            self._say({}, 200 if stored is not None and len(stored) == content["size"] else 404)
        elif found := re.fullmatch(r"/store-upload/([0-9a-f]{64})", path):
            numbers = [part["partNumber"] for part in content["parts"]]
            self.hub.stored[found[1]] = b"".join(self.hub.parts[found[1], number] for number in numbers)
            self._say({})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|tag|branch)/(.+)", path):
            repository = self.hub.repositories.get(found[1])
            if repository is None:
                self._answer(404, {"X-Error-Code": "RepoNotFound"})
            elif found[2] == "preupload":
                self._preupload(repository, content["files"], found[3])
            elif found[2] == "commit":
                self._commit(found[1], repository, found[3], "create_pr" in parse_qs(address.query))
            else:
                name = content["tag"] if found[2] == "tag" else found[3]
                start = found[3] if found[2] == "tag" else content.get("startingPoint", "main")
                self._reference(repository, name, start, tag=found[2] == "tag")
        else:
            self._answer(404)

    def _create(self, content: dict[str, Any]) -> None:
        repo_id = f"{content.get('organization') or self.hub.user}/{content['name']}"
        url = {"url": f"{self.hub.url}/{repo_id}"}
        if repo_id in self.hub.repositories:
            self._say(url, 409)
            return
        self.hub.add(repo_id, {".gitattributes": b"*.safetensors filter=lfs\n"})
        if content.get("visibility") == "private" or content.get("private"):
            self.hub.private.add(repo_id)
        self._say(url)

    def _preupload(self, repository: Repository, files: list[dict[str, Any]], revision: str) -> None:
        commit = repository.commit(revision)
        present = repository.commits[commit] if commit else {}
        answer = []
        for file in files:
            name, large = file["path"], file["path"].endswith(LARGE)
            entry = {"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if name in present:
                sha256 = hashlib.sha256(present[name]).hexdigest()
                entry["oid"] = sha256 if name in repository.lfs else git_oid(present[name])
            answer.append(entry)
        self._say({"files": answer})

    def _batch(self, content: dict[str, Any]) -> None:
        objects = []
        for wanted in content["objects"]:
            entry: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.hub.stored:
                href = f"{self.hub.url}/store-upload/{wanted['oid']}"
                header: dict[str, str] = {}
                if self.hub.part_size:
                    count = -(-wanted["size"] // self.hub.part_size)
                    header = {"chunk_size": str(self.hub.part_size)}
                    header |= {str(n): f"{href}/{n}?X-Signature=secret" for n in range(1, count + 1)}
                upload = {"href": f"{href}?X-Signature=secret", "header": header}
                entry["actions"] = {"upload": upload, "verify": {"href": f"{self.hub.url}/verify"}}
            objects.append(entry)
        transfer = "multipart" if self.hub.part_size else "basic"
        self._say({"transfer": transfer, "objects": objects})

    def _put(self) -> None:
        found = re.fullmatch(r"/store-upload/([0-9a-f]{64})(?:/(\d+))?", urlsplit(self.path).path)
        if found is None or "X-Signature=secret" not in self.path or self._token():
            self._answer(403)
        elif found[2]:
            self.hub.parts[found[1], int(found[2])] = self.body
            self._say({}, headers={"ETag": f'"{found[2]}"'})
        else:
            self.hub.stored[found[1]] = self.body
            self._say({})

    def _commit(self, repo_id: str, repository: Repository, branch: str, create_pr: bool) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        head = repository.revisions[branch]
        if header.get("parentCommit", head) != head:
            self._answer(412, {"X-Error-Message": PARENT_MOVED})
            return
        files, large = dict(repository.commits[head]), set()
        for line in lines:
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
                large.add(value["path"])
            elif key == "deletedFile":
                del files[value["path"]]
        pulls = sum(name.startswith("refs/pr/") for name in repository.revisions)
        revision = f"refs/pr/{pulls + 1}" if create_pr else branch
        commit = self.hub.add(repo_id, files, revision, large)
        self.hub.parents[commit], self.hub.messages[commit] = head, header["summary"]
        url = f"{self.hub.url}/{repo_id}"
        pull = f"{url}/discussions/{pulls + 1}" if create_pr else None
        self._say({"commitUrl": f"{url}/commit/{commit}", "commitOid": commit, "pullRequestUrl": pull})

    def _reference(self, repository: Repository, name: str, start: str, tag: bool) -> None:
        commit = repository.commit(start)
        if commit is None:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        elif name in repository.revisions:
            self._answer(409, {"X-Error-Message": "Reference already exists"})
        else:
            repository.revisions[name] = commit
            if tag:
                repository.tags.add(name)
            self._say({})

    def _say(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self._head(status, {"Content-Type": "application/json"} | (headers or {}), len(body))
        self.wfile.write(body)


class PublishServer(Server):
    """A Hub to publish to, served while the block runs."""

    state = PublishHub
    handler = PublishHandler
