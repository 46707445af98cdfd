"""Which files of a repository a publication adds, replaces and deletes, and which it must not touch.

A file in the repository belongs to an earlier publication if the record published with it lists the file
with its present hash. Such a file may be replaced, or deleted if the model no longer has it. Every other file
is the owner's: it is kept, and a publication that would change it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from cards.audit.packages import HUB_PACKAGE
from cards.errors import InputError
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


def changes(
    tree: Tree, tagged: Tree | None, items: Sequence[Item], read: Read
) -> tuple[list[Item], list[str]]:
    """Compare a publication with the repository.

    Args:
        tree: files of the newest commit.
        tagged: files of the newest version; None if there is none.
        items: files of the publication.
        read: reads a file of the newest commit.

    Returns:
        Files to add or replace, and paths of an earlier publication to delete.
    """
    additions = [item for item in items if item.path not in tree or not tree[item.path].equals(item)]
    if not additions:
        return [], []
    new = {item.path for item in items}
    return additions, [path for path in published(tree, tagged, read) if path not in new]


def refuse_foreign(
    repo_id: str, tree: Tree, tagged: Tree | None, additions: Sequence[Item], read: Read
) -> None:
    """Refuse to replace files that finetune did not publish.

    Args:
        repo_id: for the message.
        tree: files of the newest commit.
        tagged: files of the newest version; None if there is none.
        additions: files to add or replace.
        read: reads a file of the newest commit.

    Raises:
        InputError: naming the first such file.
    """
    replaced = [item.path for item in additions if item.path in tree]
    own = set(published(tree, tagged, read)) if replaced else set()
    if foreign := [path for path in replaced if path not in own]:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InputError(
            f"{repo_id}: {foreign[0]}{more} would be replaced, but finetune did not publish it, or it was "
            "changed since; add --pull-request to propose the change, or give another --repo"
        )


def published(tree: Tree, tagged: Tree | None, read: Read) -> list[str]:
    """List the files that an earlier publication put into the repository and that have not changed since.

    Args:
        tree: files of the newest commit.
        tagged: files of the newest version, for the description of the package, which no record lists.
        read: reads a file of the newest commit.

    Returns:
        Paths.
    """
    record = _record(tree, read)
    if record is None:
        return []
    listed = {
        file.path.removeprefix(f"{HUB}/"): file.sha256
        for file in record.files
        if file.path.startswith((f"{HUB}/", f"{NATIVE}/"))
    }
    known = [path for path, sha256 in listed.items() if path in tree and _sha256(path, tree, read) == sha256]
    known.append(RECORD)
    if DESCRIPTION in tree:
        text = read(DESCRIPTION).decode(errors="replace")  # lists the SHA-256 of all files of the package
        inside = (path for path in tree if path.startswith(f"{HUB_PACKAGE}/"))
        known += [path for path in inside if _sha256(path, tree, read) in text]
        if tagged is None or tagged.get(DESCRIPTION) == tree[DESCRIPTION]:
            known.append(DESCRIPTION)
    return known


def _record(tree: Tree, read: Read) -> RunRecord | None:
    if RECORD not in tree:
        return None
    try:
        return RunRecord.model_validate_json(read(RECORD))
    except ValueError:
        return None


def _sha256(path: str, tree: Tree, read: Read) -> str:
    return tree[path].sha256 or hashlib.sha256(read(path)).hexdigest()
