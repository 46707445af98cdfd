"""Archives of data sets and models: downloaded and unpacked into the cache, completely or not at all."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage

from cards.archives import DAMAGED, check_member
from cards.errors import DownloadError
from cards.paths import expand_user
from finetune.downloads.resumable import failure, retrieve
from finetune.utils.atomic import atomic_folder, is_disk_full

MAX_MEMBERS = 1_000_000
MAX_EXPANSION = 200  # unpacked bytes per byte of the archive; label images compress well
SLACK = 2**29  # bytes that a small archive may have beyond that
CACHE_HINT = "set FINETUNE_CACHE to another folder"


def cache_folder() -> Path:
    """Folder of downloaded data sets and weights.

    Returns:
        FINETUNE_CACHE if it is set, otherwise the platform's cache folder.
    """
    folder = os.environ.get("FINETUNE_CACHE")
    if folder:
        return expand_user(folder)
    from platformdirs import user_cache_dir  # as pooch.os_cache, without the import of pooch

    return Path(user_cache_dir("finetune"))


def download(
    url: str, folder: Path, sha256: str | None, check: Callable[[Path], None], key: str = "data.root"
) -> Path:
    """Download a zip archive of a data set or model and unpack it.

    Args:
        url: URL of the archive.
        folder: final folder of the content; must not exist yet.
        sha256: SHA-256 of the archive, if known.
        check: called with the unpacked content before it is renamed to `folder`; raises InputError if the
            content is not as expected.
        key: recipe key with which the user can provide a local folder instead.

    Returns:
        The folder.

    Raises:
        DownloadError: if the archive cannot be downloaded, is damaged, or fails the check; nothing remains.
    """
    with atomic_folder(folder, CACHE_HINT) as new:
        archive = _retrieve(url, new.parent, folder, sha256, key)
        unpacked = new.parent / "unpacked"
        _unpack(archive, unpacked, url, key)
        root = _data_root(unpacked)
        check(root)
        new.rmdir()
        root.rename(new)
    return folder


def _retrieve(url: str, work: Path, folder: Path, sha256: str | None, key: str) -> Path:
    # Not in the temporary folder: a later call continues the download.
    archive = folder.parent / f".{folder.name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}.zip"
    try:
        return retrieve(url, archive, sha256).rename(work / "archive.zip")
    except OSError as error:  # requests' errors are OSErrors, and some of them ValueErrors, too
        if is_disk_full(error):
            raise
        raise DownloadError(
            f"{folder.name}: cannot be downloaded from {url} ({failure(error)}): "
            f"put the folder at {folder}, or set {key}=PATH"
        ) from error
    except ValueError as error:  # another hash
        raise DownloadError(
            f"{url}: was changed by its publisher or damaged in transit: its SHA-256 is not {sha256}"
        ) from error


def _unpack(archive: Path, into: Path, url: str, key: str) -> None:
    """Unpack a zip archive; not `pooch.Unzip`, which renames suspicious members silently."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = file.infolist()
            for member in members:
                check_member(member, url, DownloadError)
            size, free = sum(member.file_size for member in members), disk_usage(archive.parent).free
            if len(members) > MAX_MEMBERS or size > MAX_EXPANSION * archive.stat().st_size + SLACK:
                raise DownloadError(
                    f"{url}: the archive has {len(members):,} members and expands to {size / 1e9:.3g} GB, "
                    "far more than images of its size: not unpacked"
                )
            if size > free:
                raise DownloadError(
                    f"{url}: the archive expands to {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free: "
                    f"not unpacked; {CACHE_HINT}"
                )
            file.extractall(into)
    except DAMAGED as error:
        raise DownloadError(f"{url}: is not a complete zip archive: try again, or set {key}=PATH") from error
    except OSError as error:  # such as a member that is a file here and a folder there
        if is_disk_full(error):
            raise
        raise DownloadError(f"{url}: the archive cannot be unpacked: {error.strerror}") from error


def _data_root(unpacked: Path) -> Path:
    """Folder with the content: many archives hold a single folder that holds everything else."""
    inside = [path for path in unpacked.iterdir() if path.is_dir() and not path.name.startswith(("__", "."))]
    return inside[0] if len(inside) == 1 and inside[0].name not in {"train", "images"} else unpacked
