"""A finished run, a Hub whose user may write, and the command line in this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from finished_run import write_run
from hub_publish_server import PublishHub

from finetune.cli.main import main

TOKEN = "hf_aTokenThatNobodyMaySee"


class Result(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("finetune: ")]


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
def publish(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """publish(run, "--to", "huggingface") -> exit code, standard output and standard error."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["finetune", "publish", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        code = stopped.value.code
        assert isinstance(code, int | None)
        return Result(code or 0, shown.out, shown.err)

    return call
