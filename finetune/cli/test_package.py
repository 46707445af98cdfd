"""`finetune test-package`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cards.paths import expand_user
from finetune.cli.console import print_line


class EnvironmentChoice(StrEnum):
    """Environments that can be chosen; keys of `finetune.export.environments.ENVIRONMENTS`."""

    current = "current"
    zoo = "zoo"
    all = "all"


def test_package(
    model: Annotated[Path, typer.Argument(help="A run folder, or a BioImage.IO package (zip).")],
    environment: Annotated[
        EnvironmentChoice,
        typer.Option(
            help="Packages to test with: the current release of bioimageio.core, the versions that the "
            "BioImage.IO zoo runs, or both."
        ),
    ] = EnvironmentChoice.all,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run the code in a zip whose author you trust.")
    ] = False,
) -> None:
    """Test a BioImage.IO package as the zoo does.

    The test runs in separate environments. uv creates each of them once, in the cache folder; this downloads
    several gigabytes. Outcomes of a run are added to its record and its cards. Exit code: 0 if all tests
    pass, 1 if one fails.
    """
    from finetune.pipeline.package_tests import check

    chosen = [EnvironmentChoice.current, EnvironmentChoice.zoo]
    names = [item.value for item in chosen if environment in (item, EnvironmentChoice.all)]
    checks = check(expand_user(model), names, trust=trust)
    for outcome in checks:
        versions = ", ".join(f"{name} {version}" for name, version in outcome.packages.items())
        result = "passed" if outcome.passed else f"failed: {outcome.detail}"
        print_line(f"{outcome.package}, {outcome.environment} ({versions}): {result}")
    if not all(outcome.passed for outcome in checks):
        raise typer.Exit(1)


test_package.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest
