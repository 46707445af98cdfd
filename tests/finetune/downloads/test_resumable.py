"""Downloads that continue where they broke off, from a real server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from range_server import Files, serve

from finetune.downloads.resumable import ATTEMPTS, RECEIVED, failure, retrieve

CONTENT = os.urandom(300_000)


@pytest.fixture
def server() -> Iterator[Files]:
    with serve() as files:
        files.content["/weights"] = CONTENT
        yield files


def start(server: Files) -> int:
    """First byte of the last request."""
    return int((server.ranges[-1] or "bytes=0-").removeprefix("bytes=").rstrip("-"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_broken_connection_is_continued_where_it_broke(server: Files, tmp_path: Path) -> None:
    server.cuts = [100_000]
    assert retrieve(f"{server.url}/weights", tmp_path / "w").read_bytes() == CONTENT
    assert len(server.ranges) == 2 and 100_000 - RECEIVED < start(server) <= 100_000
    assert names(tmp_path) == ["w"]


def test_a_later_call_continues(server: Files, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000, 20_000]
    assert len(server.cuts) == ATTEMPTS
    with pytest.raises(OSError, match="the connection ended|IncompleteRead|broken"):
        retrieve(f"{server.url}/weights", tmp_path / "w")
    assert not (tmp_path / "w").exists()
    assert retrieve(f"{server.url}/weights", tmp_path / "w").read_bytes() == CONTENT
    assert 170_000 - 3 * RECEIVED < start(server) <= 170_000


def test_a_file_that_changed_is_downloaded_anew(server: Files, tmp_path: Path) -> None:
    server.cuts = [100_000] * ATTEMPTS
    with pytest.raises(OSError):
        retrieve(f"{server.url}/weights", tmp_path / "w")
    server.content["/weights"] = CONTENT[::-1]
    assert retrieve(f"{server.url}/weights", tmp_path / "w").read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_sends_the_whole_file(server: Files, tmp_path: Path) -> None:
    server.cuts, server.without_ranges = [100_000], True
    assert retrieve(f"{server.url}/weights", tmp_path / "w").read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_continued(server: Files, tmp_path: Path) -> None:
    server.content["/other"] = b"other"
    server.cuts = [100_000] * ATTEMPTS
    with pytest.raises(OSError):
        retrieve(f"{server.url}/weights", tmp_path / "w")
    assert retrieve(f"{server.url}/other", tmp_path / "w").read_bytes() == b"other"


def test_another_hash_is_an_error_and_nothing_is_kept(server: Files, tmp_path: Path) -> None:
    right = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(ValueError, match=right):
        retrieve(f"{server.url}/weights", tmp_path / "w", "0" * 64)
    assert names(tmp_path) == []
    assert retrieve(f"{server.url}/weights", tmp_path / "w", right[:8]).is_file()


def test_several_downloads_of_one_file_at_once_are_all_complete(server: Files, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: retrieve(f"{server.url}/weights", tmp_path / "w"), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert names(tmp_path) == ["w"]


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_no_server_is_asked(
    server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConnectionError, match=f"^{variable} is set$") as error:
        retrieve(f"{server.url}/weights", tmp_path / "w")
    assert failure(error.value) == f"{variable} is set"
    assert not server.ranges
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # which huggingface_hub reads first
    assert retrieve(f"{server.url}/weights", tmp_path / "w").read_bytes() == CONTENT


def test_a_failure_is_said_without_the_names_of_python_objects(server: Files, tmp_path: Path) -> None:
    server.cuts = [100_000] * ATTEMPTS
    for address, said in (
        ("http://127.0.0.1:9/weights", "the connection failed"),
        (f"{server.url}/none", "HTTP status 404"),
        (f"{server.url}/weights", "the connection ended"),
    ):
        with pytest.raises(OSError) as error:
            retrieve(address, tmp_path / "w")
        assert failure(error.value).startswith(said)
