"""Downloads of single files that continue where they broke off."""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from finetune.utils.atomic import write_file
from finetune.utils.lock import FileLock, LockedError
from finetune.utils.offline import offline_reason

TIMEOUT = 30  # seconds without an answer
ATTEMPTS = 3  # connections; a later call continues after the last
CHUNK = 2**20  # bytes
RECEIVED = 2**14  # bytes that a broken connection loses at most


def retrieve(url: str, path: Path, sha256: str | None = None) -> Path:
    """Download a file, or continue an earlier download of it.

    The incomplete file stays beside `path` until it is complete. It is continued (HTTP range) only if the
    server states the same version of the file (ETag or date) as before; otherwise the download starts anew.

    Args:
        url: address of the file.
        path: final path; replaced only by a complete file.
        sha256: expected hash, or its first digits; None if it is not known.

    Returns:
        The path.

    Raises:
        OSError: if the download fails, or this process must not use the network; what arrived is kept for
            the next call.
        ValueError: if the file has another hash; nothing is kept.
    """
    if reason := offline_reason():
        raise ConnectionError(reason)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.part.lock"))
    try:
        lock.acquire()
    except LockedError:  # another process downloads this file: this one must not write into its part
        return _retrieve(url, path, f"{path.name}.{secrets.token_hex(4)}.part", sha256, keep=False)
    try:
        return _retrieve(url, path, f"{path.name}.part", sha256, keep=True)
    finally:
        lock.release()


def failure(error: Exception) -> str:
    """Why a download failed, for the parentheses of a message.

    Args:
        error: error of `retrieve`.

    Returns:
        A clause without the text of requests, which repeats the address and names Python objects.
    """
    import requests

    if isinstance(error, requests.HTTPError):
        return f"HTTP status {getattr(error.response, 'status_code', 'unknown')}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection ended early"
    if isinstance(error, requests.RequestException):
        return type(error).__name__
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _retrieve(url: str, path: Path, name: str, sha256: str | None, *, keep: bool) -> Path:
    """Download to a part of this name beside the path, check it, and rename it."""
    partial, state = path.with_name(name), path.with_name(f"{name}.json")
    try:
        return _complete(url, path, partial, state, sha256)
    finally:
        if not keep:
            partial.unlink(missing_ok=True)
            state.unlink(missing_ok=True)


def _complete(url: str, path: Path, partial: Path, state: Path, sha256: str | None) -> Path:
    import requests

    for attempt in range(ATTEMPTS):
        try:
            _continue(url, partial, state)
            break
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, EOFError) as error:
            if attempt + 1 < ATTEMPTS:
                continue
            if isinstance(error, EOFError):
                raise ConnectionError(str(error)) from error
            raise
    digest = hashlib.sha256()
    with partial.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if sha256 is not None and not digest.hexdigest().startswith(sha256.lower()):
        partial.unlink()
        state.unlink(missing_ok=True)
        raise ValueError(f"SHA-256 is {digest.hexdigest()}, expected {sha256}")
    partial.replace(path)
    state.unlink(missing_ok=True)
    return path


def _continue(url: str, partial: Path, state: Path) -> None:
    """Download what is missing of a file; raises EOFError if the connection ends early."""
    import requests

    known = _read(state)
    have = partial.stat().st_size if partial.is_file() and known.get("url") == url else 0
    version = known.get("version")
    headers = {"Range": f"bytes={have}-", "If-Range": version} if have and version else {}
    # Without compression, so that the number of bytes is that of the file.
    headers["Accept-Encoding"] = "identity"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416 and have == known.get("size"):
            return  # it was complete
        answer.raise_for_status()
        resumed = answer.status_code == 206
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise EOFError("the server sent another part of the file than asked")
        length = answer.headers.get("Content-Length")
        expected = None if length is None else int(length) + (have if resumed else 0)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        usable = version if version and not version.startswith("W/") else None
        if not resumed:  # bytes of another version must not lie beside the state of this one
            partial.unlink(missing_ok=True)
        write_file(state, json.dumps({"url": url, "version": usable, "size": expected}))
        with partial.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_content(RECEIVED):
                file.write(chunk)
        if expected is not None and partial.stat().st_size != expected:
            raise EOFError(f"the connection ended after {partial.stat().st_size:,} of {expected:,} bytes")


def _read(state: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(state.read_text("utf-8"))
        if isinstance(content, dict):
            return content
    return {}
