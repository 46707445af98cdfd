"""Make a small run of every kind of model, and test its BioImage.IO package as `finetune test-package` does.

    python benchmarks/packages.py [KIND ...]

Each run starts from random weights and learns discs (`tests/support/tiny_runs.py`). Each package is tested in
both environments of `finetune test-package`, in all its weights formats. Prints a table and how many tests
passed. Words select the kinds whose name contains one of them. Exit code 1 if a run or a test fails.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from tiny_runs import KINDS, make_run, make_starts  # noqa: E402

from cards.errors import InputError  # noqa: E402
from cards.record import RunRecord  # noqa: E402
from finetune.export.environments import ENVIRONMENTS  # noqa: E402
from finetune.export.package_test import check_package  # noqa: E402


def make_package(starts: Path, kind: str, run: Path) -> Path:
    """Make a run; returns its package."""
    make_run(starts, kind, run)
    packages = list((run / "bioimageio").glob("*.zip"))
    if not packages:
        raise InputError(f"no package: {'; '.join(RunRecord.read(run).warnings)}")
    return packages[0]


def formats(package: Path) -> str:
    """The weights formats of a package, and the version of its description."""
    with zipfile.ZipFile(package) as archive:
        description = YAML(typ="safe").load(archive.read("rdf.yaml"))
    names = ", ".join(sorted(description["weights"]))
    return f"{names} (format {description['format_version']})"


def outcomes(starts: Path, kind: str, run: Path) -> Iterator[tuple[str, str, str]]:
    """Environment, weights formats and outcome of each test; whatever fails is an outcome of its row."""
    try:
        package = make_package(starts, kind, run)
        stored = formats(package)
    except Exception as error:
        for environment in ENVIRONMENTS:
            yield environment, "–", failure(error)
        return
    for environment in ENVIRONMENTS:
        try:
            check = check_package(package, environment)
        except Exception as error:
            yield environment, stored, failure(error)
        else:
            yield environment, stored, "passed" if check.passed else f"failed: {check.detail}"


def failure(error: Exception) -> str:
    """One line for the table; the traceback of an error that is not the user's goes to standard error."""
    if isinstance(error, InputError):
        return f"failed: {error}"
    traceback.print_exception(error)
    return f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"


def main(words: list[str]) -> int:
    """Test the chosen kinds; returns the exit code."""
    passed = total = 0
    print("| kind | environment | weights formats | outcome |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        starts = Path(temporary)
        make_starts(starts)
        for number, kind in enumerate(KINDS):
            if words and not any(word.lower() in kind.lower() for word in words):
                continue
            for environment, stored, outcome in outcomes(starts, kind, starts / f"run{number}"):
                total += 1
                passed += outcome == "passed"
                print(f"| {kind} | {environment} | {stored} | {outcome} |", flush=True)
    print(f"\npassed {passed} of {total}")
    return 0 if total and passed == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
