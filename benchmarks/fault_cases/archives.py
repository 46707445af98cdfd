"""Zip archives that no honest program writes: foreign names, links, members that expand to gigabytes."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
import zlib
from pathlib import Path


def zipped(package: Path, extra: dict[str, bytes] | None = None, links: dict[str, str] | None = None) -> Path:
    """Pack a folder into NAME.zip, with more members under any names."""
    path = package.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as file:
        for member in sorted(package.iterdir()):
            if member.name not in (links or {}):
                file.write(member, member.name)
        for name, content in (extra or {}).items():
            file.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            file.writestr(info, target)
    shutil.rmtree(package)
    return path


def zeros(sizes: dict[str, int], members: dict[str, bytes], start: dict[str, bytes] | None = None) -> bytes:
    """A zip archive with members that expand to many bytes (spaces), without making them here."""
    block, level = 2**24, zlib.compressobj(9, zlib.DEFLATED, -15)
    spaces = b" " * block
    first = level.compress(spaces) + level.flush(zlib.Z_FULL_FLUSH)
    buffer, directory = io.BytesIO(), b""
    parts: list[tuple[str, bytes | int]] = [*members.items(), *sizes.items()]
    for name, body in parts:
        offset = buffer.tell()
        if isinstance(body, bytes):
            data, size, crc, method = body, len(body), zlib.crc32(body), 0
        else:
            count, head = body // block, (start or {}).get(name, b"")
            lead = zlib.compressobj(9, zlib.DEFLATED, -15)
            end = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = lead.compress(head) + lead.flush(zlib.Z_FULL_FLUSH) + first * count + end.flush()
            size, crc, method = count * block + len(head), zlib.crc32(head), 8
            for _ in range(count):
                crc = zlib.crc32(spaces, crc)
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, crc, len(data), size, len(name), 0)
        buffer.write(b"PK\x03\x04" + fields + name.encode() + data)
        directory += (
            b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, offset)
        )
        directory += name.encode()
    count, offset = len(parts), buffer.tell()
    buffer.write(directory)
    buffer.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), offset, 0))
    return buffer.getvalue()
