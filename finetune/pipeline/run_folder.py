"""The run folder: one process at a time writes it, and it appears when it is complete."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from cards.errors import InputError
from finetune.pipeline.destination import (
    check_name,
    check_replaceable,
    failure,
    run_folder_of,
)
from finetune.pipeline.start_state import MARKER, is_marked, mark, read_marker
from finetune.utils.atomic import PREFIX, replace_folder, replaced_folders
from finetune.utils.lock import FileLock, LockedError
from finetune.utils.scratch import remove_stale
from finetune.utils.unfinished import unfinished_folder


class RunFolder:
    """Builds `runs/<name>` as `runs/<name>.partial` next to it, and renames it when it is complete.

    A run that is stopped after its first checkpoint leaves the partial folder and can be resumed; a run that
    is stopped earlier leaves nothing. A lock file beside the folder keeps other processes away. `--overwrite`
    replaces a finished run when the new one is complete; an unfinished run is set aside until the new one has
    a checkpoint, and is restored otherwise.

        with RunFolder(Path("runs/quickstart")) as work:
            ...  # write into work
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        resume: bool = False,
        joining: bool = False,
        inputs: Iterable[Path] = (),
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            path: the final run folder.
            overwrite: replace an existing run once the new one is complete; discard an unfinished one.
            resume: continue an unfinished run.
            joining: this process helps another, which creates and completes the folder.
            inputs: files and folders that are never replaced: images, base model.

        Raises:
            InputError: if the path does not name a folder.
        """
        if resume and path.name in ("", ".."):  # of an existing run: the current folder, or one above it
            path = path.resolve()
        check_name(path)
        path = run_folder_of(path) if resume else path
        self.path, self.work = path, unfinished_folder(path)
        self.overwrite, self.resume, self.joining = overwrite, resume, joining
        self.inputs = list(inputs)
        self._lock = FileLock(path.with_name(f"{PREFIX}{path.name}.lock"))
        self._new = path.with_name(f"{PREFIX}{path.name}.new")
        self._aside = path.with_name(f"{PREFIX}{path.name}.unfinished")
        with self._errors():
            self._alone = not path.parent.exists()  # then the parent folder is removed with it

    def check(self) -> None:
        """Check that the folder can be written in the end; nothing is written.

        Raises:
            InputError: if another run exists there, is being written there, or there is nothing to resume.
        """
        if self.joining:
            return
        with self._errors():
            if holder := self._lock.holder():
                raise self._in_use(holder)
            self._check()

    def protect(self, paths: Iterable[Path]) -> None:
        """Check that a run which will be replaced contains none of these files.

        Args:
            paths: files that the run reads, such as all images.

        Raises:
            InputError: if the folder contains one of them.
        """
        self.inputs += paths
        if not self.joining and self.overwrite and self.path.exists():
            check_replaceable(self.path, self.inputs)

    @property
    def resumable(self) -> bool:
        """Whether an unfinished run with a completed epoch exists."""
        return _has_checkpoint(self.work)

    def __enter__(self) -> Path:
        """Take the lock; create the partial folder, or reuse the one that exists."""
        if self.joining:
            return self.work
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except LockedError as locked:
                raise self._in_use(str(locked)) from locked
        try:
            with self._errors():
                self._recover()
                self._check()
                remove_stale()
                if self.resume:
                    self.overwrite = read_marker(self.work)["overwrite"]
                    _remove_temporary_files(self.work)
                else:
                    self._create()
        except BaseException:
            self._leave()
            raise
        return self.work

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rename the folder on success; on failure keep it only if the run can be resumed."""
        if self.joining:
            return
        try:
            if error is None:
                with self._errors():
                    self._complete()
                return
            # A resume that is refused changes nothing.
            if not (self.resume and isinstance(error, InputError)):
                self._discard()
        finally:
            self._leave()
        if line := failure(error):
            kept = f"; what was trained is kept: --resume {self.path}" if self.resumable else ""
            raise InputError(f"{self.path}: {line}{kept}") from error

    def _check(self) -> None:
        if self.work.exists() and not is_marked(self.work):
            raise InputError(
                f"{self.work}: needed for the unfinished run, but finetune did not create it; rename it, or "
                "choose another folder with --out"
            )
        if self.resume:
            if not is_marked(self.work):
                done = " (that run is finished)" if (self.path / "record.json").is_file() else ""
                raise InputError(f"{self.path}: there is no unfinished run to resume here{done}")
            if self.path.exists() and not read_marker(self.work)["overwrite"]:
                raise InputError(f"{self.path}: exists, although the run is unfinished; rename it")
            return
        if self.path.is_symlink() or self.path.exists():
            if not self.overwrite:
                raise InputError(
                    f"{self.path}: exists; choose another folder with --out, or replace it with --overwrite"
                )
            check_replaceable(self.path, self.inputs)
        if not self.overwrite and (self.resumable or _has_checkpoint(self._aside)):
            raise InputError(
                f"{self.path}: contains an unfinished run; continue with --resume {self.path}, "
                "or start over with --overwrite"
            )

    def _create(self) -> None:
        if self.resumable:
            self.work.rename(self._aside)
        else:
            _remove(self.work)
        self._new.mkdir()
        mark(self._new, overwrite=self.overwrite)
        self._new.rename(self.work)

    def _complete(self) -> None:
        if self.path.is_symlink() or self.path.exists():
            if not self.overwrite:
                raise InputError(
                    f"{self.path}: was created by something else while the run was going on; rename it, then "
                    f"complete the run with --resume {self.path}"
                )
            check_replaceable(self.path, self.inputs)
        replace_folder(self.work, self.path)
        (self.path / MARKER).unlink(missing_ok=True)
        _remove(self._aside)

    def _discard(self) -> None:
        """Remove what cannot be resumed, and put back the unfinished run that was set aside."""
        if self.resumable:
            _remove(self._aside)
            return
        _remove(self.work)
        if self._aside.exists():
            self._aside.rename(self.work)

    def _recover(self) -> None:
        """Clean up after a process that was killed."""
        for old in replaced_folders(self.path):
            if self.path.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(self.path)
        shutil.rmtree(self._new, ignore_errors=True)
        if self._aside.exists() and (is_marked(self.work) or not self.work.exists()):
            self._discard()

    def _leave(self) -> None:
        self._lock.release()
        if self._alone:
            with contextlib.suppress(OSError):  # it contains a run
                self.path.parent.rmdir()

    def _in_use(self, holder: str) -> InputError:
        return InputError(f"{self.path}: another run is writing this folder ({holder}); wait for it to end")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Report errors of the operating system in one line."""
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot write here: {error.strerror or error}; choose another folder with --out"
            ) from error


def _has_checkpoint(folder: Path) -> bool:
    return is_marked(folder) and any((folder / "checkpoints").glob("*.ckpt"))


def _remove(folder: Path) -> None:
    if is_marked(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_temporary_files(folder: Path) -> None:
    """Delete files and folders that a killed process did not rename."""
    for path in list(folder.rglob(f"{PREFIX}*")):
        if path.name == MARKER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
