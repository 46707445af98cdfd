"""Downloads from the Hugging Face Hub: the one place that talks to it, over huggingface_hub.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE and the other variables of huggingface_hub hold here, too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cards.errors import DownloadError, InputError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

TIMEOUT = 10  # seconds without an answer; huggingface_hub's own for a file
QUICK_TIMEOUT = 4  # seconds, where nothing depends on the answer
PAGE = 1000  # models; the most that the Hub's list gives at once
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Fetched:
    """Files of a model on the Hub, here.

    Attributes:
        folder: that holds them, under their names; it is part of the Hub's cache, so not to be written to.
        revision: the commit that they are of, whatever was asked for.
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
    """Download files of a model, or find them in the Hub's cache.

    A connection that breaks off is taken up again, where it broke off, a few times. What came is whole or is
    not kept: its size and, for large files (LFS), its SHA-256 are those that the Hub names. Large files are
    read and checked again each time they are taken from the cache (about a second a GB). If the Hub cannot be
    reached or is overloaded, the cache's files of the revision, as it was last seen, are taken.

    Args:
        repo_id: "user/name".
        files: their names in the repository.
        revision: a branch, tag or commit; the newest of branch main if unset.
        optional: names of files to fetch as well, where the repository has them.
        hint: the end of each error's message: what else a person can do.

    Returns:
        Where the files are, and their commit.

    Raises:
        DownloadError: if there is no such repository, revision or file, if access is denied, or if a download
            fails or gives something else than the Hub names.
    """
    try:
        return _fetch(repo_id, files, revision, optional)
    except InputError as error:
        message = f"{repo_id}: {error}"
        raise DownloadError(f"{message}; {hint}" if hint else message) from error.__cause__


def count_models(pipeline_tag: str, most: int) -> tuple[int, bool]:
    """How many models of a task the Hub lists, as far as it can be told in a few seconds.

    The Hub's API has no number, only pages of at most 1000 models.

    Args:
        pipeline_tag: of the task, as the Hub spells it: "image-segmentation".
        most: models after which it is given up.

    Returns:
        The number, and whether there are more.

    Raises:
        DownloadError: if the Hub cannot be reached, or does not answer so.
    """
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    # HfApi.list_models would do, but it tries for half a minute to reach a Hub that is out of reach.
    page: str | None = f"{constants.ENDPOINT}/api/models"
    parameters: dict[str, str | int] | None = {
        "pipeline_tag": pipeline_tag,
        "limit": PAGE,
        "expand": "pipeline_tag",  # nothing else of each model, but its id
    }
    count = 0
    try:
        while page and count < most:
            answer = get_session().get(
                page, params=parameters, headers=build_hf_headers(), timeout=QUICK_TIMEOUT
            )
            hf_raise_for_status(answer)
            count += len(answer.json())
            page, parameters = answer.links.get("next", {}).get("url"), None  # which has them in it
    except errors.HfHubHTTPError as error:
        raise DownloadError(f"the Hugging Face Hub {_answer(_status(error))}") from error
    except Exception as error:
        reason = type(error).__name__
        raise DownloadError(f"the Hugging Face Hub cannot be reached ({reason})") from _without_headers(error)
    return count, page is not None


def _fetch(repo_id: str, files: Sequence[str], revision: str | None, optional: Sequence[str]) -> Fetched:
    from huggingface_hub import HfApi

    if revision and COMMIT.fullmatch(revision):
        found = _cached(repo_id, [*files, *optional], (), revision)
        if found:  # a commit never changes
            return found
    try:
        info = HfApi().model_info(repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT)
    except Exception as error:  # the client lets errors of its transport through, and changes transports
        found = _cached(repo_id, files, optional, revision) if _may_pass(error) else None
        if found is None:
            raise _error(error, revision) from _without_headers(error)
        return found
    return _download(repo_id, files, optional, revision, info)


def _download(
    repo_id: str, files: Sequence[str], optional: Sequence[str], revision: str | None, info: ModelInfo
) -> Fetched:
    from huggingface_hub import hf_hub_download

    there = {file.rfilename: file for file in info.siblings or []}
    missing = [name for name in files if name not in there]
    names = [*files, *(name for name in optional if name in there)]
    if missing or not names or not info.sha:
        where = f"revision '{revision}'" if revision else "it"
        wanted = ", ".join(missing or optional)
        raise DownloadError(f"on the Hugging Face Hub {where} has no file {wanted}")
    for name in names:
        try:
            path = Path(hf_hub_download(repo_id, name, revision=info.sha))
        except Exception as error:
            raise _error(error, revision, name) from _without_headers(error)
        lfs = there[name].lfs
        _check(path, name, there[name].size, lfs.sha256 if lfs else None)
        folder = _folder(path, name)
    _remember(folder, revision or "main", info.sha)
    return Fetched(folder, info.sha)


