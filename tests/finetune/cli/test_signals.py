from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# A command that waits, and cleans up however it is interrupted.
SCRIPT = """
import sys, time, typer
from finetune.cli import main
@main.app.command()
def wait():
    try:
        print("waiting", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
sys.argv = ["finetune", "wait"]
main.main()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_that_ends_a_command_lets_it_clean_up(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert output == "cleaned up\n"
    assert process.returncode == code


# The signal arrives while Python calls a function whose exceptions it ignores.
IN_A_CALLBACK = """
import os, sys, time, typer, weakref
from finetune.cli import main
class Freed: pass
@main.app.command()
def wait():
    freed = Freed()
    kept = weakref.ref(freed, lambda _: (os.kill(os.getpid(), NUMBER), time.sleep(0.1)))
    try:
        del freed
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
sys.argv = ["finetune", "wait"]
main.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_not_lost_in_a_callback(number: signal.Signals, code: int) -> None:
    script = IN_A_CALLBACK.replace("NUMBER", str(int(number)))
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (process.stdout, process.returncode) == ("cleaned up\n", code), process.stderr
    assert "ignored" not in process.stderr
