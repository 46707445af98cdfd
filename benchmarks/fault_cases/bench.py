"""The workbench of one fault: a fresh folder, the real command line in its own process, and what it left.

A command runs in a forked process: the imports, which take seconds, are shared. The fork calls
`finetune.cli.main.main` with the arguments, in the folder, with its own environment, limits and signals.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fault_cases.moments import Moment, watch
from fault_cases.process import enter, execute

OUTPUTS = ("out", ".", "tmp", "hf", "cache")
"""Names in the folder of a fault, by their beginnings, that a command may write."""


FIRST = "**/last.ckpt"
"""The first checkpoint, which appears between epochs 1 and 2."""


class Failed(AssertionError):
    """The fault was not survived."""


class Skipped(Exception):
    """The fault cannot be injected on this machine."""


@dataclass(frozen=True)
class Result:
    """What a command did.

    Attributes:
        code: exit status; the negative signal number if a signal ended it.
        out: standard output.
        err: standard error.
        memory: peak resident memory in bytes.
        timed_out: whether the time limit ended it.
    """

    code: int
    out: str
    err: str
    memory: int
    timed_out: bool

    @property
    def text(self) -> str:
        """All that was printed, with wrapped lines as they are."""
        return self.out + self.err

    @property
    def errors(self) -> list[str]:
        """Lines that begin with `finetune: `."""
        return [line for line in self.err.splitlines() if line.startswith("finetune: ")]


@dataclass
class Bench:
    """Folder, shared inputs and verdicts of one scenario."""

    folder: Path
    shared: Path
    secret: str
    rows: dict[str, str] = field(default_factory=dict)
    report: Callable[[str, str, str], None] = lambda *_: None
    results: list[Result] = field(default_factory=list)
    sealed: dict[str, str] | None = None
    current: str = ""

    @property
    def secret_file(self) -> Path:
        """A file of the user's that no model may read."""
        return self.shared.parent / "secret" / "passwd"

    @contextlib.contextmanager
    def row(self, name: str) -> Iterator[None]:
        """Judge one row: survived if the block raises nothing and what must stay untouched is."""
        self.current, first = name, len(self.results)
        verdict, reason = "survived", ""
        try:
            yield
            self.untouched(first)
        except Skipped as skip:
            verdict, reason = "skipped", str(skip)
        except Failed as failure:
            verdict, reason = "FAILED", str(failure)
        except Exception as error:
            lines = traceback.extract_tb(error.__traceback__)
            where = f"{Path(lines[-1].filename).name}:{lines[-1].lineno}"
            verdict, reason = "FAILED", f"the case itself: {type(error).__name__}: {error} ({where})"
        self.rows[name] = verdict
        self.report(name, verdict, reason)
        self.seal()

    def seal(self) -> None:
        """Take the present content of the folder as what must not change."""
        self.sealed = snapshot(self.folder)

    def untouched(self, first: int = 0) -> None:
        """Fail if a command changed, deleted or added a file that is not its output, or a secret got out."""
        if self.sealed is not None:
            now = snapshot(self.folder)
            mine = {name for name in self.sealed if not name.startswith(OUTPUTS)}
            if lost := sorted(name for name in mine if name not in now):
                raise Failed(f"deleted: {', '.join(lost[:4])}")
            if changed := sorted(name for name in mine if now[name] != self.sealed[name]):
                raise Failed(f"changed: {', '.join(changed[:4])}")
            new = [name for name in now if name not in self.sealed]
            if stray := sorted(name for name in new if not name.startswith(OUTPUTS)):
                raise Failed(f"written outside its folder: {', '.join(stray[:4])}")
            for name in new:
                if self.secret.encode() in content(self.folder / name):
                    raise Failed(f"the content of a local file is in {name}")
        for result in self.results[first:]:
            if self.secret in result.text:
                raise Failed("the content of a local file was printed")

    def run(
        self,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        timeout: float = 90,
        kill: Moment | None = None,
        send: tuple[str, int] | None = None,
        delay: float = 0.0,
        code: str | None = None,
        hub: str | None = None,
        limits: Mapping[int, int] | None = None,
        during: Callable[[], None] | None = None,
    ) -> Result:
        """Run `finetune ARGUMENTS` in the folder.

        Args:
            arguments: of the command line.
            env: changes of the environment.
            timeout: seconds after which the process is killed.
            kill: moment at which the process sends itself SIGKILL.
            send: text to wait for in the output, or pattern of a file ("**/last.ckpt"), and the signal.
            delay: seconds between that text and the signal.
            code: Python code to run instead of a command.
            hub: address of a Hugging Face Hub.
            limits: RLIMIT_* of the resource module, and their values.
            during: called once the output has the text of `send` (signal 0: only called).

        Returns:
            What the command did.
        """
        started = self.start(*arguments, env=env, kill=kill, code=code, hub=hub, limits=limits)
        return self.finish(started, timeout=timeout, send=send, delay=delay, during=during)

    def start(
        self,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        kill: Moment | None = None,
        code: str | None = None,
        hub: str | None = None,
        limits: Mapping[int, int] | None = None,
    ) -> tuple[int, Path]:
        """Start a command as `run` does; returns its process id and the file of its output."""
        if self.sealed is None:
            self.seal()
        log = Path(tempfile.mkdtemp(dir=self.shared / "logs"))
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child:
            return child, log
        status = 70
        try:
            enter(self.folder, log, env or {}, hub, limits or {})
            if kill:
                watch(kill)
            status = execute([str(argument) for argument in arguments], code)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                atexit._run_exitfuncs()  # libraries delete their temporary files there
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def reached(self, what: str, log: Path) -> bool:
        """Whether a text is in the output, or a file of that pattern is there."""
        if "/" in what and "**" in what:
            return any(self.folder.glob(what))
        return bool(re.search(what, _printed(log)))

    def finish(
        self,
        started: tuple[int, Path],
        timeout: float = 90,
        send: tuple[str, int] | None = None,
        delay: float = 0.0,
        during: Callable[[], None] | None = None,
    ) -> Result:
        """Wait for a command that `start` started."""
        child, log = started
        busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # other work must not look like a hang
        end, timed_out, pending = time.monotonic() + timeout * busy, False, send
        while True:
            done, status, usage = os.wait4(child, os.WNOHANG)
            if done:
                break
            if pending and self.reached(pending[0], log):
                time.sleep(delay)
                if during:
                    during()
                os.kill(child, pending[1])
                pending = None
            if time.monotonic() > end:
                timed_out = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                _, status, usage = os.wait4(child, 0)
                break
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # workers that it left
        out, err = ((log / name).read_text(errors="replace") for name in ("out", "err"))
        code = os.waitstatus_to_exitcode(status)
        result = Result(code, out, err, usage.ru_maxrss * 1024, timed_out)
        self.results.append(result)
        with (log.parent / "commands.jsonl").open("a") as file:
            file.write(json.dumps({"row": self.current, "code": code, "out": out, "err": err}) + "\n")
        return result


def content(path: Path) -> bytes:
    """Bytes of a file, or of all members of a zip archive."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 50_000_000:
        return b""
    if path.suffix == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            return b"".join(file.read(name) for name in file.namelist())
    return path.read_bytes()


def snapshot(folder: Path) -> dict[str, str]:
    """Relative path -> hash of the content; folders and links are entries, too."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = "link " + os.readlink(path)  # noqa: PTH115
        elif path.is_file():
            found[name] = hashlib.sha1(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def _printed(log: Path) -> str:
    return "".join(
        (log / name).read_text(errors="replace") for name in ("out", "err") if (log / name).exists()
    )
