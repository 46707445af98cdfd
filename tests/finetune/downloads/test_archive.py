"""Hostile archives of data sets: links, names outside the folder and bombs are one line, nothing is left."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from cards.errors import DownloadError
from finetune.downloads.archive import _unpack


def archive(members: dict[str, bytes], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = 0o120777 << 16
            file.writestr(info, "/etc")
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive({"images/x.txt": b"x"}, link="images"), r"contains a symbolic link \(images\)"),
        (archive({"../x.txt": b"x"}), "would write outside its folder"),
        (archive({"a": b"x", "a/b": b"x"}), "cannot be unpacked"),
        (archive({"a": b"x" * 1000})[:-30], "is not a complete zip archive"),
    ],
    ids=["link", "outside", "conflict", "truncated"],
)
def test_a_hostile_archive_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=words) as refused:
        _unpack(path, tmp_path / "unpacked", "https://example.org/a.zip", "data.root")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "x.txt").exists()


def test_an_archive_that_expands_enormously_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    block = b"\0" * 2**24
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("images/a.tif", "w", force_zip64=True) as member,
    ):
        for _ in range(64):
            member.write(block)
    with pytest.raises(DownloadError, match="far more than images of its size"):
        _unpack(path, tmp_path / "unpacked", "https://example.org/a.zip", "data.root")
    assert not (tmp_path / "unpacked").exists()
