"""Test of a BioImage.IO package with `bioimageio test`, in an environment of its own."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cards.bioimageio_people import without_accounts
from cards.evidence import RuntimeCheck
from finetune.export.environments import CURRENT, ENVIRONMENTS, environment_python
from finetune.repositories.bioimageio.contents import read_contents
from finetune.utils.scratch import ScratchFolder

MAX_DETAIL = 500  # letters of a failure on the card

VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name).partition("+")[0] for name in sys.argv[1:]}))
"""


def check_package(path: Path, environment: str, name: str | None = None) -> RuntimeCheck:
    """Run `bioimageio test` for all weights formats of a package, which executes its code.

    Args:
        path: the zip.
        environment: a key of `finetune.export.environments.ENVIRONMENTS`; it is created if it is missing.
        name: path of the package in its run folder; the file name if unset.

    Returns:
        The outcome, with the first failure.

    Raises:
        InputError: if the environment cannot be created.
    """
    chosen = ENVIRONMENTS[environment]
    python = environment_python(environment)
    with ScratchFolder() as temporary:
        summary = Path(temporary) / "summary.json"
        done = subprocess.run(
            [
                *(str(python), "-m", "bioimageio.core", "test", str(offline_copy(path, Path(temporary)))),
                *("--weight-format", "all", "--summary", str(summary)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=temporary,
            env=_variables(Path(temporary)),
        )
        details = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else None
    detail = _first_failure(details, done.stderr or done.stdout)
    return RuntimeCheck(
        package=name or path.name,
        environment=chosen.title,
        packages=_versions(python, chosen.reported),
        passed=detail is None,
        detail=detail,
    )


def offline_copy(path: Path, folder: Path) -> Path:
    """A copy of a package without GitHub accounts, if it states any.

    `bioimageio test` looks accounts up at api.github.com, ends with a traceback where it cannot, and has no
    option against it.

    Args:
        path: the zip.
        folder: where the copy is written.

    Returns:
        Path of the copy, or of the package if it states no account.
    """
    try:
        opened = read_contents(path.name, path.resolve())
    except Exception:  # of many types, see `read_contents`; the test finds out, and says so
        return path.resolve()
    if (content := without_accounts(opened.content)) == opened.content:
        return path.resolve()
    copy = folder / path.name
    description = io.BytesIO()
    YAML(typ="safe").dump(content, description)
    with zipfile.ZipFile(path) as package, zipfile.ZipFile(copy, "w") as written:
        for member in package.infolist():
            mine = member.filename == opened.file_name
            written.writestr(member, description.getvalue() if mine else package.read(member))
    return copy


def passed_here(package: str, formats: Sequence[str] = ()) -> RuntimeCheck:
    """Describe a test that a package passed in this process.

    Args:
        package: path of the package in the run folder.
        formats: weights formats in the package; ONNX Runtime is reported if it was used.

    Returns:
        The check, with the versions of the installed packages.
    """
    names = [
        name
        for name in ENVIRONMENTS["current"].reported
        if name != "onnxruntime" or not formats or "onnx" in formats
    ]
    packages = {}
    for name in names:
        try:
            packages[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
    return RuntimeCheck(package=package, environment=CURRENT, packages=packages, passed=True)


def _variables(folder: Path) -> dict[str, str]:
    """Variables of the subprocess: without this Python's search path, and without tokens."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in unwanted and "TOKEN" not in key.upper() and "SECRET" not in key.upper()
    }
    return {
        **kept,
        "BIOIMAGEIO_CACHE_PATH": str(folder / "cache"),
        "NO_COLOR": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _versions(python: Path, names: Sequence[str]) -> dict[str, str]:
    done = subprocess.run(
        [str(python), "-c", VERSIONS, *names], capture_output=True, text=True, check=False, cwd=sys.prefix
    )
    return json.loads(done.stdout) if done.returncode == 0 else {}


def _first_failure(summary: dict[str, Any] | None, output: str) -> str | None:
    """The first failed test with its reason; None if all passed."""
    if summary is None:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        last = _without_paths(lines[-1]) if lines else "no output"
        return f"bioimageio test did not finish: {last}"[:MAX_DETAIL]
    if summary["status"] == "passed":
        return None
    for detail in summary["details"]:
        if detail["status"] == "failed":
            reasons = "; ".join(" ".join(error["msg"].split()) for error in detail["errors"])
            return _without_paths(f"{detail['name']}: {reasons}")[:MAX_DETAIL]
    return f"status {summary['status']}"


def _without_paths(text: str) -> str:
    """The detail goes onto the card, which names no file of this machine."""
    return re.sub(r"\S*[/\\]\S+", "…", text)
