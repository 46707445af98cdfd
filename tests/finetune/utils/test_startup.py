import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from finetune.utils.startup import uncollected


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_during_the_start_and_everything_later_is() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    later = weakref.ref(Node())
    gc.collect()
    assert later() is None


def test_a_start_that_fails_turns_collection_on_again() -> None:
    with pytest.raises(ValueError, match="no model"), uncollected():
        raise ValueError("no model")
    assert gc.isenabled()


def test_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("thread", ["", "threading.Thread(target=time.sleep, args=[0.2]).start()"])
def test_a_process_that_ends_at_once_writes_its_output_and_runs_its_exit_handlers(thread: str) -> None:
    script = f"""
import atexit, sys, threading, time
from finetune.utils.startup import end
atexit.register(print, "handler")
print("output")
{thread}
end(3)
sys.exit(3)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "output\nhandler\n", "")


def test_a_command_that_is_called_inside_a_process_does_not_end_it() -> None:
    script = """
import sys
from finetune.cli.main import main
sys.argv = ["finetune", "--help"]
try:
    main()
except SystemExit as stop:
    print("returned", stop.code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "returned 0"
