"""Family "files": the files of the model are those in the record and in the descriptions of its packages."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from cards.audit.claims import Claim, Subject, Verdict, joined, sentence
from cards.audit.description import hashed_files, read_description
from cards.audit.hashing import sha256_of
from cards.audit.packages import HUB_PACKAGE, PackageFiles, packages, unreadable_packages
from cards.errors import ModelError
from cards.formatting import counted
from cards.provenance.names import ADDED_LATER, FOREIGN, SIGNATURES
from cards.record import File, RunRecord

FAMILY = "files"
HUB = "huggingface/"
NATIVE = "native"

# Files of a model that are not in its record: they are written afterwards, or describe the record itself.
UNLISTED = (
    "record.json",
    "huggingface/record.json",
    "logs/*",  # loggers write until the process ends
    *SIGNATURES,
    *ADDED_LATER,
    *(f"huggingface/{name}" for name in ADDED_LATER),
)


def check(subject: Subject) -> list[Claim]:
    """Check presence, hashes and completeness of the files of a model.

    Args:
        subject: the model under audit.

    Returns:
        The claims.
    """
    return [
        _record(subject),
        *_listed(subject),
        _links(subject),
        *map(_package, packages(subject)),
        *itertools.starmap(_unreadable, unreadable_packages(subject).items()),
    ]


def _unreadable(path: str, error: ModelError) -> Claim:
    statement = f"{path} is a complete package."
    return Claim(FAMILY, statement, "broken", sentence(error), "Restore the package, or export it again.")


def _record(subject: Subject) -> Claim:
    statement = "The model comes with a valid run record."
    if subject.record is not None:
        wrote = (
            f"schema {subject.record.schema_version}, written by finetune {subject.record.finetune_version}"
        )
        return Claim(FAMILY, statement, "holds", f"record.json: {wrote}.")
    missing = not (subject.folder / "record.json").exists()
    verdict: Verdict = "cannot tell" if missing or "schema_version" in subject.record_error else "broken"
    remedy = "Restore the record.json that finetune wrote"
    if "schema_version" in subject.record_error:
        remedy = "Audit with the version of finetune that wrote the record"
    return Claim(FAMILY, statement, verdict, sentence(subject.record_error), f"{remedy}.")


def _listed(subject: Subject) -> list[Claim]:
    """Compare the files on disk with those in the record; a package lists its files itself."""
    if subject.record is None or subject.kind == "package":
        return []
    listed = _listed_files(subject.kind, subject.record, native=(subject.folder / NATIVE).is_dir())
    if not listed:
        statement, evidence = "The files are those in the record.", "The record lists no files."
        remedy = "Audit the run folder, whose record is complete."
        return [Claim(FAMILY, statement, "cannot tell", evidence, remedy)]
    return [_present(subject.folder, listed), _unlisted(subject, set(listed))]


def _listed_files(kind: str, record: RunRecord, *, native: bool) -> dict[str, File]:
    """Files that a folder should hold, by their names in it.

    A published repository holds `huggingface/` of the run at its root, and `native/` if there is one; a copy
    of `huggingface/` holds no `native/`.
    """
    if kind == "run":
        return {file.path: file for file in record.files}
    root = {file.path.removeprefix(HUB): file for file in record.files if file.path.startswith(HUB)}
    other = {file.path: file for file in record.files if native and file.path.startswith(f"{NATIVE}/")}
    return {**root, **other}


def _present(folder: Path, listed: dict[str, File]) -> Claim:
    different: list[str] = []
    missing: list[str] = []
    removed: list[str] = []
    for name, file in listed.items():
        path = folder / name
        if not path.is_file():
            (removed if name.startswith("checkpoints/") else missing).append(f"{name} is missing")
        elif (found := sha256_of(path)) != file.sha256:
            different.append(f"{name}: SHA-256 {found[:12]}…, recorded {file.sha256[:12]}…")
        elif path.stat().st_size != file.bytes:
            different.append(f"{name}: {path.stat().st_size:,} bytes, recorded {file.bytes:,}")
    statement = f"All {len(listed)} files in the record exist and have the recorded hashes."
    if problems := different + missing:
        remedy = "Restore these files from the original, or ask its author why they changed."
        return Claim(FAMILY, statement, "broken", joined(problems), remedy)
    if removed:  # people delete checkpoints to save space; the exported weights do not depend on them
        remedy = "Nothing else depends on checkpoints; restore them to verify their hashes."
        return Claim(FAMILY, statement, "cannot tell", joined(removed), remedy)
    return Claim(FAMILY, statement, "holds", f"SHA-256 of {counted(len(listed), 'file')} compared.")


def _unlisted(subject: Subject, listed: set[str]) -> Claim:
    allowed = (*UNLISTED, *FOREIGN, *((f"{HUB_PACKAGE}/*",) if subject.kind == "hub" else ()))
    found = (path.relative_to(subject.folder).as_posix() for path in subject.folder.rglob("*") if _file(path))
    extra = [name for name in sorted(found) if name not in listed and not _matches(name, allowed)]
    statement = "Every file in the folder is in the record."
    if extra:
        remedy = "Remove these files, or find out who added them."
        return Claim(
            FAMILY, statement, "broken", joined(f"{name} is not in the record" for name in extra), remedy
        )
    return Claim(FAMILY, statement, "holds", "There is no other file than record, logs and signature.")


def _file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _links(subject: Subject) -> Claim:
    """A link out of the folder would make the audit compare a file that is not part of the model."""
    root = subject.folder.resolve()
    leading = [
        path.relative_to(subject.folder).as_posix()
        for path in sorted(subject.folder.rglob("*"))
        if path.is_symlink() and not path.resolve().is_relative_to(root)
    ]
    statement = "No file is a link to a place outside the folder."
    if leading:
        remedy = "Replace each link with the file itself."
        return Claim(FAMILY, statement, "broken", joined(f"{name} leads out" for name in leading), remedy)
    return Claim(FAMILY, statement, "holds", "All paths lie inside the folder.")


def _different(package: PackageFiles, source: str, stated: str) -> list[str]:
    try:
        found = package.sha256(source)
    except ModelError as error:
        return [str(error)]
    return [] if found == stated else [f"{source}: SHA-256 {found[:12]}…, described {stated[:12]}…"]


def _package(package: PackageFiles) -> Claim:
    """Compare the files of a package with the hashes in its description."""
    name = package.path or "the package"
    statement = f"The files of {name} are those that its description names, with its hashes."
    try:
        description = read_description(package)
    except ModelError as error:
        return Claim(
            FAMILY,
            statement,
            "broken",
            sentence(error),
            "Restore rdf.yaml, or export the package again.",
        )
    problems, named, hashed = [], {package.description}, set()
    for source, stated in hashed_files(description):
        named.add(source)
        if stated is not None:
            hashed.add(source)
        if source not in package.names:
            problems.append(f"{source} is missing")
        elif stated is not None:
            problems += _different(package, source, stated)
    extra = [
        file for file in package.names if file not in named and not _matches(file, (*UNLISTED, *FOREIGN))
    ]
    problems += [f"{file} is not in the description" for file in extra]
    if problems:
        remedy = "Restore the package that finetune exported, or ask its author why it changed."
        return Claim(FAMILY, statement, "broken", joined(problems), remedy)
    return Claim(FAMILY, statement, "holds", f"SHA-256 of {counted(len(hashed), 'file')} compared.")
