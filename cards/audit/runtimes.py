"""Family "runtimes": the package passed its test with the current bioimageio.core and in the zoo."""

from __future__ import annotations

from cards.audit.claims import Claim, Subject, record_of
from cards.audit.packages import packages
from cards.evidence import RuntimeCheck

FAMILY = "runtimes"
ENVIRONMENTS = 2  # the current release of bioimageio.core, and the versions that the zoo runs


def check(subject: Subject) -> list[Claim]:
    """Read the tests of each package from the record.

    Args:
        subject: the model under audit.

    Returns:
        One claim for each test and each package; none without a package.

    Raises:
        ModelError: if there is no record.
    """
    record = record_of(subject)
    tested: dict[str, list[RuntimeCheck]] = {}
    for result in record.runtimes:
        tested.setdefault(result.package, []).append(result)
    if subject.kind == "run":
        names = {package.path for package in packages(subject)}
    else:
        names = {file.path for file in record.files if file.path.endswith(".zip")}
        if subject.kind == "package" and not names:
            names = {"the package"}
    claims = []
    for name in sorted(names | set(tested)):
        results = tested.get(name, [])
        claims += [_tested(result) for result in results]
        if len({result.environment for result in results}) < ENVIRONMENTS:
            claims.append(_untested(name, results))
    return claims


def _tested(result: RuntimeCheck) -> Claim:
    statement = f"{result.package} passes its test in the environment {result.environment}."
    versions = ", ".join(f"{name} {version}" for name, version in sorted(result.packages.items()))
    if result.passed:
        return Claim(FAMILY, statement, "holds", f"Recorded as passed with {versions}.")
    remedy = "Export the package again with this version of finetune, or correct what the test names."
    return Claim(FAMILY, statement, "broken", f"{result.detail or 'It failed'} ({versions}).", remedy)


def _untested(name: str, results: list[RuntimeCheck]) -> Claim:
    statement = f"{name} passes its test with the current bioimageio.core and with the versions of the zoo."
    done = ", ".join(result.environment for result in results) or "no environment"
    remedy = "Run finetune test-package RUN; the record then holds the results of both environments."
    return Claim(FAMILY, statement, "cannot tell", f"Tested in {done}.", remedy)
