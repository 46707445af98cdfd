from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cards.bioimageio_people import without_accounts
from finetune.export.environments import ENVIRONMENTS, EnvironmentUnavailable, environment_python
from finetune.export.package_test import check_package, offline_copy


def test_without_uv_one_line_names_the_way_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EnvironmentUnavailable, match="pip install uv") as raised:
        environment_python("zoo")
    assert "\n" not in str(raised.value)


def test_a_failed_installation_is_one_line_with_its_reason_and_leaves_no_usable_environment(
    tmp_path, monkeypatch
):
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'error: no route to host' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    for _ in range(2):  # the second call tries again
        with pytest.raises(EnvironmentUnavailable, match="zoo cannot be created: error: no route to host"):
            environment_python("zoo")


def test_offline_no_environment_is_downloaded(tmp_path, monkeypatch):
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "error: uv $*" >&2\nexit 2\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EnvironmentUnavailable, match=r"--offline.*; HF_HUB_OFFLINE is set: try again"):
        environment_python("zoo")


def test_the_command_refuses_a_zip_whose_code_nobody_vouches_for(command, tmp_path):
    package = tmp_path / "package.zip"
    package.touch()
    done = command("test-package", package)
    assert done.returncode == 2
    assert "--trust" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_a_damaged_package_fails_in_each_environment_with_a_reason(tmp_path: Path, name: str):
    if shutil.which("uv") is None:
        pytest.skip("uv is not installed")
    try:
        environment_python(name)
    except EnvironmentUnavailable as error:
        pytest.skip(str(error))
    package = tmp_path / "package.zip"
    package.write_bytes(b"no zip")
    check = check_package(package, name)
    assert not check.passed
    assert check.detail
    assert check.packages["bioimageio.core"]


def test_the_tested_copy_differs_only_in_accounts_that_would_be_looked_up(plain, tmp_path: Path):
    copy = offline_copy(plain.path, tmp_path)
    assert copy.parent == tmp_path
    with zipfile.ZipFile(plain.path) as one, zipfile.ZipFile(copy) as other:
        assert one.namelist() == other.namelist()
        differing = [name for name in one.namelist() if one.read(name) != other.read(name)]
        descriptions = [YAML(typ="safe").load(package.read("rdf.yaml")) for package in (one, other)]
    assert differing == ["rdf.yaml"]
    assert without_accounts(descriptions[0]) == descriptions[1]
    assert "ada-example" not in str(descriptions[1])
    assert offline_copy(copy, tmp_path / "unused") == copy
