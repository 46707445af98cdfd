"""A forked process that is like one that a shell starts, and the command line in it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

MEMORY = 9 * 2**30
"""Bytes of address space of a command: a bomb must not take the machine with it."""


def enter(
    folder: Path, log: Path, env: Mapping[str, str], hub: str | None, limits: Mapping[int, int]
) -> None:
    """Become a process like one that a shell starts."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.chdir(folder)
    for descriptor, name in ((1, "out"), (2, "err")):
        opened = os.open(log / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    (folder / "tmp").mkdir(exist_ok=True)
    places = {"TMPDIR": folder / "tmp", "HF_HOME": folder / "hf"}
    os.environ.update({name: str(path) for name, path in places.items()})
    os.environ.update(env)
    tempfile.tempdir = None
    if hub:
        _use_hub(hub, folder / "hf")
    for kind, value in {resource.RLIMIT_AS: MEMORY, **limits}.items():
        resource.setrlimit(kind, (value, value))


def _use_hub(url: str, home: Path) -> None:
    """What huggingface_hub makes of HF_ENDPOINT and HF_HOME when it is imported."""
    from huggingface_hub import close_session, constants

    os.environ.update({"HF_ENDPOINT": url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost"})
    os.environ.pop("HF_HUB_OFFLINE", None)
    constants.ENDPOINT = url
    constants.HUGGINGFACE_CO_URL_TEMPLATE = url + "/{repo_id}/resolve/{revision}/{filename}"
    constants.HF_HUB_OFFLINE = False
    constants.HF_HOME = str(home)
    constants.HF_HUB_CACHE = str(home / "hub")
    constants.HF_TOKEN_PATH = str(home / "token")
    constants.HF_HUB_DOWNLOAD_TIMEOUT = 4
    constants.DEFAULT_DOWNLOAD_TIMEOUT = 4
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.05))  # the client waits before it tries again
    close_session()


def execute(arguments: list[str], code: str | None) -> int:
    sys.argv = ["finetune", *arguments]
    try:
        if code is not None:
            exec(compile(code, "script", "exec"), {"__name__": "__main__"})
            return 0
        from finetune.cli.main import main

        main()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
