"""The Hugging Face Hub over HTTP: a real client, and a server that fails in every way it can."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cards.errors import InputError
from finetune.hub import Fetched, fetch

REPO = "someone/nuclei"
WEIGHTS = random.Random(0).randbytes(100_000)
FILES = {"weights.pt": WEIGHTS, "config.json": b"{}", "more/notes.txt": b"hello"}
SHA = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def commit(hub) -> str:
    """One model on the Hub."""
    return hub.add(REPO, FILES, lfs={"weights.pt"})


@pytest.fixture
def at_once(monkeypatch) -> None:
    """The client does not wait before it tries again."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def problem(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        fetch(*arguments, **options)
    text = str(raised.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def cached(hub) -> list[Path]:
    """Files in the cache that hold weights, or a part of them."""
    home = Path(os.environ["HF_HOME"])
    return [path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_files_come_as_they_are_and_once(hub, commit):
    wanted = ["weights.pt", "more/notes.txt"]
    fetched = fetch(REPO, wanted, optional=["config.json", "absent.json"])
    assert fetched.revision == commit
    assert {name: (fetched.folder / name).read_bytes() for name in FILES} == FILES
    assert not (fetched.folder / "absent.json").exists()
    assert sum(request.sent for request in hub.downloads()) == sum(map(len, FILES.values()))
    hub.asked.clear()
    assert fetch(REPO, wanted) == fetched
    assert not hub.downloads()


def test_only_what_is_asked_for_is_downloaded(hub, commit):
    fetch(REPO, ["config.json"])
    assert [request.sent for request in hub.downloads()] == [2]


@pytest.mark.parametrize("revision", [None, "main", "v1", "refs/pr/1", "commit"])
def test_the_commit_is_known_whatever_was_asked_for(hub, commit, revision):
    for name in ("v1", "refs/pr/1"):
        assert hub.add(REPO, FILES | {"config.json": name.encode()}, revision=name) != commit
    expected = hub.repositories[REPO].revisions.get(revision, commit)
    fetched = fetch(REPO, ["config.json"], revision=commit if revision == "commit" else revision)
    assert fetched.revision == fetched.folder.name == expected
    assert (fetched.folder / "config.json").read_bytes() == hub.repositories[REPO].commits[expected][
        "config.json"
    ]


def test_a_branch_moves_on_and_a_commit_stays(hub, commit):
    before = fetch(REPO, ["config.json"])
    after = hub.add(REPO, FILES | {"config.json": b"[]"}, lfs={"weights.pt"})
    assert (fetch(REPO, ["config.json"]).folder / "config.json").read_bytes() == b"[]"
    assert fetch(REPO, ["config.json"]).revision == after
    hub.asked.clear()
    assert fetch(REPO, ["config.json"], revision=commit) == before
    assert not hub.asked  # nothing can have changed


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


@pytest.mark.parametrize(
    ("repo", "options", "message"),
    [
        (
            "someone/else",
            {},
            "someone/else: no such model on the Hugging Face Hub; if it is private, run `hf",
        ),
        (
            "someone/private",
            {},
            "no such model on the Hugging Face Hub; if it is private, run `hf auth login`",
        ),
        ("someone/gated", {}, "is gated: ask for access on its page on the Hugging Face Hub, then run `hf"),
        (REPO, {"revision": "v9"}, "has no revision 'v9' on the Hugging Face Hub"),
        (REPO, {"revision": "f" * 40}, f"has no revision '{'f' * 40}' on the Hugging Face Hub"),
        (REPO, {"files": ["a.pt"]}, f"{REPO}: on the Hugging Face Hub it has no file a.pt"),
        (REPO, {"files": ["a.pt"], "revision": "main"}, "revision 'main' has no file a.pt"),
        (
            "some one/nuclei",
            {},
            "not a name that a model on the Hugging Face Hub can have: those are user/name",
        ),
    ],
)
def test_what_is_not_there_or_may_not_be_had(hub, commit, repo, options, message):
    for name in ("someone/private", "someone/gated"):
        hub.add(name, FILES)
    hub.private.add("someone/private")
    hub.gated.add("someone/gated")
    text = problem(repo, **{"files": ["weights.pt"], **options}, hint="use model.checkpoint=PATH")
    assert message in text
    assert text.endswith("; use model.checkpoint=PATH")
    assert not cached(hub)


@pytest.mark.parametrize("part", ["status", "file_status"])
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "does not let you in (401): run `hf auth login`, or mend HF_TOKEN"),
        (403, "refuses access to it (403)"),
        (418, "answers 418"),
        (429, "too many requests from here (429): wait some minutes, or raise the limit by `hf auth login`"),
        (500, "fails (500): try again later"),
        (503, "fails (503): try again later"),
    ],
)
def test_what_the_hub_answers_is_told(hub, commit, at_once, part, status, message):
    setattr(hub, part, status)
    assert message in problem(REPO, ["weights.pt"])
    assert not cached(hub)


