"""The suite of injected faults runs, and some cheap faults are survived."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHEAP = (
    "rec_binary",
    "rec_empty",
    "rec_multi",
    "rec_pyobj",
    "rec_nanlr",
    "rec_trav",
    "override_evil",
    "val_fifo",
    "cp_over",
    "out_file",
    "out_file_over",
)


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """suite(*arguments) -> exit code, standard output and standard error of benchmarks/faults.py."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import faults

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["faults.py", *arguments])
        return faults.main(), *capsys.readouterr()

    return run


def inject(*arguments: str, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    """Run benchmarks/faults.py in a process of its own, which it forks."""
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "faults.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_every_fault_has_an_id_of_its_own_and_a_description(suite):
    code, out, _ = suite("--list")
    assert code == 0
    listed = out.splitlines()
    ids = [line.split()[0] for line in listed]
    assert len(ids) == len(set(ids)) > 200
    assert all(len(line.split()) > 2 for line in listed)


def test_cheap_faults_are_survived():
    done = inject("--only", ",".join(CHEAP))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"survived {len(CHEAP)} of {len(CHEAP)}"


def test_an_unknown_id_is_an_error(suite):
    code, _, err = suite("--only", "no_such_fault")
    assert code == 2
    assert "no such fault" in err


@pytest.mark.parametrize(
    ("code", "err", "reason"),
    [
        (0, "", "accepted without a word"),
        (1, "Traceback (most recent call last):\nValueError: x", "a traceback"),
        (2, "finetune: one\nfinetune: two", "2 lines"),
        (2, "finetune: something is wrong", "does not say a.tif"),
        (-6, "terminate called after throwing", "debug output"),
    ],
)
def test_a_harmed_user_is_not_a_survived_fault(monkeypatch, code, err, reason):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from fault_cases.bench import Failed, Result
    from fault_cases.judge import refused

    with pytest.raises(Failed, match=reason):
        refused(Result(code, "", err, 0, False), "a.tif")
    refused(Result(2, "", "finetune: a.tif: damaged", 0, False), "a.tif")


@pytest.mark.slow
def test_all_faults_are_survived():
    done = inject("--jobs", "2", timeout=7200)
    assert re.search(r"survived (\d+) of \1$", done.stdout.strip()), done.stdout
