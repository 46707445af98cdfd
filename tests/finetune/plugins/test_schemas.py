"""Descriptions are valid for the tools of each platform.

FINETUNE_SCHEMAS names a folder with the schemas of NIST and Bilayers: `wipp-plugin-manifest-2020.json`
(github usnistgov/WIPP-Plugins-base-templates, plugin-manifest/schema), `fair-chain-manifest-2023.json`
(github usnistgov/fair-chain-compute-container, schema/manifest.schema.json) and `bilayers.yaml` (github
bilayer-containers/bilayers, src/bilayers/schema.yaml).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from plugin_inputs import ABOUT, plugins

from finetune.cli.plugin_commands import COMMANDS
from finetune.plugins import workflows
from finetune.plugins.registry import describe

NAMES = list(plugins())
FLOWS = list(workflows.names(plugins()))


def schema(name: str) -> Path:
    folder = os.environ.get("FINETUNE_SCHEMAS")
    if not folder or not (path := Path(folder) / name).is_file():
        pytest.skip(f"{name}: set FINETUNE_SCHEMAS to the folder that holds it")
    return path


def program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not on PATH")
    return found


@pytest.mark.parametrize("file", ["wipp-plugin-manifest-2020.json", "fair-chain-manifest-2023.json"])
@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_is_valid_for_both_schemas_of_nist(name: str, file: str) -> None:
    rules = json.loads(schema(file).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(rules).validate(json.loads(describe(name, "wipp", COMMANDS, ABOUT)))


@pytest.mark.parametrize("file", ["wipp-plugin-manifest-2020.json", "fair-chain-manifest-2023.json"])
def test_the_schemas_refuse_a_name_with_an_underscore(file: str) -> None:
    rules = json.loads(schema(file).read_text(encoding="utf-8"))
    manifest = json.loads(describe("audit", "wipp", COMMANDS, ABOUT))
    manifest["inputs"][0]["name"] = "model_dir"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(rules).validate(manifest)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, *FLOWS])
def test_cwltool_finds_the_description_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.cwl"
    path.write_text(describe(name, "cwl", COMMANDS, ABOUT), encoding="utf-8")
    result = subprocess.run([program("cwltool"), "--validate", path], capture_output=True, text=True)
    assert result.returncode == 0 and "is valid CWL" in result.stdout, result.stderr
    assert "WARNING" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_linkml_finds_the_description_of_bilayers_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(describe(name, "bilayers", COMMANDS, ABOUT), encoding="utf-8")
    result = subprocess.run(
        [program("linkml-validate"), "-s", schema("bilayers.yaml"), "-C", "SpecContainer", path],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
