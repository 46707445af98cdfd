"""The cache of the Hugging Face Hub: what is in it serves without the Hub, unless it is damaged."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hub_model import FILES, REPO, WEIGHTS, cached, problem

from finetune.downloads.hub import Fetched, fetch


@pytest.fixture
def commit(hub) -> str:
    """One model on the Hub."""
    return hub.add(REPO, FILES, lfs={"weights.pt"})


@pytest.mark.parametrize("trouble", ["offline", "down", "overloaded", "gone"])
def test_what_is_in_the_cache_can_be_had_without_the_hub(hub, commit, monkeypatch, trouble):
    from huggingface_hub import constants

    fetched = fetch(REPO, ["weights.pt"], revision="main", optional=["config.json"])
    if trouble == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif trouble == "gone":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    else:
        hub.status = {"down": 503, "overloaded": 429}[trouble]
    assert fetch(REPO, ["weights.pt"], optional=["config.json", "absent.json"]) == fetched
    assert fetch(REPO, ["weights.pt"], revision=commit, optional=["absent.json"]) == fetched
    reason = problem(REPO, ["weights.pt", "more/notes.txt"])
    assert reason.startswith(f"{REPO}: the Hugging Face Hub ")
    hub.repositories.clear()  # deleted is not the same as out of reach
    hub.status = None
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    assert "no such model" in problem(REPO, ["weights.pt"])


@pytest.mark.parametrize("revision", [None, "commit"])
@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("content", [WEIGHTS[:50_000], WEIGHTS[:-1] + b"?", b""])
def test_a_file_damaged_in_the_cache_is_fetched_anew(hub, commit, monkeypatch, revision, online, content):
    from huggingface_hub import constants

    fetched = fetch(REPO, ["weights.pt"])
    (fetched.folder / "weights.pt").resolve().write_bytes(content)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", not online)
    revision = commit if revision else None
    assert "the file has been deleted: try again" in problem(REPO, ["weights.pt"], revision=revision)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert fetch(REPO, ["weights.pt"], revision=revision) == fetched
    assert (fetched.folder / "weights.pt").read_bytes() == WEIGHTS


def test_a_small_file_cut_short_in_the_cache(hub, commit):
    fetched = fetch(REPO, ["more/notes.txt"])
    (fetched.folder / "more/notes.txt").resolve().write_bytes(b"hell")
    assert "its size differs" in problem(REPO, ["more/notes.txt"])
    assert (fetch(REPO, ["more/notes.txt"]).folder / "more/notes.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("online", [True, False])
def test_a_small_file_altered_in_the_cache(hub, commit, monkeypatch, online):
    from huggingface_hub import constants

    fetched = fetch(REPO, ["more/notes.txt"])
    (fetched.folder / "more/notes.txt").resolve().write_bytes(b"hallo")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", not online)
    assert "its checksum differs" in problem(REPO, ["more/notes.txt"])
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert (fetch(REPO, ["more/notes.txt"]).folder / "more/notes.txt").read_bytes() == b"hello"


KILLED = """
from huggingface_hub import constants
from finetune.downloads.hub import fetch
constants.DOWNLOAD_CHUNK_SIZE = 1000
fetch("someone/nuclei", ["weights.pt"])
"""


def test_what_a_killed_process_left_is_never_taken(hub, commit):
    hub.halts = [60_000]
    child = subprocess.Popen([sys.executable, "-c", KILLED], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if cached(hub):
                break
            time.sleep(0.1)
    finally:
        child.kill()
        child.wait()
    (partial,) = cached(hub)
    assert partial.stat().st_size <= 60_000
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS
    assert fetch(REPO, ["weights.pt"], revision=commit).revision == commit


def test_several_at_once(hub, commit):
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda _: fetch(REPO, list(FILES)), range(4)))
    assert len(set(fetched)) == 1
    assert {name: (fetched[0].folder / name).read_bytes() for name in FILES} == FILES


CHILD = """
import resource, sys
from cards.errors import InputError
from finetune.downloads.hub import fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    fetch("someone/nuclei", ["weights.pt"])
except InputError as error:
    sys.exit(str(error))
"""


def test_no_room_on_the_disk(hub, commit):
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=60)
    assert "no room for weights.pt: free some space, or set HF_HOME to a" in done.stderr
    assert "Traceback" not in done.stderr
    assert not cached(hub)


def test_a_cache_that_cannot_be_written(hub, commit, monkeypatch, tmp_path):
    from huggingface_hub import constants

    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    text = problem(REPO, ["weights.pt"])
    assert f"cannot write the cache {tmp_path / 'file' / 'hub'} (" in text
    assert "set HF_HOME to another folder" in text


def test_without_links_in_the_cache(hub, commit, monkeypatch):
    """As on Windows, where files lie in the snapshot itself."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    fetched = fetch(REPO, list(FILES))
    assert isinstance(fetched, Fetched)
    assert {name: (fetched.folder / name).read_bytes() for name in FILES} == FILES
    assert not (fetched.folder / "weights.pt").is_symlink()
    (fetched.folder / "weights.pt").write_bytes(WEIGHTS[:-1])
    assert "the file has been deleted" in problem(REPO, ["weights.pt"])
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS
