"""Downloads into the cache: whole or not at all."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cards.errors import DownloadError
from finetune.utils.atomic import atomic_folder, is_disk_full

TIMEOUT = 30  # seconds without an answer
CACHE_HINT = "set FINETUNE_CACHE to another folder"


def cache_folder() -> Path:
    """Where named data sets are kept: what FINETUNE_CACHE says, or else the platform's cache folder."""
    given = os.environ.get("FINETUNE_CACHE")
    if given:
        return Path(given)
    from pooch import os_cache

    return Path(os_cache("finetune"))


def download(
    url: str, folder: Path, sha256: str | None, check: Callable[[Path], None], key: str = "data.root"
) -> Path:
    """Download a zip archive of a data set or a model and unpack it.

    Args:
        url: of the archive.
        folder: where its content is to be; must not be there yet.
        sha256: of the archive, if known.
        check: called with the unpacked data before they take their place; raises DownloadError if they are
            wrong.
        key: of a recipe, by which a person can give a folder of their own instead.

    Returns:
        The folder.

    Raises:
        DownloadError: if the archive cannot be had, is damaged, or fails the check. Nothing is left behind.
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
    import pooch

    known = f"sha256:{sha256}" if sha256 else None
    try:
        return Path(
            pooch.retrieve(url, known, "archive.zip", work, downloader=pooch.HTTPDownloader(timeout=TIMEOUT))
        )
    except ValueError as error:  # what pooch raises for a wrong hash
        raise DownloadError(
            f"{url}: has changed or was damaged on its way: its SHA-256 is not {sha256}"
        ) from error
    except OSError as error:  # requests' errors are OSErrors
        if is_disk_full(error):
            raise
        raise DownloadError(
            f"{folder.name}: cannot be downloaded from {url} ({type(error).__name__}): "
            f"put the folder at {folder}, or set {key}=PATH"
        ) from error


def _unpack(archive: Path, into: Path, url: str, key: str) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            for name in file.namelist():
                parts = PurePosixPath(name.replace("\\", "/"))
                if parts.is_absolute() or ".." in parts.parts or ":" in name:
                    raise DownloadError(
                        f"{url}: the archive would write outside its folder ({name}): not unpacked"
                    )
            file.extractall(into)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{url}: is not a whole zip archive: try again, or set {key}=PATH") from error


def _data_root(unpacked: Path) -> Path:
    """The folder with the data: archives often hold one folder that holds them."""
    inside = [path for path in unpacked.iterdir() if path.is_dir() and not path.name.startswith(("__", "."))]
    return inside[0] if len(inside) == 1 and inside[0].name not in {"train", "images"} else unpacked
