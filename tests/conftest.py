"""Tests run in as many processes as there are cores: one thread in each is fastest."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_environment import use_hub
from hub_publish_server import PublishHub, PublishServer
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is not a failure
settings.load_profile("patient")

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Servers on this machine are asked, whatever the environment says of the network.
for offline in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "FINETUNE_OFFLINE"):
    os.environ.pop(offline, None)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
# Otherwise every command that is tested would compile torch again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Started in the background of a shell, pytest ignores these signals, and so does every command it starts.
for ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Exempt what collection imports from garbage collection, which takes a tenth of the time otherwise."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(20_000, 20, 20)


def pytest_runtest_setup() -> None:
    """Exempt again what the test of a package has readmitted: each collection would take half a second."""
    if not gc.get_freeze_count():
        gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def quick_garbage_collection() -> Iterator[None]:
    """Exempt what a module of tests leaves behind, such as imports: bioimageio.core collects often."""
    yield
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Collect everything when the process ends: some packages report what is left as a leak."""
    gc.unfreeze()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishHub]:
    """A Hugging Face Hub of this test's own, empty as its cache; in this process and those it starts."""
    from huggingface_hub import close_session

    with PublishServer() as hub:
        use_hub(hub.url, tmp_path / "hf_home", monkeypatch)
        yield hub
        close_session()
