"""Limits on zip archives of unknown origin, checked before a member is read or unpacked."""

from __future__ import annotations

import lzma
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

from cards.errors import InputError, ModelError, reason_of

MAX_MEMBERS = 10_000
MAX_EXPANSION = 100  # unpacked bytes per byte of the archive; weights hardly compress
SLACK = 256 * 2**20  # bytes that a small archive may have beyond that

DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)
"""Errors of zipfile if an archive is damaged or its compression is unknown; it also raises OSError."""


def check_members(archive: zipfile.ZipFile, size: int, where: str) -> None:
    """Refuse an archive that expands to too much, or whose members could leave its folder.

    Args:
        archive: the open archive of a model.
        size: of the archive in bytes.
        where: name of the archive for error messages.

    Raises:
        ModelError: naming the first member that is refused.
    """
    members = archive.infolist()
    expanded = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or expanded > MAX_EXPANSION * size + SLACK:
        raise ModelError(
            f"{where}: {len(members):,} members that expand to {expanded:,} bytes, far more than a model of "
            f"{size:,} bytes"
        )
    for member in members:
        check_member(member, where, ModelError)
        if member.flag_bits & 1:
            raise ModelError(f"{where}: {member.filename} is encrypted; a package contains readable files")
    twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if twice:
        raise ModelError(f"{where}: contains {twice[0]} more than once, so that readers may differ")


def check_member(member: zipfile.ZipInfo, where: str, error: type[InputError]) -> None:
    """Refuse a member that would be written outside the folder, and a link, which could lead outside.

    Args:
        member: of an archive.
        where: name of the archive for error messages.
        error: type of the error to raise.

    Raises:
        InputError: of that type, naming the member.
    """
    name = member.filename
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise error(f"{where}: the archive would write outside its folder ({name}): not unpacked")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise error(f"{where}: the archive contains a symbolic link ({name}): not unpacked")


def unpack(path: Path, folder: Path, where: str) -> None:
    """Unpack the archive of a model.

    Args:
        path: the archive.
        folder: an empty folder.
        where: name of the archive for error messages.

    Raises:
        ModelError: if it is no zip archive, damaged, too large, or would write outside the folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path.stat().st_size, where)
            for member in archive.infolist():
                target = folder / member.filename
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as content, target.open("xb") as file:
                    shutil.copyfileobj(content, file, 2**20)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{where}: not a complete zip archive: {error}") from error
    except (OSError, *DAMAGED) as error:
        raise ModelError(f"{where}: cannot be unpacked: {reason_of(error)}") from error
