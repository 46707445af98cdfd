"""Hostile archives of data sets: links, names outside the folder and bombs are one line, nothing is left."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from range_server import serve

from cards.errors import DownloadError
from finetune.downloads.archive import _unpack, download


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
        for _ in range(48):  # beyond the slack of a small archive
            member.write(block)
    with pytest.raises(DownloadError, match="far more than images of its size"):
        _unpack(path, tmp_path / "unpacked", "https://example.org/a.zip", "data.root")
    assert not (tmp_path / "unpacked").exists()


def test_an_interrupted_archive_is_continued_by_the_next_call(tmp_path: Path) -> None:
    content = archive({"images/a.txt": os.urandom(200_000), "masks/a.txt": b"x"})
    folder = tmp_path / "cache" / "data"
    with serve() as server:
        server.content["/a.zip"] = content
        server.cuts = [100_000, 20_000, 20_000]
        with pytest.raises(DownloadError, match=r"data: cannot be downloaded from .*or set data\.root=PATH"):
            download(f"{server.url}/a.zip", folder, None, lambda found: None)
        assert not folder.exists()
        sha256 = hashlib.sha256(content).hexdigest()
        download(f"{server.url}/a.zip", folder, sha256, lambda found: None)
        assert int((server.ranges[-1] or "bytes=0-").removeprefix("bytes=").rstrip("-")) > 80_000
    assert sorted(path.name for path in folder.iterdir()) == ["images", "masks"]
    assert [path.name for path in folder.parent.iterdir()] == ["data"]


def test_an_archive_with_another_hash_leaves_nothing(tmp_path: Path) -> None:
    with serve() as server:
        server.content["/a.zip"] = archive({"images/a.txt": b"x"})
        with pytest.raises(DownloadError, match="its SHA-256 is not 0000"):
            download(f"{server.url}/a.zip", tmp_path / "cache" / "data", "0" * 64, lambda found: None)
    assert not list((tmp_path / "cache").iterdir())


def test_an_unusable_proxy_is_no_damaged_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    with pytest.raises(DownloadError, match=r"downloaded from https://example.org/a.zip \(InvalidP"):
        download("https://example.org/a.zip", tmp_path / "data", "0" * 64, lambda path: None)
