"""Downloads from the Hugging Face Hub. HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE apply."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cards.errors import DownloadError, InputError
from finetune.downloads.hub_errors import hub_error, is_temporary, safe_cause, without_log
from finetune.utils.atomic import write_file
from finetune.utils.offline import offline_reason

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

QUICK_TIMEOUT = 4  # seconds, where nothing depends on the answer
TIMEOUT = 10  # seconds without an answer; huggingface_hub's own for a file
CHUNK = 2**20  # bytes

# "user/name" or "user/name@revision"; the revision may be a branch, a tag, a commit or "refs/pr/1".
HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")

COMMIT = re.compile(r"[0-9a-f]{40}")
CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # git blob id (SHA-1), or SHA-256 for files in LFS


@dataclass(frozen=True)
class Fetched:
    """Files of a model on the Hub, in the local cache.

    Attributes:
        folder: folder that holds the files under their names in the repository. It is part of the Hub's cache
            and must not be written to.
        revision: commit of the files.
    """

    folder: Path
    revision: str


def fetch(
    repo_id: str,
    files: Sequence[str],
    *,
    revision: str | None = None,
    optional: Sequence[str] = (),
    hint: str = "",
) -> Fetched:
    """Download files of a model, or take them from the Hub's cache.

    An interrupted download is continued a few times. Every file is compared with the checksum that the Hub
    reports (SHA-256 for files in LFS, the git blob id for others), also when it comes from the cache: about
    one second per GB. If the Hub is unreachable or overloaded, the revision that the cache saw last is used.

    Args:
        repo_id: "user/name".
        files: file names in the repository.
        revision: branch, tag or commit; None for the newest commit of branch main.
        optional: file names to download as well if the repository has them.
        hint: alternative for the user, appended to every error message.

    Returns:
        Folder and commit of the files.

    Raises:
        DownloadError: if the repository, revision or a file does not exist, access is denied, the download
            fails, or a file does not match its checksum.
    """
    try:
        with without_log():
            return _fetch(repo_id, files, revision, optional)
    except InputError as error:
        message = f"{repo_id}: {error}"
        raise DownloadError(f"{message}; {hint}" if hint else message) from error.__cause__


def fetch_all(repo_id: str, *, revision: str | None = None) -> Fetched:
    """Download all files of a model, each compared with the checksum that the Hub reports.

    Args:
        repo_id: "user/name".
        revision: branch, tag or commit; None for the newest commit of branch main.

    Returns:
        Folder and commit of the files.

    Raises:
        DownloadError: if the Hub cannot be reached, denies access, or a file does not match its checksum.
    """
    from huggingface_hub import HfApi

    try:
        with without_log():
            info = HfApi().model_info(repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT)
            return _download(repo_id, [file.rfilename for file in info.siblings or []], (), revision, info)
    except InputError as error:
        raise DownloadError(f"{repo_id}: {error}") from error.__cause__
    except Exception as error:  # the client lets errors of its transport through, and changes transports
        raise DownloadError(f"{repo_id}: {hub_error(error, revision)}") from safe_cause(error)


def _fetch(repo_id: str, files: Sequence[str], revision: str | None, optional: Sequence[str]) -> Fetched:
    from huggingface_hub import HfApi

    if revision and COMMIT.fullmatch(revision):
        found = _cached(repo_id, [*files, *optional], (), revision)
        if found:  # a commit never changes
            return found
    try:
        info = HfApi().model_info(repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT)
    except Exception as error:  # the client lets errors of its transport through, and changes transports
        found = _cached(repo_id, files, optional, revision) if is_temporary(error) else None
        if found is None:
            raise hub_error(error, revision) from safe_cause(error)
        return found
    return _download(repo_id, files, optional, revision, info)


def _download(
    repo_id: str, files: Sequence[str], optional: Sequence[str], revision: str | None, info: ModelInfo
) -> Fetched:
    from huggingface_hub import hf_hub_download

    available = {file.rfilename: file for file in info.siblings or []}
    missing = [name for name in files if name not in available]
    names = [*files, *(name for name in optional if name in available)]
    if missing or not names or not info.sha:
        where = f"revision '{revision}'" if revision else "it"
        absent = ", ".join(missing or optional)
        raise DownloadError(f"on the Hugging Face Hub {where} has no file {absent}")
    for name in names:
        try:
            path = Path(hf_hub_download(repo_id, name, revision=info.sha))
        except Exception as error:
            raise hub_error(error, revision, name) from safe_cause(error)
        file = available[name]
        _verify(path, name, file.size, file.lfs.sha256 if file.lfs else file.blob_id)
        folder = _folder(path, name)
    _write_reference(folder, revision or "main", info.sha)
    return Fetched(folder, info.sha)


def _cached(
    repo_id: str, files: Sequence[str], optional: Sequence[str], revision: str | None
) -> Fetched | None:
    """Cached files of a revision as the cache saw it last; None if one of `files` is missing."""
    from huggingface_hub import try_to_load_from_cache

    cached = {name: try_to_load_from_cache(repo_id, name, revision=revision) for name in [*files, *optional]}
    paths = {name: Path(path) for name, path in cached.items() if isinstance(path, str)}
    if not paths or not set(files) <= set(paths):
        return None
    for name, path in paths.items():
        # Links in the cache lead to files that are named by their checksum.
        target = path.readlink().name if path.is_symlink() else ""
        _verify(path, name, None, target if CHECKSUM.fullmatch(target) else None)
    folder = _folder(path, name)
    return Fetched(folder, folder.name)


def _folder(path: Path, name: str) -> Path:
    """Snapshot folder of a file; its name is the commit."""
    return path.parents[len(PurePosixPath(name).parts) - 1]


def _write_reference(folder: Path, revision: str, commit: str) -> None:
    """Record in the cache which commit a branch or tag points to.

    huggingface_hub records nothing if files are requested by commit, as here, so that all are of one commit.
    The location is part of the cache's documented layout
    (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
    """
    if not COMMIT.fullmatch(revision):
        with contextlib.suppress(OSError):  # a shared, read-only cache
            write_file(folder.parent.parent / "refs" / revision, commit)


def _verify(path: Path, name: str, size: int | None, checksum: str | None) -> None:
    """Compare a file with size and checksum on the Hub; delete it if they differ, unless offline.

    Args:
        path: file in the cache.
        name: file name in the repository, for the error message.
        size: size on the Hub in bytes, if known.
        checksum: SHA-256 or git blob id on the Hub, if known.

    Raises:
        DownloadError: if the file differs.
    """
    differs = "size" if size is not None and path.stat().st_size != size else _mismatch(path, checksum)
    if not differs:
        return
    if offline := offline_reason():
        raise DownloadError(
            f"{name}: its {differs} differs from that which the Hugging Face Hub reported; {offline}: "
            "download the model again where there is a network"
        )
    links = [path, path.parent / path.readlink()] if path.is_symlink() else [path]
    for damaged in [path.resolve(), *links]:
        damaged.unlink(missing_ok=True)
    raise DownloadError(
        f"{name} was damaged in transit: its {differs} differs from that reported by the Hugging Face Hub; "
        "the file has been deleted: try again"
    )


def _mismatch(path: Path, checksum: str | None) -> str:
    """Name of the checksum that a file does not match; empty if it matches or none is known."""
    if checksum is None:
        return ""
    lfs = len(checksum) == 64
    digest = hashlib.sha256() if lfs else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return "" if digest.hexdigest() == checksum else "SHA-256" if lfs else "checksum"
