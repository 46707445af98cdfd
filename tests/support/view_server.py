"""A running `finetune view` in a process of its own."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]


class Served(NamedTuple):
    """A server: its address with the token, and the process."""

    url: str
    process: subprocess.Popen[str]

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        """Request a path; `{token}` in it is replaced. Headers are given with underscores."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port or 0, timeout=30)
        token = address.path.strip("/")
        named = {
            name.replace("_", "-"): value.replace("{host}", address.netloc) for name, value in headers.items()
        }
        connection.request(method, path.replace("{token}", token), headers=named)
        response = connection.getresponse()
        return response.status, response.read()


@contextmanager
def view(*arguments: str | Path) -> Iterator[Served]:
    """Start `finetune view` without a browser, and stop it in the end."""
    command = [sys.executable, "-m", "finetune.cli.main", "view", *map(str, arguments), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stderr
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.stderr.read())
    try:
        yield Served(line.split()[0], process)
    finally:
        process.terminate()
        process.wait(20)
