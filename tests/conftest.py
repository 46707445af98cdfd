"""Tests run in as many processes as there are cores: one thread in each is fastest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_publish_server import PublishHub, PublishServer

os.environ.setdefault("OMP_NUM_THREADS", "1")

# Started in the background of a shell, pytest ignores these signals, and so does every command it starts.
for ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishHub]:
    """A Hugging Face Hub of this test's own, empty as its cache; in this process and those it starts."""
    from huggingface_hub import close_session, constants

    home = tmp_path / "hf_home"
    with PublishServer() as hub:
        for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(home))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        # What huggingface_hub makes of the environment when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        places = {"HF_HOME": "", "HF_HUB_CACHE": "hub", "HF_TOKEN_PATH": "token"}
        for name, inside in (places | {"AGENT_HARNESSES_PATH": "agents.json"}).items():
            monkeypatch.setattr(constants, name, str(home / inside))
        close_session()  # it holds the proxies of the environment as it was
        yield hub
        close_session()