def test_no_connection(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "the Hugging Face Hub cannot be reached (ConnectError)" in problem(REPO, ["weights.pt"])
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "cannot be reached (HF_HUB_OFFLINE is set); nor is" in problem(REPO, ["weights.pt"])


def test_something_that_is_no_hub(hub, commit):
    hub.extra[f"/api/models/{REPO}"] = ["welcome to this hotel's network"]
    assert "the Hugging Face Hub cannot be reached" in problem(REPO, ["weights.pt"])


def test_a_connection_cut_in_the_middle_is_taken_up_again(hub, commit, at_once, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # of which the last, unfinished one is lost
    hub.cuts = [45_000, 30_000]
    fetched = fetch(REPO, ["weights.pt"])
    assert (fetched.folder / "weights.pt").read_bytes() == WEIGHTS
    ranges = [request.headers.get("Range") for request in hub.downloads()]
    assert ranges == [None, "bytes=40000-", "bytes=70000-"]
    assert sum(request.sent for request in hub.downloads()) == 105_000


def test_a_download_that_never_gets_further_is_given_up_and_not_kept(hub, commit, at_once):
    hub.cuts = [50_000] * 20
    assert "the download of weights.pt broke off" in problem(REPO, ["weights.pt"])
    assert not cached(hub)
    hub.cuts = []
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS


def test_damaged_weights_are_not_kept(hub, commit):
    hub.corrupt.add("weights.pt")
    text = problem(REPO, ["weights.pt"])
    assert (
        "weights.pt was damaged on its way: its SHA-256 is not the one that the Hugging Face Hub na" in text
    )
    assert not cached(hub)
    hub.corrupt.clear()
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS


@pytest.mark.parametrize("revision", [None, "commit"])
@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("content", [WEIGHTS[:50_000], WEIGHTS[:-1] + b"?", b""])
def test_a_file_damaged_in_the_cache_is_fetched_anew(hub, commit, monkeypatch, revision, online, content):
    from huggingface_hub import constants

    fetched = fetch(REPO, ["weights.pt"])
    (fetched.folder / "weights.pt").resolve().write_bytes(content)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", not online)
    revision = commit if revision else None
    assert "it has been deleted: try again" in problem(REPO, ["weights.pt"], revision=revision)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert fetch(REPO, ["weights.pt"], revision=revision) == fetched
    assert (fetched.folder / "weights.pt").read_bytes() == WEIGHTS


def test_a_small_file_cut_short_in_the_cache(hub, commit):
    fetched = fetch(REPO, ["more/notes.txt"])
    (fetched.folder / "more/notes.txt").resolve().write_bytes(b"hell")
    assert "its size is not the one" in problem(REPO, ["more/notes.txt"])
    assert (fetch(REPO, ["more/notes.txt"]).folder / "more/notes.txt").read_bytes() == b"hello"


def test_a_token_opens_what_is_private_and_stays_with_the_hub(hub, commit, monkeypatch):
    hub.private.add(REPO)
    hub.token = "hf_good"
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert fetch(REPO, ["weights.pt"]).revision == commit
    store = [request for request in hub.asked if request.path.startswith("/store/")]
    assert store
    assert not any("Authorization" in request.headers for request in store)


@pytest.mark.parametrize("token", ["hf_bad_secret", "hf_bad\x01secret", "hf_bäd_secret"])
def test_a_token_that_is_refused_or_none_is_not_told(hub, commit, monkeypatch, token):
    import traceback

    hub.token = "hf_good"
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(InputError) as raised:
        fetch(REPO, ["weights.pt"])
    assert "secret" not in "".join(traceback.format_exception(raised.value))
    if token.isprintable() and token.isascii():
        assert "does not let you in (401)" in str(raised.value)


KILLED = """
from huggingface_hub import constants
from finetune.hub import fetch
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
from finetune.hub import fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    fetch("someone/nuclei", ["weights.pt"])
except InputError as error:
    sys.exit(str(error))
"""


def test_no_room_on_the_disk(hub, commit):
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=60)
    assert "no room on the disk for weights.pt: free some, or set HF_HOME to a" in done.stderr
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
    assert "it has been deleted" in problem(REPO, ["weights.pt"])
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS
