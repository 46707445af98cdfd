"""Tests run in as many processes as there are cores: one thread in each is fastest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_environment import use_hub
from hub_publish_server import PublishHub, PublishServer

os.environ.setdefault("OMP_NUM_THREADS", "1")

# Started in the background of a shell, pytest ignores these signals, and so does every command it starts.
for ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishHub]:
    """A Hugging Face Hub of this test's own, empty as its cache; in this process and those it starts."""
    from huggingface_hub import close_session

    with PublishServer() as hub:
        use_hub(hub.url, tmp_path / "hf_home", monkeypatch)
        yield hub
        close_session()
