"""A finished run, a Hub whose user may write, and the command line in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from finished_run import write_run
from hub_publish_server import PublishHub
from publish_faults import TOKEN, Result, command


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


@pytest.fixture
def publisher(hub: PublishHub, monkeypatch: pytest.MonkeyPatch) -> PublishHub:
    """The Hub, with the token of its user in the environment; nobody waits before a retry."""
    hub.token = TOKEN
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return hub


@pytest.fixture
def publish() -> Callable[..., Result]:
    """publish(run, "--to", "huggingface") -> exit code, standard output and standard error."""
    return partial(command, "publish")
