"""A model repository on the Hugging Face Hub: what is in it, and the requests that change it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cards.publish.base import Item
from cards.publish.hub_session import read

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TIMEOUT = 30  # seconds without an answer
CHUNK = 2**20  # bytes
MAIN = "main"


@dataclass(frozen=True)
class RemoteFile:
    """A file in a commit.

    Attributes:
        size: in bytes.
        oid: git blob id, SHA-1 of the content after a header.
        sha256: of the content, if the file is in LFS.
    """

    size: int
    oid: str
    sha256: str | None

    def equals(self, item: Item) -> bool:
        """Compare with a local file by hash.

        Args:
            item: the file.

        Returns:
            Whether the content is the same.
        """
        if self.size != item.size:
            return False
        if self.sha256 is not None:
            return self.sha256 == item.sha256
        content = item.source.read_bytes()  # git keeps small files only outside of LFS
        return self.oid == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


Tree = dict[str, RemoteFile]


@dataclass(frozen=True)
class State:
    """A repository at one moment. Branches, tags and pull requests map names to commits.

    Attributes:
        private: whether only its owner sees it.
        branches: by name.
        tags: by name.
        pull_requests: by reference, such as "refs/pr/1".
    """

    private: bool
    branches: dict[str, str]
    tags: dict[str, str]
    pull_requests: dict[str, str]

    @property
    def head(self) -> str:
        """Newest commit of the main branch."""
        return self.branches[MAIN]


class Repository:
    """Requests of one user to one model repository."""

    def __init__(self, api: HfApi, repo_id: str):
        """Choose a repository.

        Args:
            api: client with the token of the user.
            repo_id: "user/name".
        """
        self.api = api
        self.id = repo_id

    @property
    def address(self) -> str:
        """Address of the page of the model."""
        return f"{self.api.endpoint}/{self.id}"

    def state(self) -> State | None:
        """Read visibility, branches, tags and pull requests.

        Returns:
            The state; None if the repository does not exist, or the user may not see it.
        """
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = read(lambda: self.api.model_info(self.id, timeout=TIMEOUT))
            refs = read(lambda: self.api.list_repo_refs(self.id, include_pull_requests=True))
        except RepositoryNotFoundError:
            return None
        branches = {ref.name: ref.target_commit for ref in refs.branches}
        tags = {ref.name: ref.target_commit for ref in refs.tags}
        pulls = {ref.ref: ref.target_commit for ref in refs.pull_requests or ()}
        return State(bool(info.private), branches, tags, pulls)

    def create(self, private: bool) -> None:
        """Create the repository, unless it exists.

        Args:
            private: whether only its owner sees it.
        """
        self.api.create_repo(self.id, private=private, exist_ok=True)

    def tree(self, commit: str) -> Tree:
        """List all files of a commit.

        Args:
            commit: 40 hexadecimal digits.

        Returns:
            Files by path.
        """
        from huggingface_hub.hf_api import RepoFile

        entries = read(lambda: list(self.api.list_repo_tree(self.id, recursive=True, revision=commit)))
        return {
            entry.path: RemoteFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in entries
            if isinstance(entry, RepoFile)
        }

    def content(self, path: str, commit: str) -> bytes:
        """Download a small file into memory.

        Args:
            path: in the repository.
            commit: 40 hexadecimal digits.

        Returns:
            The content.
        """
        return read(lambda: b"".join(self._chunks(path, commit)))

    def sha256(self, path: str, commit: str) -> str:
        """Download a file and hash it, without keeping it.

        Args:
            path: in the repository.
            commit: 40 hexadecimal digits.

        Returns:
            SHA-256 as 64 hexadecimal digits.
        """

        def digest() -> str:
            hashed = hashlib.sha256()
            for chunk in self._chunks(path, commit):
                hashed.update(chunk)
            return hashed.hexdigest()

        return read(digest)

    def _chunks(self, path: str, commit: str) -> Iterator[bytes]:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        address = hf_hub_url(self.id, path, revision=commit, endpoint=self.api.endpoint)
        headers = build_hf_headers(token=self.api.token)
        client = get_session()  # drops the token when a redirect leads to another host
        with client.stream("GET", address, headers=headers, follow_redirects=True, timeout=TIMEOUT) as answer:
            hf_raise_for_status(answer)
            yield from answer.iter_bytes(CHUNK)

    def commit(
        self,
        additions: Sequence[Item],
        deletions: Sequence[str],
        parent: str,
        message: str,
        pull_request: bool = False,
    ) -> tuple[str, str | None]:
        """Make one commit. The request that commits is sent only once.

        Args:
            additions: files to add or replace.
            deletions: paths to delete.
            parent: commit on which it must be based; the Hub refuses if the branch has moved on.
            message: title of the commit.
            pull_request: commit to a new pull request instead of the main branch.

        Returns:
            The commit, and the address of the pull request.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[Any] = [CommitOperationAdd(item.path, str(item.source)) for item in additions]
        operations += [CommitOperationDelete(path) for path in deletions]
        done = self.api.create_commit(
            self.id, operations, commit_message=message, parent_commit=parent, create_pr=pull_request
        )
        return done.oid, done.pr_url

    def tag(self, name: str, commit: str) -> None:
        """Create a tag.

        Args:
            name: of the tag.
            commit: to which it points.
        """
        self.api.create_tag(self.id, tag=name, revision=commit)

    def branch(self, name: str, commit: str) -> None:
        """Create a branch.

        Args:
            name: of the branch.
            commit: at which it starts.
        """
        self.api.create_branch(self.id, branch=name, revision=commit)
