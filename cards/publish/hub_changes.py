"""Which files of a repository a publication adds, replaces and deletes, and which repositories it refuses.

A repository on the Hub holds one model and nothing else, because an audit compares all of its files with the
record. A file belongs to an earlier publication if the record or the package description published with it
lists the file with its present hash. Such a file may be replaced, or deleted if the model no longer has it. A
repository with any other file is refused, so that nothing of its owner is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatch

from cards.audit.files import UNLISTED
from cards.audit.packages import HUB_PACKAGE
from cards.errors import InputError
from cards.provenance.names import is_foreign
from cards.publish.base import Item
from cards.publish.contents import HUB, HUB_DESCRIPTION, NATIVE
from cards.publish.hub_client import Tree
from cards.record import RunRecord

RECORD = "record.json"
DESCRIPTION = f"{HUB_PACKAGE}/{HUB_DESCRIPTION}"

Read = Callable[[str], bytes]
"""Content of a file in the repository, by path."""


def matches(tree: Tree, items: Sequence[Item]) -> bool:
    """Whether a commit has all files of a publication.

    Args:
        tree: files of the commit.
        items: files of the publication.

    Returns:
        True if each file is there with the same content.
    """
    return all(item.path in tree and tree[item.path].equals(item) for item in items)


def missing(tree: Tree, items: Sequence[Item]) -> list[Item]:
    """List the files that a commit lacks, or has with other content.

    Args:
        tree: files of the commit.
        items: files of the publication.

    Returns:
        The files.
    """
    return [item for item in items if item.path not in tree or not tree[item.path].equals(item)]


def deletions(repo_id: str, tree: Tree, tagged: Tree | None, items: Sequence[Item], read: Read) -> list[str]:
    """List the files of an earlier publication that the model no longer has.

    Args:
        repo_id: for the error message.
        tree: files of the newest commit.
        tagged: files of the newest version; None if there is none.
        items: files of the publication.
        read: reads a file of the newest commit.

    Returns:
        Paths.

    Raises:
        InputError: naming a file in the repository that finetune did not publish.
    """
    own = published(tree, tagged, read)
    new = {item.path: item for item in items}
    foreign = [
        path
        for path, file in tree.items()
        if path not in own and not is_foreign(path) and not (path in new and file.equals(new[path]))
    ]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InputError(
            f"{repo_id}: contains {foreign[0]}{more}, which finetune did not publish or which was changed "
            "since; nothing is overwritten: give another --repo, or propose the change with --pull-request"
        )
    return [path for path in tree if path in own and path not in new]


def published(tree: Tree, tagged: Tree | None, read: Read) -> set[str]:
    """List the files that an earlier publication put into the repository and that have not changed since.

    Args:
        tree: files of the newest commit.
        tagged: files of the newest version, for signatures and the description of the package, whose hashes
            no record lists.
        read: reads a file of the newest commit.

    Returns:
        Paths.
    """
    record = _record(tree, read)
    if record is None:
        return set()
    listed = {
        file.path.removeprefix(f"{HUB}/"): file.sha256
        for file in record.files
        if file.path.startswith((f"{HUB}/", f"{NATIVE}/"))
    }
    own = {path for path, sha256 in listed.items() if path in tree and _sha256(path, tree, read) == sha256}
    if DESCRIPTION in tree:
        text = read(DESCRIPTION).decode(errors="replace")  # lists the SHA-256 of all files of the package
        inside = (path for path in tree if path.startswith(f"{HUB_PACKAGE}/"))
        own |= {path for path in inside if _sha256(path, tree, read) in text}
    for path in tree:
        unlisted = path == DESCRIPTION or _matches(path, UNLISTED)
        if path == RECORD or (unlisted and (tagged is None or tagged.get(path) == tree[path])):
            own.add(path)
    return own


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _record(tree: Tree, read: Read) -> RunRecord | None:
    if RECORD not in tree:
        return None
    try:
        return RunRecord.model_validate_json(read(RECORD))
    except ValueError:
        return None


def _sha256(path: str, tree: Tree, read: Read) -> str:
    return tree[path].sha256 or hashlib.sha256(read(path)).hexdigest()
