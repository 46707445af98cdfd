from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from finetune.utils.lock import FileLock, LockedError
from finetune.utils.scratch import ScratchFolder

HOLD = """
import sys, time
from pathlib import Path
from finetune.utils.lock import FileLock
FileLock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
time.sleep(60)
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "locked\n"
    return process


def test_the_second_process_is_told_who_holds_the_lock_until_that_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    other = hold(path)
    lock = FileLock(path)
    expected = rf"process {other.pid} on .+, since \d{{4}}-\d\d-\d\d"
    assert re.match(expected, lock.holder() or "")
    with pytest.raises(LockedError, match=expected):
        lock.acquire()
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert lock.holder() is None
    lock.acquire()
    lock.release()
    assert not path.exists()


def test_a_forked_worker_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"forked")
        time.sleep(60)
        os._exit(0)
    try:
        assert os.read(reading, 6) == b"forked"
        lock.close()
        assert FileLock(tmp_path / "lock").holder() is None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_a_temporary_folder_of_a_killed_process_is_deleted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "finetune-mine").mkdir()
    (tmp_path / "finetune-mine" / "thesis.txt").touch()
    for name in ("finetune-killed", "finetune-running"):
        (tmp_path / name).mkdir()
    (tmp_path / "finetune-killed" / ".finetune-lock").touch()
    other = hold(tmp_path / "finetune-running" / ".finetune-lock")
    try:
        with ScratchFolder() as scratch:
            names = sorted(path.name for path in tmp_path.iterdir())
            assert names == sorted(["finetune-mine", "finetune-running", Path(scratch).name])
        assert not Path(scratch).exists()
    finally:
        other.kill()
        other.wait()
