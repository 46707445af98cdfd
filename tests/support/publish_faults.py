"""One publication with a fault, and a second without it: is the message true, and is all there at last?"""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from artifact_server import Collection, CollectionServer
from faults_http import KINDS, Fault, Faults
from finished_run import write_run
from hub_environment import use_hub
from hub_publish_server import PublishHub, PublishServer

TOKEN = "hf_aTokenThatNobodyMaySee"
REPO = "someone/discs"
NOTES = {"README.md": b"a model of somebody else"}
MODES = {False: "once", True: "always"}


@dataclass(frozen=True)
class Result:
    """Exit code of a command and what it printed."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("finetune: ")]


def command(*arguments: object) -> Result:
    """Run the command line in this process."""
    from finetune.cli.main import main

    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["finetune", *map(str, arguments)]
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv = before
    return Result(code or 0, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Scenario:
    """A publication to a server of its own.

    Attributes:
        serve: starts the server, prepares the environment, and yields the server.
        arguments: of the command, after the run.
        again: arguments of the second call, from the first error message.
        complete: how many complete publications the server holds.
    """

    serve: Callable[[Path, pytest.MonkeyPatch], contextlib.AbstractContextManager[Any]]
    arguments: tuple[str, ...]
    again: Callable[[str], tuple[str, ...]]
    complete: Callable[[Any, dict[str, bytes]], int]


@contextmanager
def _new_hub(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishHub]:
    from huggingface_hub import close_session

    with PublishServer() as hub:
        use_hub(hub.url, work / "hf", monkeypatch)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        hub.token = TOKEN
        yield hub
        close_session()


@contextmanager
def _used_hub(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishHub]:
    with _new_hub(work, monkeypatch) as hub:
        hub.add(REPO, NOTES)
        yield hub


@contextmanager
def _collection(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection]:
    with CollectionServer() as collection:
        collection.token = TOKEN
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD", collection.create)
        monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD_TOKEN", TOKEN)
        yield collection


def _versions(hub: PublishHub, files: dict[str, bytes]) -> int:
    """Whether everything is on the main branch in one commit, with its tag and branch; else 0."""
    repository = hub.repositories.get(REPO)
    if repository is None:
        return 0
    commits = {repository.revisions.get(name) for name in ("main", "1.0.0", "v1.0.0")}
    whole = len(commits) == 1 and hub.files(REPO) == files and repository.tags == {"1.0.0"}
    return len(hub.messages) if whole else 0


def _proposals(hub: PublishHub, files: dict[str, bytes]) -> int:
    names = hub.repositories[REPO].revisions
    assert hub.files(REPO) == NOTES
    return sum(hub.files(REPO, name) == files for name in names if name.startswith("refs/pr/"))


def _same(error: str) -> tuple[str, ...]:
    return ()


def _draft(error: str) -> tuple[str, ...]:
    found = re.search(r"--repo (\S+)", error)
    return ("--repo", found[1]) if found else ()


def _drafts(collection: Collection, files: dict[str, bytes]) -> int:
    return len(collection.complete(files))


HUB = ("--to", "huggingface", "--repo", REPO)
SCENARIOS = {
    "huggingface": Scenario(_new_hub, HUB, _same, _versions),
    "pull request": Scenario(_used_hub, (*HUB, "--pull-request"), _same, _proposals),
    "bioimageio": Scenario(_collection, ("--to", "bioimageio"), _draft, _drafts),
}


class Bench:
    """A finished run, and what a publication of it without faults sends."""

    def __init__(self, work: Path):
        """Write the run into a folder."""
        self.work = work
        self.run = write_run(work / "run", listed=True)
        self.files: dict[str, dict[str, bytes]] = {}  # of a complete publication, by scenario
        self._requests: dict[str, list[tuple[str, int]]] = {}

    def requests(self, name: str) -> list[tuple[str, int]]:
        """All kinds of requests of a scenario, each at its first and its last occurrence."""
        if name in self._requests:
            return self._requests[name]
        with self._server(name) as server:
            done = command("publish", self.run, *SCENARIOS[name].arguments)
            assert done.code == 0, done.err
            self.files[name] = _content(name, server)
            counts = {label: server.faults.seen.count(label) for label in server.faults.seen}
        counts.pop("GET /api/agent-harnesses", None)  # sent once per process, and nothing depends on it
        places = [(label, number) for label, count in counts.items() for number in sorted({1, count})]
        self._requests[name] = places
        return places

    @contextmanager
    def _server(self, name: str) -> Iterator[Any]:
        with (
            tempfile.TemporaryDirectory(dir=self.work) as home,
            pytest.MonkeyPatch.context() as monkeypatch,
            SCENARIOS[name].serve(Path(home), monkeypatch) as server,
        ):
            monkeypatch.setattr(time, "sleep", lambda seconds: None)  # of libraries, before they try again
            yield server

    def judge(self, name: str, fault: Fault) -> list[str]:
        """What is wrong with the two publications; nothing if the fault was survived."""
        self.requests(name)
        scenario, files = SCENARIOS[name], self.files[name]
        with self._server(name) as server:
            server.faults = Faults(fault)
            first = command("publish", self.run, *scenario.arguments)
            met = server.faults.seen.count(fault.label) >= fault.occurrence
            problems = [] if met else ["the fault was not met"]
            problems += _told(first, scenario.complete(server, files))
            problems += _true(first, name, server, files)
            server.faults = Faults()
            again = scenario.again(first.err) if first.code else ()
            second = command("publish", self.run, *scenario.arguments, *again)
            if second.code:
                problems.append(f"the second call fails: {second.err.splitlines()[-1]}")
            count = scenario.complete(server, files)
            expected = 2 if name == "bioimageio" and not again and first.code == 0 else 1
            if count != expected:
                problems.append(f"{count} complete publications after the second call")
        return problems


def _told(result: Result, complete: int) -> list[str]:
    """What is wrong with the form of the first answer."""
    problems = []
    if result.code not in (0, 1, 2):
        problems.append(f"exit code {result.code}")
    if "Traceback" in result.err or TOKEN in result.out + result.err or "X-Signature=" in result.err:
        problems.append("a traceback, the token or a signed address is shown")
    if result.code and (len(result.errors) != 1 or result.out):
        problems.append(f"not one line: {result.err!r}")
    if result.code == 0 and not complete:
        problems.append("called complete, but it is not")
    return problems


def _true(result: Result, name: str, server: Any, files: dict[str, bytes]) -> list[str]:
    """Whether the error says what is on the server."""
    if result.code == 0 or not result.errors:
        return []
    (line,) = result.errors[:1]
    if name == "bioimageio":
        begun = bool(server.artifacts)
        said = {"draft bioimage-io/": begun, "not published": not begun}
    elif name == "pull request":
        begun = any(ref.startswith("refs/pr/") for ref in server.repositories[REPO].revisions)
        said = {"proposed in a pull request": begun, "not published": not begun}
    else:
        begun = REPO in server.repositories and server.files(REPO) == files
        said = {"published in commit": begun, "not published": not begun}
    said["not known whether"] = True
    found = [true for words, true in said.items() if words in line]
    if not found:
        return [f"does not say what is there: {line}"]
    return [] if all(found) else [f"not true: {line}"]


def _content(name: str, server: Any) -> dict[str, bytes]:
    if name == "bioimageio":
        (artifact,) = server.artifacts.values()
        return artifact.files
    return server.files(REPO, "refs/pr/1" if name == "pull request" else "main")


def matrix(bench: Bench, name: str) -> Iterator[Fault]:
    """Every fault of a scenario: each request, each kind, once and from then on."""
    places = bench.requests(name)
    for (label, number), kind, persistent in itertools.product(places, KINDS, MODES):
        yield Fault(label, number, kind, persistent)
