"""The Hugging Face Hub over HTTP: a real client, and a server that fails in every way it can."""

from __future__ import annotations

import hashlib
import logging

import pytest
from hub_model import FILES, REPO, WEIGHTS, cached, problem

from cards.errors import InputError
from finetune.downloads.hub import fetch

SHA = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def commit(hub) -> str:
    """One model on the Hub."""
    return hub.add(REPO, FILES, lfs={"weights.pt"})


@pytest.fixture
def at_once(monkeypatch) -> None:
    """The client does not wait before it tries again."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


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


def test_retries_of_the_client_log_nothing(hub, commit, at_once):
    records = []
    handler, logger = logging.Handler(), logging.getLogger("huggingface_hub")
    handler.emit = records.append
    logger.addHandler(handler)
    hub.cuts = [len(WEIGHTS) // 2]
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS
    hub.file_status = 429
    assert "429" in problem(REPO, ["config.json"])
    logger.warning("one")
    logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == ["one"]  # logged after the downloads


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
        ("someone/gated", {}, "is gated: request access on its page on the Hugging Face Hub, then run `hf"),
        (REPO, {"revision": "v9"}, "has no revision 'v9' on the Hugging Face Hub"),
        (REPO, {"revision": "f" * 40}, f"has no revision '{'f' * 40}' on the Hugging Face Hub"),
        (REPO, {"files": ["a.pt"]}, f"{REPO}: on the Hugging Face Hub it has no file a.pt"),
        (REPO, {"files": ["a.pt"], "revision": "main"}, "revision 'main' has no file a.pt"),
        (
            "some one/nuclei",
            {},
            "not a valid name of a model on the Hugging Face Hub: names have the form user/name",
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
        (401, "denies access (401): run `hf auth login`, or correct HF_TOKEN"),
        (403, "denies access (403)"),
        (418, "answers 418"),
        (429, "too many requests (429): wait a few minutes, or raise the limit with `hf auth login`"),
        (500, "server error (500): try again later"),
        (503, "server error (503): try again later"),
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
    assert "cannot be reached (HF_HUB_OFFLINE is set), and the model is not" in problem(REPO, ["weights.pt"])


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
    assert "the download of weights.pt was interrupted" in problem(REPO, ["weights.pt"])
    assert not cached(hub)
    hub.cuts = []
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS


def test_damaged_weights_are_not_kept(hub, commit):
    hub.corrupt.add("weights.pt")
    text = problem(REPO, ["weights.pt"])
    assert "weights.pt was damaged in transit: its SHA-256 differs from that reported by the Hugging" in text
    assert not cached(hub)
    hub.corrupt.clear()
    assert (fetch(REPO, ["weights.pt"]).folder / "weights.pt").read_bytes() == WEIGHTS


def test_without_a_network_a_damaged_file_is_named_and_kept(hub, commit, monkeypatch):
    path = fetch(REPO, ["weights.pt"]).folder / "weights.pt"
    path.resolve().write_bytes(b"damaged")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "download the model again where there is a network" in problem(REPO, ["weights.pt"])
    assert path.read_bytes() == b"damaged"


def test_a_small_file_that_was_altered_is_not_kept(hub, commit, tmp_path):
    hub.corrupt.add("more/notes.txt")
    assert "more/notes.txt was damaged in transit: its checksum differs" in problem(REPO, ["more/notes.txt"])
    assert not list(tmp_path.rglob("notes.txt"))
    hub.corrupt.clear()
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
        assert "denies access (401)" in str(raised.value)
