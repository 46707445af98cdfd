"""The run folder: written atomically."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import TracebackType

from cards.errors import InputError
from finetune.utils.atomic import is_disk_full, replace_folder


class RunFolder:
    """Builds `runs/<name>` as `runs/<name>.partial` next to it, and renames it when it is complete.

    A run that is stopped after its first checkpoint leaves the partial folder and can be resumed; a run that
    is stopped earlier leaves nothing.

        with RunFolder(Path("runs/quickstart")) as work:
            ...  # write into work
    """

    def __init__(
        self, path: Path, *, overwrite: bool = False, resume: bool = False, joining: bool = False
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            path: the final run folder.
            overwrite: replace an existing folder once the new one is complete; discard an unfinished one.
            resume: continue an unfinished run.
            joining: this process helps another, which creates and completes the folder.
        """
        self.path = path
        self.work = path.with_name(path.name + ".partial")
        self.overwrite, self.resume, self.joining = overwrite, resume, joining
        self._alone = not path.parent.exists()  # then the parent folder is removed with it

    def check(self) -> None:
        """Check that the folder can be written in the end.

        Raises:
            InputError: if another run exists there, or there is nothing to resume.
        """
        if self.joining:
            return
        if self.resume:
            if not self.work.is_dir():
                done = " (that run is finished)" if self.path.is_dir() else ""
                raise InputError(f"{self.path}: there is no unfinished run to resume here{done}")
            return
        if self.path.exists() and not self.overwrite:
            raise InputError(
                f"{self.path}: exists; choose another folder with --out, or replace it with --overwrite"
            )
        if self.resumable and not self.overwrite:
            raise InputError(
                f"{self.path}: contains an unfinished run; continue with --resume {self.path}, "
                "or start over with --overwrite"
            )

    def __enter__(self) -> Path:
        """Create the partial folder, or reuse the one that exists."""
        self.check()
        if not self.joining and not self.resume:
            shutil.rmtree(self.work, ignore_errors=True)
            try:
                self.work.mkdir(parents=True)
            except OSError as error:
                raise InputError(
                    f"{self.path}: cannot write here: {error.strerror}; choose another with --out"
                ) from error
        return self.work

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rename the folder on success; on failure keep it only if the run can be resumed."""
        if self.joining:
            return
        if error is None:
            replace_folder(self.work, self.path)
            return
        if not self.resumable:
            shutil.rmtree(self.work, ignore_errors=True)
            if self._alone:
                with contextlib.suppress(OSError):  # another run may have begun there
                    self.path.parent.rmdir()
        if is_disk_full(error) and not isinstance(error, InputError):  # which says it in words of its own
            kept = f"; what was trained is kept: --resume {self.path}" if self.resumable else ""
            raise InputError(f"{self.path}: the disk is full; free some space{kept}") from error

    @property
    def resumable(self) -> bool:
        """Whether the partial folder contains a completed epoch."""
        return (self.work / "checkpoints" / "last.ckpt").exists()
