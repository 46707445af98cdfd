"""Test the BioImage.IO packages of a finished run, and state the outcome in its record and on its cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cards.errors import InputError
from cards.evidence import RuntimeCheck
from cards.fingerprint import sha256_file
from cards.provenance.names import SIGNATURES
from cards.record import RunRecord
from finetune.export.package_test import check_package


def check_run(folder: Path, environments: Sequence[str]) -> list[RuntimeCheck]:
    """Test each package of a run in each environment, and record the outcomes.

    Args:
        folder: the run folder.
        environments: keys of `finetune.export.environments.ENVIRONMENTS`.

    Returns:
        The outcomes, also in `record.json`; earlier ones of the same package and environment are replaced.

    Raises:
        InputError: if the run has no package, is signed, or a file differs from its record; or if an
            environment cannot be created.
    """
    from finetune.pipeline.artifacts import rewrite_cards  # imports torch, which takes seconds

    record = RunRecord.read(folder)
    if signed := [name for name in SIGNATURES if (folder / name).exists()]:
        raise InputError(
            f"{folder}: the run is signed, and a test would change its record; delete "
            f"{' and '.join(signed)}, test, and sign again"
        )
    packages = [file for file in record.files if file.path.endswith(".zip")]
    if not packages:
        raise InputError(f"{folder}: the run has no BioImage.IO package")
    for file in record.files:
        path = folder / file.path
        if not path.is_file() or sha256_file(path) != file.sha256:
            raise InputError(
                f"{path}: the file is missing or differs from its record; run finetune audit {folder}"
            )
    checks = [
        check_package(folder / file.path, environment, file.path)
        for file in packages
        for environment in environments
    ]
    rewrite_cards(record.model_copy(update={"runtimes": merged(record.runtimes, checks)}), folder)
    return checks


def merged(earlier: Iterable[RuntimeCheck], later: Iterable[RuntimeCheck]) -> list[RuntimeCheck]:
    """Combine outcomes.

    Args:
        earlier: recorded outcomes.
        later: new outcomes, which replace those of the same package and environment.

    Returns:
        One outcome for each package and environment, in order of their first test.
    """
    outcomes = {(check.package, check.environment): check for check in earlier}
    return list((outcomes | {(check.package, check.environment): check for check in later}).values())


def check(model: Path, environments: Sequence[str], *, trust: bool = False) -> list[RuntimeCheck]:
    """Test a run, or one package.

    Args:
        model: a run folder, or a zip.
        environments: keys of `finetune.export.environments.ENVIRONMENTS`.
        trust: run the code in a zip that does not belong to a run.

    Returns:
        The outcomes; those of a run are recorded.

    Raises:
        InputError: see `check_run`; or if there is no such file, or the test of a zip would run its code.
    """
    if model.is_dir():
        return check_run(model, environments)
    if not model.is_file():
        raise InputError(f"{model}: no such run folder or package")
    if not trust:
        raise InputError(
            f"{model}: the test loads weights and may run Python code of the package; add --trust if you "
            "trust its author"
        )
    return [check_package(model, environment) for environment in environments]
