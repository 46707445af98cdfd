"""Packages by path, web address or id: a copy of each package of the collection is kept in the cache.

The collection names the versions of a model "v0", "v1" and so on. Its server returns the current one unless
an address asks for another with `?version=` (bioimageio.spec 0.5.12, `_upload.py`).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cards.errors import DownloadError, InputError, ModelError
from finetune.downloads.archive import cache_folder
from finetune.repositories.bioimageio.messages import on_one_line, quiet
from finetune.repositories.bioimageio.names import known_id
from finetune.repositories.bioimageio.package import TUNABLE, Package, read_package
from finetune.utils.atomic import atomic_file
from finetune.utils.offline import offline_reason

DESCRIPTION = "/files/rdf.yaml"  # end of the address of a description; the artifact itself is above
HUGGING_FACE = "huggingface/"  # ids of packages on the Hub, which may end with a version (bioimageio.spec)
VERSION = re.compile(r"[\w.]+")
TIMEOUT = 10  # seconds, as in bioimageio.spec


def open_package(source: str | Path, revision: str | None = None, *, check_files: bool = False) -> Package:
    """Read and validate the description of a package. No code of the package is executed.

    Args:
        source: a zip, a folder, an rdf.yaml, its web address, or an id of the BioImage.IO collection. The
            last two are downloaded by bioimageio.spec into the cache (FINETUNE_CACHE); with
            HF_HUB_OFFLINE=1, or without a network, they are read from the cache.
        revision: version of the model, its name in the collection, such as "v0", or the first letters of the
            description's SHA-256; the current one if None. Earlier versions are downloaded, too.
        check_files: whether to compare all files of a local package with their hashes in the description,
            too. Nothing is looked up on the network.

    Returns:
        The package.

    Raises:
        ModelError: if there is no package, it is not valid, or there is none of this revision.
    """
    if not Path(source).exists():
        return _fetch(str(source), revision)
    package = read_package(str(source), source, check_files)
    if revision and not package.has_revision(revision):
        raise ModelError(
            f"{source}: model.revision is {revision}, but this is {package.revision} "
            f"(description with SHA-256 {package.sha256})"
        )
    return package


def cached_file(package: Package) -> Path:
    """The file in the cache that holds a package from the collection.

    Args:
        package: result of `open_package` for an id or address.

    Returns:
        The zip file.
    """
    version = f"@{package.listed}" if package.listed else ""
    return _cache() / f"{_slug(known_id(package.source))}-{package.sha256}{version}.zip"


def _fetch(name: str, revision: str | None) -> Package:
    """Download a package that the cache does not hold; without a network, the cache is all there is."""
    if name.endswith((".zip", ".yaml", ".yml")) and "://" not in name:
        raise ModelError(f"{name}: no such file or folder")
    resolved = known_id(name)
    reason = offline_reason()
    current = None
    if reason is None:
        try:
            current = read_package(name, resolved)
            if revision is None or current.has_revision(revision):
                return _keep(current)
        except InputError as error:
            reason = str(error).removeprefix(f"{name}: ")
    for package in _cached_packages(name, resolved):
        if revision is None or package.has_revision(revision):
            return package
    if current is None or revision is None:
        what = f"a package of revision {revision}" if revision else "a package"
        raise ModelError(
            f"{name}: no such file or folder here, nor {what} in the cache; "
            f"BioImage.IO: {on_one_line(reason)}"
        )
    return _earlier_version(current, resolved, revision)


def _earlier_version(current: Package, resolved: str, revision: str) -> Package:
    """Download the version of a package that has a revision."""
    seen = [current.revision]
    for listed, address in _versions(current.source, resolved, revision):
        package = replace(read_package(current.source, address), listed=listed)
        if package.has_revision(revision):
            return _keep(package)
        seen.append(package.revision)
    raise ModelError(
        f"{current.source}: model.revision is {revision}, but the versions there are "
        f"{', '.join(dict.fromkeys(seen))} (description of the first: SHA-256 {current.sha256})"
    )


def _versions(name: str, resolved: str, revision: str) -> Iterator[tuple[str, str]]:
    """Name and address of each version that may have a revision, the latest first."""
    if "://" in resolved:  # the address of one version
        return
    if resolved.startswith(HUGGING_FACE):
        if VERSION.fullmatch(revision):
            yield revision, f"{resolved}/{revision}"
        return
    from bioimageio.spec import settings

    address = settings.collection_http_pattern.format(bioimageio_id=resolved)
    try:
        with urllib.request.urlopen(address.removesuffix(DESCRIPTION), timeout=TIMEOUT) as answer:
            names = [version["version"] for version in json.load(answer)["versions"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            f"{name}: the current version is not {revision}, and the server does not list earlier ones: "
            f"{on_one_line(error)}"
        ) from error
    names = [name for name in reversed(names) if isinstance(name, str) and VERSION.fullmatch(name)]
    for listed in [revision] if revision in names else names:
        yield listed, f"{address}?version={listed}"


def _keep(package: Package) -> Package:
    """Download the needed files of a package into the cache, without weights that finetune cannot use."""
    from bioimageio.spec import ValidationContext, save_bioimageio_package

    path = cached_file(package)
    if path.exists():
        return _read_cached(package.source, path)
    weights = package.description.weights
    entries = {name: entry for name, entry in weights if entry is not None}
    needed = [name for name in TUNABLE if name in entries] or list(entries)
    for name in needed:  # grows: where the weights were converted from is part of a valid description
        parent = entries[name].parent
        if parent and parent not in needed:
            needed.append(parent)
    dropped = {name: None for name in entries if name not in needed}
    description = package.description.model_copy(update={"weights": weights.model_copy(update=dropped)})
    try:
        with atomic_file(path) as partial, quiet(), ValidationContext(perform_io_checks=False):
            save_bioimageio_package(description, output_path=partial)
    except Exception as error:
        raise ModelError(f"{package.source}: cannot be downloaded: {on_one_line(error)}") from error
    return _read_cached(package.source, path)


def _cached_packages(name: str, resolved: str) -> Iterator[Package]:
    """Packages of a model in the cache: the one downloaded last first, those of earlier versions last."""
    paths = _cache().glob(f"{_slug(resolved)}-*.zip")
    for path in sorted(paths, key=lambda path: ("@" in path.stem, -path.stat().st_mtime)):
        yield _read_cached(name, path)


def _read_cached(name: str, path: Path) -> Package:
    """Open a package in the cache; its file name holds the hash of the original description."""
    digest, _, listed = path.stem.rsplit("-", 1)[1].partition("@")
    return replace(read_package(name, path), sha256=digest, listed=listed or None)


def _cache() -> Path:
    return cache_folder() / "bioimageio"


def _slug(name: str) -> str:
    letters = re.sub(r"\W+", "-", name).strip("-")[-60:]
    return f"{letters}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
