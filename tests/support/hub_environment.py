"""The environment in which huggingface_hub speaks to a test server, in this process and those it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def use_hub(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point huggingface_hub to a server, with an empty cache and no token."""
    from huggingface_hub import close_session, constants

    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    # What huggingface_hub makes of the environment when it is imported.
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    places = {"HF_HOME": "", "HF_HUB_CACHE": "hub", "HF_TOKEN_PATH": "token"}
    for name, inside in (places | {"AGENT_HARNESSES_PATH": "agents.json"}).items():
        monkeypatch.setattr(constants, name, str(home / inside))
    close_session()  # it holds the proxies of the environment as it was
