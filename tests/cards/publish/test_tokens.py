"""Tokens and signed addresses are never shown, logged or written, whatever goes wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from artifact_server import CollectionServer
from faults_http import Fault, Faults
from finished_run import write_run
from publish_faults import TOKEN

from cards.publish.redaction import hidden, redacted

SECRETS = (TOKEN, "X-Signature=secret")
FAULTS = [
    None,
    Fault("GET /api/whoami-v2", 1, "401", True),
    Fault("PUT /store-upload/HASH", 1, "500", True),
    Fault("PUT /store-upload/HASH", 1, "disconnect before", True),
    Fault("POST /api/models/ID/commit/main", 1, "disconnect before", True),
]


def shown(result, caplog: pytest.LogCaptureFixture, folder: Path) -> str:
    """All that a user, a log file or another program could read."""
    written = [path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()]
    logged = [f"{record.getMessage()} {record.exc_text}" for record in caplog.records]
    return "\n".join([result.out, result.err, *logged, *written])


@pytest.fixture
def verbose(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Debug messages of all libraries."""
    from huggingface_hub.utils import logging as hub_logging

    caplog.set_level(logging.DEBUG)
    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity_debug()
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)
    yield caplog
    hub_logging.set_verbosity(before)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_no_secret_of_hugging_face_is_shown(publisher, run, publish, tmp_path, verbose, fault):
    publisher.faults = Faults(fault)
    result = publish(run, "--to", "huggingface")
    text = shown(result, verbose, tmp_path)
    assert "/api/models/" in text or "whoami" in text, "nothing was logged, so nothing was tested"
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("kind", [None, "401", "500", "disconnect before"])
def test_no_secret_of_bioimageio_is_shown(publish, tmp_path, verbose, kind, monkeypatch):
    run = write_run(tmp_path / "run", listed=True)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with CollectionServer() as collection:
        collection.token = TOKEN
        if kind:
            collection.faults = Faults(Fault("PUT /store/FILE", 2, kind, True))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD", collection.create)
        monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD_TOKEN", TOKEN)
        result = publish(run, "--to", "bioimageio")
    text = shown(result, verbose, tmp_path)
    assert "artifact-manager" in text, "nothing was logged, so nothing was tested"
    assert [secret for secret in SECRETS if secret in text] == []


def test_log_messages_are_redacted_only_during_the_publication(caplog):
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("some.library")
    with hidden("hf_secret"):
        logger.info("PUT %s with %s", "https://store/x?X-Amz-Signature=abc", "Bearer hf_secret")
    logger.info("after %s", "hf_secret")
    assert [record.getMessage() for record in caplog.records] == [
        "PUT https://store/x?*** with Bearer ***",
        "after hf_secret",
    ]
    assert redacted("no address", None) == "no address"