def _cached(
    repo_id: str, files: Sequence[str], optional: Sequence[str], revision: str | None
) -> Fetched | None:
    """What the cache holds of a revision, as it was last seen; None if a file is not in it."""
    from huggingface_hub import try_to_load_from_cache

    found = {name: try_to_load_from_cache(repo_id, name, revision=revision) for name in [*files, *optional]}
    paths = {name: Path(path) for name, path in found.items() if isinstance(path, str)}
    if not paths or not set(files) <= set(paths):
        return None
    for name, path in paths.items():
        # The cache's links lead to files that are named by the SHA-256, where they are in LFS.
        target = path.readlink().name if path.is_symlink() else ""
        _check(path, name, None, target if SHA256.fullmatch(target) else None)
    folder = _folder(path, name)
    return Fetched(folder, folder.name)


def _folder(path: Path, name: str) -> Path:
    """The snapshot's folder, from a file in it; it is named by the commit."""
    return path.parents[len(PurePosixPath(name).parts) - 1]


def _remember(folder: Path, revision: str, commit: str) -> None:
    """Note in the cache which commit a branch or tag was last, as huggingface_hub does when asked for it.

    Its files are asked for by commit, so that all are of one; then it notes nothing. The place is part of the
    cache's documented layout (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
    """
    if COMMIT.fullmatch(revision):
        return
    reference = folder.parent.parent / "refs" / revision
    new = reference.with_name(f".{reference.name}.{os.getpid()}")
    try:
        reference.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(commit)
        new.replace(reference)
    except OSError:  # a cache that others filled and that is not to be written: the files are there
        new.unlink(missing_ok=True)


def _check(path: Path, name: str, size: int | None, sha256: str | None) -> None:
    """Delete a file that is not what the Hub names, and say so."""
    whole = size is None or path.stat().st_size == size
    if whole and sha256:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    if whole:
        return
    links = [path, path.parent / path.readlink()] if path.is_symlink() else [path]
    for wrong in [path.resolve(), *links]:
        wrong.unlink(missing_ok=True)
    raise DownloadError(
        f"{name} was damaged on its way: its {'SHA-256' if sha256 else 'size'} is not the one that the "
        "Hugging Face Hub names; it has been deleted: try again"
    )


def _may_pass(error: Exception) -> bool:
    """Whether the Hub gave no answer, or none for now."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        return _status(error) == 429 or _status(error) >= 500
    return not isinstance(error, errors.HFValidationError)


def _error(error: BaseException, revision: str | None, name: str = "") -> DownloadError:
    """What went wrong and what to do; of the error no text, as there may be a token or a signed URL in it.

    Args:
        error: that huggingface_hub raised.
        revision: that was asked for.
        name: of the file whose download failed, if it was one.
    """
    from huggingface_hub import constants, errors

    while isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__
    if isinstance(error, errors.GatedRepoError):
        says = "is gated: ask for access on its page on the Hugging Face Hub, then run `hf auth login`"
    elif isinstance(error, errors.RevisionNotFoundError):
        says = f"has no revision '{revision}' on the Hugging Face Hub"
    elif isinstance(error, errors.RepositoryNotFoundError):
        says = "no such model on the Hugging Face Hub; if it is private, run `hf auth login`"
    elif isinstance(error, errors.HFValidationError):
        says = "not a name that a model on the Hugging Face Hub can have: those are user/name"
    elif isinstance(error, errors.HfHubHTTPError):
        says = f"the Hugging Face Hub {_answer(_status(error))}"
    elif isinstance(error, OSError) and error.errno in NO_ROOM:
        says = f"no room on the disk for {name}: free some, or set HF_HOME to a folder on another disk"
    elif isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        says = f"cannot write the cache {constants.HF_HUB_CACHE} ({os.strerror(error.errno)}): set HF_HOME"
        says += " to another folder"
    elif name:
        says = f"the download of {name} broke off ({type(error).__name__}); nothing of it was kept: try again"
    elif isinstance(error, errors.OfflineModeIsEnabled):
        says = (
            "the Hugging Face Hub cannot be reached (HF_HUB_OFFLINE is set); nor is that model in its cache"
        )
    else:
        reason = type(error).__name__
        says = f"the Hugging Face Hub cannot be reached ({reason}); nor is that model in its cache"
    return DownloadError(says)


def _answer(status: int) -> str:
    if status == 401:
        return "does not let you in (401): run `hf auth login`, or mend HF_TOKEN"
    if status == 403:
        return "refuses access to it (403): your token needs permission to read it"
    if status == 429:
        return (
            "gets too many requests from here (429): wait some minutes, or raise the limit by `hf auth login`"
        )
    if status >= 500:
        return f"fails ({status}): try again later"
    return f"answers {status}: if HF_ENDPOINT is set, does it lead to a Hub?"


def _status(error: BaseException) -> int:
    return getattr(getattr(error, "response", None), "status_code", 0)


def _without_headers(error: Exception) -> Exception | None:
    """The error as the cause of ours, unless its text may quote the headers of a request: the token."""
    return error if isinstance(error, OSError) else None
